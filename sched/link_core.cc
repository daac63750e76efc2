#include "sched/link_core.h"

#include <algorithm>
#include <deque>

#include "core/assert.h"
#include "sched/link_lane.h"
#include "sched/suspicion.h"

namespace spillway::sched {

using core::Duration;
using core::Envelope;
using core::EnvelopeKind;
using core::Incarnation;
using core::Instant;
using core::Lane;
using core::MessagePtr;

namespace {

constexpr std::size_t superseded_max = 64;  // dead incarnations of the peer that are remembered
constexpr std::size_t known_max = 8;        // incarnations that have shown themselves
constexpr std::uint32_t ack_every = 32;     // messages received before an ack is sent without waiting
constexpr std::uint64_t frame_header_bytes = 128;
constexpr int refused_slowdown = 10;  // hellos to a peer that refused us are this much rarer
constexpr Duration bulk_lost_after = std::chrono::seconds(1);
// Credits of bulk that may wait to be consumed: one, and one more for what was given up as lost and came late after all.
constexpr std::uint64_t unconsumed_credits_max = 2;

std::size_t index(Lane lane) {
  return static_cast<std::size_t>(lane);
}

std::uint64_t bulk_size(const core::Message& message) {
  const auto* frame = std::get_if<core::PageFrame>(&message);
  return frame_header_bytes + (frame == nullptr ? 0 : frame->data_bytes);
}

/// What is known of one incarnation of the peer. Session numbers of one process only grow.
struct Known {
  Incarnation incarnation;
  std::uint64_t seen = 0;   ///< its highest session number
  std::uint64_t ended = 0;  ///< its session we were up with last: never again
  bool greeted = false;     ///< `hello` is known
  core::Hello hello;
};

/// A session number of ours, and the peer's session we answered in it: the only one that may be bound to it unasked.
struct Offer {
  std::uint64_t mine = 0;
  Incarnation to;  ///< zero: nobody was answered yet
  std::uint64_t session = 0;
};

}  // namespace

/// How two sides agree on a pair of sessions. A side binds its session to the peer's when the peer answers it: by a Welcome that
/// repeats our session number (in `sequence`), or, once we have answered the peer, by anything else that only a bound peer sends.
/// Each number is bound at most once: whoever ends a session, or hears a hello of another session than the one answered, takes a
/// new number. So an acknowledgement can never be about another session than the one it reaches, and envelopes replayed from the
/// past harm nobody. Another incarnation takes over once it has answered us; the old one is dead then and never listened to again.
struct LinkCore::State {
  core::NodeId self;
  Incarnation incarnation;
  core::NodeId node;
  core::Hello hello;
  LinkLimits limits;
  std::uint64_t next_session;

  std::deque<Known> known;
  std::deque<Incarnation> superseded;
  bool is_up = false;
  Incarnation peer;         // the one we are up with, or were last
  std::uint64_t bound = 0;  // its session
  core::Hello peer_hello;
  Offer offer;      // up: of the session; down: of the next one
  Offer candidate;  // up: to another incarnation that greets us (mine zero: none)
  bool is_suspect = false;
  Instant hello_at{};  // next hello while down
  Instant refused_until{};
  std::string refused_told;

  // Of the session.
  LinkLane lanes[2];
  std::vector<LinkLane::Due> due;    // scratch
  std::vector<MessagePtr> in_order;  // scratch
  Instant heard{};
  Instant forgiven = core::never;  ///< value of `heard` that owes itself to forgiveness
  Instant beat{};                  // last heartbeat received
  bool beaten = false;
  Suspicion suspicion;
  Instant heartbeat_at = core::never;
  Instant ack_at = core::never;
  std::uint32_t unanswered = 0;  // messages received since our last envelope
  // Bulk out: sequence of a bulk envelope = bytes sent in the session, itself included; so losses show as gaps.
  std::uint64_t bulk_sent = 0;
  std::uint64_t bulk_credited = 0;
  std::uint64_t bulk_queued_bytes = 0;
  std::deque<MessagePtr> bulk_queue;
  // Bulk in.
  std::uint64_t bulk_high = 0;
  std::uint64_t bulk_unconsumed = 0;
  std::uint64_t bulk_told = 0;
  std::uint64_t bulk_mark = 0;         // what the peer said it had sent ...
  Instant bulk_mark_at = core::never;  // ... a while ago: what has not come by then is lost

