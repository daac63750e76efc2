#include "sched/node_views.h"

#include <algorithm>

#include "core/assert.h"
#include "core/step.h"

namespace spillway::sched {

namespace {

bool ref_below(const ModelReplica& entry, core::ReplicaRef ref) {
  return entry.ref < ref;
}

}  // namespace

NodeView& NodeViews::view_of(core::NodeId node) {
  NodeView*& view = index_[node];
  if (view == nullptr) view = &nodes_[node];
  return *view;
}

void NodeViews::expect(core::NodeId node, std::string name) {
  view_of(node).name = std::move(name);
  expected_.insert(node.value);
}

void NodeViews::on_up(core::NodeId node, core::Incarnation incarnation, Instant now) {
  NodeView& view = view_of(node);
  view.up = true;
  view.suspect = false;
  view.reported = false;
  view.reported_at = now;
  // Another process counts from nothing.
  if (view.incarnation != incarnation) view.report.counters = {};
  view.incarnation = incarnation;
}

void NodeViews::on_down(core::NodeId node) {
  NodeView& view = view_of(node);
  for (const auto& [index, replica] : view.replicas) unlist(replica.report.model, {node, index});
  view.up = view.suspect = view.reported = false;
  view.replicas.clear();
  view.report.draining = false;
}

void NodeViews::on(const core::Report& report, Instant now) {
  NodeView& view = view_of(report.node);
  if (!view.up) return;
  if (!report.name.empty()) view.name = report.name;
  view.reported = true;
  view.reported_at = now;
  view.report = report;
  for (const core::ReplicaReport& told : report.replicas) {
    ReplicaView& replica = view.replicas[told.index];
    if (told.generation != replica.report.generation) replica.names.clear();
    list_by_model(view, {report.node, told.index}, replica, told);
    replica.report = told;
    replica.progress_tokens = 0;
    replica.progress_at = now;
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
  replica.names.erase(announce.removed);
  replica.names.insert(announce.added);
}

void NodeViews::list_by_model(NodeView& node, core::ReplicaRef ref, ReplicaView& replica, const core::ReplicaReport& told) {
  const core::ReplicaReport& before = replica.report;
  if (replica.listed && before.model == told.model && before.context_max == told.context_max && before.blocks_total == told.blocks_total)
    return;
  if (before.model != told.model) unlist(before.model, ref);
  replica.listed = static_cast<bool>(told.model);
  if (!told.model) return;
  ModelReplicas& model = models_[told.model];
  const auto at = std::lower_bound(model.list.begin(), model.list.end(), ref, ref_below);
  if (at == model.list.end() || at->ref != ref) model.list.insert(at, {ref, &node, &replica});
  const bool shrinks = before.model == told.model && (told.context_max < before.context_max || told.blocks_total < before.blocks_total);
  if (shrinks) {
    model.context_max = model.blocks_max = 0;
    for (const ModelReplica& other : model.list) {
      if (other.ref == ref) continue;
      model.context_max = std::max(model.context_max, other.replica->report.context_max);
      model.blocks_max = std::max(model.blocks_max, other.replica->report.blocks_total);
    }
  }
  model.context_max = std::max(model.context_max, told.context_max);
  model.blocks_max = std::max(model.blocks_max, told.blocks_total);
  if (told.told()) model.kv_groups = told.kv_groups;
}

void NodeViews::unlist(core::ModelId id, core::ReplicaRef ref) {
  const auto found = models_.find(id);
  if (found == models_.end()) return;
  ModelReplicas& model = found->second;
  const auto at = std::lower_bound(model.list.begin(), model.list.end(), ref, ref_below);
  if (at == model.list.end() || at->ref != ref) return;
  model.list.erase(at);
  model.context_max = model.blocks_max = 0;
  for (const ModelReplica& other : model.list) {
    model.context_max = std::max(model.context_max, other.replica->report.context_max);
    model.blocks_max = std::max(model.blocks_max, other.replica->report.blocks_total);
  }
  if (model.list.empty()) {
    models_.erase(found);
    saturations_.erase(id);
  }
}

const ModelReplicas& NodeViews::of(core::ModelId model) const {
  static const ModelReplicas none;
  const auto found = models_.find(model);
  return found == models_.end() ? none : found->second;
}

std::uint32_t NodeViews::saturation_permille(core::ModelId model, Instant now, core::Duration stale) {
  constexpr std::size_t few = 64;
  constexpr core::Duration kept = std::chrono::milliseconds(20);
  const ModelReplicas& replicas = of(model);
  const auto known = saturations_.find(model);
  if (replicas.list.size() > few && known != saturations_.end() && now - known->second.at < kept) return known->second.permille;
  std::uint64_t sum = 0;
  std::uint64_t count = 0;
  for (const ModelReplica& entry : replicas.list) {
    if (entry.node->report.draining) continue;
    ++count;
    const core::ReplicaReport& report = entry.replica->report;
    if (!fit(*entry.node, now, stale) || report.blocks_total == 0) {
      sum += 1000;
      continue;
    }
    const std::uint64_t queue = (std::uint64_t{report.queued} + entry.replica->in_flight.size()) * 1000 / 5;
    const std::uint64_t held = std::uint64_t{report.blocks_total} - std::min(report.blocks_total, report.blocks_free);
    sum += std::max(queue, held * 1000 * 10 / 8 / report.blocks_total);
  }
  const auto permille = static_cast<std::uint32_t>(std::min<std::uint64_t>(count == 0 ? 0 : sum / count, UINT32_MAX));
  if (replicas.list.size() > few) saturations_[model] = {now, permille};
  return permille;
}

std::uint64_t ReplicaView::progress(Instant now, std::uint32_t step_tokens) const {
  const std::uint64_t left = report.prefill_tokens + tokens_in_flight;
  if (left == 0) return 0;
  return std::min(left, progress_tokens + prefill_progress(step(), now - progress_at, report.streams, step_tokens));
}

void NodeViews::advance(core::ReplicaRef ref, Instant now, std::uint32_t step_tokens) {
  ReplicaView* replica = find(ref);
  if (replica == nullptr) return;
  replica->progress_tokens = replica->progress(now, step_tokens);
  replica->progress_at = now;
}

NodeView* NodeViews::find(core::NodeId node) {
  const auto it = index_.find(node);
  return it == index_.end() ? nullptr : it->second;
}

const NodeView* NodeViews::find(core::NodeId node) const {
  const auto it = index_.find(node);
  return it == index_.end() ? nullptr : it->second;
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
  replica->progress_tokens = std::min(replica->progress_tokens, replica->report.prefill_tokens + replica->tokens_in_flight);
  replica->in_flight.erase(it);
}

void NodeViews::came(core::NodeId node, const StreamKey& key) {
  auto& placed = view_of(node).placed;
  const auto at = std::lower_bound(placed.begin(), placed.end(), key);
  if (at == placed.end() || *at != key) placed.insert(at, key);
}

void NodeViews::left(core::NodeId node, const StreamKey& key) {
  auto& placed = view_of(node).placed;
  const auto at = std::lower_bound(placed.begin(), placed.end(), key);
  if (at != placed.end() && *at == key) placed.erase(at);
}

bool NodeViews::complete() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [this](const auto& entry) {
    return !expected_.contains(entry.first.value) || (entry.second.up && entry.second.reported);
  });
}

