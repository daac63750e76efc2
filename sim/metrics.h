#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "sim/figures.h"
#include "sim/hdr_histogram.h"
#include "sim/run_record.h"

/// What a run was like, by the definitions of vLLM's `bench serve`: times count from the sending, a request that did not finish
/// has none and counts against goodput. A run whose sender was late (P99 of sent - arrival above `send_lag_p99_max_ms`) is invalid:
/// its requests did not come when the workload says, and slow answers would hide behind that (coordinated omission).
namespace spillway::sim {

inline constexpr double send_lag_p99_max_ms = 10;

struct MetricsOptions {
  std::int64_t warm_up_ns = 0;  ///< requests that arrived earlier after the start are cut
};

/// Requests of one class, or all.
struct GroupMetrics {
  std::uint64_t requests = 0;
  std::array<std::uint64_t, outcome_count> outcomes{};  ///< by RequestOutcome; they sum to `requests`
  std::uint64_t prompt_tokens = 0;                      ///< of the finished, as the next two
  std::uint64_t output_tokens = 0;
  std::uint64_t cached_tokens = 0;
  std::uint64_t good = 0;  ///< finished within the objectives of their class and their deadline
  std::uint64_t with_deadline = 0;
  std::uint64_t on_time = 0;   ///< of these: finished by arrival + deadline
  std::uint64_t degraded = 0;  ///< took a rung of a ladder
  std::uint64_t moves = 0;
  std::uint64_t preemptions = 0;
  LatencyFigures latency;  ///< of the finished; quantiles of the single values, not of the histograms
  HdrHistogram ttft_ns;
  HdrHistogram tpot_ns;  ///< of those with more than one token
  HdrHistogram e2e_ns;
};

struct RunMetrics {
  GroupMetrics all;
  std::array<GroupMetrics, 3> by_class;  ///< live, interactive, batch
  std::uint64_t cut = 0;                 ///< requests of the warm-up
  double span_s = 0;                     ///< end of the warm-up to the last end of a request
  Summary itl_ms;                        ///< all 0 where token gaps were not measured
  bool itl_known = false;
  Summary send_lag_ms;
  double send_lag_max_ms = 0;
  bool valid = true;              ///< the sender was on time
  std::uint64_t moved_bytes = 0;  ///< by the samples
  RunCost cost;
};

RunMetrics measure(const Run& run, const MetricsOptions& options);

/// Whether a request counts for goodput when its class's objectives are multiplied by `scale`. Its deadline stays.
bool is_good(const RunRecord& record, const std::array<Slo, 3>& slos, double scale = 1);

/// Milliseconds. Of finished requests; tpot is 0 with one token, as in vLLM.
double ttft_ms(const RunRecord& record);
double tpot_ms(const RunRecord& record);
double e2e_ms(const RunRecord& record);

/// A figure with its name, unit and formula, for tables. The value is not a number where nothing is known.
struct MetricDefinition {
  const char* key;  ///< stable, for CSV and JSON
  const char* name;
  const char* unit;
  const char* formula;
  double (*value)(const RunMetrics& metrics);
};
std::span<const MetricDefinition> metric_definitions();
/// Of a key that is in the list (SPILLWAY_ASSERT).
const MetricDefinition& metric_definition(std::string_view key);

/// One JSON object: requests, completed, refused and the other outcomes, tokens, ttft_ms, tpot_ms, itl_ms, e2e_ms (mean, p50,
/// p90, p99 each), goodput, captions on time, moves, send lag, `valid`, the same by class, formulas, notes.
std::string to_json(const Run& run, const RunMetrics& metrics);
/// For people: the same, a line a figure, each with its formula.
std::string to_table(const Run& run, const RunMetrics& metrics);
/// Two runs of the same requests, a line a figure: the first, the second, and the difference of the second in percent.
std::string to_table(const RunMetrics& first, const RunMetrics& second, const std::string& first_name, const std::string& second_name);

}  // namespace spillway::sim
