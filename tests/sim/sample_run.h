#pragma once

#include "sim/run_record.h"

namespace spillway::sim::test {

/// One record: milliseconds, first and end from the sending; `first` below 0 = no token.
RunRecord record_of(std::int64_t arrival, std::int64_t lag, std::int64_t first, std::int64_t end, std::uint32_t tokens,
                    RequestOutcome outcome = RequestOutcome::finished);

/// A run with all that a run can hold: classes, deadlines, objectives, outcomes, rungs, moves, samples of two nodes, token gaps.
Run sample_run(std::uint64_t seed, const std::string& name, std::uint32_t requests = 600);

}  // namespace spillway::sim::test
