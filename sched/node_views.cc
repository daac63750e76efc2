#include "sched/node_views.h"

#include <algorithm>

#include "core/assert.h"
#include "core/step.h"

namespace spillway::sched {

void NodeViews::expect(core::NodeId node, std::string name) {
  nodes_[node].name = std::move(name);
  expected_.insert(node.value);
}

void NodeViews::on_up(core::NodeId node, core::Incarnation incarnation, Instant now) {
  NodeView& view = nodes_[node];
  view.up = true;
  view.suspect = false;
  view.reported = false;
  view.reported_at = now;
  // Another process counts from nothing.
  if (view.incarnation != incarnation) view.report.counters = {};
  view.incarnation = incarnation;
}

void NodeViews::on_down(core::NodeId node) {
  NodeView& view = nodes_[node];
  view.up = view.suspect = view.reported = false;
  view.replicas.clear();
  view.report.draining = false;
}

void NodeViews::on(const core::Report& report, Instant now) {
  NodeView& view = nodes_[report.node];
  if (!view.up) return;
  if (!report.name.empty()) view.name = report.name;
  view.reported = true;
  view.reported_at = now;
  view.report = report;
  for (const core::ReplicaReport& told : report.replicas) {
    ReplicaView& replica = view.replicas[told.index];
    if (told.generation != replica.report.generation) replica.names.clear();
    replica.report = told;
    for (auto it = replica.in_flight.begin(); it != replica.in_flight.end();) {
      const auto next = std::next(it);
      if (it->second.accepted_report && *it->second.accepted_report < report.number)
        settled({report.node, told.index}, StreamKey(it->first));
      it = next;
    }
  }
}

void NodeViews::on(const core::Announce& announce) {
  NodeView* node = find(announce.replica.node);
  if (node == nullptr || !node->up) return;
  ReplicaView& replica = node->replicas[announce.replica.index];
  if (announce.full) replica.names.clear();
  for (const core::BlockName& name : announce.removed) replica.names.erase(name);
  for (const core::BlockName& name : announce.added) replica.names.insert(name);
}

NodeView* NodeViews::find(core::NodeId node) {
  const auto it = nodes_.find(node);
  return it == nodes_.end() ? nullptr : &it->second;
}

const NodeView* NodeViews::find(core::NodeId node) const {
  const auto it = nodes_.find(node);
  return it == nodes_.end() ? nullptr : &it->second;
}

ReplicaView* NodeViews::find(core::ReplicaRef replica) {
  return const_cast<ReplicaView*>(std::as_const(*this).find(replica));
}

const ReplicaView* NodeViews::find(core::ReplicaRef replica) const {
  const NodeView* node = find(replica.node);
  if (node == nullptr) return nullptr;
  const auto it = node->replicas.find(replica.index);
  return it == node->replicas.end() ? nullptr : &it->second;
}

bool NodeViews::up(core::NodeId node) const {
  const NodeView* view = find(node);
  return view != nullptr && view->up;
}

bool NodeViews::draining(core::NodeId node) const {
  const NodeView* view = find(node);
  return view != nullptr && view->up && view->report.draining;
}

std::string NodeViews::name(core::NodeId node) const {
  const NodeView* view = find(node);
  return view == nullptr || view->name.empty() ? "node " + std::to_string(node.value) : view->name;
}

core::NodeId NodeViews::by_name(std::string_view name) const {
  for (const auto& [id, view] : nodes_) {
    if (view.name == name) return id;
  }
  return {};
}

bool NodeViews::fit(const NodeView& node, Instant now, core::Duration stale) {
  return node.up && !node.suspect && node.reported && now - node.reported_at <= stale && !node.report.draining;
}

void NodeViews::sent(core::ReplicaRef ref, const StreamKey& key, const Dispatch& dispatch) {
  settled(ref, key);
  ReplicaView* replica = find(ref);
  if (replica == nullptr) return;
  replica->in_flight[key] = dispatch;
  replica->tokens_in_flight += dispatch.tokens;
  replica->blocks_in_flight += dispatch.blocks;
}

void NodeViews::accepted(core::ReplicaRef ref, const StreamKey& key, std::uint64_t report) {
  ReplicaView* replica = find(ref);
  if (replica == nullptr) return;
  const auto it = replica->in_flight.find(key);
  if (it != replica->in_flight.end() && !it->second.accepted_report) it->second.accepted_report = report;
}

void NodeViews::settled(core::ReplicaRef ref, const StreamKey& key) {
  ReplicaView* replica = find(ref);
  if (replica == nullptr) return;
  const auto it = replica->in_flight.find(key);
  if (it == replica->in_flight.end()) return;
  replica->tokens_in_flight -= it->second.tokens;
  replica->blocks_in_flight -= it->second.blocks;
  replica->in_flight.erase(it);
}

bool NodeViews::complete() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [this](const auto& entry) {
    return !expected_.contains(entry.first.value) || (entry.second.up && entry.second.reported);
  });
}

std::uint64_t NodeViews::cached_tokens(const ReplicaView& replica, const std::vector<core::BlockName>& prompt,
                                       const std::vector<const std::vector<core::BlockName>*>& choices) {
  const auto run = [&](const std::vector<core::BlockName>& names) {
    std::uint64_t hits = 0;
    while (hits < names.size() && replica.names.contains(names[hits])) ++hits;
    return hits;
  };
  std::uint64_t hits = run(prompt);
  if (hits == prompt.size()) {
    for (const auto* names : choices) hits += run(*names);
  }
  return hits * core::block_tokens;
}

std::vector<core::NodeStatus> NodeViews::status() const {
  std::vector<core::NodeStatus> nodes;
  for (const auto& [id, view] : nodes_) {
    core::NodeStatus& status = nodes.emplace_back();
    status.name = name(id);
    status.incarnation = view.incarnation;
    status.state = !view.up               ? core::NodeState::down
                   : view.report.draining ? core::NodeState::draining
                   : view.suspect         ? core::NodeState::suspect
                                          : core::NodeState::up;
    if (!view.up) continue;
    status.pid = view.report.pid;
    status.roles = view.report.roles;
    status.counters = view.report.counters;
    for (const core::ReplicaReport& replica : view.report.replicas) {
      status.streams += replica.streams;
      status.queue += replica.queued;
      status.kv_blocks_used += replica.blocks_used;
      status.kv_blocks_total += replica.blocks_total;
      status.tokens_per_second += replica.tokens_per_second;
    }
  }
  return nodes;
}

void NodeViews::check() const {
  for (const auto& [id, node] : nodes_) {
    for (const auto& [index, replica] : node.replicas) {
      std::uint64_t tokens = 0;
      std::uint64_t blocks = 0;
      for (const auto& [key, dispatch] : replica.in_flight) {
        tokens += dispatch.tokens;
        blocks += dispatch.blocks;
      }
      SPILLWAY_ASSERT(tokens == replica.tokens_in_flight && blocks == replica.blocks_in_flight);
    }
  }
}

}  // namespace spillway::sched
