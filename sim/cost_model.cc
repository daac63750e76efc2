#include "sim/cost_model.h"

#include <algorithm>

namespace spillway::sim {

StepShape shape_of(const core::StepPlan& plan) {
  StepShape shape;
  auto& a = shape.attention;
  std::int64_t history = 0;   // rows before a chunk, for each of its rows
  std::int64_t contexts = 0;  // of the decodes
  for (const auto& item : plan.items) {
    const auto rows = static_cast<std::int64_t>(item.tokens.size());
    const auto before = static_cast<std::int64_t>(item.first_position);
    shape.rows += rows;
    ++shape.sequences;
    if (rows > 1) {
      a.chunk += rows;
      history += rows * before;
      continue;
    }
    const auto context = before + 1;
    a.context_min = a.decodes == 0 ? context : std::min(a.context_min, context);
    a.context_max = std::max(a.context_max, context);
    contexts += context;
    ++a.decodes;
  }
  if (a.chunk > 0) a.history = fixed_ratio(history, a.chunk);
  if (a.decodes > 0) a.context_mean = fixed_ratio(contexts, a.decodes);
  return shape;
}

StepShape shape_of(const sched::StepOutline& outline) {
  StepShape shape;
  shape.rows = outline.rows;
  shape.sequences = outline.items;
  auto& a = shape.attention;
  a.chunk = outline.chunk_rows;
  a.decodes = outline.decodes;
  a.context_min = outline.context_min;
  a.context_max = outline.context_max;
  if (a.chunk > 0) a.history = fixed_ratio(static_cast<std::int64_t>(outline.chunk_history), a.chunk);
  if (a.decodes > 0) a.context_mean = fixed_ratio(static_cast<std::int64_t>(outline.decode_contexts), a.decodes);
  return shape;
}

core::Result<Picos> CostModel::attention(const AttentionShape& s) const {
  if (s.chunk == 0 && s.decodes == 0) return 0;
  const auto& table = s.chunk == 0 ? decode_attention : s.decodes == 0 ? prefill_attention : mixed_attention;
  const auto at = [&](Fixed context) { return table.at({to_fixed(s.chunk), s.history, to_fixed(s.decodes), context}); };
  const auto mean = at(s.context_mean);
  const auto max = s.decodes > 1 && skew.enabled() ? at(to_fixed(s.context_max)) : mean;
  if (!mean || !max)
    return core::fail(core::Errc::bad_file, "attention.csv has no point near a step with a chunk of " + std::to_string(s.chunk) +
                                                " rows behind " + std::to_string(s.history / fixed_one) + " and " +
                                                std::to_string(s.decodes) + " decodes of " + std::to_string(s.context_mean / fixed_one) +
                                                " tokens: want points of this kind");
  if (s.decodes <= 1 || !skew.enabled()) return *mean;
  return std::max<Picos>(0, blend(*mean, *max, skew.alpha(s, *mean, *max)));
}

core::Result<core::Duration> CostModel::time_of(const StepShape& shape) const {
  if (std::max({shape.rows, shape.attention.context_max, shape.attention.history / fixed_one}) > axis_max)
    return core::fail(core::Errc::bad_argument, "a step beyond " + std::to_string(axis_max) + " rows or tokens: want a smaller one");
  const auto kernel = attention(shape.attention);
  if (!kernel) return tl::make_unexpected(kernel.error());
  Picos time = step_overhead + layers * *kernel;
  for (const auto& op : dense) time += (op.per_step + layers * op.per_layer) * op.time.at(to_fixed(shape.rows));
  for (const auto& op : per_sequence) time += op.per_step * op.time.at(to_fixed(shape.sequences));
  return core::Duration(std::max<std::int64_t>(1, (time + 500) / 1000));
}

}  // namespace spillway::sim
