#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/client_options.h"
#include "core/result.h"
#include "sdk/include/spillway/client.h"

namespace spillway::app {

/// Flags that `complete` and `chat` share.
struct GenerateFlags {
  ClientFlags client;
  std::string model;
  std::string kv = "raw16";
  std::uint32_t threads = 0;
  std::string isa = "auto";
  std::uint32_t context = 0;
  std::uint32_t max_tokens = 128;
  float temperature = 0.0F;
  std::uint32_t top_k = 0;
  float top_p = 1.0F;
  float min_p = 0.0F;
  float typical_p = 1.0F;
  float repetition_penalty = 1.0F;
  float presence_penalty = 0.0F;
  float frequency_penalty = 0.0F;
  std::vector<std::string> logit_bias;
  std::uint32_t min_tokens = 0;
  float dry_multiplier = 0.0F;
  float dry_base = 1.75F;
  std::uint32_t dry_allowed_length = 2;
  std::uint32_t dry_range = 0;
  std::vector<std::string> dry_breakers;
  std::string mirostat;
  std::string grammar;
  std::string json_schema;
  bool json_object = false;
  std::string seed;
  std::uint32_t choices = 1;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  bool prompt_only = false;
  std::uint32_t logprobs = 0;
  std::string service_class = "interactive";
  std::uint32_t deadline_ms = 0;
  std::string supersedes;
  std::string adapter;
  std::string request_id;
  bool json = false;
  CLI::App* app = nullptr;

  void add(CLI::App& command);
  void add_sampling(CLI::App& command);
  bool embedded() const;
  /// What the flags ask for, without the prompt. Error: bad_argument naming the flag.
  core::Result<sdk::Request> request() const;
  /// The part of `request` that says how tokens are drawn.
  core::Result<void> sampling(sdk::Request& made) const;
};

/// What to say of the first answer that ended with an error; nothing when none did.
std::optional<std::string> failed_answer(const sdk::Completion& done);

/// A cluster to ask: the running one of --config, or one in this process for --model.
class Target {
 public:
  /// Prints errors, puts the exit code into `code` and returns null. Shows progress of loading on a terminal.
  static std::unique_ptr<Target> open(const GenerateFlags& flags, int& code);
  virtual ~Target() = default;
  virtual sdk::Client& client() = 0;
  double load_ms() const { return load_ms_; }

 protected:
  double load_ms_ = 0.0;
};

}  // namespace spillway::app
