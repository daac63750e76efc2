#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/result.h"
#include "sched/admission.h"
#include "sched/few.h"
#include "sched/move_planner.h"
#include "sched/names.h"
#include "sched/node_views.h"
#include "sched/placement.h"
#include "sched/prefix_hints.h"
#include "sched/router_core.h"
#include "sched/slot_table.h"
#include "sched/slot_timers.h"
#include "sched/supersede.h"
#include "sched/token_log.h"

/// What RouterCore hides, in the files router_{core,admit,quota,place,run,tokens,moves,plan,operations}.cc. Not for other folders.
namespace spillway::sched {

/// Who waits for the outcome of a move: a client of this router, or another router.
struct MoveAsker {
  ClientRef client;
  core::NodeId router;          ///< zero: `client`
  std::uint64_t operation = 0;  ///< as the client, or the other router, numbers it; 0 = nobody asks
  core::NodeId drained;         ///< the move is part of a drain of this node
  bool planned = false;         ///< of the planner
};

/// A move of a stream between its Move and its commit.
struct RouterMove {
  Epoch new_epoch;
  core::ReplicaRef destination;
  Instant resend_at{};
  Instant give_up_at{};
  Instant accepted_at = core::never;  ///< the destination took it over
  std::uint32_t rows_to_compute = 0;
  std::vector<std::uint32_t> names_known;  ///< per choice: names told to the source before the move began
  MoveAsker asker;
};

/// A committed move until its source has reported.
struct ClosingMove {
  core::NodeId source;
  core::ReplicaRef destination;
  Instant committed{};
  Instant resend_at{};
  Instant give_up_at{};
  bool rows_known = false;
  core::MoveOutcome outcome;
  MoveAsker asker;
};

struct RouterChoice {
  TokenLog tokens;                   ///< accepted
  std::vector<core::TokenOut> news;  ///< accepted in this event and not yet told to the client
  core::FinishReason finish = core::FinishReason::none;
  bool finish_told = false;
  std::size_t told = 0;  ///< tokens the client has
  struct Early {
    core::TokenOut token;
    Epoch epoch;
  };
  std::map<std::uint32_t, Early> early;  ///< by index: came before their turn
};

/// Where a stream is to be placed once it is given back.
struct Going {
  core::ReplicaRef destination;
  Instant until{};  ///< without an answer by then it may be planned anew
};

enum class Stage : std::uint8_t { waiting, sent, running };

/// What every message of tokens looks at stands first.
struct RouterStream {
  StreamKey key;
  std::uint32_t slot = 0;  ///< in the router's table, and of its timer
  Stage stage = Stage::waiting;
  bool deferred = false;  ///< its turn has not come: nobody tries to place it
  bool begun = false;     ///< a token of the present Run came
  // Where it runs, unless waiting.
  Epoch epoch;
  core::ReplicaRef place;
  Instant waiting_since{};  ///< deferred: when it begins
  Instant deadline = core::never;
  Instant first_token = core::never;
  Instant last_token = core::never;
  Instant resend_at = core::never;   ///< sent: the Run again
  Instant give_up_at = core::never;  ///< sent, or asked because of silence: placed anew
  Instant stall_at = core::never;    ///< running: silence until then
  Instant gap_at = core::never;      ///< a gap in the tokens that is still open then restarts the stream
  struct Also {
    Epoch epoch;
    core::NodeId node;
    Instant until;
  };
  std::vector<Also> also;  ///< epochs heard besides: replaced ones whose tokens may be under way
  Few<RouterChoice> choices;
  ClientRef client;
  std::string tenant;
  std::shared_ptr<const core::Request> request;
  StreamNames names;
  std::uint64_t arrival = 0;
  Instant admitted{};
  // What the tenant's ladder took from it.
  std::shared_ptr<const core::Request> asked;  ///< the request as it was asked, where `request` is another
  std::vector<std::string> rungs;
  core::Pressure pressure = core::Pressure::none;

