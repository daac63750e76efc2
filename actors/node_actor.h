#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "actors/shell.h"
#include "sched/backoff.h"

namespace spillway::actors {

struct NodeSetup {
  std::shared_ptr<const Wiring> wiring;
  std::string name;
  std::uint32_t pid = 0;
  std::uint32_t roles = 0;                    ///< bits of core::Role
  std::map<core::NodeId, std::string> names;  ///< of the cluster file, for the log
  core::Duration report_interval{std::chrono::milliseconds(100)};
  sched::BackoffLimits backoff;
  core::Hello hello;
  std::function<void(std::uint32_t replica, const core::ReplicaInfo&)> on_ready;  ///< a replica is loaded
  std::function<void(std::uint32_t replica, const std::string& reason)> on_failed;
  std::function<void(core::NodeId)> on_peer_up;
  std::function<void()> on_drained;  ///< a drain with `stop` is complete: the process may leave
};

struct NodeShell {
  NodeSetup setup;
  core::Report report;        ///< being collected
  std::uint32_t awaited = 0;  ///< answers still missing for report.number
  bool report_again = false;  ///< another one is due once this one is complete
  bool draining = false;
  bool stopping = false;  ///< drained with `stop`
  bool left = false;
  std::optional<core::Instant> empty_since;  ///< when the first report said so that this node drains and is empty
  std::vector<sched::Backoff> backoffs;      ///< by replica
  core::Instant next_report{};
  Timer timer;
};

/// Reports how the node stands to all routers, carries the drain flag, and loads failed replicas again.
NodeActor::behavior_type node_actor(NodeActor::stateful_pointer<NodeShell> self, NodeSetup setup);

}  // namespace spillway::actors
