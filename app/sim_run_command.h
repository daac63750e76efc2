#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "app/commands.h"

namespace spillway::app {

struct SimRunOptions {
  std::string file;  ///< cluster file; empty = equal nodes
  std::string scenario;
  std::string trace;
  std::string format;
  std::string event;
  std::optional<std::uint32_t> nodes;
  std::optional<std::uint32_t> kv_blocks;
  std::string profile;
  std::optional<std::uint32_t> layers;
  std::string policy;
  std::optional<std::uint64_t> spread_ms;
  std::uint64_t seed = 1;
  bool single_steps = false;
  bool check = false;
  std::string timings;
  bool json = false;
};

/// Simulates a cluster and prints what it comes to. The exit status: 0, or 1 after a message; nothing is run when an input is wrong.
/// What depends on the machine goes to the file of `timings`, or to `errors` where there is none.
int sim_run(const SimRunOptions& options, std::ostream& out, std::ostream& errors);

/// Adds `run` below the command `sim`.
void add_sim_run(CLI::App& sim, Run& run);

}  // namespace spillway::app
