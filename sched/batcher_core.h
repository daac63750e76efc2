#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "core/messages.h"
#include "core/step.h"
#include "sched/batcher_jump.h"
#include "sched/local_events.h"
#include "sched/token_counters.h"

namespace spillway::sched {

/// When a queued stream may begin. Its known tokens must fit in any case, and room for `reserve_blocks` be left.
enum class AdmissionPolicy : std::uint8_t {
  prompt,       ///< as soon as they do
  growth,       ///< with `growth_blocks` more for each of its choices
  past_future,  ///< when the predicted peak of all that run stays within the pool (admission_forecast.h); growth until answers were seen
};

/// Limits of one replica's batcher; from the cluster file.
struct BatcherLimits {
  std::uint32_t step_tokens_max = 512;  ///< token budget of one step: decodes take one each, prefill chunks the rest
  std::uint32_t sequences_max = 256;    ///< running choices
  std::uint32_t queue_max = 1024;       ///< Runs accepted and not yet running
  std::uint32_t reserve_blocks = 0;     ///< blocks kept free for running streams before a new one is admitted
  AdmissionPolicy admission = AdmissionPolicy::growth;
  std::uint32_t growth_blocks = 1;  ///< and for each choice of the new one; 0 = it fits when its prompt does
  /// A stream that would be preempted is held for at most so long where computing its tokens again takes longer than a few steps: its
  /// owner may have it moved away at less cost (RunHeld). 0 = never: it is returned at once.
  core::Duration hold_max{0};
  std::uint32_t answer_quantile_permille = 500;  ///< past_future: of the recent answers, how long one is taken to be
  /// A queued Run climbs one class per this much waiting, and in the first class then goes before all deadlines of its tenant. 0 = never.
  core::Duration ageing{std::chrono::seconds(10)};
  /// Time per output token that a class is promised, 0 = none: while a stream of it decodes, prompts take no more of a step than that.
  std::array<core::Duration, 3> tpot{};
  TokenCosts token_costs{};
  TenantWeights tenant_weights{};                         ///< shares of tenants that wait in one class; unnamed ones have 1
  core::Duration ended_memory{std::chrono::seconds(30)};  ///< how long epochs of ended streams are remembered
  std::uint32_t ended_memory_max = 65536;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("step_tokens_max", s.step_tokens_max), v("sequences_max", s.sequences_max), v("queue_max", s.queue_max);
    v("reserve_blocks", s.reserve_blocks), v("admission", s.admission), v("growth_blocks", s.growth_blocks);
    v("hold_max", s.hold_max), v("answer_quantile_permille", s.answer_quantile_permille), v("ageing", s.ageing), v("tpot", s.tpot);
    v("token_costs", s.token_costs), v("tenant_weights", s.tenant_weights);
    v("ended_memory", s.ended_memory), v("ended_memory_max", s.ended_memory_max);
  }
};

