#include "sched/placement.h"

namespace spillway::sched {

namespace {

struct Range {
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  void add(std::uint64_t value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
};

std::uint64_t kv_use_permille(const PlacementView& view) {
  if (view.blocks_total == 0) return 0;
  return (std::uint64_t{view.blocks_total} - std::min(view.blocks_total, view.blocks_free)) * 1000 / view.blocks_total;
}

}  // namespace

/// The rule of SGLang's gateway, for comparison. Out of balance (more than imbalance_requests between the most and the least loaded
/// and more than imbalance_permille of it, or KV use too far apart or too high): the shortest queue. Else the longest match when more
/// than match_permille of the request is cached there; else the replica that holds the fewest names.
PlacementPick pick_cache_aware(const PlacementQuestion& question, std::span<std::int64_t> scores) {
  const PlacementRules& rules = question.rules;
  Range load;
  Range kv;
  std::uint64_t longest = 0;
  for (const PlacementView& view : question.views) {
    load.add(view.requests());
    kv.add(kv_use_permille(view));
    longest = std::max(longest, std::min(view.cached_tokens, question.request.tokens));
  }
  const bool uneven = load.most - load.least > rules.imbalance_requests && load.most * 1000 > load.least * rules.imbalance_permille;
  const bool kv_uneven = kv.most - kv.least > rules.kv_spread_permille || kv.most > rules.kv_use_permille;
  const bool match = longest * 1000 > question.request.tokens * rules.match_permille;
  PlacementReason reason = PlacementReason::smallest_tree;
  if (match) reason = PlacementReason::longest_match;
  if (uneven || kv_uneven) reason = PlacementReason::shortest_queue;
  for (std::size_t i = 0; i < question.views.size(); ++i) {
    const PlacementView& view = question.views[i];
    switch (reason) {
      case PlacementReason::shortest_queue: scores[i] = static_cast<std::int64_t>(view.requests()); break;
      case PlacementReason::longest_match:
        scores[i] = -static_cast<std::int64_t>(std::min(view.cached_tokens, question.request.tokens));
        break;
      default: scores[i] = static_cast<std::int64_t>(view.names); break;
    }
  }
  return {lowest(question.views, scores), reason};
}

}  // namespace spillway::sched
