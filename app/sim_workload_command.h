#pragma once

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

#include "app/commands.h"
#include "core/result.h"
#include "sim/trace_servegen.h"
#include "sim/workload.h"

namespace spillway::app {

struct SimWorkloadOptions {
  std::string file;    ///< trace; empty = `event`
  std::string format;  ///< a name of sim::TraceFormat
  std::string event;   ///< spec of a live event
  sim::ServeGenOptions servegen;
  std::string arrivals = "fitted";  ///< of servegen
  std::optional<std::uint64_t> spread_ms;
  std::optional<double> thin;
  std::optional<std::uint32_t> superpose;
  std::optional<double> stretch;
  std::optional<std::uint64_t> limit;
  std::uint64_t seed = 1;
  std::string out;  ///< where to write the workload; empty = nowhere
  bool json = false;
};

/// Reads or generates a workload; spreads, then scales, then cuts it as asked. Its notes say what was done.
/// Errors: those of the readers, with file:line.
core::Result<sim::LoadedWorkload> prepare_workload(const SimWorkloadOptions& options);

/// Prepares a workload, writes it, and prints its statistics with what was done. The exit status: 0, or 1 after a message; nothing is
/// printed or written then.
int sim_workload(const SimWorkloadOptions& options, std::ostream& out, std::ostream& errors);

/// Adds `workload` below the command `sim`.
void add_sim_workload(CLI::App& sim, Run& run);

}  // namespace spillway::app
