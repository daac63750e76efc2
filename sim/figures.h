#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/time.h"

namespace spillway::sim {

/// One request as a person felt it.
struct Latency {
  core::Duration queued{0};
  core::Duration first{0};
  core::Duration last{0};
  std::uint32_t output_tokens = 0;
};

/// Mean and quantiles. Quantile q lies at q x (n - 1) among the sorted values, linear between two.
struct Summary {
  double mean = 0;
  double p50 = 0;
  double p90 = 0;
  double p99 = 0;
};

/// Milliseconds, over all requests.
///   ttft  time to first token: first - queued
///   tpot  time per output token: (last - first) / (output tokens - 1), of requests with more than one token; 0 where there is none
///   e2e   last - queued
struct LatencyFigures {
  Summary ttft_ms;
  Summary tpot_ms;
  Summary e2e_ms;
};

/// All 0 for no values.
Summary summarise(std::vector<double> values);
LatencyFigures figures_of(std::span<const Latency> requests);

/// 100 x (sim - real) / real; 0 when both are equal. `real` 0 and another `sim` is no figure: not a number.
double diff_percent(double real, double sim);
/// Mean over the requests of |sim / real - 1| x 100 of e2e; those whose real e2e is 0 are left out.
double e2e_mape_percent(std::span<const Latency> real, std::span<const Latency> sim);

}  // namespace spillway::sim
