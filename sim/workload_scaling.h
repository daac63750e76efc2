#pragma once

#include <cstdint>
#include <string>

#include "sim/workload.h"

/// More or less load out of one workload. The ways differ in burstiness, so each says what it did, for the report.
namespace spillway::sim {

/// A sentence for reports: what was done, with its numbers, and what that does to bursts.
struct ScalingNote {
  std::string text;
};

struct ScaledWorkload {
  Workload workload;
  ScalingNote note;
};

inline constexpr std::uint32_t superpose_copies_max = 1000;
inline constexpr double stretch_factor_max = 1e6;  ///< and its inverse the least

/// Keeps each request with probability `keep`, 0 < keep <= 1, by one draw for (seed, index). Sessions stay; a request whose
/// parent went continues the nearest ancestor that is left. Dispersion comes nearer to 1. Errors: bad_argument.
core::Result<ScaledWorkload> thin(const Workload& workload, double keep, std::uint64_t seed);

/// `copies` copies on one another: the first as it is, each other shifted round within the span by a time of its own (drawn in
/// equal parts of the span). Sessions and blocks of a copy are its own; a session that is cut by the shift becomes two.
/// Dispersion comes nearer to that of independent sources. Errors: bad_argument; bad_file for too many requests or blocks.
core::Result<ScaledWorkload> superpose(const Workload& workload, std::uint32_t copies, std::uint64_t seed);

/// Every arrival and think time times `factor` (2 = half the rate); deadlines stay. Bursts keep their shape and become longer
/// or shorter. Errors: bad_argument, also when a time would leave its range.
core::Result<ScaledWorkload> stretch(const Workload& workload, double factor);

/// Spreads requests with equal stamps evenly at random over [stamp, stamp + slot_ms), but not beyond the next stamp, in their
/// order: for traces with rounded stamps. Errors: bad_argument for 0 and beyond a day.
core::Result<ScaledWorkload> spread(const Workload& workload, std::uint64_t slot_ms, std::uint64_t seed);

/// The first `count` requests.
ScaledWorkload first_requests(const Workload& workload, std::uint64_t count);

}  // namespace spillway::sim
