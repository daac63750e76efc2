#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "app/commands.h"
#include "core/result.h"
#include "sim/cluster_plan.h"
#include "sim/scenario.h"
#include "sim/workload.h"

namespace spillway::app {

/// What `sim run`, `sweep` and `size` are given: a cluster, what is asked of it, and what happens to it.
struct SimInputs {
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
};

/// Adds the flags of the inputs. `axes`: the command has axes of nodes and policies, so there are no flags for one of each.
void add_sim_inputs(CLI::App& command, SimInputs& inputs, bool axes);
/// What the flags cannot tell one by one. Throws CLI::Error.
void check_sim_inputs(const SimInputs& inputs);

/// Errors  a file missing or wrong, with file:line; a name that is none of the cluster's.
core::Result<sim::Scenario> read_scenario(const SimInputs& inputs);
core::Result<sim::ClusterPlan> read_plan(const SimInputs& inputs, const sim::Scenario& scenario);
/// `seed`: of a generated or sampled workload, and of what spreads it.
core::Result<sim::LoadedWorkload> read_workload(const SimInputs& inputs, const sim::Scenario& scenario, std::uint64_t seed);
/// Whether another seed gives another workload.
bool workload_is_drawn(const SimInputs& inputs, const sim::Scenario& scenario);

}  // namespace spillway::app