  State(core::NodeId self_node, Incarnation self_incarnation, core::NodeId peer_node, const core::Hello& our_hello,
        const LinkLimits& link_limits, std::uint64_t session_seed)
      : self(self_node),
        incarnation(self_incarnation),
        node(peer_node),
        hello(our_hello),
        limits(link_limits),
        next_session((session_seed >> 16) + 1),
        lanes{lane(), lane()},
        suspicion(limits.phi_suspect_tenths, limits.heartbeat) {
    hello.credit_bytes = limits.credit_bytes;
    offer.mine = next_session++;
  }

  LinkLane lane() const { return {limits.resend, limits.resend_max, limits.reorder_max}; }

  // -- sending -------------------------------------------------------------------------------------------------------------------

  Envelope envelope(EnvelopeKind kind, Incarnation to, std::uint64_t session) const {
    Envelope e;
    e.kind = kind;
    e.from = self;
    e.to = node;
    e.incarnation = incarnation;
    e.to_incarnation = to;
    e.session = session;
    return e;
  }

  /// An envelope of the session: with acknowledgements, so nothing else has to carry them.
  Envelope session_envelope(EnvelopeKind kind) {
    auto e = envelope(kind, peer, offer.mine);
    e.acknowledged[0] = lanes[0].received();
    e.acknowledged[1] = lanes[1].received();
    e.credit = credit();
    bulk_told = e.credit;
    ack_at = core::never;
    unanswered = 0;
    return e;
  }

  std::uint64_t credit() const { return std::max(bulk_told, bulk_high - std::min(bulk_high, bulk_unconsumed)); }

  void transmit(Envelope&& e, Actions& out) const { out.emplace_back(Transmit{std::move(e)}); }

  void say_hello(Instant now, Actions& out) {
    auto e = envelope(EnvelopeKind::hello, peer, offer.mine);
    e.hello = hello;
    transmit(std::move(e), out);
    hello_at = now + limits.hello_interval * (now < refused_until ? refused_slowdown : 1);
  }

  void say_welcome(Offer& with, const Known& to, Actions& out) {
    with.to = to.incarnation;
    with.session = to.seen;
    auto e = envelope(EnvelopeKind::welcome, to.incarnation, with.mine);
    e.sequence = to.seen;
    e.hello = hello;
    transmit(std::move(e), out);
  }

  void send_bulk(const MessagePtr& message, Actions& out) {
    auto e = session_envelope(EnvelopeKind::data);
    e.lane = Lane::bulk;
    bulk_sent += bulk_size(*message);
    e.sequence = bulk_sent;
    e.message = message;
    transmit(std::move(e), out);
  }

  bool bulk_fits(std::uint64_t bytes) const {
    const auto in_flight = bulk_sent - bulk_credited;
    return in_flight == 0 || in_flight + bytes <= peer_hello.credit_bytes;
  }

  void flush_bulk(Actions& out) {
    while (!bulk_queue.empty() && bulk_fits(bulk_size(*bulk_queue.front()))) {
      bulk_queued_bytes -= bulk_size(*bulk_queue.front());
      send_bulk(bulk_queue.front(), out);
      bulk_queue.pop_front();
    }
  }

  bool send(const MessagePtr& message, Instant now, Actions& out) {
    if (!is_up) return false;
    const auto lane_of = core::traits(*message).lane;
    if (lane_of == Lane::bulk) {
      if (bulk_queue.size() >= limits.unacked_messages_max) {
        go_down("more than " + std::to_string(limits.unacked_messages_max) + " bulk messages without credit", now, out);
        return false;
      }
      bulk_queued_bytes += bulk_size(*message);
      bulk_queue.push_back(message);
      flush_bulk(out);
      return true;
    }
    auto& l = lanes[index(lane_of)];
    if (l.unacked() >= limits.unacked_messages_max) {
      go_down("more than " + std::to_string(limits.unacked_messages_max) + " messages unacknowledged", now, out);
      return false;
    }
    auto e = session_envelope(EnvelopeKind::data);
    e.lane = lane_of;
    e.sequence = l.send(message, now);
    e.message = message;
    transmit(std::move(e), out);
    return true;
  }

