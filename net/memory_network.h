#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "net/client_connection.h"
#include "net/client_listener.h"
#include "net/transport.h"

namespace spillway::net {

/// What may happen to envelopes by chance. Parts per million, drawn per envelope from the seed.
struct LinkFaults {
  std::uint32_t loss_ppm = 0;
  std::uint32_t duplicate_ppm = 0;
  std::uint32_t reorder_ppm = 0;  ///< delivered up to `reorder_max` later than its turn; others pass it
  core::Duration delay_min{std::chrono::microseconds{100}};
  core::Duration delay_max{std::chrono::microseconds{300}};
  core::Duration reorder_max{std::chrono::milliseconds{20}};
  std::uint64_t bulk_bytes_per_second = 0;  ///< of each (sender, receiver); 0 = no limit
};

/// Which envelopes a scripted fault is about. Empty fields match all.
struct EnvelopeMatch {
  std::optional<core::NodeId> from = {};
  std::optional<core::NodeId> to = {};
  std::optional<core::EnvelopeKind> kind = {};
  std::optional<std::size_t> type = {};  ///< message_type<core::Handoff>; matches data envelopes only

  bool operator()(const core::Envelope& envelope) const;
};

/// Index of a message type in core::Message.
template <class M, std::size_t I = 0>
constexpr std::size_t message_type_index() {
  if constexpr (std::is_same_v<std::variant_alternative_t<I, core::Message>, M>) {
    return I;
  } else {
    return message_type_index<M, I + 1>();
  }
}
template <class M>
inline constexpr std::size_t message_type = message_type_index<M>();

enum class FaultAction : std::uint8_t {
  drop,
  delay,      ///< `delay` later than usual; later envelopes pass it
  duplicate,  ///< a second time, `delay` after the first
};

/// After `skip` matching envelopes, the next `count` suffer `action`. Every send counts as a match, resends and those that another
/// fault drops too.
struct ScriptedFault {
  EnvelopeMatch match;
  FaultAction action = FaultAction::drop;
  std::uint32_t skip = 0;
  std::uint32_t count = 1;
  core::Duration delay{0};
};

struct MemoryNetworkOptions {
  std::uint64_t seed = 1;
  LinkFaults faults;
  bool codec_round_trip = true;          ///< every message is encoded and decoded on its way, so tests cover the codec
  std::size_t in_flight_max = 1U << 20;  ///< envelopes; more are dropped and counted
  core::Duration client_delay{std::chrono::microseconds{200}};
};

struct MemoryNetworkCounters {
  std::uint64_t sent = 0;
  std::uint64_t delivered = 0;
  std::uint64_t lost = 0;        ///< by chance
  std::uint64_t duplicated = 0;  ///< by chance
  std::uint64_t reordered = 0;   ///< by chance
  std::uint64_t cut = 0;         ///< by a partition
  std::uint64_t scripted = 0;    ///< faults of scripts that struck
  std::uint64_t replayed = 0;
  std::uint64_t unreachable = 0;  ///< nobody attached, no receiver, or peer not named by set_peer
  std::uint64_t full = 0;
  std::uint64_t client_messages = 0;  ///< delivered, both ways
  std::array<std::uint64_t, core::message_types> delivered_by_type{};
};

/// A network in memory behind the same interfaces, with faults, in virtual time. One thread, no clock: nothing is delivered but
/// by deliver_due, and the same seed and calls give the same deliveries. On one (from, to, lane) order is kept unless a fault
/// breaks it. Clients' connections keep order and lose nothing, as TCP does; they end when a side does.
///
/// A test drives it so: `while (net.next_due() <= end) { now = net.next_due(); advance the clock; net.deliver_due(now); }`.
class MemoryNetwork {
 public:
  explicit MemoryNetwork(MemoryNetworkOptions options = {});
  ~MemoryNetwork();
  MemoryNetwork(const MemoryNetwork&) = delete;
  MemoryNetwork& operator=(const MemoryNetwork&) = delete;

  /// A node joins. Detached by the destruction or stop() of the result; a node attached again under the same id takes the place
  /// of the old one and gets what is still on its way. The network outlives what it gave out. set_peer is needed as in
  /// production; the address may be empty.
  std::unique_ptr<Transport> attach(core::NodeId node);
  /// The client listener of a node, as attach().
  std::unique_ptr<ClientListener> attach_listener(core::NodeId node);

  /// Connects to a node's listener. `options`: only `hello` is used. Rights: every tenant, operator. on_gone follows if nobody
  /// listens.
  std::unique_ptr<ClientConnection> connect_client(core::NodeId node, ClientConnectionOptions options,
                                                   ClientConnection::Callbacks callbacks);
  /// Both ends of all clients of a node are told that the other is gone: the node crashed, or the clients did.
  void break_clients(core::NodeId node);

  /// Delivers all that is due at or before `now`, in order of due time, then of sending; messages sent meanwhile count too.
  /// Returns how many. `now` never goes back; it is also the time at which the next sends happen.
  std::size_t deliver_due(core::Instant now);
  /// When the next delivery is due; core::never when nothing is on its way.
  core::Instant next_due() const;
  /// Moves the time of sending without delivering.
  void set_now(core::Instant now);

  void set_faults(const LinkFaults& faults);
  void set_faults(core::NodeId from, core::NodeId to, const LinkFaults& faults);

  /// Cuts or mends one direction; what is on its way is lost if the direction is cut when it is due.
  void set_cut(core::NodeId from, core::NodeId to, bool cut);
  /// Cuts a node off from all others, both ways or one.
  void isolate(core::NodeId node, bool incoming = true, bool outgoing = true);
  /// Mends every cut.
  void heal();

  /// Adds a scripted fault; the number finds its hits.
  std::size_t add_fault(const ScriptedFault& fault);
  std::uint32_t fault_hits(std::size_t fault) const;
  void clear_faults();

  /// Keeps copies of matching envelopes as they are sent, at most `count`.
  void capture(const EnvelopeMatch& match, std::size_t count = 1024);
  const std::vector<core::Envelope>& captured() const;
  /// Sends an envelope again as it is, past all faults.
  void replay(const core::Envelope& envelope, core::Duration delay = core::Duration{0});

  /// Sees every envelope as it is delivered, before the receiver.
  void set_observer(std::function<void(core::Instant, const core::Envelope&)> observer);

  const MemoryNetworkCounters& counters() const;
  std::size_t in_flight() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spillway::net
