#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/client_messages.h"
#include "core/messages.h"

namespace spillway::sched {

using core::Instant;
using core::StreamKey;

/// A Run that was sent and is not yet part of a report.
struct Dispatch {
  std::uint64_t tokens = 0;
  std::uint32_t blocks = 0;
  std::optional<std::uint64_t> accepted_report;  ///< number of the node's last report when it accepted
};

struct ReplicaView {
  core::ReplicaReport report;
  std::unordered_set<core::BlockName> names;  ///< looked up, never iterated
  std::map<StreamKey, Dispatch> in_flight;
  std::uint64_t tokens_in_flight = 0;
  std::uint32_t blocks_in_flight = 0;
};

struct NodeView {
  std::string name;
  core::Incarnation incarnation;
  bool up = false;
  bool suspect = false;
  bool reported = false;  ///< since it came up
  Instant reported_at{};
  core::Report report;
  std::map<std::uint32_t, ReplicaView> replicas;
};

/// A router's soft view of all nodes, from links, reports and announcements; and what it sent them since.
class NodeViews {
 public:
  void expect(core::NodeId node, std::string name);
  void on_up(core::NodeId node, core::Incarnation incarnation, Instant now);
  void on_down(core::NodeId node);
  void on(const core::Report& report, Instant now);
  void on(const core::Announce& announce);

  NodeView* find(core::NodeId node);
  const NodeView* find(core::NodeId node) const;
  ReplicaView* find(core::ReplicaRef replica);
  const ReplicaView* find(core::ReplicaRef replica) const;
  bool up(core::NodeId node) const;
  bool draining(core::NodeId node) const;
  /// Name of a node, or its digits when nobody told one.
  std::string name(core::NodeId node) const;
  /// Zero when no node has this name.
  core::NodeId by_name(std::string_view name) const;
  /// Fit for new work: up, trusted, a fresh report, not draining.
  static bool fit(const NodeView& node, Instant now, core::Duration stale);

  void sent(core::ReplicaRef replica, const StreamKey& key, const Dispatch& dispatch);
  void accepted(core::ReplicaRef replica, const StreamKey& key, std::uint64_t report);
  void settled(core::ReplicaRef replica, const StreamKey& key);
  /// Every node of the cluster file is up and has reported, so what nobody serves does not exist.
  bool complete() const;

  /// Prompt and choice blocks of a stream that the replica announced, in tokens.
  static std::uint64_t cached_tokens(const ReplicaView& replica, const std::vector<core::BlockName>& prompt,
                                     const std::vector<const std::vector<core::BlockName>*>& choices);

  const std::map<core::NodeId, NodeView>& all() const { return nodes_; }
  std::vector<core::NodeStatus> status() const;
  void check() const;

 private:
  std::map<core::NodeId, NodeView> nodes_;
  std::unordered_set<std::uint64_t> expected_;  ///< counted and looked up, never iterated
};

}  // namespace spillway::sched