  // -- sessions ------------------------------------------------------------------------------------------------------------------

  void clear_session() {
    lanes[0] = lane();
    lanes[1] = lane();
    bulk_sent = bulk_credited = bulk_queued_bytes = bulk_high = bulk_unconsumed = bulk_told = bulk_mark = 0;
    bulk_mark_at = core::never;
    bulk_queue.clear();
    heartbeat_at = ack_at = core::never;
    unanswered = 0;
    is_suspect = false;
    beaten = false;
  }

  void renew() { offer = {.mine = next_session++, .to = {}, .session = 0}; }

  void go_down(const std::string& reason, Instant now, Actions& out) {
    SPILLWAY_ASSERT(is_up);
    is_up = false;
    clear_session();
    if (auto* k = find_known(peer)) k->ended = bound;
    renew();
    candidate = {};
    hello_at = now;
    out.emplace_back(PeerDown{node, peer, reason});
  }

  void bind(const Known& k, Offer with, Instant now, Actions& out) {
    if (is_up) go_down("the peer restarted: it shows another incarnation", now, out);
    if (peer && peer != k.incarnation) {
      if (superseded.size() == superseded_max) superseded.pop_front();
      superseded.push_back(peer);
    }
    offer = with;
    candidate = {};
    peer = k.incarnation;
    peer_hello = k.hello;
    bound = k.seen;
    is_up = true;
    clear_session();
    suspicion = Suspicion(limits.phi_suspect_tenths, limits.heartbeat);
    heard = now;
    heartbeat_at = now;
    refused_until = {};
    out.emplace_back(PeerUp{node, peer, peer_hello});
  }

  Known* find_known(Incarnation who) {
    for (auto& k : known) {
      if (k.incarnation == who) return &k;
    }
    return nullptr;
  }

  /// The incarnation that `e` comes from; nullptr: a dead one.
  Known* known_of(const Envelope& e) {
    if (!e.incarnation || std::find(superseded.begin(), superseded.end(), e.incarnation) != superseded.end()) return nullptr;
    if (auto* k = find_known(e.incarnation)) return k;
    if (known.size() == known_max) known.erase(known.begin() + (known.front().incarnation == peer ? 1 : 0));
    known.push_back({.incarnation = e.incarnation, .seen = 0, .ended = 0, .greeted = false, .hello = {}});
    return &known.back();
  }

  /// Takes note of the peer's session. False: an old one, nothing in it counts.
  bool note_session(Known& k, std::uint64_t session, Instant now, Actions& out) {
    if (session < k.seen) return false;
    if (session > k.seen && is_up && k.incarnation == peer) go_down("the peer began a new session", now, out);
    k.seen = session;
    return session > k.ended;  // else it has not heard that we ended this one; our hello will tell
  }

  void take_hello(const Known& k, Instant now, Actions& out) {
    if (is_up && k.incarnation == peer) return say_welcome(offer, k, out);
    if (is_up) {
      if (candidate.to != k.incarnation || candidate.session != k.seen) candidate = {.mine = next_session++, .to = {}, .session = 0};
      return say_welcome(candidate, k, out);
    }
    if (offer.to && (offer.to != k.incarnation || offer.session != k.seen)) {
      renew();
      return say_hello(now, out);
    }
    say_welcome(offer, k, out);
  }

  /// Anything but a hello, from a peer we are not up with: is it the answer that binds?
  void try_bind(const Envelope& e, const Known& k, Instant now, Actions& out) {
    const auto& with = is_up ? candidate : offer;
    if (with.mine == 0 || !k.greeted) return;
    const bool answers = e.kind == EnvelopeKind::welcome ? e.sequence == with.mine : with.to == k.incarnation && with.session == k.seen;
    if (answers) bind(k, with, now, out);
  }

  void refuse_version(const Envelope& e, Actions& out) {
    const auto theirs = e.version != core::protocol_version ? e.version : e.hello.version;
    const std::string text = "protocol version " + std::to_string(theirs) + " of the peer and version " +
                             std::to_string(core::protocol_version) + " of this node do not match";
    auto refusal = envelope(EnvelopeKind::refuse, e.incarnation, offer.mine);
    refusal.text = text;
    transmit(std::move(refusal), out);
    tell_refused(text, out);
  }

