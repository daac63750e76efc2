#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/client_messages.h"
#include "core/digest.h"
#include "core/messages.h"
#include "sched/admission.h"
#include "sched/move_planner.h"
#include "sched/placement.h"
#include "sched/pools.h"

namespace spillway::sched {

using core::Epoch;
using core::Instant;
using core::StreamKey;

/// A client connection of this router, or the embedded client.
using ClientRef = core::Id<struct ClientTag>;

struct RouterLimits {
  std::uint32_t streams_max = 16384;  ///< owned at once; beyond it a Submit is refused with queue_full
  std::uint32_t waiting_max = 4096;   ///< admitted and not placed (no room anywhere); beyond it queue_full
  std::uint32_t tenant_streams_max = 4096;
  std::uint32_t output_tokens_max = 65536;                      ///< where a request leaves its own limit open
  core::Duration run_resend{std::chrono::milliseconds(250)};    ///< a Run not accepted by then is sent again (same epoch)
  core::Duration run_give_up{std::chrono::milliseconds(1000)};  ///< then placed anew under the next epoch
  core::Duration gap_max{std::chrono::milliseconds(500)};       ///< a token gap that lasts longer restarts the stream from what is accepted
  core::Duration move_max{std::chrono::seconds(60)};            ///< a move not committed by then is revoked
  core::Duration waiting_resend{
      std::chrono::milliseconds(50)};  ///< placement of waiting streams is tried again this often, and at each report
  core::Duration report_stale{std::chrono::milliseconds(1000)};  ///< a view older than this gets no new work
  std::uint32_t moves_per_link_max = 16;                         ///< running moves per (source, destination)
  std::uint32_t restarts_max = 16;                               ///< of one stream, then it fails
  core::Duration waiting_max_time{std::chrono::seconds(30)};     ///< a stream that nobody has room for fails after this long
  core::Duration stall_max{std::chrono::seconds(2)};  ///< a placed stream without news for this long has its Run sent again, to see
  core::Duration move_resend{std::chrono::milliseconds(500)};  ///< a Move, and a Release not yet reported on, are sent again this often
  core::Duration status_max{std::chrono::milliseconds(300)};   ///< other routers' part of a status is waited for this long
  core::Duration drain_max{std::chrono::seconds(120)};         ///< a drain without progress for this long is reported as failed
  std::uint32_t gap_tokens_max = 4096;                         ///< tokens kept per stream that came before their turn; beyond it restart
  /// Statuses, drains and moves of others' streams that operators wait for, of each kind; beyond it queue_full.
  std::uint32_t operations_max = 256;
  PlacementRules placement;
  MoveLimits moves;
  PoolRules pools;
  bool explain = false;                           ///< a Placed action for each placement, a MovePlanned for each planned move
  std::map<core::TenantId, TenantRules> tenants;  ///< buckets and ladders; a tenant that is not here has neither

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("streams_max", s.streams_max), v("waiting_max", s.waiting_max), v("tenant_streams_max", s.tenant_streams_max);
    v("output_tokens_max", s.output_tokens_max), v("run_resend", s.run_resend), v("run_give_up", s.run_give_up);
    v("gap_max", s.gap_max), v("move_max", s.move_max), v("waiting_resend", s.waiting_resend), v("report_stale", s.report_stale);
    v("moves_per_link_max", s.moves_per_link_max), v("restarts_max", s.restarts_max), v("waiting_max_time", s.waiting_max_time);
    v("stall_max", s.stall_max), v("move_resend", s.move_resend), v("status_max", s.status_max), v("drain_max", s.drain_max);
    v("gap_tokens_max", s.gap_tokens_max), v("operations_max", s.operations_max), v("placement", s.placement);
    v("moves", s.moves), v("pools", s.pools), v("explain", s.explain), v("tenants", s.tenants);
  }
};

