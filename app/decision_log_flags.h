#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "core/result.h"

/// The flags of a decision log, for `up` and `node`.
namespace spillway::app {

struct DecisionLogFlags {
  std::string folder;  ///< empty: no log
  bool answers = false;
};

void add_decision_log_flags(CLI::App& command, DecisionLogFlags& flags);

/// Makes the folder where it is missing. Error: io, when it cannot be made or written to.
core::Result<void> check(const DecisionLogFlags& flags);

}  // namespace spillway::app
