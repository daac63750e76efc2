#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/step.h"
#include "core/time.h"
#include "sched/batcher_jump.h"
#include "sim/cost_table.h"
#include "sim/skew_fit.h"

namespace spillway::sim {

/// What decides how long a step takes.
struct StepShape {
  std::int64_t rows = 0;       ///< of all items
  std::int64_t sequences = 0;  ///< items: the logits of each one's last row are taken
  AttentionShape attention;
};

/// The shape of a plan. An item of one row is a decode: it costs attention the same wherever it stands in its stream.
StepShape shape_of(const core::StepPlan& plan);
StepShape shape_of(const sched::StepOutline& outline);

/// Time over the number of rows or sequences.
struct OpCost {
  std::string name;
  LineTable time;
  std::int64_t per_step = 0;   ///< how often a step runs it, besides ...
  std::int64_t per_layer = 0;  ///< ... how often each layer runs it
};

/// Measured times of one device and one model. A step costs
///   overhead + sum of (per_step + layers x per_layer) x time(rows) over `dense` + layers x attention
///            + sum of per_step x time(sequences) over `per_sequence`,
/// where attention is looked up among the points of decodes alone, of prefill alone or of both, at the total chunk with its mean
/// history and at the decodes with their mean context; skewed as SkewFit says. Times are picoseconds; a step is rounded to
/// nanoseconds, at least 1.
struct CostModel {
  std::int64_t layers = 0;
  Picos step_overhead = 0;
  std::vector<OpCost> dense;
  std::vector<OpCost> per_sequence;
  GridTable decode_attention;
  GridTable prefill_attention;
  GridTable mixed_attention;
  SkewFit skew;

  /// Errors  the table of attention has no point around the shape; it is larger than `axis_max` in some axis.
  core::Result<core::Duration> time_of(const StepShape& shape) const;

 private:
  core::Result<Picos> attention(const AttentionShape& shape) const;
};

}  // namespace spillway::sim
