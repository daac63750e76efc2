#pragma once

#include <string>
#include <vector>

#include "cluster-config/cluster.h"
#include "sched/batcher_core.h"
#include "sched/cache_core.h"
#include "sched/link_core.h"
#include "sched/router_core.h"

/// From keys of the cluster file to the limits of the cores, for all bodies alike: actors and the simulator.
namespace spillway::config {

sched::LinkLimits link_limits(const Cluster& cluster);
sched::BatcherLimits batcher_limits(const Cluster& cluster);
sched::CacheLimits cache_limits(const Cluster& cluster);
sched::RouterLimits router_limits(const Cluster& cluster);

/// Bits of core::Role.
std::uint32_t role_bits(const Node& node);
/// Model of each replica of a node: every model it serves, `replicas` times. Empty without the role worker.
std::vector<std::string> replica_models(const Node& node);

}  // namespace spillway::config
