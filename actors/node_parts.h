#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "actors/router_actor.h"
#include "actors/worker_actor.h"
#include "cluster-config/cluster.h"
#include "net/client_listener.h"
#include "net/transport.h"

namespace spillway::actors {

/// What the actors of one node are made from. The transport, the listener and the cluster outlive them.
struct NodePlan {
  const config::Cluster* cluster = nullptr;
  const config::Node* node = nullptr;  ///< one of cluster->nodes
  core::Incarnation incarnation;
  std::uint32_t pid = 0;
  net::Transport* transport = nullptr;
  net::ClientListener* listener = nullptr;  ///< null without the role router
  DeviceFactory load;
  std::vector<RoutedModel> models;     ///< with the role router
  std::vector<RoutedTenant> tenants;   ///< with the role router
  std::vector<std::string> endpoints;  ///< client endpoints of all routers
  bool detached_workers = true;        ///< false under the test scheduler, whose threads are the test's own
  std::uint64_t session_seed = 0;
  std::shared_ptr<decisions::Sink> decision_log;  ///< of all its cores; null: nothing is logged
  std::function<void(std::uint32_t replica, const core::ReplicaInfo&)> on_ready;
  std::function<void(std::uint32_t replica, const std::string& reason)> on_failed;
  std::function<void(core::NodeId)> on_peer_up;
  std::function<void()> on_drained;
};

/// The actors of one node: spawned, wired to each other and to the network, started. Several nodes may share one actor system
/// (tests do).
class NodeParts {
 public:
  static std::unique_ptr<NodeParts> start(caf::actor_system& system, const NodePlan& plan);
  /// Cuts the network off first, so that nobody sends to an actor that is gone; then ends the actors.
  void stop();
  ~NodeParts() { stop(); }
  /// The actors, until stop(). For tests, which speak to them past the network.
  const Wiring& wiring() const { return *wiring_; }

 private:
  NodeParts() = default;
  std::shared_ptr<Wiring> wiring_;
  net::Transport* transport_ = nullptr;
  net::ClientListener* listener_ = nullptr;
};

}  // namespace spillway::actors
