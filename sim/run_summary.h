#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "sim/cluster.h"
#include "sim/figures.h"

namespace spillway::sim {

/// What a simulated run comes to. Times and token counts are of the requests that got their whole answer; a request is good when it did
/// within the wishes of its class and its deadline.
struct RunSummary {
  std::uint64_t requests = 0;
  std::array<std::uint64_t, outcome_count> outcomes{};
  std::uint64_t prompt_tokens = 0;
  std::uint64_t output_tokens = 0;
  LatencyFigures latency;
  double goodput_rps = 0;
  double simulated_seconds = 0;
};
RunSummary summarise(const ClusterOutcome& outcome, const std::array<Slo, 3>& slos);

/// One JSON object: {"requests", "completed", "refused", "prompt_tokens", "output_tokens", "ttft_ms", "tpot_ms", "e2e_ms": each {"mean",
/// "p50", "p90", "p99"}, "goodput_rps", "moves", "prefix_hit_tokens", "simulated_seconds", "events", "seed"} and what else was counted.
std::string to_json(const RunSummary& summary, const ClusterOutcome& outcome, std::uint64_t seed);
/// The same for people, with a line at its end.
std::string to_table(const RunSummary& summary, const ClusterOutcome& outcome, std::uint64_t seed);

}  // namespace spillway::sim
