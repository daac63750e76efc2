#pragma once

#include <array>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sched/admission_forecast.h"
#include "sched/batcher_core.h"
#include "sched/block_ledger.h"
#include "sched/class_queue.h"
#include "sched/few.h"
#include "sched/step_budget.h"
#include "sched/step_time.h"

namespace spillway::sched {

/// What BatcherCore hides, in the files batcher_{state,run,groups,plan,hold,admit,result,export,import,check}.cc. Not for other folders.

inline constexpr std::uint32_t no_slot = 0xffffffffU;

/// Blocks that `rows` rows fill or begin.
constexpr std::uint32_t blocks_for(std::uint32_t rows) {
  return (rows + core::block_tokens - 1) / core::block_tokens;
}

/// One choice of a stream. `computed` rows of its positions lie in the blocks of `table`. What every step looks at stands first.
struct BatchChoice {
  std::uint32_t computed = 0;
  std::uint32_t chunk = 0;  ///< rows in the step being planned or in flight
  core::FinishReason finish = core::FinishReason::none;
  bool waits = false;                  ///< until the stream's leader has computed the prompt
  bool told_once = false;              ///< of bodies that tell late (batcher_jump.h): the owner had a token of this Run
  std::uint32_t untold = 0;            ///< likewise: tokens at the end that the owner has not been told
  BlockId copy_from = core::no_block;  ///< copy on write in the step being planned or in flight
  std::uint32_t exported = 0;          ///< rows whose blocks the running export has told, but for growth in the last of them
  std::uint32_t guesses = 0;  ///< rows behind these that the worker may fill with tokens it guesses; at most tokens_per_step_max - 1
  std::vector<core::TokenId> tokens;  ///< generated so far
  std::vector<BlockId> table;         ///< may reach beyond `computed`: blocks set aside for the prompt
  core::SequenceId sequence;
  std::vector<core::BlockName> names;      ///< of blocks floor(prompt / 16) and on, as far as known
  std::vector<std::vector<BlockId>> more;  ///< tables of the KV groups behind the first; no_block: released, or not there
  std::vector<core::BlockCopy> copies;     ///< copies on write where there are other groups than one of full attention

  bool over() const { return finish != core::FinishReason::none; }
  bool copying() const { return copy_from != core::no_block || !copies.empty(); }
  std::vector<BlockId>& table_of(std::size_t group) { return group == 0 ? table : more[group - 1]; }
  const std::vector<BlockId>& table_of(std::size_t group) const { return group == 0 ? table : more[group - 1]; }
};

enum class StreamState : std::uint8_t {
  unused,  ///< slot is free
  queued,
  running,
  frozen,  ///< exported and stopped; neither in the queue nor in the running set
  held,    ///< has to make room: stopped, until it is moved away or given back
  ending,  ///< over, but the step in flight still uses its blocks
};

/// What every step looks at stands first, so that a step of many streams fetches little of each.
struct alignas(64) BatchStream {
  StreamState state = StreamState::unused;
  std::uint8_t queue_class = 0;  ///< effective class in the queue; the one it was admitted from
  bool overdue = false;          ///< queued in the first class for as long as a class takes: goes before all deadlines of its tenant
  bool opened = false;           ///< the worker knows its sequences
  bool in_flight = false;        ///< has rows in the step in flight
  bool was_held = false;         ///< and may be frozen since
  // Of its request.
  core::ServiceClass request_class = core::ServiceClass::interactive;
  bool prompt_only = false;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t tokens_max = 0;
  std::uint32_t unfinished = 0;  ///< choices
  std::uint32_t waiting = 0;     ///< choices that wait for the leader
  std::uint32_t leader = 0;      ///< computes the prompt for those that wait
  std::uint32_t owner_box = 0;
  std::shared_ptr<const core::Request> request;
  TransferId exporting;  ///< zero: none
  Few<BatchChoice> choices;

  std::uint64_t admitted = 0;  ///< order of admission; 0 = still in the queue

