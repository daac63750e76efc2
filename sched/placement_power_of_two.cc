#include "sched/placement.h"
#include "sched/placement_draw.h"

namespace spillway::sched {

/// Two distinct replicas drawn at random, the less loaded wins. Load is the use of KV blocks in millionths; where either has not told
/// its blocks it is the number of requests for both, as the two must be compared in one unit (smg). The others are not compared.
PlacementPick pick_power_of_two(const PlacementQuestion& question, std::span<std::int64_t> scores) {
  for (std::int64_t& score : scores) score = worst_score;
  std::uint32_t two[2] = {0, 0};
  PlacementDraw draw(question.request.key, question.state.draws);
  const std::size_t drawn = draw.distinct(static_cast<std::uint32_t>(question.views.size()), two);
  bool told = true;
  for (std::size_t i = 0; i < drawn; ++i) told = told && question.views[two[i]].blocks_total > 0;
  for (std::size_t i = 0; i < drawn; ++i) {
    const PlacementView& view = question.views[two[i]];
    const std::uint64_t held = std::uint64_t{view.blocks_total} - std::min(view.blocks_total, view.blocks_free) + view.blocks_in_flight;
    scores[two[i]] = static_cast<std::int64_t>(told ? held * 1'000'000 / view.blocks_total : view.requests());
  }
  return {lowest(question.views, scores), PlacementReason::less_of_two};
}

}  // namespace spillway::sched
