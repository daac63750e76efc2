#include "sim/step_cost.h"

#include <algorithm>

namespace spillway::sim {

core::Result<core::Duration> StepCost::time_of(const sched::StepOutline& o) const {
  if (tables) return tables->time_of(shape_of(o));
  const std::int64_t answers = o.answer_rows;
  const std::int64_t prompts = static_cast<std::int64_t>(o.rows) - answers;
  const core::Duration time =
      step + prompts * prompt_row + answers * answer_row + core::Duration{static_cast<std::int64_t>(o.attended) * context.count() / 1000};
  return std::max(time, core::Duration{1});
}

}  // namespace spillway::sim
