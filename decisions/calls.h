#pragma once

#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/enum_range.h"
#include "sched/batcher_core.h"
#include "sched/cache_core.h"
#include "sched/link_core.h"
#include "sched/router_core.h"

namespace spillway::core {

// The decisions' own enums; those of messages are in core/enum_range.h.
template <>
inline constexpr auto enum_max<sched::AdmissionPolicy> = sched::AdmissionPolicy::past_future;
template <>
inline constexpr auto enum_max<sched::PlacementReason> = sched::PlacementReason::rebalanced;
template <>
inline constexpr auto enum_max<sched::MoveRoad> = sched::MoveRoad::recompute;
template <>
inline constexpr auto enum_max<sched::MoveReason> = sched::MoveReason::prefilled;
template <>
inline constexpr auto enum_max<sched::DecodeChoice> = sched::DecodeChoice::pack;

}  // namespace spillway::core

/// Every way into a core, once: its name, what the core is told, and the call itself. Actors and replays go in by these alone, so
/// what is logged is what is called. The lists at the end number them; a call's place is its number in a log.
///
/// A call is a struct with `name` and a static `take(core, now, out, arguments...)`; what it returns is part of the answer.
namespace spillway::decisions {

using core::Instant;

// -- Router ----------------------------------------------------------------------------------------------------------------------

namespace router {

using Core = sched::RouterCore;
using Actions = Core::Actions;
using sched::ClientRef;

struct Admit {
  static constexpr std::string_view name = "admit";
  static void take(Core& core, Instant now, Actions& out, const Core::Admit& admit) {
    if (admit.request) core.on(admit, now, out);
  }
};
struct Cancel {
  static constexpr std::string_view name = "cancel";
  static void take(Core& core, Instant now, Actions& out, ClientRef client, const core::StreamKey& key) {
    core.on_cancel(client, key, now, out);
  }
};
struct ClientGone {
  static constexpr std::string_view name = "client gone";
  static void take(Core& core, Instant now, Actions& out, ClientRef client) { core.on_client_gone(client, now, out); }
};
/// True for the messages a RouterCore takes from a node.
template <class M>
concept Taken = requires(Core core, core::NodeId from, const M& m, Actions out) {
  core.on(from, m, Instant{}, out);
};
struct Message {
  static constexpr std::string_view name = "message";
  static void take(Core& core, Instant now, Actions& out, core::NodeId from, const core::Message& message) {
    std::visit(
        [&]<class M>(const M& m) {
          if constexpr (Taken<M>) core.on(from, m, now, out);
        },
        message);
  }
};
struct PeerUp {
  static constexpr std::string_view name = "peer up";
  static void take(Core& core, Instant now, Actions& out, core::NodeId peer, core::Incarnation incarnation) {
    core.on_peer_up(peer, incarnation, now, out);
  }
};
struct PeerSuspect {
  static constexpr std::string_view name = "peer suspect";
  static void take(Core& core, Instant now, Actions& out, core::NodeId peer, bool suspect) {
    core.on_peer_suspect(peer, suspect, now, out);
  }
};
struct PeerDown {
  static constexpr std::string_view name = "peer down";
  static void take(Core& core, Instant now, Actions& out, core::NodeId peer, core::Incarnation incarnation) {
    core.on_peer_down(peer, incarnation, now, out);
  }
};
/// A client with the rights of an operator: status, move, drain.
struct Operator {
  static constexpr std::string_view name = "operator";
  static void take(Core& core, Instant now, Actions& out, ClientRef client, const core::ClientMessage& request) {
    std::visit(
        [&]<class M>(const M& m) {
          if constexpr (requires { core.on(client, m, now, out); }) core.on(client, m, now, out);
        },
        request);
  }
};
struct Tick {
  static constexpr std::string_view name = "tick";
  static void take(Core& core, Instant now, Actions& out) { core.on_tick(now, out); }
};
struct ExpectNode {
  static constexpr std::string_view name = "expect node";
  static void take(Core& core, Instant, Actions&, core::NodeId node, const std::string& name_of_node) {
    core.expect_node(node, name_of_node);
  }
};
struct SetDraining {
  static constexpr std::string_view name = "set draining";
  static void take(Core& core, Instant now, Actions& out, bool draining, bool leave) { core.set_draining(draining, leave, now, out); }
};
/// Its part of the node's report: counters, streams owned.
struct Report {
  static constexpr std::string_view name = "report";
  static std::pair<core::NodeCounters, std::uint64_t> take(Core& core, Instant, Actions&) { return {core.counters(), core.streams()}; }
};

}  // namespace router

// -- Batcher ---------------------------------------------------------------------------------------------------------------------

namespace batcher {

using Core = sched::BatcherCore;
using Actions = Core::Actions;

template <class E>
concept Taken = requires(Core core, const E& e, Actions out) {
  core.on(e, Instant{}, out);
};
struct Message {
  static constexpr std::string_view name = "message";
  static void take(Core& core, Instant now, Actions& out, const core::Message& message) {
    std::visit(
        [&]<class M>(const M& m) {
          if constexpr (Taken<M>) core.on(m, now, out);
        },
        message);
  }
};
/// From this node's cache-manager: what a CacheCore says to a batcher.
struct Local {
  using Event = decltype(sched::CacheCore::Local::event);
  static constexpr std::string_view name = "local event";
  static void take(Core& core, Instant now, Actions& out, const Event& event) {
    std::visit([&](const auto& e) { core.on(e, now, out); }, event);
  }
};
struct StepDone {
  static constexpr std::string_view name = "step done";
  static void take(Core& core, Instant now, Actions& out, const core::StepResult& result) { core.on(result, now, out); }
};
struct WorkerFailed {
  static constexpr std::string_view name = "worker failed";
  static void take(Core& core, Instant now, Actions& out, const std::string& reason) { core.on_worker_failed(reason, now, out); }
};
struct WorkerReady {
  static constexpr std::string_view name = "worker ready";
  static void take(Core& core, Instant now, Actions& out) { core.on_worker_ready(now, out); }
};
struct OwnerGone {
  static constexpr std::string_view name = "owner gone";
  static void take(Core& core, Instant now, Actions& out, core::NodeId owner, core::Incarnation alive) {
    core.on_owner_gone(owner, alive, now, out);
  }
};
struct Tick {
  static constexpr std::string_view name = "tick";
  static void take(Core& core, Instant now, Actions& out) { core.on_tick(now, out); }
};
struct SetDraining {
  static constexpr std::string_view name = "set draining";
  static void take(Core& core, Instant, Actions&, bool draining) { core.set_draining(draining); }
};
struct Plan {
  static constexpr std::string_view name = "plan step";
  static std::optional<core::StepPlan> take(Core& core, Instant now, Actions& out) { return core.plan_step(now, out); }
};
/// Its part of the node's report `number`.
struct Report {
  static constexpr std::string_view name = "report";
  static std::pair<core::ReplicaReport, core::NodeCounters> take(Core& core, Instant now, Actions&, std::uint64_t number) {
    std::pair<core::ReplicaReport, core::NodeCounters> told{core.report(now), core.counters()};
    core.set_report_number(number);
    return told;
  }
};
/// Names for a full announcement.
struct Names {
  static constexpr std::string_view name = "names";
  static std::vector<core::BlockName> take(Core& core, Instant, Actions&) { return core.cached_names(); }
};

}  // namespace batcher

// -- Cache-manager ---------------------------------------------------------------------------------------------------------------

namespace cache {

using Core = sched::CacheCore;
using Actions = Core::Actions;

struct SetReplica {
  static constexpr std::string_view name = "set replica";
  static void take(Core& core, Instant, Actions&, std::uint32_t index, const core::ReplicaInfo& info) { core.set_replica(index, info); }
};
template <class E>
concept Taken = requires(Core core, const E& e, Actions out) {
  core.on(e, Instant{}, out);
};
/// From owners and other cache-managers. The bytes of pages are not logged; whether those that this message completed were what
/// their checksum says is (`damaged`), for a page that is damaged is asked for again.
struct Message {
  static constexpr std::string_view name = "message";
  static void take(Core& core, Instant now, Actions& out, const core::Message& message) {
    std::visit(
        [&]<class M>(const M& m) {
          if constexpr (Taken<M>) core.on(m, now, out);
        },
        message);
  }
  static bool damaged(const core::Message& message, const Core::Action& answer) {
    const auto* post = std::get_if<Core::Post>(&answer);
    return std::holds_alternative<core::PageFrame>(message) && post != nullptr && post->message &&
           std::holds_alternative<core::MissingPages>(*post->message);
  }
  /// The message as a replay gives it: pages without bytes are taken for whole ones, so a damaged one gets bytes that do not fit.
  static void make_damaged(core::Message& message) {
    auto* frame = std::get_if<core::PageFrame>(&message);
    if (frame == nullptr) return;
    constexpr auto unlike_a_page = std::byte{0xa5};
    frame->data = core::share(core::ByteVector(frame->data_bytes, unlike_a_page));
    frame->data_offset = 0;
  }
};
/// From a batcher of this node: what a BatcherCore says to the cache-manager.
struct Local {
  using Event = decltype(sched::BatcherCore::Local::event);
  static constexpr std::string_view name = "local event";
  static void take(Core& core, Instant now, Actions& out, const Event& event) {
    std::visit([&](const auto& e) { core.on(e, now, out); }, event);
  }
};
struct RowsRead {
  static constexpr std::string_view name = "rows read";
  static void take(Core& core, Instant now, Actions& out, const Core::RowsRead& read) { core.on(read, now, out); }
};
struct RowsWritten {
  static constexpr std::string_view name = "rows written";
  static void take(Core& core, Instant now, Actions& out, const Core::RowsWritten& written) { core.on(written, now, out); }
};
struct DeviceLost {
  static constexpr std::string_view name = "device lost";
  static void take(Core& core, Instant now, Actions& out, core::TransferId transfer, const std::string& reason) {
    core.on_device_lost(transfer, reason, now, out);
  }
};
struct Credit {
  static constexpr std::string_view name = "credit";
  static void take(Core& core, Instant now, Actions& out, core::NodeId peer, std::uint64_t bytes_in_flight) {
    core.on_credit(peer, bytes_in_flight, now, out);
  }
};
struct PeerGone {
  static constexpr std::string_view name = "peer gone";
  static void take(Core& core, Instant now, Actions& out, core::NodeId peer) { core.on_peer_gone(peer, now, out); }
};
struct Tick {
  static constexpr std::string_view name = "tick";
  static void take(Core& core, Instant now, Actions& out) { core.on_tick(now, out); }
};
struct Report {
  static constexpr std::string_view name = "report";
  static core::NodeCounters take(Core& core, Instant, Actions&) { return core.counters(); }
};

}  // namespace cache

// -- Link ------------------------------------------------------------------------------------------------------------------------

namespace link {

using Core = sched::LinkCore;
using Actions = Core::Actions;

struct Send {
  static constexpr std::string_view name = "send";
  static bool take(Core& core, Instant now, Actions& out, const core::MessagePtr& message) {
    return message != nullptr && core.send(message, now, out);
  }
};
struct Envelope {
  static constexpr std::string_view name = "envelope";
  static void take(Core& core, Instant now, Actions& out, const core::Envelope& envelope) { core.on(envelope, now, out); }
};
struct Consumed {
  static constexpr std::string_view name = "consumed";
  static void take(Core& core, Instant now, Actions& out, std::uint64_t bulk_bytes) { core.consumed(bulk_bytes, now, out); }
};
struct Tick {
  static constexpr std::string_view name = "tick";
  static void take(Core& core, Instant now, Actions& out) { core.on_tick(now, out); }
};
struct SetHello {
  static constexpr std::string_view name = "set hello";
  static void take(Core& core, Instant, Actions&, const core::Hello& hello) { core.set_hello(hello); }
};

}  // namespace link

// -- What a core is made from: a log begins with it ---------------------------------------------------------------------------------

struct RouterStart {
  core::NodeId self;
  std::string name;
  core::Incarnation incarnation;
  sched::RouterLimits limits;

