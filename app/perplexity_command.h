#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "app/commands.h"

namespace spillway::app {

struct PerplexityOptions {
  std::string model;           ///< path or known name
  std::string text;            ///< file, taken as one text
  std::uint32_t window = 512;  ///< tokens
  std::string kv = "raw16";    ///< page format
  std::uint32_t threads = 0;   ///< 0 = all
  bool json = false;
};

/// Prints the perplexity of a text by the rule of model/perplexity.h: {"perplexity", "tokens" (scored), "windows"}; without `json` a
/// line for people. Progress goes to a terminal on standard error. The exit status: 0, or 1 after a message.
int models_perplexity(const PerplexityOptions& options, std::ostream& out, std::ostream& errors);

/// Adds `perplexity` below the command `models`.
void add_models_perplexity(CLI::App& models, Run& run);

}  // namespace spillway::app
