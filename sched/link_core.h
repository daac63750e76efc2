#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/envelope.h"
#include "core/time.h"

namespace spillway::sched {

struct LinkLimits {
  core::Duration heartbeat{std::chrono::milliseconds(100)};
  core::Duration suspect_min{std::chrono::milliseconds(250)};  ///< never suspected before this much silence
  core::Duration dead_after{std::chrono::milliseconds(700)};   ///< silence after which the peer is dead
  std::uint32_t phi_suspect_tenths = 80;                       ///< phi-accrual threshold x 10, from a table of windowed intervals (no libm)
  core::Duration resend{std::chrono::milliseconds(50)};        ///< first resend; doubles up to resend_max
  core::Duration resend_max{std::chrono::milliseconds(400)};
  core::Duration hello_interval{std::chrono::milliseconds(100)};
  std::uint32_t unacked_messages_max = 65536;  ///< per lane; more is an overflow: the peer is treated as dead
  std::uint32_t reorder_max = 4096;            ///< out-of-order envelopes kept per lane
  std::uint64_t credit_bytes = 8U << 20;       ///< bulk bytes we let a peer have in flight towards us

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("heartbeat", s.heartbeat), v("suspect_min", s.suspect_min), v("dead_after", s.dead_after);
    v("phi_suspect_tenths", s.phi_suspect_tenths), v("resend", s.resend), v("resend_max", s.resend_max);
    v("hello_interval", s.hello_interval), v("unacked_messages_max", s.unacked_messages_max), v("reorder_max", s.reorder_max);
    v("credit_bytes", s.credit_bytes);
  }
};

/// One side of the link to one peer. Control and token lanes: in order, once, resent until acknowledged, within one session of
/// (our incarnation, peer incarnation). Bulk: unordered effort, bounded by the credit the peer grants. Pure.
///
/// Sequence numbers by kind of envelope. Data on control and token: 1, 2, ... Data on bulk: bytes of bulk sent in the session, this
/// envelope included (so what is lost shows as a gap, and its credit comes back); a heartbeat says the same total. Welcome: the
/// session of the hello it answers, which is what joins the two sessions.
///
/// A peer that shows another incarnation is a new process: the old one is dead at once (PeerDown for the old, then PeerUp). What was
/// queued for the old incarnation is dropped: cores hear of it through PeerDown and decide anew.
class LinkCore {
 public:
  struct Transmit {  ///< give to the transport
    core::Envelope envelope;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("envelope", s.envelope);
    }
  };
  struct Deliver {  ///< a message from the peer, in order on its lane
    core::MessagePtr message;
    std::uint64_t bulk_bytes = 0;  ///< bulk: call consumed(bulk_bytes) once the receiving core has taken it

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("message", s.message), v("bulk_bytes", s.bulk_bytes);
    }
  };
  struct PeerUp {
    core::NodeId peer;
    core::Incarnation incarnation;
    core::Hello hello;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("peer", s.peer), v("incarnation", s.incarnation), v("hello", s.hello);
    }
  };
  struct PeerSuspect {  ///< gets no new work
    core::NodeId peer;
    bool suspect = true;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("peer", s.peer), v("suspect", s.suspect);
    }
  };
  struct PeerDown {
    core::NodeId peer;
    core::Incarnation incarnation;
    std::string reason;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("peer", s.peer), v("incarnation", s.incarnation), v("reason", s.reason);
    }
  };
  struct BulkCredit {  ///< the peer consumed: bytes now in flight towards it
    core::NodeId peer;
    std::uint64_t bytes_in_flight = 0;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("peer", s.peer), v("bytes_in_flight", s.bytes_in_flight);
    }
  };
  struct Refused {  ///< the peer refuses us, or we it (versions named)
    core::NodeId peer;
    std::string reason;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("peer", s.peer), v("reason", s.reason);
    }
  };
  using Action = std::variant<Transmit, Deliver, PeerUp, PeerSuspect, PeerDown, BulkCredit, Refused>;
  using Actions = std::vector<Action>;

  /// `session_seed` makes session numbers: two sessions of one pair of incarnations never share one.
  LinkCore(core::NodeId self, core::Incarnation incarnation, core::NodeId peer, const core::Hello& hello, const LinkLimits& limits,
           std::uint64_t session_seed);
  ~LinkCore();
  LinkCore(LinkCore&&) noexcept;
  LinkCore& operator=(LinkCore&&) noexcept;

  /// Queue a message; sent at once when the peer is up. False (and dropped) while the peer is down: its death was or will be told.
  bool send(const core::MessagePtr& message, core::Instant now, Actions& out);
  void on(const core::Envelope& envelope, core::Instant now, Actions& out);
  /// Bulk bytes the receiving core has taken: credit returns to the peer.
  void consumed(std::uint64_t bulk_bytes, core::Instant now, Actions& out);
  void on_tick(core::Instant now, Actions& out);
  /// What Hello says from now on (models loaded since).
  void set_hello(const core::Hello& hello);

  core::Instant next_tick() const;
  bool up() const;
  bool suspect() const;
  std::size_t unacked() const;
  core::Incarnation peer_incarnation() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spillway::sched
