#pragma once

#include <cstdint>

#include "core/time.h"

namespace spillway::sched {

/// How long a step of a replica takes, as it reported: base + rows x row. Both 0 = not known yet.
struct StepCoefficients {
  core::Duration base{0};
  core::Duration row{0};
  bool known() const { return base > core::Duration{0} || row > core::Duration{0}; }
};

/// Predictions from these coefficients, in integers. Tokens count up to 2^28 and coefficients up to 2^32 ns: no sum of a few
/// results overflows.
///
/// Time of computing `tokens` prompt tokens in steps of at most `step_tokens` rows of which `neighbours` are decodes of others:
///   steps = ceil(tokens / (step_tokens - neighbours));   steps x base + (tokens + steps x neighbours) x row.
/// At least one token of a step is left for prefill, however many neighbours there are. 0 tokens take no time.
core::Duration prefill_time(const StepCoefficients& step, std::uint64_t tokens, std::uint64_t neighbours, std::uint32_t step_tokens);

/// Time of `steps` decode steps of `rows` rows each.
core::Duration decode_time(const StepCoefficients& step, std::uint64_t steps, std::uint64_t rows);

/// Prompt tokens computed in `elapsed`, the inverse of prefill_time for whole and partial steps. 0 where the pace is not known.
std::uint64_t prefill_progress(const StepCoefficients& step, core::Duration elapsed, std::uint64_t neighbours, std::uint32_t step_tokens);

}  // namespace spillway::sched
