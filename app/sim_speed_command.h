#pragma once

#include <cstdint>
#include <iosfwd>

#include "app/commands.h"

namespace spillway::app {

struct SimSpeedOptions {
  std::uint32_t nodes = 1000;
  std::uint64_t requests = 0;  ///< 0 = those of `seconds`
  std::uint32_t seconds = 60;  ///< of arrivals
  std::uint32_t warm_up = 30;  ///< seconds: from then on the use of the pools is measured, and the pace of the loaded cluster
  double rate = 0;             ///< requests per second and node; 0 = what fills 65 to 75 % of the pools
  std::uint64_t seed = 1;
  bool json = false;
};

/// Measures how fast this machine simulates; the counts show that each part was at work.
int sim_speed(const SimSpeedOptions& options, std::ostream& out, std::ostream& errors);

/// Adds `speed` below the command `sim`.
void add_sim_speed(CLI::App& sim, Run& run);

}  // namespace spillway::app