  sched::RouterCore make() const { return {self, name, incarnation, limits}; }
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("self", s.self), v("name", s.name), v("incarnation", s.incarnation), v("limits", s.limits);
  }
};

struct BatcherStart {
  core::ReplicaRef self;
  core::Incarnation incarnation;
  core::ReplicaInfo info;
  sched::BatcherLimits limits;

  sched::BatcherCore make() const { return {self, incarnation, info, limits}; }
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("self", s.self), v("incarnation", s.incarnation), v("info", s.info), v("limits", s.limits);
  }
};

struct CacheStart {
  core::NodeId self;
  core::Incarnation incarnation;
  sched::CacheLimits limits;

  sched::CacheCore make() const { return {self, incarnation, limits}; }
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("self", s.self), v("incarnation", s.incarnation), v("limits", s.limits);
  }
};

struct LinkStart {
  core::NodeId self;
  core::Incarnation incarnation;
  core::NodeId peer;
  std::string peer_name;  ///< for people
  core::Hello hello;
  sched::LinkLimits limits;
  std::uint64_t session_seed = 0;

  sched::LinkCore make() const { return {self, incarnation, peer, hello, limits, session_seed}; }
  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("self", s.self), v("incarnation", s.incarnation), v("peer", s.peer), v("peer_name", s.peer_name);
    v("hello", s.hello), v("limits", s.limits), v("session_seed", s.session_seed);
  }
};

