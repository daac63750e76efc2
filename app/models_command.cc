#include "app/models_command.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "app/commands.h"
#include "app/interruptible.h"
#include "app/perplexity_command.h"
#include "app/score_command.h"
#include "app/tensor_commands.h"
#include "model/gguf.h"
#include "model/store.h"
#include "model/text_stream.h"
#include "model/tokenizer.h"

namespace spillway::app {

namespace json = boost::json;

namespace {

int failed(const core::Error& error, std::ostream& errors) {
  errors << "spillway: " << error.message << "\n";
  return 1;
}

/// Valid UTF-8, whatever the bytes.
std::string clean_text(std::string_view bytes) {
  model::Utf8Stream stream;
  std::string text;
  stream.feed(bytes, text);
  stream.finish(text);
  return text;
}

json::object to_json(const model::StoredModel& stored) {
  return {{"name", stored.name}, {"path", stored.path}, {"sha256", stored.sha256}};
}

json::value to_json(double number) {
  if (!std::isfinite(number)) return json::value(std::to_string(number));
  return number;
}

/// Elements of an array shown by `inspect`; the rest is told by its count.
constexpr std::size_t shown_max = 8;

template <class List, class Convert>
json::array first_of(const List& list, Convert&& convert) {
  json::array array;
  for (std::size_t i = 0; i < list.size() && i < shown_max; ++i) array.push_back(convert(list[i]));
  return array;
}

json::value array_to_json(const model::GgufFile& file, std::string_view key, const model::GgufValue& value) {
  json::object object{{"array", std::string(model::to_string(value.element))}, {"count", value.count}};
  if (value.element == model::GgufType::string) {
    if (const auto strings = file.get_strings(key))
      object["first"] = first_of(*strings, [](std::string_view s) { return json::value(clean_text(s)); });
  } else if (value.element == model::GgufType::f32 || value.element == model::GgufType::f64) {
    if (const auto floats = file.get_f32s(key))
      object["first"] = first_of(*floats, [](float f) { return to_json(static_cast<double>(f)); });
  } else if (const auto ints = file.get_ints(key)) {
    object["first"] = first_of(*ints, [](std::int64_t i) { return json::value(i); });
  }
  return object;
}

json::value value_to_json(const model::GgufFile& file, std::string_view key, const model::GgufValue& value) {
  switch (value.type) {
    case model::GgufType::array: return array_to_json(file, key, value);
    case model::GgufType::string: return json::value(clean_text(*file.get_string(key)));
    case model::GgufType::boolean: return json::value(*file.get_bool(key));
    case model::GgufType::f32:
    case model::GgufType::f64: return to_json(static_cast<double>(*file.get_f32(key)));
    default: return json::value(file.get_ints(key)->front());
  }
}

json::object inspect_json(const std::string& path, const model::GgufFile& file) {
  json::object metadata;
  for (const auto& [key, value] : file.metadata()) metadata[clean_text(key)] = value_to_json(file, key, value);
  json::array tensors;
  std::map<std::string, std::uint64_t> types;
  std::uint64_t elements = 0;
  for (const model::GgufTensor& tensor : file.tensors()) {
    json::array dims;
    for (std::uint32_t d = 0; d < tensor.dims_count; ++d) dims.push_back(tensor.dims[d]);
    const std::string type = tensor.type_name();
    tensors.push_back(json::object{
        {"name", clean_text(tensor.name)}, {"type", type}, {"dims", dims}, {"offset", tensor.offset}, {"bytes", tensor.bytes}});
    ++types[type];
    elements += tensor.elements;
  }
  json::object counts;
  for (const auto& [type, count] : types) counts[type] = count;
  return {{"path", path},           {"bytes", file.total_bytes()}, {"alignment", file.alignment()},
          {"parameters", elements}, {"tensor_types", counts},      {"metadata", metadata},
          {"tensors", tensors}};
}

void print_inspection(const json::object& found, std::ostream& out) {
  out << found.at("path").as_string().c_str() << ": " << json::serialize(found.at("bytes")) << " bytes, "
      << found.at("tensors").as_array().size() << " tensors " << json::serialize(found.at("tensor_types")) << ", "
      << json::serialize(found.at("parameters")) << " parameters\n";
  for (const auto& pair : found.at("metadata").as_object()) out << "  " << pair.key() << " = " << json::serialize(pair.value()) << "\n";
  for (const auto& tensor : found.at("tensors").as_array()) {
    out << "  " << tensor.at("name").as_string().c_str() << "  " << tensor.at("type").as_string().c_str() << "  "
        << json::serialize(tensor.at("dims")) << "\n";
  }
}

core::Result<std::shared_ptr<const model::Tokenizer>> open_tokenizer(const std::string& path_or_name) {
  const auto path = model::resolve_model(path_or_name);
  if (!path) return tl::make_unexpected(path.error());
  const auto file = model::GgufFile::open(*path);
  if (!file) return tl::make_unexpected(file.error());
  return model::Tokenizer::from_gguf(*file);
}

/// Calls `answer(value)` for the JSON value of each line of `in` and prints what it returns.
template <class Answer>
int each_line(std::istream& in, std::ostream& out, std::ostream& errors, std::string_view wanted, Answer&& answer) {
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    boost::system::error_code error;
    const json::value value = json::parse(line, error);
    core::Result<json::value> reply = core::fail(core::Errc::bad_argument, error ? error.message() : "another kind of value");
    if (!error) reply = answer(value);
    if (!reply)
      return failed(
          {core::Errc::bad_argument, "line " + std::to_string(number) + ": " + reply.error().message + "; want " + std::string(wanted), {}},
          errors);
    out << json::serialize(*reply) << std::endl;  // whoever writes line by line may wait for the answer
  }
  return 0;
}

/// Says of a known model's file that it is not the one that is known.
void tell_damaged(const model::StoredModel& stored, std::ostream& errors) {
  const auto* known = model::find_known_model(stored.name);
  if (known == nullptr || known->sha256 == stored.sha256) return;
  const std::filesystem::path file(stored.path);
  if (file.filename() != known->file) return;  // a file of the user's own
  errors << "spillway: " << stored.path << " is damaged: its SHA-256 is " << stored.sha256 << ", want " << known->sha256
         << "; run `spillway models pull " << stored.name << "`\n";
}

/// The folder in which a pull works must not stay when the pull is interrupted: nobody would look for it in a cache.
int pull_interruptible(const std::string& name, bool json_out) {
  const auto clean_up = [&](pid_t puller) {
    const auto folder = model::store_folder();
    std::error_code error;
    if (folder) std::filesystem::remove_all(std::filesystem::path(*folder) / name / (".pull-" + std::to_string(puller)), error);
    std::cerr << "spillway: the pull of " << name << " was interrupted; nothing was stored\n";
  };
  if (model::find_known_model(name) == nullptr) return models_pull(name, json_out, std::cout, std::cerr);
  return run_interruptible([&] { return models_pull(name, json_out, std::cout, std::cerr); }, clean_up);
}

}  // namespace