  StreamKey key;
  Epoch epoch;
  core::NodeId owner;
  std::vector<core::BlockName> prompt_names;
  Instant deadline = core::never;
  Instant climb_at{};  ///< queued: when it climbs to the next class
  std::uint64_t arrival = 0;
  core::RunAccepted accepted;  ///< as told, for repetition

  void set_request(std::shared_ptr<const core::Request> of) {
    request = std::move(of);
    request_class = request->service_class;
    prompt_only = request->prompt_only;
    prompt_tokens = static_cast<std::uint32_t>(request->prompt.size());
    tokens_max = request->tokens_max;
  }
  std::uint32_t prompt() const { return prompt_tokens; }
  /// Rows still to be computed before each choice's next token.
  std::uint64_t rows_left() const;
  std::uint8_t service_class() const { return static_cast<std::uint8_t>(request_class); }
  QueueKey queue_key(std::uint32_t slot) const { return {overdue ? Instant{} : deadline, arrival, slot}; }
  /// Prompt and generated tokens of a choice.
  std::uint32_t known(const BatchChoice& c) const { return prompt() + static_cast<std::uint32_t>(c.tokens.size()); }
  /// Where the choice's next rows must end: the leader stops at the end of the prompt, where the others fork off.
  std::uint32_t limit(std::uint32_t choice) const { return waiting > 0 && choice == leader ? prompt() : known(choices[choice]); }
  /// Name of block `index` of a choice; zero when not known.
  core::BlockName name_at(const BatchChoice& c, std::uint32_t index) const;
};

/// A stream that runs here is known by its key and the incarnation of its owner: a client may submit again at another router, and
/// the epochs of two routers cannot be compared. The older one ends by its owner's death or cancel.
struct StreamIdentity {
  StreamKey key;
  core::Incarnation owner;
  friend bool operator==(const StreamIdentity&, const StreamIdentity&) = default;
};
struct StreamIdentityHash {
  std::size_t operator()(const StreamIdentity& id) const noexcept {
    return std::hash<StreamKey>{}(id.key) ^ std::hash<core::Incarnation>{}(id.owner);
  }
};

struct BatchExport {
  struct Known {
    BlockId block = core::no_block;
    std::uint32_t first_token = 0;
    std::uint32_t rows = 0;  ///< as told last
  };
  std::uint32_t slot = no_slot;
  std::vector<Known> blocks;                            ///< by ordinal; each is pinned until the export ends
  std::unordered_map<BlockId, std::uint32_t> ordinals;  ///< looked up, never iterated
  std::uint32_t decode_steps = 0;
  bool touched = false;  ///< by the step in flight
  bool sampled = false;
  bool freeze = false;                 ///< at the next step border ...
  std::uint32_t decode_steps_max = 0;  ///< ... unless it has made more decode steps than these by then
};

struct BatchImport {
  struct Slot {
    BlockId block = core::no_block;
    bool held = false;
  };
  StreamKey key;
  Epoch epoch;
  std::uint32_t choices = 0;
  std::map<std::uint32_t, Slot> slots;  ///< by ordinal; each is pinned until commit or cancel
};

/// Messages under way to one owner in this event.
struct OwnerBox {
  core::NodeId node;
  core::Incarnation alive;  ///< as the links say; zero: not known
  core::Tokens tokens;
};

class BatcherState {
 public:
  using Actions = BatcherCore::Actions;
  using Identity = StreamIdentity;

  BatcherState(core::ReplicaRef self_ref, const core::ReplicaInfo& replica_info, const BatcherLimits& batcher_limits);

  // batcher_run.cc
  void on_run(const core::Run& run, Instant now, Actions& out);
  void on_cancel(const core::CancelRun& cancel, Instant now, Actions& out);
  void on_names(const core::BlockNames& names, Actions& out);
  void on_owner_gone(core::NodeId owner, core::Incarnation alive, Instant now, Actions& out);
  void on_worker_failed(std::string_view reason, Instant now, Actions& out);
  void on_tick(Instant now, Actions& out);
  core::ReplicaReport report(Instant now) const;
  Instant next_tick() const;

