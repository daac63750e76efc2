#include "sched/predicted_time.h"

#include <algorithm>

namespace spillway::sched {

namespace {

constexpr std::uint64_t tokens_max = 1ULL << 28;
constexpr std::int64_t coefficient_max = 1LL << 32;
constexpr std::int64_t time_max = 1LL << 60;  // what a result is cut to, so that sums of a few stay in range

std::int64_t bounded(core::Duration value) {
  return std::clamp<std::int64_t>(value.count(), 0, coefficient_max);
}

/// a x b, at most time_max.
std::int64_t times(std::uint64_t a, std::int64_t b) {
  if (b == 0 || a == 0) return 0;
  if (a > static_cast<std::uint64_t>(time_max / b)) return time_max;
  return static_cast<std::int64_t>(a) * b;
}

/// Rows of a step that are left for prefill.
std::uint64_t chunk_of(std::uint64_t neighbours, std::uint32_t step_tokens) {
  return step_tokens > neighbours + 1 ? step_tokens - neighbours : 1;
}

}  // namespace

core::Duration prefill_time(const StepCoefficients& step, std::uint64_t tokens, std::uint64_t neighbours, std::uint32_t step_tokens) {
  if (tokens == 0) return core::Duration{0};
  tokens = std::min(tokens, tokens_max);
  neighbours = std::min<std::uint64_t>(neighbours, step_tokens);
  const std::uint64_t chunk = chunk_of(neighbours, step_tokens);
  const std::uint64_t steps = (tokens + chunk - 1) / chunk;
  return core::Duration{times(steps, bounded(step.base)) + times(tokens + steps * neighbours, bounded(step.row))};
}

core::Duration decode_time(const StepCoefficients& step, std::uint64_t steps, std::uint64_t rows) {
  const std::int64_t each = std::min(time_max, bounded(step.base) + times(std::min(rows, tokens_max), bounded(step.row)));
  return core::Duration{times(std::min(steps, tokens_max), each)};
}

std::uint64_t prefill_progress(const StepCoefficients& step, core::Duration elapsed, std::uint64_t neighbours, std::uint32_t step_tokens) {
  if (!step.known() || elapsed <= core::Duration{0}) return 0;
  neighbours = std::min<std::uint64_t>(neighbours, step_tokens);
  const std::uint64_t chunk = chunk_of(neighbours, step_tokens);
  const std::int64_t each = std::max<std::int64_t>(1, bounded(step.base) + times(chunk + neighbours, bounded(step.row)));
  const auto time = static_cast<std::uint64_t>(std::min<std::int64_t>(elapsed.count(), coefficient_max * 16));
  // Below 2^36 x 2^32 / 1: cut by dividing first where the product would not fit.
  if (chunk > (1ULL << 27)) return tokens_max;
  return std::min(tokens_max, time * chunk / static_cast<std::uint64_t>(each));
}

}  // namespace spillway::sched
