#pragma once

#include "sim/sweep.h"

namespace spillway::sim::test {

/// Requests of 200 + 40 tokens, so many a second on average, for some seconds.
Workload steady(double per_second, double seconds, std::uint64_t seed);

/// Two equal nodes under steady(), a burst in the third second, and 0.3 s allowed for the first token.
SweepInput input_of(double per_second, double seconds);

}  // namespace spillway::sim::test
