#include "sched/placement.h"

namespace spillway::sched {

/// Score: requests that run, wait or are on the way there.
PlacementPick pick_least_requests(const PlacementQuestion& question, std::span<std::int64_t> scores) {
  for (std::size_t i = 0; i < question.views.size(); ++i) scores[i] = static_cast<std::int64_t>(question.views[i].requests());
  return {lowest(question.views, scores), PlacementReason::fewest_requests};
}

}  // namespace spillway::sched
