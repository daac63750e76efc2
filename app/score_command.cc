#include "app/score_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <thread>
#include <vector>

#include "model/score.h"
#include "model/store.h"

namespace spillway::app {

namespace json = boost::json;

namespace {

constexpr std::uint32_t top_count = 5;

core::Result<std::vector<core::TokenId>> ids_of(const json::object& given, std::string_view key, const std::string& place) {
  const json::value* list = given.if_contains(key);
  if (list == nullptr || !list->is_array())
    return core::fail(core::Errc::bad_argument, place + "." + std::string(key) + ": want a list of token ids");
  std::vector<core::TokenId> ids;
  for (const json::value& id : list->get_array()) {
    if (!id.is_int64() || id.get_int64() < 0 || id.get_int64() > 0x7fffffff) {
      return core::fail(core::Errc::bad_argument, place + "." + std::string(key) + " holds " + json::serialize(id) + ": want token ids");
    }
    ids.push_back(static_cast<core::TokenId>(id.get_int64()));
  }
  return ids;
}

core::Result<std::vector<model::ScoreCase>> read_cases(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return core::fail(core::Errc::io, "cannot open " + path + ": want a JSON file of cases");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  boost::system::error_code error;
  const json::value value = json::parse(text, error);
  if (error) return core::fail(core::Errc::bad_argument, path + " is not JSON: " + error.message());
  const json::value* list = value.is_object() ? value.get_object().if_contains("cases") : &value;
  if (list == nullptr || !list->is_array()) return core::fail(core::Errc::bad_argument, path + ": want {\"cases\": [...]}");
  std::vector<model::ScoreCase> cases;
  for (const json::value& given : list->get_array()) {
    const std::string place = path + ": cases[" + std::to_string(cases.size()) + "]";
    if (!given.is_object()) return core::fail(core::Errc::bad_argument, place + ": want an object");
    auto prompt = ids_of(given.get_object(), "prompt_tokens", place);
    if (!prompt) return tl::make_unexpected(prompt.error());
    auto tokens = ids_of(given.get_object(), "tokens", place);
    if (!tokens) return tl::make_unexpected(tokens.error());
    cases.push_back({std::move(*prompt), std::move(*tokens)});
  }
  return cases;
}

json::object to_json(const core::TokenOut& out) {
  json::array top;
  for (const auto& [id, logprob] : out.top) top.push_back(json::array{id, static_cast<double>(logprob)});
  return {{"id", out.token}, {"logprob", static_cast<double>(out.logprob)}, {"top", std::move(top)}};
}

}  // namespace

core::Result<std::unique_ptr<model::CpuDevice>> open_scoring_device(const std::string& model, const std::string& kv,
                                                                    std::uint32_t threads) {
  auto path = model::resolve_model(model);
  if (!path) return tl::make_unexpected(path.error());
  model::CpuOptions cpu;
  cpu.path = *path;
  cpu.name = model;
  if (!core::parse_page_format(kv, cpu.page_format)) {
    return core::fail(core::Errc::bad_argument, "--kv " + kv + ": want raw32 or raw16");
  }
  cpu.threads = threads != 0 ? threads : std::max(1U, std::thread::hardware_concurrency());
  return model::CpuDevice::make(cpu);
}

int models_score(const ScoreOptions& options, std::ostream& out, std::ostream& errors) {
  const auto failed = [&errors](const std::string& message) {
    errors << "spillway: " << message << "\n";
    return 1;
  };
  const auto cases = read_cases(options.cases);
  if (!cases) return failed(cases.error().message);
  const auto device = open_scoring_device(options.model, options.kv, options.threads);
  if (!device) return failed(device.error().message);
  json::array all;
  for (std::size_t i = 0; i < cases->size(); ++i) {
    const auto scored = model::score(**device, (*cases)[i], top_count);
    if (!scored) return failed("cases[" + std::to_string(i) + "]: " + scored.error().message);
    json::array list;
    double sum = 0.0;
    for (const core::TokenOut& token : *scored) {
      list.push_back(to_json(token));
      sum += static_cast<double>(token.logprob);
    }
    if (!options.json) out << "case " << i << ": " << scored->size() << " tokens, log-probability " << sum << "\n";
    all.push_back(std::move(list));
  }
  if (options.json) out << json::serialize(json::object{{"cases", std::move(all)}}) << "\n";
  return 0;
}

void add_models_score(CLI::App& models, Run& run) {
  const auto options = std::make_shared<ScoreOptions>();
  CLI::App* score = models.add_subcommand("score", "Log-probabilities of given tokens after given prompts");
  score->add_option("--model", options->model, "Path or known name")->required();
  score->add_option("--cases", options->cases, "JSON file with cases of {prompt_tokens, tokens}")->required();
  score->add_option("--kv", options->kv, "Page format of the KV cache: raw32, raw16 (default raw16)")
      ->check(CLI::IsMember({"raw32", "raw16"}));
  score->add_option("--threads", options->threads, "Threads of the model step; default: all");
  score->add_flag("--json", options->json, "Print one JSON object");
  score->callback([options, &run] { run = [options] { return models_score(*options, std::cout, std::cerr); }; });
}

}  // namespace spillway::app