  std::optional<RouterMove> move;
  Instant move_again_at{};  ///< after a failed move of a drain or plan
  std::optional<Going> going;
  std::uint32_t planned_moves = 0;
  Instant planned_again_at{};
  std::map<core::ReplicaRef, Instant> avoid;  ///< refused lately
  core::Error refusal;                        ///< the last one

  bool fitted = false;  ///< tokens_max is fitted to context and pools; not before a replica of the model has told them
  // Bound with the first placement, told to the client.
  bool bound = false;
  core::U128 weights_digest;
  std::uint32_t numerics_id = 0;
  bool cached_known = false;
  std::uint32_t cached_tokens = 0;
  std::uint32_t moves = 0;
  std::uint32_t restarts = 0;
  bool accepted_told = false;

  /// The owner gives the replica this long to end a stream at its deadline by itself, then ends it.
  static constexpr core::Duration deadline_grace = std::chrono::milliseconds(200);
  Instant ends_at() const { return deadline == core::never || stage == Stage::waiting ? deadline : deadline + deadline_grace; }

  bool over() const;
  std::uint64_t generated() const;
  std::size_t early_tokens() const;
};

/// A request whose tenant's home router has been asked for tokens.
struct QuotaWait {
  RouterCore::Admit admit;
  AdmissionPlan plan;
  core::NodeId home;
  std::uint32_t asked = 1;  ///< times
  Instant asked_at{};
  Instant give_up_at{};
};

/// A tenant's tokens, where this router is its home; and who that is.
struct TenantAccount {
  TokenBucket bucket;
  core::NodeId home;
  Instant home_until{};
};

struct DrainOperation {
  ClientRef client;
  std::uint64_t operation = 0;
  core::NodeId node;
  core::DrainMode mode = core::DrainMode::begin;
  core::NodeCounters at_start;
  Instant asked{};
  Instant resend_at{};
  Instant progress_at{};
  bool flagged = false;          ///< a report showed the flag
  core::OperationUpdate update;  ///< as last told
};

/// An operator's move of a stream that another router owns.
struct RemoteMove {
  ClientRef client;
  std::uint64_t operation = 0;
  core::RequestId request;
  std::set<core::NodeId> silent;  ///< routers that have not told their streams
  bool found = false;
  Instant give_up_at{};
};

struct StatusOperation {
  ClientRef client;
  core::StatusReply reply;
  std::set<core::NodeId> silent;
  Instant give_up_at{};
};

class RouterState {
 public:
  using Actions = RouterCore::Actions;
  RouterState(core::NodeId self_id, std::string self_name, core::Incarnation self_incarnation, const RouterLimits& router_limits);

  // router_admit.cc
  void admit(const RouterCore::Admit& admit, Instant now, Actions& out);
  void attach(RouterStream& s, const RouterCore::Admit& admit, Instant now, Actions& out);
  /// Ends the older streams of its channel. False: the stream itself is older than what is there, and over.
  bool supersede(RouterStream& s, bool resumed, Instant now, Actions& out);

  // router_quota.cc
  void on(core::NodeId from, const core::QuotaAsk& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::QuotaReply& message, Instant now, Actions& out);
  void quota_tick(Instant now, Actions& out);
  /// The next router is the home of its tenants.
  void quota_home_down(core::NodeId home, Instant now, Actions& out);
  /// True when the request waits for tokens: then it is over, if it is the client's.
  bool cancel_quota(ClientRef client, const StreamKey& key, Instant now, Actions& out);
  /// Refuses what waits for tokens: of one client, or all.
  void drop_quota_waits(std::optional<ClientRef> client, const core::Error& why, Instant now, Actions& out);

  // router_run.cc
  void on(core::NodeId from, const core::RunAccepted& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::RunRefused& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::RunReturned& message, Instant now, Actions& out);
  /// With `only`, replicas of other nodes are not looked at: nothing about them is new.
  void place_or_wait(RouterStream& s, Instant now, Actions& out, const NodeView* only = nullptr);
  void place_waiting(Instant now, Actions& out, const NodeView* only = nullptr);
  void restart(RouterStream& s, std::string_view reason, bool count, Instant now, Actions& out);
  void stream_timer(RouterStream& s, Instant now, Actions& out);
  void on_peer_up(core::NodeId peer, core::Incarnation incarnation, Instant now, Actions& out);
  void on_peer_down(core::NodeId peer, core::Incarnation incarnation, Instant now, Actions& out);