  // batcher_plan.cc
  std::optional<core::StepPlan> plan_step(Instant now, Actions& out);

  // batcher_result.cc
  void on_result(const core::StepResult& result, Instant now, Actions& out);

  // batcher_jump.cc
  std::optional<StepOutline> begin_step(Instant now, Actions& out);
  void end_step(core::Duration elapsed, bool tell_late, Instant now, Actions& out);
  JumpRoom jump_room(std::uint32_t steps_max) const;
  void jump(std::span<const core::Duration> elapsed, core::Duration overhead, Instant begun);
  void tell_tokens(core::NodeId owner, std::uint32_t but_last, Actions& out);

  // batcher_export.cc
  void on_export_begin(const ExportBegin& event, Actions& out);
  void on_export_freeze(const ExportFreeze& event, Instant now, Actions& out);
  void on_export_thaw(const ExportThaw& event, Instant now, Actions& out);
  void on_export_release(const ExportRelease& event, Instant now, Actions& out);

  // batcher_import.cc
  void on_import_reserve(const ImportReserve& event, Actions& out);
  void on_import_commit(const ImportCommit& event, Instant now, Actions& out);
  void on_import_cancel(const ImportCancel& event);

  // batcher_check.cc
  void check() const;

  // batcher_state.cc
  /// Posts one NamesChanged with what came and went in this event.
  void flush_names(Actions& out);

  core::ReplicaRef self;
  core::ReplicaInfo info;
  BatcherLimits limits;
  BlockLedger ledger;
  core::NodeCounters counters;
  bool draining = false;
  bool ready = true;
  std::uint64_t generation = 1;
  std::uint64_t report_number = 0;
  std::uint32_t guess_permille = 1000;  // batcher_jump.h
  bool idle() const { return by_identity_.empty() && ending_.empty() && imports_.empty(); }

 private:
  struct Scheduled {
    std::uint32_t slot;
    std::uint32_t choice;
  };
  struct DecodeStart {
    std::size_t stream = 0;  // index in the running set
    std::uint32_t choice = 0;
  };
  struct Ended {
    std::uint64_t counter = 0;
    Instant at{};
  };
  /// What a queued stream finds in the prefix index and what it needs besides.
  struct Match {
    std::vector<std::uint32_t> hits;  ///< blocks held, per choice
    std::uint32_t cached = 0;         ///< of the blocks held, those nobody refers to: they stop being available
    std::uint32_t need = 0;           ///< blocks to allocate for what is known of all choices
    std::uint32_t dependents = 0;     ///< choices that lack a part of the prompt
    std::uint32_t leader = 0;         ///< of them
  };
  static constexpr std::uint8_t classes = 3;
  static constexpr std::uint32_t answers_min = 32;  // of a class, before a forecast is made from them

