#include "model/convert.h"

#include <algorithm>

#include "kernels/encode_blocks.h"
#include "model/gguf_output.h"

namespace spillway::model {

namespace {

bool is_float(const GgufTensor& tensor) {
  if (tensor.layout == nullptr) return false;
  return tensor.layout->name == "F32" || tensor.layout->name == "F16" || tensor.layout->name == "BF16";
}

/// The rows of `tensor` as blocks of `type`, a few rows at a time.
core::Result<core::ByteVector> converted(const GgufTensor& tensor, core::Bytes bytes, const kernels::BlockType& type) {
  const std::uint64_t row = tensor.dims[0];
  const std::uint64_t rows_at_once = std::max<std::uint64_t>(1, (1U << 20) / row);
  core::ByteVector blocks(tensor.elements / type.elements * type.bytes);
  std::vector<float> values;
  for (std::uint64_t first = 0; first < tensor.elements; first += rows_at_once * row) {
    const std::uint64_t count = std::min(rows_at_once * row, tensor.elements - first);
    values.resize(count);
    const auto read =
        kernels::dequantize(*tensor.layout, bytes.subspan(first * tensor.layout->bytes, count * tensor.layout->bytes), values);
    if (!read) return tl::make_unexpected(read.error());
    const auto part = std::span(blocks).subspan(first / type.elements * type.bytes, count / type.elements * type.bytes);
    if (const auto made = kernels::encode_blocks(type, values, part); !made)
      return core::fail(core::Errc::bad_file, "tensor " + in_quotes(tensor.name) + ": " + made.error().message);
  }
  return blocks;
}

/// Metadata in the order of the file.
void copy_metadata(const GgufFile& file, GgufOutput& out) {
  std::vector<std::pair<std::string_view, const GgufValue*>> pairs;
  for (const auto& [key, value] : file.metadata()) {
    const bool of_the_file = key == "general.file_type" || key == "general.alignment" || key.starts_with("split.");
    if (!of_the_file) pairs.emplace_back(key, &value);
  }
  std::sort(pairs.begin(), pairs.end(), [](const auto& a, const auto& b) { return a.second->begin < b.second->begin; });
  for (const auto& [key, value] : pairs) out.add_raw(key, value->type, file.bytes().subspan(value->begin, value->end - value->begin));
  if (!out.has("general.quantization_version")) out.add_u32("general.quantization_version", 2);
}

}  // namespace

core::Result<Converted> convert_model(const GgufFile& file, const kernels::BlockType& type, const std::string& path) {
  if (!kernels::can_encode(type))
    return core::fail(core::Errc::unsupported,
                      "type " + std::string(type.name) + " cannot be made; want one of " + kernels::encodable_types());
  Converted done;
  GgufOutput out(file.alignment());
  copy_metadata(file, out);
  for (const GgufTensor& tensor : file.tensors()) {
    const auto bytes = file.tensor_bytes(tensor);
    if (!bytes) return tl::make_unexpected(bytes.error());
    const bool matrix = tensor.dims_count >= 2 && tensor.elements != tensor.dims[0];
    bool convert = matrix;
    if (matrix && !is_float(tensor)) {
      return core::fail(core::Errc::unsupported, "tensor " + in_quotes(tensor.name) + " has type " + tensor.type_name() +
                                                     ": want F32, F16 or BF16, what is rounded once is not rounded again");
    }
    if (matrix && tensor.dims[0] % type.elements != 0) {
      done.kept.push_back(std::string(tensor.name) + ": rows of " + std::to_string(tensor.dims[0]) + " are no whole blocks of " +
                          std::to_string(type.elements));
      convert = false;
    } else if (matrix && tensor.name.ends_with("ffn_gate_inp.weight")) {
      done.kept.push_back(std::string(tensor.name) + ": it chooses experts");
      convert = false;
    }
    GgufOutputTensor made{std::string(tensor.name), {tensor.dims.begin(), tensor.dims.begin() + tensor.dims_count}, {}, {}};
    made.layout = convert ? &type : tensor.layout;
    if (convert) {
      made.make = [&tensor, &type, source = *bytes] { return converted(tensor, source, type); };
      ++done.tensors;
    } else {
      made.make = [source = *bytes]() -> core::Result<core::ByteVector> { return core::ByteVector(source.begin(), source.end()); };
    }
    done.bytes_before += tensor.bytes;
    done.bytes_after += made.bytes();
    out.add_tensor(std::move(made));
  }
  if (const auto written = out.write(path); !written) return tl::make_unexpected(written.error());
  return done;
}

}  // namespace spillway::model
