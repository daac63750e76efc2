#include <algorithm>

#include "core/assert.h"
#include "sched/group_blocks.h"
#include "sched/router_state.h"

/// Hands the router's view to the planner and carries its moves out by the moves that exist.
namespace spillway::sched {

namespace {

constexpr core::Duration give_back_answer_max = std::chrono::milliseconds(500);
constexpr core::Duration hand_over_again = std::chrono::milliseconds(200);

/// Costs as a node reports them, in a range whose products do not overflow.
StepCosts bounded_costs(const core::ReplicaReport& report) {
  const auto bounded = [](core::Duration d) { return std::clamp(d, core::Duration{0}, core::Duration{1LL << 32}); };
  return {bounded(report.step_base), bounded(report.step_row), bounded(report.step_context)};
}

}  // namespace

bool RouterState::plans() const {
  return limits.moves.enabled;
}

MoveReplica RouterState::move_replica(const ModelReplica& entry, Instant now) const {
  constexpr std::uint32_t streams_max = 1U << 16;
  constexpr std::uint64_t tokens_max = 1ULL << 28;
  const core::ReplicaReport& report = entry.replica->report;
  MoveReplica r;
  r.replica = entry.ref;
  r.kv_id = report.kv_id;
  r.weights_digest = report.weights_digest;
  r.adapters = report.adapters;
  r.numerics_id = report.numerics_id;
  r.features = report.features;
  r.draining = entry.node->report.draining;
  r.destination = report.ready && NodeViews::fit(*entry.node, now, limits.report_stale);
  r.source = r.destination;
  r.prefills = limits.pools.prefills(entry.ref.node);
  r.decodes = limits.pools.decodes(entry.ref.node);
  r.blocks_total = report.blocks_total;
  r.blocks_free = report.blocks_free;
  r.blocks_in_flight = entry.replica->blocks_in_flight;
  r.blocks_head = report.blocks_head;
  r.blocks_queued = report.blocks_queued;
  r.blocks_released = report.blocks_released;
  r.streams = std::min(report.streams, streams_max);
  r.queued = report.queued;
  r.ahead_tokens = report.prefill_tokens + entry.replica->tokens_in_flight;
  r.ahead_tokens =
      std::min(tokens_max, r.ahead_tokens - std::min(r.ahead_tokens, entry.replica->progress(now, limits.placement.step_tokens)));
  r.decode_tokens = std::min(tokens_max, report.decode_tokens);
  r.tokens_per_second = report.tokens_per_second;
  r.page_bytes = report.page_bytes;
  r.groups = static_cast<std::uint32_t>(core::kv_groups_or_full(report.kv_groups).size());
  r.growing_groups = growing_groups(report.kv_groups);
  r.exports = report.exporting > 0;
  r.imports = report.importing > 0;
  r.leaving = report.exporting;
  r.arriving = report.importing;
  r.step = bounded_costs(report);
  return r;
}

MoveStream RouterState::move_stream(const RouterStream& s) const {
  const PlacementRequest request = needs(s);
  MoveStream m;
  m.key = s.key;
  m.begun = s.begun;
  m.service_class = s.request->service_class;
  m.arrival = s.arrival;
  m.tokens = request.tokens;
  m.blocks = request.blocks;
  m.output_tokens = request.output_tokens;
  m.required = s.request->required;
  m.weights_digest = s.weights_digest;
  m.adapter = s.request->adapter;
  m.numerics_id = s.numerics_id;
  m.moves = s.planned_moves;
  m.again_at = s.planned_again_at;
  for (const auto& [ref, until] : s.avoid) m.avoid.push_back(ref);
  return m;
}

MoveView RouterState::move_view(core::ModelId model, Instant now) const {
  MoveView view;
  view.now = now;
  view.links = links_;
  view.costs = move_costs_;
  view.step_tokens = limits.placement.step_tokens;
  view.moves_per_link_max = limits.moves_per_link_max;
  view.cached = [this](const StreamKey& key, core::ReplicaRef ref) {
    const ReplicaView* replica = views.find(ref);
    const RouterStream* s = streams.find(key);
    if (replica == nullptr || s == nullptr || keeps_state(replica->report.kv_groups)) return std::uint64_t{0};
    return NodeViews::cached_tokens(*replica, s->names, static_cast<std::uint32_t>(s->choices.size()));
  };
  std::map<core::NodeId, std::uint32_t> leaving;
  std::map<core::NodeId, std::uint32_t> arriving;
  for (const auto& [link, count] : links_) leaving[link.first] += count, arriving[link.second] += count;
  for (const ModelReplica& entry : views.of(model).list) {
    MoveReplica& r = view.replicas.emplace_back(move_replica(entry, now));
    if (const auto it = leaving.find(entry.ref.node); it != leaving.end()) r.leaving = std::max(r.leaving, it->second);
    if (const auto it = arriving.find(entry.ref.node); it != arriving.end()) r.arriving = std::max(r.arriving, it->second);
  }
  return view;
}

void RouterState::add_streams(MoveView& view, MoveReplica& r) const {
  const NodeView* here = views.find(r.replica.node);
  if (here == nullptr) return;
  for (const StreamKey& key : here->placed) {
    const RouterStream& s = *streams.find(key);
    if (s.place != r.replica) continue;
    ++r.owned;
    if (s.move) r.blocks_leaving += needs(s).blocks;
    if (s.going && view.now < s.going->until) {
      ++view.links[{r.replica.node, s.going->destination.node}];  // as good as moving
      continue;
    }
    if (s.stage != Stage::running || s.move || view.now < s.move_again_at || (!s.begun && r.queued == 0)) continue;
    view.streams[r.replica].push_back(move_stream(s));
  }
}

/// Is the replica too full, by the planner's rules? `paces`: of models looked at before.
bool RouterState::overloaded(const MoveReplica& r, core::ModelId model, bool was, std::map<core::ModelId, Pace>& paces, Instant now) const {
  if (pressed(r, limits.moves, limits.placement.step_tokens, was)) return true;
  if (limits.moves.crowd_permille == 0) return false;
  const auto [pace, fresh] = paces.try_emplace(model);
  if (fresh) {
    for (const ModelReplica& entry : views.of(model).list) pace->second.add(move_replica(entry, now));
  }
  return crowded(r, pace->second.elsewhere(r), limits.moves, was);
}

std::vector<core::ReplicaRef> RouterState::may_unload(Instant now) const {
  std::vector<core::ReplicaRef> found;
  if (!plans() || now < plan_at_) return found;
  std::map<core::ModelId, Pace> paces;
  for (const auto& [node, view] : views.all()) {
    if (view.placed.empty() || !view.up) continue;
    for (const auto& [index, replica] : view.replicas) {
      const core::ReplicaRef ref{node, index};
      const MoveReplica r = move_replica({ref, &view, &replica}, now);
      if (!r.step.known() || overloaded(r, replica.report.model, true, paces, now)) found.push_back(ref);
    }
  }
  return found;
}

void RouterState::plan(Instant now, Actions& out) {
  plan_at_ = now + limits.moves.interval;
  std::set<core::ModelId> models;
  std::map<core::ModelId, Pace> paces;
  for (const auto& [node, view] : views.all()) {
    if (view.placed.empty() || !view.up) continue;
    for (const auto& [index, replica] : view.replicas) {
      const core::ReplicaRef ref{node, index};
      if (overloaded(move_replica({ref, &view, &replica}, now), replica.report.model, pressed_.contains(ref), paces, now))
        models.insert(replica.report.model);
    }
  }
  for (const core::ModelId model : models) {
    MoveView view = move_view(model, now);
    for (MoveReplica& r : view.replicas) {
      if (overloaded(r, model, pressed_.contains(r.replica), paces, now)) add_streams(view, r);
    }
    for (PlannedMove& planned : plan_moves(view, limits.moves, pressed_)) begin_planned(planned, now, out);
  }
}

void RouterState::begin_planned(PlannedMove& planned, Instant now, Actions& out) {
  RouterStream& s = *find(planned.key);
  const core::ReplicaRef destination = planned.decision.destination;
  const Epoch epoch = s.epoch;
  switch (planned.decision.road) {
    case MoveRoad::place:
      s.going = Going{destination, now + give_back_answer_max};
      post(s.place.node, core::CancelRun{s.key, s.epoch, true}, out);
      break;
    case MoveRoad::move: {
      MoveAsker asker;
      asker.planned = true;
      if (!start_move(s, destination, asker, now, out)) {
        s.move_again_at = now + hand_over_again;
        return;
      }
      break;
    }
    case MoveRoad::recompute: s.going = Going{destination, now + give_back_answer_max}; break;
  }
  if (limits.explain) out.emplace_back(RouterCore::MovePlanned{planned.key, epoch, std::move(planned.decision)});
  if (planned.decision.road != MoveRoad::recompute) return;
  count_planned(s, now);
  s.avoid[s.place] = now + hand_over_again;
  restart(s, "it is computed again elsewhere", false, now, out);
}

void RouterState::on(core::NodeId from, const core::RunHeld& message, Instant now, Actions& out) {
  RouterStream* s = find(message.key);
  const Heard how = s == nullptr ? Heard::no : heard(*s, from, message.epoch);
  if (how == Heard::no) return cancel_stale(from, message.key, message.epoch, now, out);
  if (how != Heard::current || s->move) return;
  s->stall_at = now + limits.stall_max;
  touch(*s);
  if (plans() && s->stage == Stage::running && now >= s->move_again_at) {
    MoveView view = move_view(s->request->model, now);
    const core::Duration again = std::clamp<core::Duration>(message.recompute, core::Duration{0}, std::chrono::hours(1));
    if (auto planned = plan_held(view, limits.moves, pressed_, move_stream(*s), s->place, again)) {
      planned->decision.road = MoveRoad::move;
      begin_planned(*planned, now, out);
      if (s->move) return;
    }
  }
  post(from, core::CancelRun{s->key, s->epoch, true}, out);
}

void RouterState::count_planned(RouterStream& s, Instant now) const {
  ++s.planned_moves;
  s.planned_again_at = now + limits.moves.cool_down;
}

const PlacementView* RouterState::choose_planned(RouterStream& s, Instant now) {
  const core::ReplicaRef ref = s.going->destination;
  s.going.reset();
  const NodeView* node = views.find(ref.node);
  const ReplicaView* replica = views.find(ref);
  if (node == nullptr || replica == nullptr) return nullptr;
  looked_at_.clear();
  look_at(s, {ref, node, replica}, now, looked_at_);
  return !looked_at_.empty() && usable(looked_at_.front(), needs(s)) ? &looked_at_.front() : nullptr;
}

void RouterState::hand_over(RouterStream& s, Instant now, Actions& out) {
  if (s.stage != Stage::running || s.move || now < s.move_again_at || s.planned_moves >= limits.moves.moves_per_stream_max) return;
  const MoveStream stream = move_stream(s);
  const ReplicaView* here = views.find(s.place);
  if (stream.output_tokens == 0 || here == nullptr) return;
  MoveView view = move_view(s.request->model, now);
  fill_costs(view.replicas);
  const auto source = std::find_if(view.replicas.begin(), view.replicas.end(), [&](const auto& r) { return r.replica == s.place; });
  SPILLWAY_ASSERT(source != view.replicas.end());
  const MoveReplica from = *source;
  std::erase_if(view.replicas, [&](const MoveReplica& r) {
    const auto link = view.links.find({s.place.node, r.replica.node});
    return !r.decodes || !r.destination || r.kv_id != from.kv_id || r.replica.node == s.place.node || r.free() < stream.blocks ||
           !runs_there(stream, r) || (link != view.links.end() && link->second >= limits.moves_per_link_max);
  });
  const auto chosen = pick_decode(view.replicas, stream.tokens, stream.service_class, limits.pools);
  MoveAsker asker;
  asker.planned = true;
  if (!chosen || !start_move(s, view.replicas[*chosen].replica, asker, now, out)) {
    s.move_again_at = now + hand_over_again;  // it goes on here meanwhile
    return;
  }
  if (!limits.explain) return;
  MoveDecision d;
  d.source = s.place;
  d.destination = view.replicas[*chosen].replica;
  d.reason = MoveReason::prefilled;
  d.at_source = step_time(from.step, std::max(1U, from.streams), from.decode_tokens);
  d.at_destination = predicted_tpot(view.replicas[*chosen], stream.tokens);
  d.downtime = view.costs.downtime;
  d.gain = d.at_source - d.at_destination;
  d.freeness_source = freeness(from);
  d.freeness_destination = freeness(view.replicas[*chosen]);
  constexpr std::size_t scores_max = 64;
  for (std::size_t i = 0; i < std::min(scores_max, view.replicas.size()); ++i)
    d.scores.push_back({view.replicas[i].replica, d.at_source - predicted_tpot(view.replicas[i], stream.tokens)});
  out.emplace_back(RouterCore::MovePlanned{s.key, s.epoch, std::move(d)});
}

void RouterState::learn_costs(const core::MoveOutcome& outcome) {
  if (!outcome.committed) return;
  // Of the last eight or so. What is too short to be measured says nothing.
  constexpr std::int64_t kept = 7;
  constexpr std::uint64_t bytes_min = 64 * 1024;
  const core::Duration frozen = outcome.report.frozen;
  if (frozen > core::Duration{0} && frozen < std::chrono::seconds(10))
    move_costs_.downtime = (move_costs_.downtime * kept + frozen) / (kept + 1);
  const std::uint64_t bytes = outcome.report.page_bytes + outcome.report.row_bytes;
  const std::int64_t micros = outcome.report.copy.count() / 1000;
  if (bytes < bytes_min || bytes > std::uint64_t{1} << 40 || micros <= 0) return;
  const std::uint64_t pace = bytes * 1'000'000 / static_cast<std::uint64_t>(micros);
  move_costs_.bytes_per_second = std::max<std::uint64_t>(1, (move_costs_.bytes_per_second * kept + pace) / (kept + 1));
}

}  // namespace spillway::sched
