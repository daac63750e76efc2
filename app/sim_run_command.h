#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "app/sim_inputs.h"

namespace spillway::app {

struct SimRunOptions : SimInputs {
  std::uint64_t seed = 1;
  bool single_steps = false;
  bool check = false;
  std::string timings;
  std::string report;  ///< folder; empty = none
  bool json = false;
};

/// Simulates a cluster and prints what it comes to. The exit status: 0, or 1 after a message; nothing is run when an input is wrong.
/// What depends on the machine goes to the file of `timings`, or to `errors` where there is none.
int sim_run(const SimRunOptions& options, std::ostream& out, std::ostream& errors);

/// Adds `run` below the command `sim`.
void add_sim_run(CLI::App& sim, Run& run);

}  // namespace spillway::app
