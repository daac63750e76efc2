#pragma once

#include <array>
#include <cstdint>

#include "sim/workload.h"

namespace spillway::sim {

/// Token counts. The percentile p is the value at index floor(p * n) of the sorted list.
struct LengthStats {
  double mean = 0;
  std::uint32_t p50 = 0;
  std::uint32_t p95 = 0;
  std::uint32_t max = 0;
};

/// What a person asks first of a workload. Windows of 1 s and 60 s are counted from the first arrival, the last one as long
/// as the others. All zero for an empty workload.
struct WorkloadStats {
  std::uint64_t requests = 0;
  double span_s = 0;         ///< first to last arrival
  double mean_rps = 0;       ///< requests / span; 0 when the span is
  double peak_1s_rps = 0;    ///< most arrivals in one second
  double peak_60s_rps = 0;   ///< most arrivals in one minute, by 60
  double dispersion_1s = 0;  ///< variance / mean of the counts per second: 1 = Poisson
  LengthStats input;
  LengthStats output;
  std::array<std::uint64_t, 3> by_class{};  ///< live, interactive, batch
  std::uint64_t tenants = 0;
  std::uint64_t models = 0;
  std::uint64_t sessions = 0;
  std::uint64_t continued = 0;      ///< requests with a parent
  std::uint64_t superseding = 0;    ///< requests that supersede it
  std::uint64_t with_deadline = 0;  ///< requests with a deadline
  std::uint64_t blocks = 0;
  std::uint64_t distinct_blocks = 0;
  std::uint64_t hit_blocks = 0;   ///< blocks of leading runs that an earlier request had: one infinite cache
  double prefix_hit_ceiling = 0;  ///< hit_blocks / blocks; 0 without blocks
};

WorkloadStats stats_of(const Workload& workload);

}  // namespace spillway::sim
