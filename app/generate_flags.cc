#include "app/generate_flags.h"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>
#include <tuple>

#include "actors/node_host.h"
#include "model/store.h"

namespace spillway::app {

namespace {

/// All of `text` is the number.
template <class Number>
bool parse_whole(const std::string& text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

void GenerateFlags::add(CLI::App& command) {
  app = &command;
  client.add(command, true);
  command.add_option("--model", model, "GGUF file or known name to serve in this process; with --config: the model's name in the cluster");
  command.add_option("--kv", kv, "Page format of the KV cache: raw32, raw16 (default raw16)")->check(CLI::IsMember({"raw32", "raw16"}));
  command.add_option("--threads", threads, "Threads of the model step; default: physical cores");
  command.add_option("--isa", isa, "Instruction set: auto, scalar, avx2, avx512")
      ->check(CLI::IsMember({"auto", "scalar", "avx2", "avx512"}));
  command.add_option("--context", context, "Longest prompt and answer in tokens; default: what the model says");
  command.add_option("--max-tokens", max_tokens, "Tokens of each answer (default 128; 0: up to the context)");
  add_sampling(command);
  command.add_option("--n", choices, "Number of answers");
  command.add_option("--stop", stop, "End the answer before this text (repeatable)")->allow_extra_args(false);
  command.add_flag("--ignore-eos", ignore_eos, "Go on past the end token");
  command.add_option("--logprobs", logprobs, "Report the K most probable tokens of each step");
  command.add_option("--class", service_class, "live, interactive or batch")->check(CLI::IsMember({"live", "interactive", "batch"}));
  command.add_option("--deadline-ms", deadline_ms, "The answer is worthless after this; refused at once when it cannot be met");
  command.add_option("--supersedes", supersedes, "Channel: cancels its unfinished requests, and is cancelled by its next one");
  command.add_option("--adapter", adapter, "Adapter of the model, by name");
  command.add_flag("--prompt-only", prompt_only, "Compute the prompt and answer nothing (scoring, or to have it cached)")
      ->excludes("--max-tokens");
  command.add_option("--request-id", request_id, "32 hex digits; default: drawn at random");
  command.add_flag("--json", json, "Print one JSON value");
}

void GenerateFlags::add_sampling(CLI::App& command) {
  command.add_option("--temperature", temperature, "0 (default) takes the most probable token");
  command.add_option("--top-k", top_k, "Sample among the K most probable; 0: all");
  command.add_option("--top-p", top_p, "Sample among the most probable that make up P; 1: all");
  command.add_option("--min-p", min_p, "Leave out tokens below P times the most probable; 0: none");
  command.add_option("--typical-p", typical_p, "Sample among those of the most typical surprise that make up P; 1: all");
  command.add_option("--seed", seed, "Seed of the sampling; default: derived from the request id");
  command.add_option("--repetition-penalty", repetition_penalty, "Divide the logits of tokens in prompt or answer by this; 1: off");
  command.add_option("--presence-penalty", presence_penalty, "Take this from the logits of tokens in the answer, -2 to 2");
  command.add_option("--frequency-penalty", frequency_penalty, "Take this for each time a token is in the answer, -2 to 2");
  command.add_option("--logit-bias", logit_bias, "ID=VALUE: add VALUE, -100 to 100, to the logit of token ID (repeatable)")
      ->allow_extra_args(false);
  command.add_option("--min-tokens", min_tokens, "No end token before so many tokens of the answer");
  command.add_option("--dry-multiplier", dry_multiplier, "DRY: punish tokens that prolong a repeated run by this; 0: off");
  command.add_option("--dry-base", dry_base, "DRY: and by this power for each token of the run (default 1.75)");
  command.add_option("--dry-allowed-length", dry_allowed_length, "DRY: beyond so many tokens (default 2)");
  command.add_option("--dry-range", dry_range, "DRY: look at the last N tokens; 0: all");
  command
      .add_option("--dry-sequence-breaker", dry_breakers,
                  "DRY: a token with this text in it ends a run (repeatable); default: newline : \" *")
      ->allow_extra_args(false);
  auto* gbnf = command.add_option("--grammar", grammar, "File with a grammar in GBNF: the answer is a text of it");
  auto* schema = command.add_option("--json-schema", json_schema, "File with a JSON Schema: the answer is JSON that it accepts");
  auto* object = command.add_flag("--json-object", json_object, "The answer is a JSON object");
  gbnf->excludes(schema)->excludes(object);
  schema->excludes(object);
  command.add_option("--mirostat", mirostat)->group("");  // known only to be refused by name
}

bool GenerateFlags::embedded() const {
  return client.config.empty() && !model.empty();
}

core::Result<sdk::Request> GenerateFlags::request() const {
  sdk::Request made;
  if (!embedded()) made.model = model;
  made.n = choices;
  made.max_tokens = prompt_only ? 0 : max_tokens;
  made.prompt_only = prompt_only;
  if (auto drawn = sampling(made); !drawn) return tl::make_unexpected(drawn.error());
  made.stop = stop;
  made.ignore_eos = ignore_eos;
  made.logprobs = logprobs;
  core::ServiceClass parsed = core::ServiceClass::interactive;
  core::parse_service_class(service_class, parsed);
  made.service_class = static_cast<sdk::ServiceClass>(parsed);
  made.deadline = std::chrono::milliseconds(deadline_ms);
  made.supersedes = supersedes;
  made.adapter = adapter;
  made.request_id = request_id;
  return made;
}

core::Result<void> GenerateFlags::sampling(sdk::Request& made) const {
  if (!mirostat.empty()) {
    return core::fail(core::Errc::unsupported,
                      "--mirostat is not offered: what it learns from token to token could not be rebuilt after a "
                      "move; ask for --typical-p or --min-p");
  }
  made.temperature = temperature;
  made.top_k = top_k;
  made.top_p = top_p;
  made.min_p = min_p;
  made.typical_p = typical_p;
  made.repetition_penalty = repetition_penalty;
  made.presence_penalty = presence_penalty;
  made.frequency_penalty = frequency_penalty;
  made.min_tokens = min_tokens;
  made.dry_multiplier = dry_multiplier;
  made.dry_base = dry_base;
  made.dry_allowed_length = dry_allowed_length;
  made.dry_range = dry_range;
  if (!dry_breakers.empty()) made.dry_sequence_breakers = dry_breakers;
  for (const auto& text : logit_bias) {
    const auto equals = text.find('=');
    sdk::LogitBias bias;
    if (equals == std::string::npos || !parse_whole(text.substr(0, equals), bias.token) ||
        !parse_whole(text.substr(equals + 1), bias.value))
      return core::fail(core::Errc::bad_argument, "--logit-bias " + text + ": want ID=VALUE, for example 42=-1.5");
    made.logit_bias.push_back(bias);
  }
  for (const auto& [flag, path, text] :
       {std::tuple{"--grammar", &grammar, &made.grammar.gbnf}, std::tuple{"--json-schema", &json_schema, &made.grammar.json_schema}}) {
    if (path->empty()) continue;
    std::ifstream file(*path, std::ios::binary);
    text->assign(std::istreambuf_iterator<char>(file), {});
    if (!file || text->empty()) return core::fail(core::Errc::io, std::string(flag) + " " + *path + ": cannot read it, or it is empty");
  }
  made.grammar.json_object = json_object;
  std::uint64_t value = 0;
  if (!seed.empty() && !parse_whole(seed, value))
    return core::fail(core::Errc::bad_argument, "--seed " + seed + ": want a whole number from 0 to 18446744073709551615");
  if (!seed.empty()) made.seed = value;
  return {};
}

std::optional<std::string> failed_answer(const sdk::Completion& done) {
  for (const auto& choice : done.choices) {
    if (choice.finish_reason != "error") continue;
    return "answer " + std::to_string(choice.index) + " of request " + done.request_id + " ended with an error after " +
           std::to_string(choice.tokens.size()) + " tokens: the log of the node that ran it says why; ask again";
  }
  return std::nullopt;
}

namespace {

class RemoteTarget : public Target {
 public:
  explicit RemoteTarget(sdk::Client client) : client_(std::move(client)) {}
  sdk::Client& client() override { return client_; }

 private:
  sdk::Client client_;
};

constexpr auto cluster_wait = std::chrono::seconds(5);  // `up` was just started

class EmbeddedTarget : public Target {
 public:
  EmbeddedTarget(std::unique_ptr<actors::NodeHost> host, sdk::Client client, double load_ms)
      : host_(std::move(host)), client_(std::move(client)) {
    load_ms_ = load_ms;
  }
  sdk::Client& client() override { return client_; }

 private:
  std::unique_ptr<actors::NodeHost> host_;
  sdk::Client client_;  // goes first
};

config::Isa to_isa(const std::string& text) {
  if (text == "scalar") return config::Isa::scalar;
  if (text == "avx2") return config::Isa::avx2;
  if (text == "avx512") return config::Isa::avx512;
  return config::Isa::automatic;
}

std::unique_ptr<Target> open_embedded(const GenerateFlags& flags, int& code) {
  const auto begin = std::chrono::steady_clock::now();
  const auto path = model::resolve_model(flags.model);
  if (!path) {
    code = complain(path.error().message);
    return nullptr;
  }
  config::Model wanted;
  wanted.name = flags.model;
  wanted.path = *path;
  wanted.context_tokens = flags.context;
  core::parse_page_format(flags.kv, wanted.page_format);
  actors::HostOptions options;
  options.cluster = config::embedded_cluster(wanted, flags.threads);
  options.cluster.nodes.front().isa = to_isa(flags.isa);
  options.node = options.cluster.nodes.front().name;
  options.embedded = true;
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  if (terminal) std::cerr << "loading " << *path << " ..." << std::flush;
  auto host = actors::NodeHost::start(std::move(options));
  auto ready = host ? (*host)->wait_ready(std::chrono::minutes(10)) : core::Result<void>(tl::make_unexpected(host.error()));
  if (terminal) std::cerr << "\r\033[K";
  if (!ready) {
    code = complain(ready.error().message);
    return nullptr;
  }
  sdk::ClientOptions client_options;
  client_options.endpoints.push_back({(*host)->client_endpoint(), ""});
  auto client = sdk::Client::connect(std::move(client_options));
  if (!client) {
    code = complain(client.error());
    return nullptr;
  }
  const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
  return std::make_unique<EmbeddedTarget>(std::move(*host), std::move(*client), took.count());
}

}  // namespace

std::unique_ptr<Target> Target::open(const GenerateFlags& flags, int& code) {
  if (flags.embedded()) {
    for (const char* flag : {"--tenant", "--token", "--key", "--router"}) {
      if (flags.app->count(flag) == 0) continue;
      code = complain(std::string(flag) + " is for a running cluster, and --model without --config serves in this process: leave it out, " +
                          "or give the cluster with --config FILE",
                      2);
      return nullptr;
    }
    return open_embedded(flags, code);
  }
  for (const char* flag : {"--kv", "--threads", "--isa", "--context"}) {
    if (flags.app->count(flag) == 0) continue;
    code = complain(std::string(flag) + " is for a model in this process; the cluster file decides it for a running cluster", 2);
    return nullptr;
  }
  auto client = connect(flags.client, code, cluster_wait);
  if (!client) return nullptr;
  return std::make_unique<RemoteTarget>(std::move(*client));
}

}  // namespace spillway::app
