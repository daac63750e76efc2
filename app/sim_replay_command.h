#pragma once

#include <iosfwd>
#include <string>

#include "app/commands.h"

namespace spillway::app {

/// Takes the decisions of `log` (a decision log, or a folder of several) again and prints how many there are, how many came out
/// equal, and the first that did not. The work is done in a process of its own: a core that stops on an assertion is a difference
/// too, and is named. The exit status: 0 when all are equal, 1 when one is not or the log cannot be read.
int sim_replay(const std::string& log, bool json, std::ostream& out, std::ostream& errors);

/// Adds `replay` below the command `sim`.
void add_sim_replay(CLI::App& sim, Run& run);

}  // namespace spillway::app