  // router_tokens.cc
  void on(core::NodeId from, const core::Tokens& message, Instant now, Actions& out);
  /// Tells the client what was accepted; ends the stream when all choices are over (then `s` is gone: false).
  bool deliver(RouterStream& s, Instant now, Actions& out);
  void end_choices(RouterStream& s, core::FinishReason reason, Instant now, Actions& out);
  void fail_stream(RouterStream& s, core::Errc code, std::string reason, core::Duration retry_after, Actions& out);
  /// Everything that runs for the stream is told to stop.
  void cancel_runs(RouterStream& s, Actions& out);
  void forget(RouterStream& s, Actions& out);

  // router_moves.cc
  void on(core::NodeId from, const core::MoveFailed& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::MoveReport& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::AskOwner& message, Instant now, Actions& out);
  /// Begins a move, or says why not.
  core::Result<void> start_move(RouterStream& s, core::ReplicaRef destination, const MoveAsker& asker, Instant now, Actions& out);
  /// Best place for a stream that has to leave.
  std::optional<core::ReplicaRef> move_destination(const RouterStream& s, Instant now) const;
  std::optional<core::ReplicaRef> replica_at(const RouterStream& s, core::NodeId node) const;
  void commit(RouterStream& s, Instant now, Actions& out);
  /// The move is off: its epoch is no longer heard. The source, when `tell_source`, is granted a new one.
  void revoke(RouterStream& s, core::Errc code, std::string_view reason, bool tell_source, Instant now, Actions& out);
  void close_moves(Instant now, Actions& out);
  void finish_closing(std::map<std::pair<StreamKey, Epoch>, ClosingMove>::iterator it, Instant now, Actions& out);
  void report_move(const MoveAsker& asker, const core::MoveOutcome& outcome, Instant now, Actions& out);
  void move_off_draining(Instant now, Actions& out);

  // router_plan.cc
  bool plans() const;
  /// Moves off full replicas, as the planner says.
  void plan(Instant now, Actions& out);
  /// A stream that has to make room is moved away, or given back.
  void on(core::NodeId from, const core::RunHeld& message, Instant now, Actions& out);
  /// A stream whose prompt a prefill node has computed moves on.
  void hand_over(RouterStream& s, Instant now, Actions& out);
  void count_planned(RouterStream& s, Instant now) const;

  // router_operations.cc
  void on(ClientRef client, const core::MoveRequest& request, Instant now, Actions& out);
  void on(ClientRef client, const core::DrainRequest& request, Instant now, Actions& out);
  void on(ClientRef client, const core::StatusRequest& request, Instant now, Actions& out);
  void on(core::NodeId from, const core::OperatorMove& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::OperatorMoveDone& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::StatusAsk& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::StatusPart& message, Instant now, Actions& out);
  void drains_on_report(core::NodeId node, Instant now, Actions& out);
  void drains_on_down(core::NodeId node, Instant now, Actions& out);
  void operations_tick(Instant now, Actions& out);
  Instant operations_next() const;
  std::vector<core::StreamStatus> stream_status() const;
  core::NodeCounters own_counters() const;

  // router_core.cc
  void tick(Instant now, Actions& out);
  Instant next_tick() const;
  void check() const;

  RouterStream* find(const StreamKey& key);
  void post(core::NodeId to, core::Message&& message, Actions& out) const;
  /// CancelRun for a message under an epoch nobody hears, at most ten a second per stream and node.
  void cancel_stale(core::NodeId from, const StreamKey& key, const Epoch& epoch, Instant now, Actions& out);
  Epoch next_epoch() { return {incarnation, ++epochs_}; }
  /// Recomputes the stream's timer.
  void touch(RouterStream& s);
  /// Replaces where the stream runs, keeping the indexes.
  void set_place(RouterStream& s, Stage stage, core::ReplicaRef place);
  void drop_move(RouterStream& s);
  std::vector<core::NodeId> other_routers() const;