  void tell_refused(const std::string& text, Actions& out) {
    if (text == refused_told) return;
    refused_told = text;
    out.emplace_back(Refused{node, text});
  }

  // -- receiving -----------------------------------------------------------------------------------------------------------------

  void on(const Envelope& e, Instant now, Actions& out) {
    if (e.from != node || e.to != self) return;
    const bool greets = e.kind == EnvelopeKind::hello || e.kind == EnvelopeKind::welcome;
    if (e.kind == EnvelopeKind::refuse) {
      if (e.to_incarnation != incarnation || is_up) return;
      refused_until = now + limits.hello_interval * (2 * refused_slowdown);
      return tell_refused(e.text, out);
    }
    if (e.version != core::protocol_version || (greets && e.hello.version != core::protocol_version)) {
      if (greets) refuse_version(e, out);
      return;
    }
    if (e.kind != EnvelopeKind::hello && e.to_incarnation != incarnation) return;  // meant for the process before this one
    Known* k = known_of(e);
    if (k == nullptr || !note_session(*k, e.session, now, out)) return;
    if (greets) {
      k->hello = e.hello;
      k->greeted = true;
    }
    if (e.kind == EnvelopeKind::hello) return take_hello(*k, now, out);
    if (!is_up || k->incarnation != peer) try_bind(e, *k, now, out);
    if (is_up && k->incarnation == peer) take(e, now, out);
  }

  void take(const Envelope& e, Instant now, Actions& out) {
    heard = now;
    if (is_suspect) {
      is_suspect = false;
      out.emplace_back(PeerSuspect{node, false});
    }
    if (e.kind == EnvelopeKind::welcome) return;
    lanes[0].acknowledge(e.acknowledged[0], now);
    lanes[1].acknowledge(e.acknowledged[1], now);
    if (e.credit > bulk_credited && e.credit <= bulk_sent) {
      bulk_credited = e.credit;
      flush_bulk(out);
      out.emplace_back(BulkCredit{node, bulk_in_flight()});
    }
    if (e.kind == EnvelopeKind::heartbeat) {
      if (beaten) suspicion.add(now - beat);
      beaten = true;
      beat = now;
      const auto said = std::min(e.sequence, bulk_ceiling());
      if (bulk_mark_at == core::never && said > bulk_high) {
        bulk_mark = said;
        bulk_mark_at = now + bulk_lost_after;
      }
    }
    if (e.kind == EnvelopeKind::data && e.message) take_message(e, now, out);
  }

  std::uint64_t bulk_in_flight() const { return bulk_sent - bulk_credited + bulk_queued_bytes; }

  /// The most that a peer has sent that keeps to the credit it was told; one frame may go alone whatever its size. What it says
  /// beyond this is not believed: it would get back credit for bytes that it never sent.
  std::uint64_t bulk_ceiling() const {
    return bulk_told + std::max<std::uint64_t>(limits.credit_bytes, frame_header_bytes + hello.frame_bytes_max);
  }

  void take_message(const Envelope& e, Instant now, Actions& out) {
    ack_at = std::min(ack_at, now + limits.resend / 4);
    if (core::traits(*e.message).lane != e.lane) return;
    if (e.lane == Lane::bulk) {
      const auto bytes = bulk_size(*e.message);
      bulk_high = std::max(bulk_high, std::min(e.sequence, bulk_ceiling()));
      // From a peer that does not keep to its credit: as good as lost, and asked for again.
      if (bulk_unconsumed != 0 && bulk_unconsumed + bytes > unconsumed_credits_max * limits.credit_bytes) return;
      bulk_unconsumed += bytes;
      out.emplace_back(Deliver{e.message, bytes});
      return;
    }
    in_order.clear();
    lanes[index(e.lane)].receive(e.sequence, e.message, in_order);
    for (auto& message : in_order) out.emplace_back(Deliver{std::move(message), 0});
    if (++unanswered >= ack_every) transmit(session_envelope(EnvelopeKind::ack), out);
  }