  // batcher_state.cc
  BatchStream* find(const StreamKey& key, const Epoch& epoch);
  std::uint32_t find_slot(const Identity& identity) const;
  /// A new stream from a Run, without blocks, in a slot of its own.
  std::uint32_t create(const core::Run& run, Instant now);
  void enqueue(std::uint32_t slot);
  /// A queued stream that gets older has an entry in climbs_.
  bool ages(const BatchStream& s) const { return limits.ageing > core::Duration{0} && !s.overdue; }
  void dequeue(std::uint32_t slot);
  void insert_running(std::uint32_t slot);
  void erase_running(std::uint32_t slot);
  /// The stream is over here: its epoch is remembered, an export of it ends, its blocks go (after the step in flight, if that uses them).
  void end_stream(std::uint32_t slot, core::Errc code, std::string_view reason, Instant now, Actions& out);
  /// RunReturned to the owner, then end_stream.
  void give_back(std::uint32_t slot, core::Errc code, const std::string& reason, Instant now, Actions& out);
  void release_stream(std::uint32_t slot);
  void release_table(BatchChoice& choice);
  void close_sequence(const BatchStream& s, const BatchChoice& choice);
  /// Names the blocks that are full by `to_row` and hold rows from `from_row` on.
  void name_filled(BatchStream& s, BatchChoice& choice, std::uint32_t from_row, std::uint32_t to_row);
  /// The leader has the prompt: the others take its table and go on from there.
  void fork(BatchStream& s);
  void remember_ended(const Identity& identity, std::uint64_t counter, Instant now);
  std::uint64_t ended_counter(const Identity& identity) const;
  void forget_ended(Instant now);
  std::uint32_t owner_box(core::NodeId node);
  void post(core::NodeId to, core::Message&& message, Actions& out) const;
  /// To this node's cache-manager.
  template <class Event>
  static void tell(Event&& event, Actions& out) {
    auto& local = std::get<BatcherCore::Local>(out.emplace_back(std::in_place_type<BatcherCore::Local>));
    local.event.template emplace<std::remove_cvref_t<Event>>(std::forward<Event>(event));
  }

  // batcher_run.cc
  std::optional<core::Error> refusal(const core::Run& run) const;
  std::optional<core::Error> capacity_refusal(const core::Request& request, std::uint32_t unfinished) const;
  void refuse(const core::Run& run, core::Error&& error, Instant now, Actions& out);
  /// False when the queue is full and holds nothing less urgent and nothing of a tenant beyond its share.
  bool make_room_in_queue(std::uint8_t service_class, core::TenantId tenant, Instant now, Actions& out);
  void expire(Instant now, Actions& out);

  // batcher_jump.cc
  /// Of the streams of the step, what its end looks at.
  void fetch_step() const;
  void outline_item(BatchStream& s, std::uint32_t choice, std::uint32_t slot, StepOutline& outline);
  /// The decodes in flight are all that runs, and the next step would be of the same.
  bool steady() const;
  /// Would the head of the queue wait again at the next step?
  bool queue_waits() const;
  /// Blocks that `steps` steps behind the one in flight begin.
  std::uint64_t blocks_begun(std::uint32_t steps) const;
  /// Tokens of the stream that its owner has not been told.
  void tell_stream(BatchStream& s, Actions& out);

  // batcher_groups.cc: where a model has other KV groups than one of full attention (`plain_` is false)
  /// Blocks of the beginning that are held here in every group: a choice may go on behind them.
  std::uint32_t group_hits(const BatchStream& s, const BatchChoice& c, std::uint32_t most) const;
  /// Blocks to be allocated when a choice begins behind `hits` blocks and is to be computed up to `rows`.
  std::uint32_t group_need(std::uint32_t hits, std::uint32_t rows) const;
  Match match_groups(const BatchStream& s) const;
  void start_groups(BatchStream& s, const Match& m);
  /// Room for rows up to `end`, and blocks of its own to write to.
  bool grow_groups(std::uint32_t slot, std::uint32_t choice, std::uint32_t end, Instant now, Actions& out);
  /// Blocks that lie before every window.
  void release_behind(BatchChoice& c);
  /// Would its next row write to a block that another choice reads?
  bool shares_written(const BatchChoice& c) const;
  /// Of an export: what the choice holds, as far as it may be told now; all of it when frozen.
  struct GroupBlock {
    std::size_t group = 0;
    std::uint32_t place = 0;  ///< in the table
    std::uint32_t rows = 0;
  };
  std::vector<GroupBlock> group_blocks(const BatchChoice& c, bool frozen) const;
  core::BlockName name_at(const BatchStream& s, const BatchChoice& c, std::size_t group, std::uint32_t place) const;
  std::uint64_t capacity_need(const core::Request& request, std::uint32_t unfinished) const;
  /// Blocks of what is known of all its choices, nothing of it cached.
  std::uint32_t blocks_when_begun(const BatchStream& s) const;

