#include "app/generate_flags.h"

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <iostream>

#include "actors/node_host.h"
#include "model/store.h"

namespace spillway::app {

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
  command.add_option("--temperature", temperature, "0 (default) takes the most probable token");
  command.add_option("--top-k", top_k, "Sample among the K most probable; 0: all");
  command.add_option("--top-p", top_p, "Sample among the most probable that make up P; 1: all");
  command.add_option("--min-p", min_p, "Leave out tokens below P times the most probable; 0: none");
  command.add_option("--seed", seed, "Seed of the sampling; default: derived from the request id");
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

bool GenerateFlags::embedded() const {
  return client.config.empty() && !model.empty();
}

core::Result<sdk::Request> GenerateFlags::request() const {
  sdk::Request made;
  if (!embedded()) made.model = model;
  made.n = choices;
  made.max_tokens = prompt_only ? 0 : max_tokens;
  made.prompt_only = prompt_only;
  made.temperature = temperature;
  made.top_k = top_k;
  made.top_p = top_p;
  made.min_p = min_p;
  if (!seed.empty()) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(seed.data(), seed.data() + seed.size(), value);
    if (error != std::errc{} || end != seed.data() + seed.size()) {
      return core::fail(core::Errc::bad_argument, "--seed " + seed + ": want a whole number from 0 to 18446744073709551615");
    }
    made.seed = value;
  }
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
