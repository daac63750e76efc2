#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/messages.h"
#include "core/result.h"
#include "core/time.h"
#include "sched/batcher_core.h"
#include "sim/cost_model.h"
#include "sim/engine_settings.h"
#include "sim/served_workload.h"

namespace spillway::sim {

/// When a simulated request got its first token and its last; since the start.
struct SimulatedRequest {
  core::Duration first{0};
  core::Duration last{0};
};

struct ReplicaOutcome {
  std::vector<SimulatedRequest> requests;  ///< in order of the workload
  std::uint64_t steps = 0;                 ///< that computed rows
  std::uint64_t preemptions = 0;
  std::uint64_t prefix_hit_tokens = 0;
  core::Duration end{0};
};

/// The limits under which the batcher decides as the scheduler of vLLM v1 does, first come, first served:
/// - one class, the highest, so nothing ages; each Run has a deadline that is far away and stands for its place in order of arrival:
///   a preempted request that is Run again thus stands before all that came later, which is the front of the queue;
/// - no margin: a prompt is admitted when all its blocks fit (scheduler_reserve_full_isl).
/// That decodes go before prefill, prefill is cut into chunks by one budget of tokens, the last admitted is preempted and nobody is
/// admitted in a step that preempts are the batcher's own rules.
sched::BatcherLimits vllm_limits(const EngineSettings& settings, std::size_t requests);

/// One replica in virtual time: sched::BatcherCore decides, a cost model says how long each step takes, requests generate the
/// number of tokens that the workload says. Events at equal time: the end of a step, then arrivals. The owner's part is played
/// here: what the batcher gives back is Run again at once with its tokens so far.
///
/// Block names stand in for the keyed digest: a digest of the workload's ids up to the block; unique to the request behind them,
/// generated blocks included, so that a preempted request finds its own. Without prefix cache no block has a name.
class Replica {
 public:
  static constexpr std::uint64_t steps_max = 1'000'000'000;
  /// Some 36 years; no run goes beyond it.
  static constexpr core::Duration time_max{std::int64_t{1} << 60U};

  /// `costs` must outlive the replica.
  Replica(const EngineSettings& settings, const CostModel& costs);

  /// Runs the workload to its end. `arrivals`: one for each item, since the start.
  /// Errors  a request needs more blocks than the replica has or arrives after `time_max` (workload file:line); a step costs nobody
  ///         knows what (CostModel); more than `steps_max` steps, or more time than `time_max`.
  core::Result<ReplicaOutcome> run(const ServedWorkload& workload, std::span<const core::Duration> arrivals);

 private:
  struct Stream {
    std::shared_ptr<const core::Request> request;
    std::vector<core::BlockName> names;  ///< of the prompt's full blocks, then of the generated ones
    std::uint64_t epoch = 0;             ///< counter
    std::uint64_t place = 0;             ///< in order of arrival
    std::uint32_t generated = 0;
  };
  void prepare(const ServedWorkload& workload, std::span<const core::Duration> arrivals);
  core::Run run_of(std::size_t index, core::Instant now) const;
  void submit(std::size_t index, core::Instant now);
  void arrive_before(core::Instant end);
  /// False when nothing is left to do.
  core::Result<bool> step();
  void perform(core::Instant now);
  void receive(const core::Tokens& message, core::Instant now);
  void receive(const core::RunReturned& message, core::Instant now);
  void receive(const core::RunRefused& message, core::Instant now);
  void name_block(std::size_t index, core::Instant now);

  EngineSettings settings_;
  const CostModel& costs_;
  std::unique_ptr<sched::BatcherCore> batcher_;
  sched::BatcherCore::Actions actions_;
  std::vector<Stream> streams_;
  std::vector<std::size_t> order_;  // of arrival
  std::vector<core::Instant> arrivals_;
  std::size_t arrived_ = 0;
  std::size_t finished_ = 0;
  core::Instant now_{};
  ReplicaOutcome outcome_;
};

}  // namespace spillway::sim