  core::NodeId self;
  std::string name;
  core::Incarnation incarnation;
  RouterLimits limits;
  NodeViews views;
  core::NodeCounters counters;
  bool draining = false;
  SlotTable<StreamKey, RouterStream> streams;
  std::map<std::pair<StreamKey, Epoch>, ClosingMove> closing;

 private:
  // router_admit.cc
  core::Result<void> check_admission(const RouterCore::Admit& admit, Instant now) const;
  core::Result<void> check_replicas(const RouterCore::Admit& admit, Instant now) const;
  /// False while no replica of the model has told what it has.
  core::Result<bool> fit_tokens_max(const core::Request& request, std::uint32_t& tokens_max) const;
  core::Result<bool> fit(RouterStream& s) const;
  core::Result<void> check_resume(const RouterCore::Admit& admit) const;
  void refuse(const RouterCore::Admit& admit, const core::Error& error, Actions& out) const;
  /// The stream of an admitted request on this step of the ladder, to be placed after `wait`.
  void begin(const RouterCore::Admit& admit, const LadderStep& step, core::Pressure pressure, core::Duration wait, Instant now,
             Actions& out);
  static StreamNames names_of(const RouterCore::Admit& admit, const core::Request& request);
  void count_rungs(core::TenantId tenant, const LadderStep& step);
  core::Accepted accepted(const RouterStream& s, std::string isa) const;
  // router_quota.cc
  const TenantRules& rules_of(core::TenantId tenant) const;
  std::optional<core::Duration> best_time(const RouterStream& probe, std::uint64_t output_tokens, core::Duration enough, Instant now);
  static std::shared_ptr<core::Request> request_on(const RouterCore::Admit& admit, const LadderStep& step);
  core::Result<AdmissionPlan> plan_options(const RouterCore::Admit& admit, Instant now);
  core::NodeId home_of(core::TenantId tenant, Instant now);
  void ask_quota(RouterCore::Admit admit, AdmissionPlan plan, std::uint32_t asked, Instant now, Actions& out);
  void decide(const RouterCore::Admit& admit, const AdmissionPlan& plan, const QuotaVerdict& verdict, Instant now, Actions& out);
  void ask_again(QuotaWait wait, Instant now, Actions& out);
  /// Takes the wait out; what it took is gone from the deadline.
  QuotaWait end_quota_wait(std::map<std::uint64_t, QuotaWait>::iterator at, Instant now);
  // router_place.cc
  bool serves(const RouterStream& s, const core::ReplicaReport& report) const;
  PlacementRequest needs(const RouterStream& s) const;
  /// Every replica that serves the stream, as placement sees it.
  std::vector<PlacementView> candidates(const RouterStream& s, Instant now) const;
  /// Adds the replica to `list` when it serves the stream.
  void look_at(const RouterStream& s, const ModelReplica& replica, Instant now, std::vector<PlacementView>& list) const;
  void look_at_sample(const RouterStream& s, const PlacementRequest& request, Instant now);
  /// The view of the replica that the policy chooses, in looked_at_; nullptr when none has room.
  const PlacementView* choose_replica(const RouterStream& s, Instant now, const NodeView* only, PlacementReason& reason);
  // router_plan.cc
  std::vector<core::ReplicaRef> may_unload(Instant now) const;
  bool overloaded(const MoveReplica& r, core::ModelId model, bool was, std::map<core::ModelId, Pace>& paces, Instant now) const;
  MoveReplica move_replica(const ModelReplica& entry, Instant now) const;
  MoveStream move_stream(const RouterStream& s) const;
  MoveView move_view(core::ModelId model, Instant now) const;
  /// The streams at `r` that may be moved, and what leaves it already.
  void add_streams(MoveView& view, MoveReplica& r) const;
  void begin_planned(PlannedMove& planned, Instant now, Actions& out);
  /// The view of the replica that it was to go to, in looked_at_; nullptr when that cannot take it any more.
  const PlacementView* choose_planned(RouterStream& s, Instant now);
  void learn_costs(const core::MoveOutcome& outcome);
  // router_place.cc
  void explain(const RouterStream& s, const PlacementView& chosen, PlacementReason reason, Actions& out) const;
  // router_run.cc
  void send_run(RouterStream& s, const PlacementView& chosen, Instant now, Actions& out);
  core::Run make_run(const RouterStream& s, Instant now) const;
  void wait(RouterStream& s, Instant now, Actions& out);
  bool hopeless(const RouterStream& s) const;
  using WaitKey = std::tuple<core::ServiceClass, Instant, std::uint64_t, StreamKey>;
  static WaitKey wait_key(const RouterStream& s) { return {s.request->service_class, s.deadline, s.arrival, s.key}; }
  // router_tokens.cc
  enum class Heard { no, current, also, move };
  Heard heard(const RouterStream& s, core::NodeId from, const Epoch& epoch) const;
  void take_run(RouterStream& s, const core::TokenRun& run, Instant now);
  void accept(RouterStream& s, std::uint32_t choice, const core::TokenOut& token, const Epoch& epoch, Instant now);
  /// Accepts as many of the tokens, whose turn it is, as cannot end the choice; how many.
  std::uint32_t accept_plain(RouterStream& s, std::uint32_t choice, std::span<const core::TokenOut> tokens, const Epoch& epoch,
                             Instant now);
  /// A token was accepted.
  void note_token(RouterStream& s, const Epoch& epoch, Instant now);
  void tell_names(RouterStream& s, const std::vector<std::uint32_t>& known, Actions& out);
  static std::vector<std::uint32_t> names_known(const RouterStream& s);
  void drop_client(const RouterStream& s);
  // router_operations.cc
  core::Result<void> check_drain(core::NodeId node, Instant now) const;
  /// Answers with queue_full when as many operations as `waiting` are too many.
  bool too_many(std::size_t waiting, ClientRef client, std::uint64_t operation, std::string_view what, Actions& out) const;
  void move_here(RouterStream& s, core::NodeId node, const MoveAsker& asker, Instant now, Actions& out);

