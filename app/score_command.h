#pragma once

#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>

#include "app/commands.h"
#include "core/result.h"
#include "model/cpu_device.h"

namespace spillway::app {

struct ScoreOptions {
  std::string model;          ///< path or known name
  std::string cases;          ///< JSON file: {"cases": [{"prompt_tokens", "tokens"}, ...]} or the list alone; other keys ignored
  std::string kv = "raw16";   ///< page format
  std::uint32_t threads = 0;  ///< 0 = all
  bool json = false;
};

/// Feeds the given tokens and prints, for each, its log-probability and the five best at its place, as
/// {"cases": [[{"id", "logprob", "top"}, ...], ...]}; without `json` one line a case. The exit status: 0, or 1 after a message.
int models_score(const ScoreOptions& options, std::ostream& out, std::ostream& errors);

/// The model by path or known name on this machine's cores, `threads` of them (0 = all). Errors: those of the store and of
/// CpuDevice::make, bad_argument for a page format that is none.
core::Result<std::unique_ptr<model::CpuDevice>> open_scoring_device(const std::string& model, const std::string& kv, std::uint32_t threads);

/// Adds `score` below the command `models`.
void add_models_score(CLI::App& models, Run& run);

}  // namespace spillway::app