/// One replica's scheduler: queue, running set, block ledger, prefix index. Pure: events and time in, actions out.
///
/// Steps. The shell calls `plan_step` whenever no step is in flight and the core may have work (after any event), gives the plan
/// to the worker and the result to `on(StepResult)`. At most one step is in flight. While it is, events are taken in and their
/// effect on sequences of that step waits for its end.
///
/// Epochs. A stream is known by (key, incarnation of its owner): a client may submit again at another router, and epochs of two
/// owners cannot be compared. A Run of a newer epoch replaces the stream, the same epoch is answered again, an older one is ignored,
/// also for `ended_memory` after the stream ended or was refused.
///
/// Streams. A stream is one Run: n choices that share the prompt's blocks; the prompt is computed once and forks; a growing block
/// that is shared is copied on write. `computed rows` of a choice = positions whose KV is in its blocks; the next decode step feeds
/// the last known token. A Run with tokens so far recomputes only what neither the prefix index nor an import supplies.
///
/// Blocks. Every block is free, cached (named, referenced by nobody, evictable in LRU order), or referenced by >= 1 table, export
/// pin or import reservation. `check()` asserts the ledger.
class BatcherCore {
 public:
  // Actions.
  struct Post {  ///< to the node's link layer (or locally when `to` is this node)
    core::NodeId to;
    core::MessagePtr message;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("to", s.to), v("message", s.message);
    }
  };
  struct Local {  ///< to this node's cache-manager
    std::variant<ExportGrown, ExportEnded, ExportFrozen, ImportReserved, ImportCommitted> event;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("event", s.event);
    }
  };
  struct NamesChanged {  ///< prefix names that became available or were evicted: for the cache-manager to announce
    std::vector<core::BlockName> added;
    std::vector<core::BlockName> removed;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("added", s.added), v("removed", s.removed);
    }
  };
  using Action = std::variant<Post, Local, NamesChanged>;
  using Actions = std::vector<Action>;

  BatcherCore(core::ReplicaRef self, core::Incarnation incarnation, const core::ReplicaInfo& info, const BatcherLimits& limits);
  ~BatcherCore();
  BatcherCore(BatcherCore&&) noexcept;
  BatcherCore& operator=(BatcherCore&&) noexcept;

  // Messages from owners.
  void on(const core::Run& run, Instant now, Actions& out);
  void on(const core::CancelRun& cancel, Instant now, Actions& out);
  void on(const core::BlockNames& names, Instant now, Actions& out);
  // From this node's cache-manager.
  void on(const ExportBegin& event, Instant now, Actions& out);
  void on(const ExportFreeze& event, Instant now, Actions& out);
  void on(const ExportThaw& event, Instant now, Actions& out);
  void on(const ExportRelease& event, Instant now, Actions& out);
  void on(const ImportReserve& event, Instant now, Actions& out);
  void on(const ImportCommit& event, Instant now, Actions& out);
  void on(const ImportCancel& event, Instant now, Actions& out);
  // From the worker.
  void on(const core::StepResult& result, Instant now, Actions& out);
  /// The worker failed (threw, or its device is gone): every stream is returned to its owner, every export ends (ExportEnded), every
  /// import too (ImportCommitted, not accepted, whether a commit was asked for or not), all blocks are forgotten. The replica comes back as
  /// a new generation with `on_worker_ready`.
  void on_worker_failed(std::string_view reason, Instant now, Actions& out);
  void on_worker_ready(Instant now, Actions& out);
  /// Every stream owned by an older incarnation of `owner` (any, when the node is dead: `alive` is zero) is dropped. Call it also when
  /// a peer comes up, with the incarnation it shows: Runs of any other incarnation of that node are then ignored.
  void on_owner_gone(core::NodeId owner, core::Incarnation alive, Instant now, Actions& out);
  /// Deadlines, forgotten epochs. Call at `next_tick()` or some milliseconds later.
  void on_tick(Instant now, Actions& out);
  /// While draining, new Runs (not imports, not re-sent ones) are refused with Errc::draining.
  void set_draining(bool draining);
  /// Number of the node's last Report, stamped into RunAccepted.
  void set_report_number(std::uint64_t number);

  /// The next step, or nothing when there is no work or a step is in flight. May preempt (RunReturned or RunHeld to owners). While a stream
  /// is held those that need a block wait, for as long as next_tick() says.
  std::optional<core::StepPlan> plan_step(Instant now, Actions& out);

  // For bodies that compute nothing, in place of plan_step and on(StepResult): batcher_jump.h.
  /// Chance of a guess to be right where the replica makes several tokens in a step (ReplicaInfo::tokens_per_step_max).
  void set_guess_permille(std::uint32_t permille);
  /// plan_step without the plan.
  std::optional<StepOutline> begin_step(Instant now, Actions& out);
  /// The step in flight ends. Its tokens are counted_token's. `tell_late`: owners hear at once of the first and the last token of a
  /// Run, and of the others when the stream stops or by tell_tokens.
  void end_step(core::Duration elapsed, bool tell_late, Instant now, Actions& out);
  /// After begin_step: how many equal steps of decodes may follow the one in flight.
  JumpRoom jump_room(std::uint32_t steps_max) const;
  /// The step in flight, which began at `begun`, ends after elapsed[0] + overhead, the next one takes elapsed[1] + overhead, ...: as
  /// many steps as `elapsed` has end, told late, and one more is in flight. At most jump_room's.
  void jump(std::span<const core::Duration> elapsed, core::Duration overhead, Instant begun, Actions& out);
  /// Tells the owner (zero: all owners) all tokens but the last `but_last` of each choice.
  void tell_tokens(core::NodeId owner, std::uint32_t but_last, Actions& out);

  core::ReplicaReport report(Instant now) const;
  /// Names for a full announcement.
  std::vector<core::BlockName> cached_names() const;
  const core::NodeCounters& counters() const;
  /// Blocks taken from the pool since ever.
  std::uint64_t blocks_allocated() const;
  Instant next_tick() const;
  bool idle() const;  ///< no stream queued, running, frozen, exported or imported
  /// Asserts every invariant of the ledger and of the streams (tests call it after each event; cost linear in blocks).
  void check() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spillway::sched