int models_pull(const std::string& name, bool json_out, std::ostream& out, std::ostream& errors) {
  model::PullOptions options;
  options.note = [&errors](std::string_view text) { errors << text << "\n"; };
  options.progress = ::isatty(STDERR_FILENO) != 0;
  const auto pulled = model::pull_model(name, options);
  if (!pulled) return failed(pulled.error(), errors);
  if (json_out) {
    out << json::serialize(to_json(*pulled)) << "\n";
  } else {
    out << pulled->name << "  " << pulled->path << "\n";
  }
  return 0;
}

int models_list(bool json_out, std::ostream& out, std::ostream& errors) {
  const auto models = model::list_models();
  if (!models) return failed(models.error(), errors);
  for (const auto& stored : *models) tell_damaged(stored, errors);
  if (json_out) {
    json::array list;
    for (const auto& stored : *models) list.push_back(to_json(stored));
    out << json::serialize(list) << "\n";
    return 0;
  }
  for (const auto& stored : *models) out << stored.name << "  " << stored.path << "  sha256 " << stored.sha256 << "\n";
  if (models->empty()) {
    errors << "no models here yet; known:";
    for (const auto& known : model::known_models()) errors << " " << known.name;
    errors << " (spillway models pull NAME)\n";
  }
  return 0;
}

int models_inspect(const std::string& path_or_name, bool json_out, std::ostream& out, std::ostream& errors) {
  const auto path = model::resolve_model(path_or_name);
  if (!path) return failed(path.error(), errors);
  const auto file = model::GgufFile::open(*path);
  if (!file) return failed(file.error(), errors);
  const json::object found = inspect_json(*path, *file);
  if (json_out) {
    out << json::serialize(found) << "\n";
  } else {
    print_inspection(found, out);
  }
  return 0;
}

