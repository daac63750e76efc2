#include "sched/placement.h"

#include <algorithm>

namespace spillway::sched {

std::uint64_t placement_cost(const PlacementView& view, const PlacementRequest& request) {
  const std::uint64_t cached = std::min(view.cached_tokens, request.tokens) * request.prefix_weight_permille / 1000;
  const std::uint64_t own = request.tokens - std::min(cached, request.tokens);
  return own + view.prefill_tokens + view.tokens_in_flight + 16ULL * view.streams + view.decode_tokens / 32;
}

std::optional<std::size_t> place(std::span<const PlacementView> views, const PlacementRequest& request) {
  std::optional<std::size_t> best;
  std::uint64_t best_cost = 0;
  for (std::size_t i = 0; i < views.size(); ++i) {
    const PlacementView& view = views[i];
    if (!view.eligible || view.blocks_free < std::uint64_t{view.blocks_in_flight} + request.blocks) continue;
    const std::uint64_t cost = placement_cost(view, request);
    if (best && (cost > best_cost || (cost == best_cost && !(view.replica < views[*best].replica)))) continue;
    best = i;
    best_cost = cost;
  }
  return best;
}

}  // namespace spillway::sched
