#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "core/client_messages.h"
#include "core/messages.h"
#include "sched/name_set.h"
#include "sched/names.h"
#include "sched/predicted_time.h"

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
  NameSet names;
  bool listed = false;  ///< among the replicas of its model
  std::map<StreamKey, Dispatch> in_flight;
  std::uint64_t tokens_in_flight = 0;
  std::uint32_t blocks_in_flight = 0;
  // Progress since the report, as its step times predict it; counted up to `progress_at`.
  std::uint64_t progress_tokens = 0;
  Instant progress_at{};

  StepCoefficients step() const { return {report.step_base, report.step_row}; }
  /// Prompt tokens of the report and in flight that are computed by `now`, if each step takes `step_tokens` rows.
  std::uint64_t progress(Instant now, std::uint32_t step_tokens) const;
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
  std::vector<StreamKey> placed;  ///< streams of this router that are there, by key
};

/// A replica where it is found without a search. Valid until its node goes down.
struct ModelReplica {
  core::ReplicaRef ref;
  const NodeView* node = nullptr;
  const ReplicaView* replica = nullptr;
};

/// All replicas of one model, of nodes that are up.
struct ModelReplicas {
  std::vector<ModelReplica> list;        ///< by ref
  std::uint32_t context_max = 0;         ///< the largest of them
  std::uint32_t blocks_max = 0;          ///< blocks_total of the largest
  std::vector<core::KvGroup> kv_groups;  ///< of the one that told last
};

/// A router's soft view of all nodes, from links, reports and announcements; and what it sent them since.
class NodeViews {
 public:
  NodeViews() = default;
  NodeViews(const NodeViews&) = delete;  // the lists by model point into the map of nodes
  NodeViews& operator=(const NodeViews&) = delete;
  NodeViews(NodeViews&&) = default;
  NodeViews& operator=(NodeViews&&) = default;

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

  /// Replicas of a model; empty when nobody has told of one.
  const ModelReplicas& of(core::ModelId model) const;
  /// Load of the replicas of a model, in thousandths: the mean of max(queue / 5, KV use / 0.8) over those of nodes that are not
  /// draining, a stale or suspect view counting as 1 (llm-d's saturation). 0 when there is none. With more than 64 replicas the
  /// answer may be 20 ms old.
  std::uint32_t saturation_permille(core::ModelId model, Instant now, core::Duration stale);

  /// Counts the replica's progress up to now: before a dispatch, so that the new tokens do not count as worked on since the report.
  void advance(core::ReplicaRef replica, Instant now, std::uint32_t step_tokens);
  void sent(core::ReplicaRef replica, const StreamKey& key, const Dispatch& dispatch);
  void accepted(core::ReplicaRef replica, const StreamKey& key, std::uint64_t report);
  void settled(core::ReplicaRef replica, const StreamKey& key);
  /// A stream of this router runs at the node, or no longer does.
  void came(core::NodeId node, const StreamKey& key);
  void left(core::NodeId node, const StreamKey& key);
  /// Every node of the cluster file is up and has reported, so what nobody serves does not exist.
  bool complete() const;

  /// Prompt and choice blocks of a stream that the replica announced, in tokens.
  static std::uint64_t cached_tokens(const ReplicaView& replica, const std::vector<core::BlockName>& prompt,
                                     const std::vector<const std::vector<core::BlockName>*>& choices);
  /// The same, for the first `choices` choices.
  static std::uint64_t cached_tokens(const ReplicaView& replica, const StreamNames& names, std::uint32_t choices);

  const std::map<core::NodeId, NodeView>& all() const { return nodes_; }
  std::vector<core::NodeStatus> status() const;
  void check() const;

 private:
  struct Saturation {
    Instant at{};
    std::uint32_t permille = 0;
  };
  /// Made when it is not there.
  NodeView& view_of(core::NodeId node);
  /// The replica's report is about to say `told`.
  void list_by_model(NodeView& node, core::ReplicaRef ref, ReplicaView& replica, const core::ReplicaReport& told);
  void unlist(core::ModelId model, core::ReplicaRef ref);

  std::map<core::NodeId, NodeView> nodes_;
  std::unordered_map<core::NodeId, NodeView*> index_;  ///< of nodes_; looked up, never iterated
  std::map<core::ModelId, ModelReplicas> models_;
  std::map<core::ModelId, Saturation> saturations_;  ///< of models with many replicas
  std::unordered_set<std::uint64_t> expected_;       ///< counted and looked up, never iterated
};

}  // namespace spillway::sched