int models_tokenize(const TokenizeOptions& options, std::istream& in, std::ostream& out, std::ostream& errors) {
  const auto tokenizer = open_tokenizer(options.model);
  if (!tokenizer) return failed(tokenizer.error(), errors);
  if (options.bos && !(*tokenizer)->bos()) return failed({core::Errc::bad_argument, "--bos: the vocabulary has no BOS token", {}}, errors);
  return each_line(in, out, errors, "one JSON string a line", [&](const json::value& text) -> core::Result<json::value> {
    if (!text.is_string()) return core::fail(core::Errc::bad_argument, "not a string");
    const auto ids =
        (*tokenizer)->encode(std::string_view(text.get_string()), {.special = options.special, .bos = options.bos, .eos = options.bos});
    return json::value(json::array(ids.begin(), ids.end()));
  });
}

int models_detokenize(const std::string& model_name, std::istream& in, std::ostream& out, std::ostream& errors) {
  const auto tokenizer = open_tokenizer(model_name);
  if (!tokenizer) return failed(tokenizer.error(), errors);
  return each_line(in, out, errors, "one JSON list of token ids a line", [&](const json::value& list) -> core::Result<json::value> {
    if (!list.is_array()) return core::fail(core::Errc::bad_argument, "not a list");
    std::vector<core::TokenId> ids;
    for (const json::value& id : list.get_array()) {
      if (!id.is_int64() || id.get_int64() < 0 || id.get_int64() >= (*tokenizer)->size()) {
        return core::fail(core::Errc::bad_argument, json::serialize(id) + " is no token id below " + std::to_string((*tokenizer)->size()));
      }
      ids.push_back(static_cast<core::TokenId>(id.get_int64()));
    }
    const auto text = (*tokenizer)->decode(ids);
    if (!text) return tl::make_unexpected(text.error());
    return json::value(clean_text(*text));
  });
}

void add_models_command(CLI::App& app, Run& run) {
  CLI::App* models = app.add_subcommand("models", "Fetch models and look into them");
  models->require_subcommand(1);
  struct Values {
    std::string name;
    bool json = false;
    TokenizeOptions tokenize;
  };
  const auto values = std::make_shared<Values>();

  CLI::App* pull = models->add_subcommand("pull", "Fetch a known model into the user's cache");
  pull->add_option("NAME", values->name, "Known name, for example smollm2-135m")->required();
  pull->add_flag("--json", values->json, "Print {name, path, sha256}");
  pull->callback([values, &run] { run = [values] { return pull_interruptible(values->name, values->json); }; });

  CLI::App* list = models->add_subcommand("list", "List the models in the user's cache");
  list->add_flag("--json", values->json, "Print [{name, path, sha256}]");
  list->callback([values, &run] { run = [values] { return models_list(values->json, std::cout, std::cerr); }; });

  CLI::App* inspect = models->add_subcommand("inspect", "Show metadata and tensors of a GGUF file");
  inspect->add_option("FILE", values->name, "Path or known name")->required();
  inspect->add_flag("--json", values->json, "Print one JSON object");
  inspect->callback([values, &run] { run = [values] { return models_inspect(values->name, values->json, std::cout, std::cerr); }; });

  CLI::App* tokenize = models->add_subcommand("tokenize", "Text to token ids: one JSON string a line in, one list of ids a line out");
  tokenize->add_option("--model", values->tokenize.model, "Path or known name")->required();
  tokenize->add_flag("--special", values->tokenize.special, "Parse control tokens written out in the text");
  tokenize->add_flag("--bos", values->tokenize.bos, "Put BOS in front, and EOS behind where the file wants it");
  tokenize->add_flag("--json", values->json, "The only form of output; accepted for scripts");
  tokenize->callback([values, &run] { run = [values] { return models_tokenize(values->tokenize, std::cin, std::cout, std::cerr); }; });

  CLI::App* detokenize = models->add_subcommand("detokenize", "Token ids to text: one list of ids a line in, one JSON string a line out");
  detokenize->add_option("--model", values->tokenize.model, "Path or known name")->required();
  detokenize->add_flag("--json", values->json, "The only form of output; accepted for scripts");
  detokenize->callback(
      [values, &run] { run = [values] { return models_detokenize(values->tokenize.model, std::cin, std::cout, std::cerr); }; });
  add_models_score(*models, run);
  add_models_perplexity(*models, run);
  add_models_tensors(*models, run);
}

}  // namespace spillway::app
