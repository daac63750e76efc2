#pragma once

#include <memory>

#include "core/result.h"
#include "core/time.h"
#include "sched/batcher_jump.h"
#include "sim/cost_model.h"

namespace spillway::sim {

/// How long the steps of a device take: measured tables, or the coefficients of a paced device (cluster file):
///   step + prompt rows x prompt_row + rows of answers x answer_row + attended tokens / 1,000 x context.
struct StepCost {
  std::shared_ptr<const CostModel> tables;  ///< null: the coefficients
  core::Duration step{0};
  core::Duration prompt_row{0};
  core::Duration answer_row{0};
  core::Duration context{0};  ///< for each 1,000 tokens attended

  /// At least a nanosecond. Errors: of the tables.
  core::Result<core::Duration> time_of(const sched::StepOutline& outline) const;
};

}  // namespace spillway::sim
