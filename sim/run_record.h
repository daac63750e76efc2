#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/request.h"
#include "sim/hdr_histogram.h"
#include "sim/workload.h"

/// What a run left behind, simulated or real: the one input of metrics and reports, so that both are measured by the same rules.
/// All times are nanoseconds from the start of the run; -1 = it never happened.
namespace spillway::sim {

inline constexpr std::int64_t never_ns = -1;
inline constexpr std::uint32_t no_node = 0xffffffffU;
inline constexpr std::uint32_t whole_cluster = 0xfffffffeU;

/// How a request ended.
enum class RequestOutcome : std::uint8_t {
  finished = 0,    ///< the whole answer came
  refused = 1,     ///< by admission, at once or after waiting
  expired = 2,     ///< its deadline passed before the answer was whole
  cancelled = 3,   ///< by its client
  superseded = 4,  ///< a newer request of its channel made it worthless
  failed = 5,      ///< by an error, or it was lost
};
inline constexpr std::size_t outcome_count = 6;
std::string_view to_string(RequestOutcome outcome);

/// One request. Tenant, model, node and rung are numbers into the Run that holds it.
struct RunRecord {
  std::uint64_t id = 0;                    ///< index in the workload
  std::int64_t arrival_ns = 0;             ///< when it was to be sent
  std::int64_t sent_ns = never_ns;         ///< when it was sent; a simulator sends at the arrival
  std::int64_t first_token_ns = never_ns;  ///< when the client saw it
  std::int64_t end_ns = never_ns;          ///< last token, or refusal, cancel, error; never = the run ended first
  std::int64_t deadline_ns = 0;            ///< after arrival, for the whole answer; 0 = none
  std::uint32_t prompt_tokens = 0;
  std::uint32_t output_tokens = 0;  ///< delivered
  std::uint32_t cached_tokens = 0;  ///< of the prompt, not computed again
  std::uint32_t tenant = 0;         ///< in Run::tenants
  std::uint32_t model = 0;          ///< in Run::models
  std::uint32_t node = no_node;     ///< in Run::nodes: where it ended
  std::uint32_t session = 0;        ///< of the workload; 0 = none
  std::uint16_t rung = 0;           ///< furthest one taken: 1 + its number in Run::rungs; 0 = ran as asked
  std::uint16_t moves = 0;          ///< committed, to another node
  std::uint16_t preemptions = 0;    ///< begun again from its tokens: preempted, or its node died
  core::ServiceClass service_class = core::ServiceClass::interactive;
  RequestOutcome outcome = RequestOutcome::failed;
  friend bool operator==(const RunRecord&, const RunRecord&) = default;
};

/// How a node or the cluster stood at `time_ns`, and what happened since its sample before.
struct RunSample {
  std::int64_t time_ns = 0;
  std::uint32_t node = whole_cluster;  ///< in Run::nodes
  std::uint32_t running = 0;           ///< streams in the batch
  std::uint32_t queued = 0;            ///< requests that wait
  std::uint32_t kv_blocks_used = 0;
  std::uint32_t kv_blocks_total = 0;
  std::uint32_t arrivals = 0;     ///< since the sample before
  std::uint32_t moves = 0;        ///< committed since the sample before; of a node: away from it
  std::uint64_t moved_bytes = 0;  ///< since the sample before; of a node: away from it
  friend bool operator==(const RunSample&, const RunSample&) = default;
};

/// Samples by time; at equal times by node, the whole cluster last.
using RunSeries = std::vector<RunSample>;

/// What a request must keep to count as good. 0 = no wish. A request with a deadline must keep that too.
struct Slo {
  std::int64_t ttft_ns = 0;
  std::int64_t tpot_ns = 0;
  std::int64_t e2e_ns = 0;
  friend bool operator==(const Slo&, const Slo&) = default;
};

/// What the nodes of a run cost; 0 = not known.
struct RunCost {
  double price = 0;  ///< of all nodes over the run, in the currency of the cluster file
  double energy_joules = 0;
  friend bool operator==(const RunCost&, const RunCost&) = default;
};

/// One run. Owns everything.
struct Run {
  std::string name;  ///< what a person calls it: "measured", "simulated", a policy
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;    ///< last event
  std::array<Slo, 3> slos{};  ///< by class: live, interactive, batch
  NameTable tenants;
  NameTable models;
  NameTable nodes;
  NameTable rungs;                 ///< words of the ladder: "shorter:64"
  std::vector<RunRecord> records;  ///< one per request, by id
  RunSeries series;
  HdrHistogram token_gaps_ns;  ///< between the arrivals of tokens of one stream, all streams together; may be empty
  RunCost cost;
  std::map<std::string, std::uint64_t> reasons;  ///< why requests were refused or failed, with their number
  std::vector<std::string> notes;                ///< for the report, a sentence each: seed, scaling, what was left out
};

}  // namespace spillway::sim