std::uint64_t NodeViews::cached_tokens(const ReplicaView& replica, const std::vector<core::BlockName>& prompt,
                                       const std::vector<const std::vector<core::BlockName>*>& choices) {
  std::uint64_t hits = replica.names.run(prompt);
  if (hits == prompt.size()) {
    for (const auto* names : choices) hits += replica.names.run(*names);
  }
  return hits * core::block_tokens;
}

std::uint64_t NodeViews::cached_tokens(const ReplicaView& replica, const StreamNames& names, std::uint32_t choices) {
  if (replica.names.empty()) return 0;
  std::uint64_t hits = replica.names.run(names.prompt());
  if (hits == names.prompt().size()) {
    for (std::uint32_t c = 0; c < choices; ++c) hits += replica.names.run(names.choice(c));
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
  std::size_t listed = 0;
  for (const auto& [id, node] : nodes_) {
    for (const auto& [index, replica] : node.replicas) {
      std::uint64_t tokens = 0;
      std::uint64_t blocks = 0;
      for (const auto& [key, dispatch] : replica.in_flight) {
        tokens += dispatch.tokens;
        blocks += dispatch.blocks;
      }
      SPILLWAY_ASSERT(tokens == replica.tokens_in_flight && blocks == replica.blocks_in_flight);
      SPILLWAY_ASSERT(replica.progress_tokens <= replica.report.prefill_tokens + tokens);
      if (!replica.report.model) continue;
      const auto& list = of(replica.report.model).list;
      const auto at = std::lower_bound(list.begin(), list.end(), core::ReplicaRef{id, index}, ref_below);
      SPILLWAY_ASSERT(at != list.end() && at->ref == (core::ReplicaRef{id, index}) && at->node == &node && at->replica == &replica);
      ++listed;
    }
  }
  for (const auto& [id, model] : models_) listed -= model.list.size();
  SPILLWAY_ASSERT(listed == 0);
}

}  // namespace spillway::sched
