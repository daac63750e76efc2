#include "sched/placement.h"

#include <array>
#include <utility>

#include "core/assert.h"

namespace spillway::sched {

namespace {

using Pick = PlacementPick (*)(const PlacementQuestion&, std::span<std::int64_t>);
constexpr std::array<Pick, 7> policies{pick_additive,    pick_round_robin, pick_least_requests, pick_power_of_two,
                                       pick_cache_aware, pick_dynamo,      pick_preble};

/// The history's bucket for `now`, cleared when it last stood for another time.
std::size_t bucket_for(PlacementHistory& history, core::Instant now, core::Duration window) {
  const core::Duration sixth = std::max(window / static_cast<std::int64_t>(PlacementHistory::buckets), core::Duration{1});
  const auto number = static_cast<std::uint64_t>(now.time_since_epoch() / sixth) + 1;
  const std::size_t bucket = number % PlacementHistory::buckets;
  if (history.stamps[bucket] != number) {
    history.stamps[bucket] = number;
    history.hit_tokens[bucket] = history.miss_tokens[bucket] = 0;
  }
  return bucket;
}

}  // namespace

std::string_view to_string(PlacementReason reason) {
  constexpr std::array<std::string_view, 10> names{"least_cost",    "in_turn",       "fewest_requests", "less_of_two", "shortest_queue",
                                                   "longest_match", "smallest_tree", "exploited",       "explored",    "rebalanced"};
  const auto index = static_cast<std::size_t>(reason);
  return index < names.size() ? names[index] : "unknown";
}

bool usable(const PlacementView& view, const PlacementRequest& request) {
  return view.eligible && view.blocks_free >= std::uint64_t{view.blocks_in_flight} + request.blocks;
}

std::size_t lowest(std::span<const PlacementView> views, std::span<const std::int64_t> scores) {
  SPILLWAY_ASSERT(!views.empty());
  std::size_t best = 0;
  for (std::size_t i = 1; i < views.size(); ++i) {
    if (scores[i] < scores[best] || (scores[i] == scores[best] && views[i].replica < views[best].replica)) best = i;
  }
  return best;
}

std::optional<PlacementPick> choose(std::span<PlacementView> views, const PlacementRequest& request, const PlacementRules& rules,
                                    const PlacementState& state, std::span<std::int64_t> scores, std::size_t& usable_count) {
  usable_count = 0;
  for (std::size_t i = 0; i < views.size(); ++i) {
    scores[i] = worst_score;
    if (!usable(views[i], request)) continue;
    if (i != usable_count) std::swap(views[i], views[usable_count]);
    ++usable_count;
  }
  if (usable_count == 0) return std::nullopt;
  const auto policy = static_cast<std::size_t>(rules.policy);
  SPILLWAY_ASSERT(policy < policies.size());
  return policies[policy]({views.first(usable_count), request, rules, state}, scores.first(usable_count));
}

void remember(PlacementState& state, const PlacementView& view, const PlacementRequest& request, const PlacementRules& rules) {
  ++state.draws;
  if (rules.policy == core::PlacementPolicy::round_robin) state.turns[request.model] = view.replica;
  if (rules.policy != core::PlacementPolicy::preble) return;
  PlacementHistory& history = state.histories[view.replica];
  const std::size_t bucket = bucket_for(history, request.now, rules.window);
  const std::uint64_t hit = std::min(view.cached_tokens, request.tokens);
  history.hit_tokens[bucket] += hit;
  history.miss_tokens[bucket] += request.tokens - hit;
}

std::optional<std::size_t> place(std::span<const PlacementView> views, const PlacementRequest& request, const PlacementRules& rules) {
  const StepCoefficients unknown = mean_coefficients(views);
  std::optional<std::size_t> best;
  core::Duration best_cost{0};
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (!usable(views[i], request)) continue;
    const core::Duration cost = additive_cost(views[i], request, rules, unknown);
    if (best && (cost > best_cost || (cost == best_cost && !(views[i].replica < views[*best].replica)))) continue;
    best = i;
    best_cost = cost;
  }
  return best;
}

}  // namespace spillway::sched
