#pragma once

#include <cstdint>
#include <iosfwd>

#include "app/commands.h"

namespace spillway::app {

struct SimSpeedOptions {
  std::uint32_t nodes = 1000;
  std::uint64_t requests = 200'000;
  double rate = 0;  ///< requests per second and node; 0 = what fills 70 % of the pools
  std::uint64_t seed = 1;
  bool json = false;
};

/// Measures how fast this machine simulates; the counts show that each part was at work.
int sim_speed(const SimSpeedOptions& options, std::ostream& out, std::ostream& errors);

/// Adds `speed` below the command `sim`.
void add_sim_speed(CLI::App& sim, Run& run);

}  // namespace spillway::app