  std::map<core::TenantId, TenantAccount> accounts_;
  std::map<std::uint64_t, QuotaWait> quota_waits_;  ///< by number of the ask
  std::map<StreamKey, std::uint64_t> quota_keys_;
  std::uint64_t quota_asks_ = 0;
  PlacementState placement_;
  PrefixHints hints_;                     ///< kept while a model has more replicas than are all looked at
  std::vector<PlacementView> looked_at_;  ///< of one placement: kept for its memory
  std::vector<std::int64_t> scores_;      ///< likewise, of looked_at_
  std::size_t usable_ = 0;                ///< likewise: the first so many of looked_at_ could have been chosen

  std::uint64_t epochs_ = 0;
  std::uint64_t arrivals_ = 0;
  std::uint64_t operations_made_ = 0;
  SlotTimers timers_;                 ///< by slot of the stream
  std::vector<std::uint32_t> due_;    // scratch
  std::vector<std::uint32_t> known_;  // scratch
  std::set<WaitKey> waiting_;
  Instant waiting_at_ = core::never;
  Instant plan_at_{};
  PressedReplicas pressed_;
  MoveCosts move_costs_;
  Instant drain_at_ = core::never;
  std::unordered_map<ClientRef, std::vector<StreamKey>> by_client_;  ///< looked up, never iterated
  std::map<core::TenantId, std::uint32_t> by_tenant_;
  ChannelTable channels_;
  std::map<std::pair<core::NodeId, core::NodeId>, std::uint32_t> links_;  ///< running moves
  std::map<std::pair<core::NodeId, StreamKey>, Instant> cancelled_;
  std::map<std::uint64_t, DrainOperation> drains_;
  std::map<std::uint64_t, RemoteMove> remote_moves_;
  std::map<std::uint64_t, StatusOperation> statuses_;
  bool commit_pending_ = false;  ///< a token accepted in this event was the first under the move's epoch

  friend class RouterCore;
};

struct RouterCore::State : RouterState {
  using RouterState::RouterState;
};

}  // namespace spillway::sched
