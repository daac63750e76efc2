#pragma once

#include <vector>

#include "actors/router_actor.h"
#include "actors/worker_actor.h"
#include "cluster-config/cluster.h"

namespace spillway::actors {

/// How the replicas of `node` are loaded: by model kind, with the node's memory, threads and instruction set. What it captures is
/// a copy.
DeviceFactory device_factory(const config::Cluster& cluster, const config::Node& node);

/// The vocabularies of all models of the cluster, for a router. The file of each must be on this machine.
core::Result<std::vector<RoutedModel>> routed_models(const config::Cluster& cluster);

}  // namespace spillway::actors
