#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/engine_settings.h"
#include "sim/figures.h"

namespace spillway::sim {

struct ValidateOptions {
  std::string folder;    ///< a profile (profile.h) with vllm-requests.jsonl and, unless flags say it, vllm-meta.json
  std::string workload;  ///< workload.h
  EngineFlags engine;
  std::optional<std::uint32_t> layers;
};

/// A real run beside the simulated one.
struct Validation {
  LatencyFigures real;
  LatencyFigures sim;
  double e2e_mape_percent = 0;
  std::uint64_t preemptions = 0;  ///< simulated, as are the steps
  std::uint64_t steps = 0;
  std::vector<std::string> doubts;  ///< about the real run's stamps
};

/// Simulates the workload on the profile, each request arriving when the real engine queued it. Of the real run the simulation takes
/// `queued_ts` and nothing else.
/// Errors  any file missing, malformed or of another run: file:line; nothing is run then.
core::Result<Validation> validate(const ValidateOptions& options);

/// {"ttft_ms", "tpot_ms", "e2e_ms": each {"mean", "p50", "p90", "p99": each {"real", "sim", "diff_percent"}}, "e2e_mape_percent",
/// "preemptions", "steps"}; a difference that is no number is null.
std::string to_json(const Validation& validation);
/// The same as a table, with a line at its end.
std::string to_table(const Validation& validation);

}  // namespace spillway::sim
