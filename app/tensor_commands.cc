#include "app/tensor_commands.h"

#include <CLI/CLI.hpp>
#include <bit>
#include <boost/json.hpp>
#include <iostream>
#include <memory>
#include <vector>

#include "kernels/dequantize.h"
#include "kernels/encode_blocks.h"
#include "model/convert.h"
#include "model/random_model.h"
#include "model/store.h"

namespace spillway::app {

static_assert(std::endian::native == std::endian::little, "values are written as they lie in memory");

int models_dequantize(const std::string& type_name, std::istream& in, std::ostream& out, std::ostream& errors) {
  const kernels::BlockType* type = kernels::find_block_type(std::string_view(type_name));
  if (type == nullptr || type->decode == nullptr) {
    errors << "spillway: --type " << type_name << " cannot be decoded; want one of " << kernels::decodable_types() << "\n";
    return 2;
  }
  constexpr std::size_t blocks_at_once = 4096;
  std::vector<char> blocks(blocks_at_once * type->bytes);
  std::vector<float> values(blocks_at_once * type->elements);
  while (in) {
    in.read(blocks.data(), static_cast<std::streamsize>(blocks.size()));
    const auto got = static_cast<std::size_t>(in.gcount());
    if (got % type->bytes != 0) {
      errors << "spillway: " << got % type->bytes << " bytes at the end are no whole block: want blocks of " << type->bytes << " bytes, "
             << type->elements << " values of " << type->name << " each\n";
      return 1;
    }
    const std::span<float> decoded = std::span(values).first(got / type->bytes * type->elements);
    const auto done = kernels::dequantize(*type, std::as_bytes(std::span(blocks).first(got)), decoded);
    if (!done) {
      errors << "spillway: " << done.error().message << "\n";
      return 1;
    }
    out.write(reinterpret_cast<const char*>(decoded.data()), static_cast<std::streamsize>(decoded.size_bytes()));
  }
  out.flush();
  if (out) return 0;
  errors << "spillway: cannot write the values\n";
  return 1;
}

int models_convert(const std::string& from, const std::string& to, const std::string& type_name, bool json_out, std::ostream& out,
                   std::ostream& errors) {
  const auto failed = [&errors](const core::Error& error) {
    errors << "spillway: " << error.message << "\n";
    return 1;
  };
  const kernels::BlockType* type = kernels::find_block_type(std::string_view(type_name));
  if (type == nullptr || !kernels::can_encode(*type)) {
    errors << "spillway: --type " << type_name << " cannot be made; want one of " << kernels::encodable_types() << "\n";
    return 2;
  }
  const auto path = model::resolve_model(from);
  if (!path) return failed(path.error());
  const auto file = model::GgufFile::open(*path);
  if (!file) return failed(file.error());
  const auto done = model::convert_model(*file, *type, to);
  if (!done) return failed(done.error());
  for (const std::string& kept : done->kept) errors << "left as it was: " << kept << "\n";
  errors << done->tensors << " matrices brought to " << type->name << " by plain rounding, " << (done->bytes_before >> 20) << " MiB to "
         << (done->bytes_after >> 20) << " MiB\n";
  if (json_out) {
    out << boost::json::serialize(boost::json::object{{"path", to},
                                                      {"type", type->name},
                                                      {"tensors", done->tensors},
                                                      {"kept", done->kept.size()},
                                                      {"bytes_before", done->bytes_before},
                                                      {"bytes_after", done->bytes_after}})
        << "\n";
  }
  return 0;
}

int models_random(const std::string& like, const std::string& type_name, std::uint64_t seed, const std::string& to, bool json_out,
                  std::ostream& out, std::ostream& errors) {
  const model::ModelShape* shape = model::find_model_shape(like);
  if (shape == nullptr) {
    errors << "spillway: --like " << like << " is not known; want one of " << model::model_shape_names() << "\n";
    return 2;
  }
  const kernels::BlockType* type = kernels::find_block_type(std::string_view(type_name));
  if (type == nullptr || type->decode == nullptr) {
    errors << "spillway: --type " << type_name << " cannot be made; want one of " << kernels::decodable_types() << "\n";
    return 2;
  }
  const auto made = model::write_random_model(*shape, *type, seed, to);
  if (!made) {
    errors << "spillway: " << made.error().message << "\n";
    return 1;
  }
  for (const std::string& kept : made->kept) errors << kept << "\n";
  errors << made->tensors << " tensors of random weights, " << (made->bytes >> 20) << " MiB\n";
  if (json_out) {
    out << boost::json::serialize(boost::json::object{{"path", to},
                                                      {"like", like},
                                                      {"type", type->name},
                                                      {"seed", seed},
                                                      {"tensors", made->tensors},
                                                      {"kept", made->kept.size()},
                                                      {"bytes", made->bytes}})
        << "\n";
  }
  return 0;
}

void add_models_tensors(CLI::App& models, Run& run) {
  const auto type = std::make_shared<std::string>();
  CLI::App* dequantize = models.add_subcommand("dequantize", "Values of raw tensor blocks: blocks on stdin, little-endian f32 on stdout");
  dequantize->add_option("--type", *type, "Tensor type, for example Q4_K; Q2_0 has groups of 64, Q2_0_G128 the other")->required();
  dequantize->callback([type, &run] { run = [type] { return models_dequantize(*type, std::cin, std::cout, std::cerr); }; });

  struct Convert {
    std::string from, to, type;
    bool json = false;
  };
  const auto values = std::make_shared<Convert>();
  CLI::App* convert = models.add_subcommand("convert", "Bring the matrices of a model to another type, by plain rounding");
  convert->add_option("IN", values->from, "Path or known name; matrices of F32, F16 or BF16")->required();
  convert->add_option("OUT", values->to, "Path of the new file")->required();
  convert->add_option("--type", values->type, kernels::encodable_types())->required();
  convert->add_flag("--json", values->json, "Print one JSON object");
  convert->callback([values, &run] {
    run = [values] { return models_convert(values->from, values->to, values->type, values->json, std::cout, std::cerr); };
  });

  struct Random {
    std::string like, to, type;
    std::uint64_t seed = 1;
    bool json = false;
  };
  const auto random_values = std::make_shared<Random>();
  CLI::App* random =
      models.add_subcommand("random", "A file of the shape of a known model with random weights, for tests of speed and size");
  random->add_option("--like", random_values->like, model::model_shape_names())->required();
  random->add_option("--type", random_values->type, "Type of the matrices: " + kernels::decodable_types())->required();
  random->add_option("--seed", random_values->seed, "The same seed gives the same bytes (default 1)");
  random->add_option("OUT", random_values->to, "Path of the new file")->required();
  random->add_flag("--json", random_values->json, "Print one JSON object");
  random->callback(
      [v = random_values, &run] { run = [v] { return models_random(v->like, v->type, v->seed, v->to, v->json, std::cout, std::cerr); }; });
}

}  // namespace spillway::app