  // batcher_plan.cc
  /// The first pass: false when there can be no step now.
  bool assign_step(Instant now, Actions& out);
  /// The choices that get a token from the last row of this one's chunk.
  void add_targets(const BatchStream& s, std::uint32_t choice, std::uint32_t slot);
  void climb(Instant now);
  void assign_decodes(Instant now, Actions& out);
  void assign_prefills(Instant now, Actions& out);
  void assign_chunks(std::uint32_t slot, Instant now, Actions& out);
  bool assign(std::uint32_t slot, std::uint32_t choice, std::uint32_t rows, Instant now, Actions& out);
  BlockId allocate_or_preempt(std::uint32_t slot, Instant now, Actions& out);

  // batcher_hold.cc
  /// Holds the victim of a preemption, where its owner may have a cheaper way than computing it again. At most one is held.
  bool hold(std::uint32_t victim, Instant now, Actions& out);
  /// What preempting it costs: its tokens computed again, once there are blocks for them.
  core::Duration recompute_time(const BatchStream& s, Instant now) const;
  /// It does not get away: it is returned after all.
  void end_hold(std::uint32_t slot, Instant now, Actions& out);
  /// The patience has ended.
  void expire_hold(Instant now, Actions& out);
  void adopt(BatchStream& s, std::uint32_t choice);
  std::uint32_t prompt_budget() const;
  /// What the decodes assigned leave to prompts by the targets of their classes.
  StepBudget step_budget() const;
  bool lacks_rows(const BatchStream& s) const;
  std::uint32_t queue_head() const;
  bool admit(std::uint32_t slot);
  Match match(const BatchStream& s) const;
  void count_cached(const BatchStream& s, Match& m) const;
  void start(BatchStream& s, const Match& m);
  /// What is left of the budget goes to guesses, as far as that takes no block from anybody.
  void assign_guesses();
  void emit_item(BatchStream& s, std::uint32_t choice, std::uint32_t slot, core::StepPlan& plan);

  // batcher_admit.cc
  AdmissionDecision decide_admission(const BatchStream& s, const Match& m) const;
  AdmissionDecision forecast(const BatchStream& s, const Match& m) const;
  /// KV tokens of the choice's blocks; of a shared block its part.
  std::uint32_t held_tokens(const BatchChoice& c) const;
  std::uint32_t tokens_to_come(const BatchStream& s, const BatchChoice& c) const;

  // batcher_result.cc
  void take_rows(Actions& out);
  /// `late`: the owner is told of it later, unless it is the first or the last one.
  void take_token(std::uint32_t slot, std::uint32_t choice, const core::TokenOut& token, bool late);
  /// The next token of the same step: it was guessed right, so the row of the token before it is computed.
  void take_guessed(std::uint32_t slot, std::uint32_t choice, const core::TokenOut& token, bool late);
  /// What follows from the tokens and rows of a step.
  void after_tokens(Instant now, Actions& out);
  /// A run in the box of the stream's owner that begins with what it has not been told.
  core::TokenRun& untold_run(BatchStream& s, std::uint32_t choice);
  /// Requests without output whose prompt is computed are over.
  void end_prompt_only();
  void flush_tokens(Instant now, Actions& out);

  // batcher_export.cc
  void end_export(BatchStream& s, core::Errc code, std::string_view reason, Actions& out);
  void drop_export(BatchStream& s);
  void exports_after_step(Instant now, Actions& out);
  void tell_grown(TransferId transfer, BatchStream& s, BatchExport& e, Actions& out);
  /// Collects blocks that are new to the export or have more rows than told.
  void grow(BatchStream& s, BatchExport& e, std::vector<ExportBlock>& blocks);
  void grow_export(const BatchStream& s, BatchChoice& c, BatchExport& e, std::vector<ExportBlock>& blocks);
  std::uint32_t ordinal_of(BatchExport& e, BlockId block, std::uint32_t first_token);
  bool parting(const BatchStream& s) const;
  void freeze_if_due(TransferId transfer, BatchExport& e, Instant now, Actions& out);
  void freeze(TransferId transfer, BatchExport& e, Instant now, Actions& out);