// -- The lists -------------------------------------------------------------------------------------------------------------------

template <class CoreType, class StartType, class... C>
struct CallList {
  using Core = CoreType;
  using Start = StartType;
  static constexpr std::size_t size = sizeof...(C);
  template <class Call>
  static constexpr std::size_t number_of() {
    constexpr bool same[] = {std::is_same_v<Call, C>...};
    for (std::size_t i = 0; i < size; ++i) {
      if (same[i]) return i;
    }
    return size;
  }
  /// Calls f.template operator()<Call>() for call `number`; false when there is none.
  template <class F>
  static bool with(std::uint64_t number, F&& f) {
    std::uint64_t at = 0;
    return ((at++ == number ? (f.template operator()<C>(), true) : false) || ...);
  }
  template <class F>
  static void each(F&& f) {
    (f.template operator()<C>(), ...);
  }
};

template <class Core>
struct CallsOf;
template <>
struct CallsOf<sched::RouterCore> : CallList<sched::RouterCore, RouterStart, router::Admit, router::Cancel, router::ClientGone,
                                             router::Message, router::PeerUp, router::PeerSuspect, router::PeerDown, router::Operator,
                                             router::Tick, router::ExpectNode, router::SetDraining, router::Report> {
  static constexpr std::string_view name = "router";
};
template <>
struct CallsOf<sched::BatcherCore> : CallList<sched::BatcherCore, BatcherStart, batcher::Message, batcher::Local, batcher::StepDone,
                                              batcher::WorkerFailed, batcher::WorkerReady, batcher::OwnerGone, batcher::Tick,
                                              batcher::SetDraining, batcher::Plan, batcher::Report, batcher::Names> {
  static constexpr std::string_view name = "batcher";
};
template <>
struct CallsOf<sched::CacheCore>
    : CallList<sched::CacheCore, CacheStart, cache::SetReplica, cache::Message, cache::Local, cache::RowsRead, cache::RowsWritten,
               cache::DeviceLost, cache::Credit, cache::PeerGone, cache::Tick, cache::Report> {
  static constexpr std::string_view name = "cache";
};
template <>
struct CallsOf<sched::LinkCore>
    : CallList<sched::LinkCore, LinkStart, link::Send, link::Envelope, link::Consumed, link::Tick, link::SetHello> {
  static constexpr std::string_view name = "link";
};

/// The cores in the order of their numbers in a log.
using AnyStart = std::variant<RouterStart, BatcherStart, CacheStart, LinkStart>;

/// Arguments and answer of a call, from its signature.
template <class F>
struct Signature;
template <class R, class Core, class... A>
struct Signature<R (*)(Core&, Instant, std::vector<typename Core::Action>&, A...)> {
  using Result = R;
  using Arguments = std::tuple<std::remove_cvref_t<A>...>;
};
template <class Call>
using SignatureOf = Signature<decltype(&Call::take)>;

}  // namespace spillway::decisions
