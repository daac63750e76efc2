#pragma once

#include <cstdint>
#include <filesystem>

#include "sim/workload.h"

/// Workloads sampled from the statistics of clients in ServeGen's reduced form (Xiang et al., "ServeGen", arXiv 2505.09999):
///   PREFIX-total-rate.csv         t_s, rate_rps: of all clients, kept or not
///   PREFIX-client-rates.csv       client, t_s, rate_rps, pattern (Gamma, Weibull), arg1, arg2: shape and scale (s) of the gaps
///   PREFIX-client-quantiles.csv   client, t_s, field, min, q0.1 ... q99.9, max
/// A client is a tenant, the last part of PREFIX the model.
namespace spillway::sim {

enum class ServeGenArrivals : std::uint8_t {
  fitted,   ///< a renewal process with the given shape and scale, in equilibrium at the start of each window
  counted,  ///< as many arrivals as were measured in each window (rate * length), with gaps of the given shape
};

struct ServeGenOptions {
  std::uint64_t seed = 1;
  std::int64_t start_s = 0;       ///< of the trace; becomes time 0
  std::int64_t duration_s = 600;  ///< from 1
  ServeGenArrivals arrivals = ServeGenArrivals::fitted;
};

inline constexpr std::int64_t servegen_seconds_max = 366LL * 86'400;  ///< start and duration

/// `prefix` may also name one of the three files. What is drawn for a client and a window depends on the seed, client and
/// window alone: another start or duration shows another part of the same workload. Lengths by inverse CDF with linear
/// interpolation; the input is the sum of input, text, image, audio and video tokens; both lengths are at least 1.
/// Errors: io for a file that is not there; bad_file with file:line; bad_argument for options, and for a time without arrivals.
core::Result<LoadedWorkload> load_servegen(const std::filesystem::path& prefix, const ServeGenOptions& options);

}  // namespace spillway::sim
