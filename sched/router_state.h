#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "core/result.h"
#include "sched/names.h"
#include "sched/node_views.h"
#include "sched/placement.h"
#include "sched/router_core.h"
#include "sched/supersede.h"

/// What RouterCore hides, in the files router_{core,admit,run,tokens,moves,operations}.cc. Not for other folders.
namespace spillway::sched {

/// Who waits for the outcome of a move: a client of this router, or another router.
struct MoveAsker {
  ClientRef client;
  core::NodeId router;          ///< zero: `client`
  std::uint64_t operation = 0;  ///< as the client, or the other router, numbers it; 0 = nobody asks
  core::NodeId drained;         ///< the move is part of a drain of this node
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
  std::vector<core::TokenOut> tokens;  ///< accepted
  std::vector<core::TokenOut> news;    ///< accepted in this event and not yet told to the client
  core::FinishReason finish = core::FinishReason::none;
  bool finish_told = false;
  std::size_t told = 0;  ///< tokens the client has
  struct Early {
    core::TokenOut token;
    Epoch epoch;
  };
  std::map<std::uint32_t, Early> early;  ///< by index: came before their turn
};

enum class Stage : std::uint8_t { waiting, sent, running };

struct RouterStream {
  StreamKey key;
  ClientRef client;
  std::string tenant;
  std::shared_ptr<const core::Request> request;
  StreamNames names;
  std::vector<RouterChoice> choices;
  Stage stage = Stage::waiting;
  std::uint64_t arrival = 0;
  Instant admitted{};
  Instant deadline = core::never;
  Instant first_token = core::never;
  Instant last_token = core::never;
  Instant waiting_since{};

  // Where it runs, unless waiting.
  Epoch epoch;
  core::ReplicaRef place;
  struct Also {
    Epoch epoch;
    core::NodeId node;
    Instant until;
  };
  std::vector<Also> also;            ///< epochs heard besides: replaced ones whose tokens may be under way
  Instant resend_at = core::never;   ///< sent: the Run again
  Instant give_up_at = core::never;  ///< sent, or asked because of silence: placed anew
  Instant stall_at = core::never;    ///< running: silence until then
  Instant gap_at = core::never;      ///< a gap in the tokens that is still open then restarts the stream
  std::optional<RouterMove> move;
  Instant move_again_at{};                    ///< after a failed move of a drain or spill
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
  Instant timer = core::never;

  /// The owner gives the replica this long to end a stream at its deadline by itself, then ends it.
  static constexpr core::Duration deadline_grace = std::chrono::milliseconds(200);
  Instant ends_at() const { return deadline == core::never || stage == Stage::waiting ? deadline : deadline + deadline_grace; }

  bool over() const;
  std::uint64_t generated() const;
  std::size_t early_tokens() const;
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

  // router_run.cc
  void on(core::NodeId from, const core::RunAccepted& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::RunRefused& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::RunReturned& message, Instant now, Actions& out);
  void place_or_wait(RouterStream& s, Instant now, Actions& out);
  void place_waiting(Instant now, Actions& out);
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
  std::optional<core::ReplicaRef> move_destination(const RouterStream& s, Instant now, std::uint32_t free_permille_min) const;
  std::optional<core::ReplicaRef> replica_at(const RouterStream& s, core::NodeId node) const;
  void commit(RouterStream& s, Instant now, Actions& out);
  /// The move is off: its epoch is no longer heard. The source, when `tell_source`, is granted a new one.
  void revoke(RouterStream& s, core::Errc code, std::string_view reason, bool tell_source, Instant now, Actions& out);
  void close_moves(Instant now, Actions& out);
  void finish_closing(std::map<std::pair<StreamKey, Epoch>, ClosingMove>::iterator it, Instant now, Actions& out);
  void report_move(const MoveAsker& asker, const core::MoveOutcome& outcome, Instant now, Actions& out);
  void move_off_draining(Instant now, Actions& out);
  void spill(Instant now, Actions& out);

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
  std::map<StreamKey, RouterStream> streams;
  std::map<std::pair<StreamKey, Epoch>, ClosingMove> closing;

 private:
  // router_admit.cc
  core::Result<void> check_admission(const RouterCore::Admit& admit, Instant now) const;
  core::Result<void> check_replicas(const RouterCore::Admit& admit, Instant now) const;
  /// False while no replica of the model has told what it has.
  core::Result<bool> fit_tokens_max(core::Request& request) const;
  core::Result<bool> fit(RouterStream& s) const;
  core::Result<void> check_resume(const RouterCore::Admit& admit) const;
  core::Result<void> check_deadline(const RouterCore::Admit& admit, Instant now) const;
  // router_run.cc
  bool serves(const RouterStream& s, const core::ReplicaReport& report) const;
  PlacementRequest needs(const RouterStream& s) const;
  std::vector<PlacementView> candidates(const RouterStream& s, Instant now) const;
  void send_run(RouterStream& s, core::ReplicaRef replica, Instant now, Actions& out);
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
  void tell_names(RouterStream& s, const std::vector<std::uint32_t>& known, Actions& out);
  std::vector<std::uint32_t> names_known(const RouterStream& s) const;
  // router_operations.cc
  core::Result<void> check_drain(core::NodeId node, Instant now) const;
  /// Answers with queue_full when as many operations as `waiting` are too many.
  bool too_many(std::size_t waiting, ClientRef client, std::uint64_t operation, std::string_view what, Actions& out) const;
  void move_here(RouterStream& s, core::NodeId node, const MoveAsker& asker, Instant now, Actions& out);

  std::uint64_t epochs_ = 0;
  std::uint64_t arrivals_ = 0;
  std::uint64_t operations_made_ = 0;
  std::set<std::pair<Instant, StreamKey>> timers_;
  std::set<WaitKey> waiting_;
  Instant waiting_at_ = core::never;
  Instant spill_at_{};
  Instant drain_at_ = core::never;
  std::map<core::NodeId, std::set<StreamKey>> placed_;
  std::map<ClientRef, std::set<StreamKey>> by_client_;
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
