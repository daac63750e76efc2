#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/cluster_plan.h"
#include "sim/request_source.h"
#include "sim/run_record.h"

namespace spillway::sim {

/// What ended a jump before its last step.
enum class JumpCut : std::uint8_t { arrival, cancel, deadline, blocks, move, failure, report };
inline constexpr std::size_t jump_cuts = 7;

struct ClusterCounts {
  std::uint64_t events = 0;
  std::uint64_t messages = 0;
  std::uint64_t reports = 0;
  std::uint64_t steps = 0;
  std::uint64_t decode_steps = 0;  ///< without a row of a prompt
  std::uint64_t jumped = 0;        ///< of them, taken without an event of their own
  std::array<std::uint64_t, jump_cuts> cuts{};
  std::uint64_t generated = 0;          ///< tokens, those lost with a node too
  std::uint64_t delivered = 0;          ///< tokens that clients got
  std::uint64_t preemptions = 0;        ///< by recompute
  std::uint64_t preemptions_moved = 0;  ///< by moving away
  std::uint64_t moves = 0;              ///< committed
  std::uint64_t moves_aborted = 0;
  std::uint64_t restarts = 0;
  std::uint64_t moved_bytes = 0;
  std::uint64_t prefix_hit_tokens = 0;
  std::uint64_t prefix_lookups = 0;  ///< blocks looked for by Runs
  std::uint64_t prefix_hits = 0;     ///< of them, found
  std::uint64_t blocks_allocated = 0;
  std::uint64_t flows = 0;
  std::uint64_t scored = 0;                  ///< requests without output that finished
  std::uint64_t deaths = 0;                  ///< of nodes
  std::uint64_t deaths_with_streams = 0;     ///< of nodes on which streams ran or waited
  std::uint64_t resubmitted = 0;             ///< by clients whose router died
  std::uint64_t kv_samples = 0;              ///< reports of replicas behind the warm-up, until the last arrival ...
  std::uint64_t kv_use_permille = 0;         ///< ... and the sum of their pools' use
  std::uint64_t queued_at_last_arrival = 0;  ///< requests that waited at replicas, as reported last
  friend bool operator==(const ClusterCounts&, const ClusterCounts&) = default;
};

struct ClusterOptions {
  std::uint64_t seed = 1;
  bool jumps = true;                  ///< equal decode steps at once; the results are the same
  bool check = false;                 ///< invariants of every core that an event touched
  core::Duration sample_interval{0};  ///< of the series; 0 = none
  core::Duration warm_up{0};          ///< after the first arrival: what is reported in it is no sample of the pools' use
  std::vector<Fault> faults;
};

struct ClusterOutcome {
  Run run;
  ClusterCounts counts;
  core::Duration simulated{0};  ///< first arrival to last end
};

/// A cluster in virtual time: the real cores of every node, devices whose steps take what a table says, a network with latencies for
/// messages and fair shares of bandwidth for pages and weights, clients that submit again where a router died, and faults at their
/// times. One source and seed, the same outcome.
///
/// What is simpler than in production: links lose nothing (they deliver in order after a latency, or are down), nodes hear of a death
/// after `dead_after`, and names of blocks are stand-ins that are known ahead.
class Cluster {
 public:
  Cluster(const ClusterPlan& plan, const ClusterOptions& options);
  ~Cluster();

  /// Once. Errors: a step that the tables do not know; streams that do not end; an invariant of clients that does not hold (internal).
  core::Result<ClusterOutcome> run(RequestSource& source);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spillway::sim
