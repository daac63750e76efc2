#include "sched/placement.h"

namespace spillway::sched {

/// The next replica behind the one chosen last, in the order of their ids, round the end. Score: 0 behind it, 1 before it.
PlacementPick pick_round_robin(const PlacementQuestion& question, std::span<std::int64_t> scores) {
  const auto turn = question.state.turns.find(question.request.model);
  for (std::size_t i = 0; i < question.views.size(); ++i) {
    scores[i] = turn == question.state.turns.end() || turn->second < question.views[i].replica ? 0 : 1;
  }
  return {lowest(question.views, scores), PlacementReason::in_turn};
}

}  // namespace spillway::sched
