#include <algorithm>
#include <array>

#include "core/assert.h"
#include "core/step.h"
#include "sched/fetch.h"
#include "sched/group_blocks.h"
#include "sched/placement_draw.h"
#include "sched/router_state.h"

namespace spillway::sched {

namespace {

using core::block_tokens;
constexpr std::size_t sample_max = 64;  // also the most scores of an explanation

}  // namespace

bool RouterState::serves(const RouterStream& s, const core::ReplicaReport& report) const {
  const core::Request& request = *s.request;
  if (report.model != request.model || (request.required & ~report.features) != 0) return false;
  if (!s.bound && request.adapter.empty()) return true;
  const auto weights = core::under_adapter(report.weights_digest, report.adapters, request.adapter);
  return weights && (!s.bound || (*weights == s.weights_digest && report.numerics_id == s.numerics_id));
}

PlacementRequest RouterState::needs(const RouterStream& s) const {
  PlacementRequest request;
  request.key = s.key;
  request.model = s.request->model;
  const std::uint64_t prompt = s.request->prompt.size();
  request.tokens = prompt + s.generated();
  const std::uint64_t shared = prompt / block_tokens;
  std::uint64_t blocks = shared;
  for (const RouterChoice& choice : s.choices) {
    if (choice.finish != core::FinishReason::none) continue;
    blocks += (prompt + choice.tokens.size()) / block_tokens + 1 - shared;
    request.output_tokens += s.request->tokens_max - std::min<std::uint64_t>(s.request->tokens_max, choice.tokens.size());
  }
  if (const auto& groups = views.of(request.model).kv_groups; !core::only_full(groups)) {
    std::uint64_t longest = 0;
    std::uint64_t alive = 0;
    for (const RouterChoice& choice : s.choices) {
      if (choice.finish != core::FinishReason::none) continue;
      ++alive;
      longest = std::max<std::uint64_t>(longest, choice.tokens.size());
    }
    blocks = capacity_blocks(groups, prompt, prompt + longest + 1, alive, limits.placement.step_tokens);
  }
  request.blocks = static_cast<std::uint32_t>(blocks);
  return request;
}

void RouterState::look_at(const RouterStream& s, const ModelReplica& entry, Instant now, std::vector<PlacementView>& list) const {
  const ReplicaView& replica = *entry.replica;
  const core::ReplicaReport& report = replica.report;
  if (!report.ready || !NodeViews::fit(*entry.node, now, limits.report_stale) || !serves(s, report)) return;
  PlacementView& view = list.emplace_back();
  view.replica = entry.ref;
  if (!s.avoid.empty()) {
    const auto avoid = s.avoid.find(entry.ref);
    view.eligible = avoid == s.avoid.end() || now >= avoid->second;
  }
  view.blocks_total = report.blocks_total;
  view.blocks_used = report.blocks_used;
  view.blocks_free = report.blocks_free;
  view.blocks_in_flight = replica.blocks_in_flight;
  view.prefill_tokens = report.prefill_tokens;
  view.tokens_in_flight = replica.tokens_in_flight;
  view.progress_tokens = replica.progress(now, limits.placement.step_tokens);
  view.streams = report.streams;
  view.queued = report.queued;
  view.dispatches = static_cast<std::uint32_t>(replica.in_flight.size());
  view.decode_tokens = report.decode_tokens;
  view.cached_tokens = NodeViews::cached_tokens(replica, s.names, static_cast<std::uint32_t>(s.choices.size()));
  if (keeps_state(report.kv_groups)) view.cached_tokens = 0;
  view.names = replica.names.size();
  view.step = replica.step();
}

std::vector<PlacementView> RouterState::candidates(const RouterStream& s, Instant now) const {
  std::vector<PlacementView> list;
  for (const ModelReplica& entry : views.of(s.request->model).list) look_at(s, entry, now, list);
  return list;
}

/// A few of many: for round robin the next ones in turn, for all else a random sample and those that are likely to hold the prefix.
void RouterState::look_at_sample(const RouterStream& s, const PlacementRequest& request, Instant now) {
  const auto& list = views.of(request.model).list;
  const auto count = static_cast<std::uint32_t>(list.size());
  const std::size_t wanted = std::clamp<std::size_t>(limits.placement.sample, 2, sample_max);
  const auto by_ref = [](const ModelReplica& entry, core::ReplicaRef ref) { return entry.ref < ref; };
  if (limits.placement.policy == core::PlacementPolicy::round_robin) {
    const auto turn = placement_.turns.find(request.model);
    std::size_t at = 0;
    if (turn != placement_.turns.end()) {
      at = static_cast<std::size_t>(std::lower_bound(list.begin(), list.end(), turn->second, by_ref) - list.begin());
      if (at < count && list[at].ref == turn->second) ++at;
    }
    for (std::size_t i = 0; i < wanted; ++i) look_at(s, list[(at + i) % count], now, looked_at_);
    return;
  }
  std::array<std::uint32_t, sample_max> drawn;
  PlacementDraw draw(s.key, placement_.draws);
  const std::size_t found = draw.distinct(count, std::span(drawn).first(wanted));
  for (std::size_t i = 0; i < found; ++i) fetch(list[drawn[i]].replica, 6), fetch(&list[drawn[i]].node->up, 2);
  if (!s.names.prompt().empty()) {
    for (std::size_t i = 0; i < found; ++i) list[drawn[i]].replica->names.fetch_place(s.names.prompt().front());
  }
  for (std::size_t i = 0; i < found; ++i) look_at(s, list[drawn[i]], now, looked_at_);
  if (limits.placement.policy == core::PlacementPolicy::power_of_two || limits.placement.policy == core::PlacementPolicy::least_requests)
    return;
  PrefixHints::Found holders;
  const std::size_t held = hints_.find(s.names.prompt(), holders);
  for (std::size_t i = 0; i < held; ++i) {
    const auto at = std::lower_bound(list.begin(), list.end(), holders[i], by_ref);
    if (at == list.end() || at->ref != holders[i]) continue;
    const auto index = static_cast<std::uint32_t>(at - list.begin());
    if (std::find(drawn.begin(), drawn.begin() + static_cast<std::ptrdiff_t>(found), index) ==
        drawn.begin() + static_cast<std::ptrdiff_t>(found)) {
      look_at(s, *at, now, looked_at_);
    }
  }
}

const PlacementView* RouterState::choose_replica(const RouterStream& s, Instant now, const NodeView* only, PlacementReason& reason) {
  PlacementRequest request = needs(s);
  request.now = now;
  const auto& list = views.of(request.model).list;
  const bool sampled = only == nullptr && list.size() > limits.placement.sample_above;
  const auto pick = [&](bool whole_pool_next) -> const PlacementView* {
    if (limits.pools.active() && !narrow_to_pool(looked_at_, request, limits.pools) && whole_pool_next) return nullptr;
    scores_.resize(looked_at_.size());
    const auto chosen = choose(looked_at_, request, limits.placement, placement_, scores_, usable_);
    if (!chosen) return nullptr;
    reason = chosen->reason;
    const PlacementView& view = looked_at_[chosen->index];
    remember(placement_, view, request, limits.placement);
    if (list.size() > limits.placement.sample_above) hints_.note(s.names.prompt(), view.replica);
    return &view;
  };
  looked_at_.clear();
  if (sampled) {
    look_at_sample(s, request, now);
    if (const PlacementView* view = pick(true)) return view;
    looked_at_.clear();  // nobody in the sample has room: somebody else may
  }
  if (only != nullptr) {
    for (const auto& [index, replica] : only->replicas) look_at(s, {{only->report.node, index}, only, &replica}, now, looked_at_);
  } else {
    for (const ModelReplica& entry : list) look_at(s, entry, now, looked_at_);
  }
  return pick(false);
}

void RouterState::explain(const RouterStream& s, const PlacementView& chosen, PlacementReason reason, Actions& out) const {
  RouterCore::Placed placed{s.key, s.epoch, {chosen.replica, limits.placement.policy, reason, {}}};
  const std::size_t count = std::min(looked_at_.size(), sample_max);
  const auto at = static_cast<std::size_t>(&chosen - looked_at_.data());
  for (std::size_t i = 0; i < count; ++i) placed.decision.scores.push_back({looked_at_[i].replica, i < usable_, scores_[i]});
  if (at >= count) placed.decision.scores.back() = {chosen.replica, true, scores_[at]};  // of very many: the chosen one is among them
  out.emplace_back(std::move(placed));
}

}  // namespace spillway::sched