  // batcher_import.cc
  std::optional<core::Error> import_refusal(const StreamKey& key, const Epoch& epoch) const;
  std::optional<core::Error> commit_refusal(const ImportCommit& event, const BatchImport& import) const;
  void fill_from_import(BatchStream& s, const ImportCommit& event, const BatchImport& import);
  void drop_import(TransferId transfer);

  // batcher_check.cc
  void check_groups(const BatchChoice& c) const;
  void check_stream(const BatchStream& s, std::uint32_t slot, std::vector<std::uint32_t>& tables, std::vector<std::uint32_t>& pins) const;
  void check_sets() const;

  std::vector<core::KvGroup> groups_;  // at least one
  bool plain_ = true;                  // one, of full attention
  std::deque<BatchStream> streams_;    // by slot
  std::vector<std::uint32_t> free_slots_;
  std::unordered_map<Identity, std::uint32_t, StreamIdentityHash> by_identity_;  // looked up, never iterated
  std::vector<std::uint32_t> running_;                                           // by class, then order of admission
  std::vector<std::uint32_t> ending_;
  std::vector<ClassQueue> queue_;  // by class
  std::set<std::pair<Instant, std::uint32_t>> climbs_;
  std::set<std::pair<Instant, std::uint32_t>> deadlines_;
  std::uint32_t queued_ = 0;
  std::uint32_t admitted_choices_ = 0;  // sequence slots in use: unfinished choices of admitted streams
  std::uint32_t reserved_choices_ = 0;  // sequence slots set aside for imports
  std::uint32_t admitted_streams_ = 0;
  std::uint64_t next_arrival_ = 1;
  std::uint64_t next_admission_ = 1;
  std::uint64_t next_sequence_ = 1;

  std::unordered_map<Identity, Ended, StreamIdentityHash> ended_;  // looked up, never iterated
  std::deque<std::pair<Instant, Identity>> ended_order_;
  std::unordered_map<core::NodeId, std::uint32_t> box_of_;
  std::vector<OwnerBox> boxes_;
  std::vector<std::uint32_t> boxes_used_;

  std::map<TransferId, BatchExport> exports_;
  std::map<TransferId, BatchImport> imports_;

  // The step being planned, then in flight.
  std::uint64_t step_ = 0;
  bool in_flight_ = false;
  std::uint32_t budget_ = 0;
  StepBudget step_budget_;
  bool preempted_ = false;
  std::uint32_t held_ = no_slot;  // its blocks come free by held_until_: those who need some wait
  Instant held_until_{};
  std::uint64_t attended_ = 0;  // tokens that the rows of the step attend to
  std::vector<Scheduled> scheduled_;
  std::vector<Scheduled> targets_;  // one per sample target of the plan, in order
  std::vector<core::SequenceId> closes_;
  std::vector<std::uint32_t> order_;     // scratch
  DecodeStart decode_start_;             // whom to begin with when the budget did not reach everyone
  std::uint64_t blocked_arrival_ = 0;    // head of the queue that did not fit ...
  std::uint32_t blocked_available_ = 0;  // ... with so many blocks available ...
  std::uint64_t blocked_releases_ = 0;   // ... and so many tables released by then
  std::uint64_t releases_ = 0;
  std::array<AnswerLengths, classes> answers_;

  StepTime step_time_;
  RateWindow rate_;
  RateWindow released_{std::chrono::seconds(1)};  // blocks of choices that ended
  std::uint32_t freed_in_step_ = 0;
  std::uint32_t tokens_made_ = 0;     // by the step that ends
  std::vector<std::uint32_t> chain_;  // scratch of jump()
};

}  // namespace spillway::sched
