#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster-config/cluster.h"
#include "core/result.h"
#include "core/step.h"
#include "sched/batcher_core.h"
#include "sched/cache_core.h"
#include "sched/router_core.h"
#include "sim/scenario.h"
#include "sim/step_cost.h"

namespace spillway::sim {

struct ReplicaPlan {
  core::ReplicaInfo info;
  StepCost cost;
  std::uint32_t percent = 100;       ///< speed: 200 halves the time of a step
  std::uint32_t guess_permille = 0;  ///< info.tokens_per_step_max > 1: chance of a guess to be right
  core::Duration overhead{0};        ///< of each step; the batcher does not learn of it, as in production
};

struct NodePlan {
  std::string name;
  core::NodeId id;
  std::uint32_t zone = 0;  ///< 0 = none; nodes of one zone are near each other
  std::uint32_t roles = 0;
  std::vector<ReplicaPlan> replicas;
  std::uint64_t nic_bytes_per_second = 0;
  double price_per_hour = 0;
  double idle_watts = 0;
  double busy_watts = 0;  ///< while a step runs
  bool router() const { return (roles & static_cast<std::uint32_t>(core::Role::router)) != 0; }
};

/// A cluster as the simulator needs it: the limits of the cores, the devices and the network between the nodes.
struct ClusterPlan {
  std::vector<NodePlan> nodes;
  sched::RouterLimits router;
  sched::BatcherLimits batcher;
  sched::CacheLimits cache;
  core::Duration report_interval{std::chrono::milliseconds(100)};
  core::Duration suspect_after{std::chrono::milliseconds(300)};
  core::Duration dead_after{std::chrono::milliseconds(600)};
  NetworkSpec network;
  StartSpec start;
  std::vector<std::string> zone_names;  ///< by zone - 1
  std::vector<std::string> notes;
};

/// Nodes of a list of names as scenarios write them, in order.
std::vector<std::uint32_t> nodes_matching(const ClusterPlan& plan, const std::vector<std::string>& wishes);

/// The cluster of a file. Paced models take the coefficients of the file; `profile`, a folder of measured tables (profile.h), stands in
/// for every model, and is needed where one is not paced. Errors: bad_config that names the key; those of the profile.
core::Result<ClusterPlan> plan_of(const config::Cluster& cluster, const Scenario& scenario, const std::optional<StepCost>& profile);

/// `nodes` equal nodes, the first of them a router too, with default policies, no limit to any queue and no time limit on waiting.
struct EqualNodes {
  std::uint32_t nodes = 1;
  std::uint32_t kv_blocks = 4096;
  std::uint32_t routers = 1;
  core::PlacementPolicy policy = core::PlacementPolicy::additive;
  std::optional<StepCost> profile;
};
ClusterPlan plan_of(const EqualNodes& equal);
/// The same with types, faults and network of a scenario. Errors: bad_config: a name that is no node.
core::Result<ClusterPlan> plan_of(const EqualNodes& equal, const Scenario& scenario);

}  // namespace spillway::sim
