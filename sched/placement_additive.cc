#include "sched/placement.h"

namespace spillway::sched {

namespace {

constexpr std::int64_t base_rows = 16;  // so many streams double the time of a step, at least

}  // namespace

StepCoefficients mean_coefficients(std::span<const PlacementView> views) {
  std::int64_t known = 0;
  StepCoefficients sum;
  for (const PlacementView& view : views) {
    if (!view.step.known()) continue;
    ++known;
    sum.base += view.step.base;
    sum.row += view.step.row;
  }
  if (known == 0) return {core::Duration{0}, std::chrono::microseconds(1)};
  return {sum.base / known, sum.row / known};
}

core::Duration additive_cost(const PlacementView& view, const PlacementRequest& request, const PlacementRules& rules,
                             const StepCoefficients& unknown) {
  const StepCoefficients& step = view.step.known() ? view.step : unknown;
  const std::uint64_t cached = std::min(view.cached_tokens, request.tokens) * rules.prefix_weight_permille / 1000;
  const std::uint64_t miss = request.tokens - std::min(cached, request.tokens);
  // Dispatches count before anybody has confirmed them, or a burst of requests that are cached there would all go to one replica.
  const std::uint64_t others = view.requests();
  // Where steps take as long for few as for many, all would go to one replica and fill it: each stream counts as a small part of a step.
  const StepCoefficients crowd{step.base, std::max(step.row, step.base / base_rows)};
  // A context of 32 tokens is read in about the time that one row takes.
  const core::Duration reading = decode_time({core::Duration{0}, step.row}, 1, view.decode_tokens / 32);
  return prefill_time(step, miss + view.ahead(), others, rules.step_tokens) + decode_time(crowd, rules.decode_steps, others + 1) + reading;
}

PlacementPick pick_additive(const PlacementQuestion& question, std::span<std::int64_t> scores) {
  const StepCoefficients unknown = mean_coefficients(question.views);
  for (std::size_t i = 0; i < question.views.size(); ++i) {
    scores[i] = additive_cost(question.views[i], question.request, question.rules, unknown).count();
  }
  return {lowest(question.views, scores), PlacementReason::least_cost};
}

}  // namespace spillway::sched
