#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/client_messages.h"
#include "core/messages.h"

namespace spillway::core {

/// First message of a link, and the answer to it. A peer of another protocol version is refused with both versions named.
struct Hello {
  std::uint16_t version = protocol_version;
  std::string build;
  std::string name;  ///< of the node
  std::vector<KvId> kv_ids;
  std::vector<std::uint32_t> numerics_ids;
  std::uint64_t features = known_features;
  std::uint32_t frame_bytes_max = 256 * 1024;
  std::uint64_t credit_bytes = 8U << 20;  ///< bulk bytes the sender of this Hello will take before it returns credit

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("version", s.version), v("build", s.build), v("name", s.name), v("kv_ids", s.kv_ids), v("numerics_ids", s.numerics_ids);
    v("features", s.features), v("frame_bytes_max", s.frame_bytes_max), v("credit_bytes", s.credit_bytes);
  }
  friend bool operator==(const Hello&, const Hello&) = default;
};

enum class EnvelopeKind : std::uint8_t {
  hello = 0,    ///< opens a session; repeated until welcomed
  welcome = 1,  ///< answer to hello; carries a Hello too
  data = 2,     ///< a Message
  ack = 3,      ///< nothing but the acknowledgement fields
  heartbeat = 4,
  refuse = 5,  ///< answer to a hello that cannot be served; `text` says why
};

/// What travels between two nodes. On the control and token lanes `sequence` counts data envelopes of this (session, lane) from
/// 1, and they are resent until acknowledged; on the bulk lane nothing is resent and `sequence` counts bytes (sched/link_core.h says
/// what it means in each kind of envelope). `acknowledged` and `credit` speak of the other direction.
struct Envelope {
  std::uint16_t version = protocol_version;
  EnvelopeKind kind = EnvelopeKind::data;
  Lane lane = Lane::control;
  NodeId from;
  NodeId to;
  Incarnation incarnation;     ///< of the sender
  Incarnation to_incarnation;  ///< of the receiver as the sender knows it; zero in a first hello
  std::uint64_t session = 0;   ///< chosen at random by the sender for each (peer incarnation); a new session starts at sequence 1
  std::uint64_t sequence = 0;
  std::uint64_t acknowledged[2] = {0, 0};  ///< highest in-order sequence received on control and token
  std::uint64_t credit = 0;  ///< bulk bytes consumed so far in the session (running total): the peer may have credit_bytes more in flight
  Hello hello;               ///< hello and welcome
  std::string text;          ///< refuse
  MessagePtr message;        ///< data

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("version", s.version), v("kind", s.kind), v("lane", s.lane), v("from", s.from), v("to", s.to);
    v("incarnation", s.incarnation), v("to_incarnation", s.to_incarnation), v("session", s.session), v("sequence", s.sequence);
    v("acknowledged", s.acknowledged), v("credit", s.credit), v("hello", s.hello), v("text", s.text), v("message", s.message);
  }
};

}  // namespace spillway::core