/// The owner of streams: admission, placement, epochs, moves, restarts, drain, and the soft view of all nodes. Pure.
///
/// Epochs. Each Run, Move and StillYours hands out the next epoch of the stream. Exactly one epoch is heard (during a move also the
/// one handed out for the destination; after StillYours also the one it replaces, for tokens still under way). A token is accepted
/// once and in order per choice; the first one accepted under a move's epoch commits the move. Anything that arrives under an epoch
/// no longer heard is answered with CancelRun (rate-limited per stream).
///
/// Admission. A tenant's bucket stands at its home router (the highest hash of tenant and router among those that are up), which the
/// others ask; a home that is lost is followed by the next one, with a full bucket. Where the bucket is empty, the deadline cannot be
/// met or the load is high, the rungs of the tenant's ladder are taken, one on top of the other, before the request is refused.
class RouterCore {
 public:
  // Actions.
  struct Post {
    core::NodeId to;
    core::MessagePtr message;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("to", s.to), v("message", s.message);
    }
  };
  struct ToClient {    ///< Accepted and Failed as they are; Delta without text (the shell adds it); Finished at the end
    ClientRef client;  ///< zero: the client is gone (nothing to send), kept for logs
    StreamKey key;
    std::variant<core::Accepted, core::Delta, core::Finished, core::Failed> message;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("client", s.client), v("key", s.key), v("message", s.message);
    }
  };
  struct StreamEnded {  ///< the shell drops its text state
    StreamKey key;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("key", s.key);
    }
  };
  struct Operation {  ///< progress or end of an operator's request, to the client that asked
    ClientRef client;
    core::OperationUpdate update;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("client", s.client), v("update", s.update);
    }
  };
  struct Status {  ///< answer to a StatusRequest, complete or after its time limit
    ClientRef client;
    core::StatusReply reply;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("client", s.client), v("reply", s.reply);
    }
  };
  struct MoveAborted {  ///< the stream stays where it is, or begins again elsewhere; for logs
    StreamKey key;
    Epoch new_epoch;
    std::string reason;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("key", s.key), v("new_epoch", s.new_epoch), v("reason", s.reason);
    }
  };
  struct Placed {  ///< a stream was sent to a replica, and why; only with RouterLimits::explain
    StreamKey key;
    Epoch epoch;
    PlacementDecision decision;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("key", s.key), v("epoch", s.epoch), v("decision", s.decision);
    }
  };
  struct MovePlanned {  ///< a stream is about to leave a replica, and why; only with RouterLimits::explain
    StreamKey key;
    Epoch epoch;  ///< that it runs under so far
    MoveDecision decision;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("key", s.key), v("epoch", s.epoch), v("decision", s.decision);
    }
  };
  using Action = std::variant<Post, ToClient, StreamEnded, Operation, Status, MoveAborted, Placed, MovePlanned>;
  using Actions = std::vector<Action>;

  /// The prompt for another model, which the tenant's ladder may come to.
  struct Alternative {
    core::ModelId model;
    core::TokenList prompt;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("model", s.model), v("prompt", s.prompt);
    }
  };
  /// A tokenised submission. `resume` holds the tokens of an earlier life of the stream (names are made here).
  struct Admit {
    ClientRef client;
    std::string tenant_name;
    core::TenantSecret secret{};
    std::shared_ptr<core::Request> request;  ///< seed already set (given or derived); `model` resolved
    core::Duration deadline{0};              ///< from now, 0 = none
    bool resumed = false;
    core::Resume resume;
    std::vector<Alternative> alternatives;
    /// Names of all full blocks of prompt and answer, instead of digests by `secret`: for bodies that compute nothing (the simulator).
    /// One choice. Empty: digests.
    std::vector<core::BlockName> name_stand_ins;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("client", s.client), v("tenant_name", s.tenant_name), v("secret", s.secret), v("request", s.request);
      v("deadline", s.deadline), v("resumed", s.resumed), v("resume", s.resume), v("alternatives", s.alternatives);
      v("name_stand_ins", s.name_stand_ins);
    }
  };

  RouterCore(core::NodeId self, std::string name, core::Incarnation incarnation, const RouterLimits& limits);
  ~RouterCore();
  RouterCore(RouterCore&&) noexcept;
  RouterCore& operator=(RouterCore&&) noexcept;

  // Clients.
  void on(const Admit& admit, Instant now, Actions& out);
  void on_cancel(ClientRef client, const StreamKey& key, Instant now, Actions& out);
  void on_client_gone(ClientRef client, Instant now, Actions& out);
  // Batchers, cache-managers, nodes, routers. `from` is the node the link belongs to.
  void on(core::NodeId from, const core::RunAccepted& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::RunRefused& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::RunReturned& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::RunHeld& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::Tokens& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::MoveFailed& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::MoveReport& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::AskOwner& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::Report& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::Announce& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::OperatorMove& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::OperatorMoveDone& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::StatusAsk& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::StatusPart& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::QuotaAsk& message, Instant now, Actions& out);
  void on(core::NodeId from, const core::QuotaReply& message, Instant now, Actions& out);
  // Links. This node itself counts as a peer that is up from the start.
  void on_peer_up(core::NodeId peer, core::Incarnation incarnation, Instant now, Actions& out);
  void on_peer_suspect(core::NodeId peer, bool suspect, Instant now, Actions& out);
  void on_peer_down(core::NodeId peer, core::Incarnation incarnation, Instant now, Actions& out);
  // Operators.
  void on(ClientRef client, const core::MoveRequest& request, Instant now, Actions& out);
  void on(ClientRef client, const core::DrainRequest& request, Instant now, Actions& out);
  void on(ClientRef client, const core::StatusRequest& request, Instant now, Actions& out);
  void on_tick(Instant now, Actions& out);

  /// Nodes of the cluster file, so that status knows the absent ones; pools may add more at run time (through reports).
  void expect_node(core::NodeId node, std::string name);
  /// This node drains: Submits are refused with Errc::draining; with `leave`, clients of owned streams are told to go elsewhere.
  void set_draining(bool draining, bool leave, Instant now, Actions& out);

  Instant next_tick() const;

  /// Replicas off which the plan of a tick at `now` may move streams, and perhaps some more; empty when no plan is due.
  std::vector<core::ReplicaRef> may_unload(Instant now) const;
  core::NodeCounters counters() const;
  std::size_t streams() const;
  std::vector<core::StreamStatus> stream_status() const;
  void check() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spillway::sched
