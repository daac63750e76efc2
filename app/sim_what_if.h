#pragma once

#include <functional>
#include <string>

#include "app/sim_inputs.h"
#include "sim/sweep.h"

namespace spillway::app {

/// Flags that `sim sweep` and `sim size` share.
struct WhatIfFlags {
  SimInputs inputs;
  std::uint64_t first_seed = 1;
  std::uint32_t seeds = 3;
  double burst_from_s = -1;  ///< -1 = at 2/5 of the workload
  double burst_s = -1;       ///< -1 = for a tenth of it
  double warm_up_s = 0;
  unsigned jobs = 0;
  std::string report;
  bool json = false;
};

void add_what_if_flags(CLI::App& command, WhatIfFlags& flags);

/// Cluster, workload, scenario and burst. `notes` gets what reading the workload said. Errors: of the inputs.
core::Result<sim::SweepInput> read_what_if(const WhatIfFlags& flags, std::vector<std::string>& notes);

void add_sim_sweep(CLI::App& sim, Run& run);
void add_sim_size(CLI::App& sim, Run& run);

}  // namespace spillway::app