  void consumed(std::uint64_t bytes, Instant now, Actions& out) {
    bulk_unconsumed -= std::min(bulk_unconsumed, bytes);  // of an earlier session: nothing to return
    if (!is_up || credit() == bulk_told) return;
    if (credit() - bulk_told >= limits.credit_bytes / 8) {
      transmit(session_envelope(EnvelopeKind::ack), out);
    } else {
      ack_at = std::min(ack_at, now + limits.resend / 4);
    }
  }

  // -- time ----------------------------------------------------------------------------------------------------------------------

  Instant suspect_time() const { return heard + std::max(limits.suspect_min, suspicion.silence_max()); }

  /// A tick that comes late: it is this node that was silent (stopped, or starved of its processor), and what the peer said meanwhile
  /// waits behind the tick. So half of the silence is forgiven, once until the peer is heard again.
  void forgive_own_silence(Instant now) {
    if (!is_up || heard == forgiven || now < next_tick() + limits.dead_after / 4) return;
    heard = forgiven = std::max(heard, now - limits.dead_after / 2);
  }

  void on_tick(Instant now, Actions& out) {
    forgive_own_silence(now);
    if (is_up && now >= heard + limits.dead_after)
      go_down("silent for " + std::to_string((now - heard) / std::chrono::milliseconds(1)) + " ms", now, out);
    if (!is_up) {
      if (now >= hello_at) say_hello(now, out);
      return;
    }
    if (!is_suspect && now >= suspect_time()) {
      is_suspect = true;
      out.emplace_back(PeerSuspect{node, true});
    }
    for (const auto lane_of : {Lane::control, Lane::token}) {
      due.clear();
      lanes[index(lane_of)].collect_due(now, due);
      for (const auto& [sequence, message] : due) {
        auto e = session_envelope(EnvelopeKind::data);
        e.lane = lane_of;
        e.sequence = sequence;
        e.message = message;
        transmit(std::move(e), out);
      }
    }
    if (now >= bulk_mark_at) {
      bulk_high = std::max(bulk_high, bulk_mark);
      bulk_mark_at = core::never;
      if (credit() != bulk_told) ack_at = now;
    }
    if (now >= heartbeat_at) {
      auto e = session_envelope(EnvelopeKind::heartbeat);
      e.sequence = bulk_sent;
      transmit(std::move(e), out);
      heartbeat_at = now + limits.heartbeat;
    }
    if (now >= ack_at) transmit(session_envelope(EnvelopeKind::ack), out);
  }

  Instant next_tick() const {
    if (!is_up) return hello_at;
    Instant next =
        std::min({heard + limits.dead_after, lanes[0].next_resend(), lanes[1].next_resend(), heartbeat_at, ack_at, bulk_mark_at});
    if (!is_suspect) next = std::min(next, suspect_time());
    return next;
  }
};

LinkCore::LinkCore(core::NodeId self, Incarnation incarnation, core::NodeId peer, const core::Hello& hello, const LinkLimits& limits,
                   std::uint64_t session_seed)
    : state_(std::make_unique<State>(self, incarnation, peer, hello, limits, session_seed)) {}
LinkCore::~LinkCore() = default;
LinkCore::LinkCore(LinkCore&&) noexcept = default;
LinkCore& LinkCore::operator=(LinkCore&&) noexcept = default;

bool LinkCore::send(const MessagePtr& message, Instant now, Actions& out) {
  return state_->send(message, now, out);
}
void LinkCore::on(const Envelope& envelope, Instant now, Actions& out) {
  state_->on(envelope, now, out);
}
void LinkCore::consumed(std::uint64_t bulk_bytes, Instant now, Actions& out) {
  state_->consumed(bulk_bytes, now, out);
}
void LinkCore::on_tick(Instant now, Actions& out) {
  state_->on_tick(now, out);
}
void LinkCore::set_hello(const core::Hello& hello) {
  state_->hello = hello;
  state_->hello.credit_bytes = state_->limits.credit_bytes;
}
Instant LinkCore::next_tick() const {
  return state_->next_tick();
}
bool LinkCore::up() const {
  return state_->is_up;
}
bool LinkCore::suspect() const {
  return state_->is_suspect;
}
std::size_t LinkCore::unacked() const {
  return state_->lanes[0].unacked() + state_->lanes[1].unacked();
}
Incarnation LinkCore::peer_incarnation() const {
  return state_->peer;
}

}  // namespace spillway::sched
