#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "net/client_listener.h"
#include "net/codec.h"
#include "net/curve.h"
#include "net/transport.h"

namespace spillway::net {

/// What a process listens on, and whom it lets in.
struct ZmqLoopOptions {
  core::NodeId self;
  std::string name;                             ///< of the node, for logs
  std::array<std::string, 3> bind;              ///< by core::Lane; "tcp://127.0.0.1:*" takes a free port. All empty: no other nodes
  std::string client_bind;                      ///< empty: no clients
  KeyPair keys;                                 ///< the node's own; empty: no CURVE, and every endpoint must be on loopback
  std::map<std::string, core::NodeId> nodes;    ///< by public key: who may open links. With CURVE only
  std::map<std::string, ClientRights> clients;  ///< by public key. With CURVE only
  std::map<std::string, ClientRights> tokens;   ///< by bearer secret; a client with a token may have any key
  std::size_t message_bytes_max = 4U << 20;     ///< header frame of any message
  std::size_t frame_bytes_max = 256U << 10;     ///< payload frame of the bulk lane
  std::array<int, 3> peer_messages_max{4096, 4096, 256};  ///< waiting in the socket of one peer, by lane; more are dropped
  int client_messages_max = 8192;                         ///< waiting in the socket of one client; more, and it is gone
  std::size_t queue_max = 65536;                          ///< handed over by other threads and not yet taken by the loop
  std::uint32_t clients_max = 1024;
  core::Duration client_ping_interval{std::chrono::milliseconds{250}};
  core::Duration client_silence_max{std::chrono::seconds{5}};
  core::Duration peer_reopen_after{std::chrono::seconds{2}};  ///< a peer that takes nothing for so long gets fresh connections
};

/// Counters since the start.
struct ZmqCounters {
  std::uint64_t sent = 0;             ///< envelopes handed to ZeroMQ
  std::uint64_t received = 0;         ///< envelopes handed to the receiver
  std::uint64_t dropped_full = 0;     ///< the peer's socket or the loop's queue was full, or the peer not connected
  std::uint64_t dropped_unknown = 0;  ///< no such peer
  std::uint64_t dropped_large = 0;    ///< larger than the limits of the options
  std::uint64_t dropped_unheard = 0;  ///< came while there was no receiver
  std::uint64_t bad_frames = 0;       ///< did not decode, from nodes and clients
  std::uint64_t misdirected = 0;      ///< for another node, or on another lane than it names
  std::uint64_t spoofed = 0;          ///< sender in the envelope is not the key's node
  std::uint64_t keys_refused = 0;
  std::uint64_t keys_accepted = 0;
  std::uint64_t peers_reopened = 0;
  std::uint64_t sockets_refused = 0;  ///< by the system, which has no descriptor left; tried again
  std::uint64_t client_messages_in = 0;
  std::uint64_t client_messages_out = 0;
  std::uint64_t clients_seen = 0;
  std::uint64_t clients_gone = 0;
  std::uint64_t clients_refused = 0;  ///< hello of another version, wrong token or tenant, no hello, too many clients
};

/// Every socket of a process, on one thread: one ROUTER per lane for what comes, one DEALER per (peer, lane) for what goes, one
/// ROUTER for clients. The bulk lane has its own I/O thread. Receivers and callbacks run on the loop's thread.
class ZmqLoop {
 public:
  /// Binds all endpoints and starts the thread; set_receiver and set_callbacks before peers and clients are told the endpoints, for
  /// what comes earlier is dropped. Error: io (an endpoint cannot be bound, named), bad_argument (an endpoint that is none, a bad
  /// key), unauthorized (off loopback without CURVE).
  static core::Result<std::unique_ptr<ZmqLoop>> open(ZmqLoopOptions options);
  /// Stops and joins.
  ~ZmqLoop();
  ZmqLoop(const ZmqLoop&) = delete;
  ZmqLoop& operator=(const ZmqLoop&) = delete;

  Transport& transport();
  ClientListener& clients();

  /// The endpoints as bound, real ports in place of '*', and the own public key: what others give to set_peer.
  PeerAddress address() const;
  std::string client_endpoint() const;

  /// Any thread.
  ZmqCounters counters() const;
  /// Ends the loop and closes all sockets. Any thread but the loop's own; twice is fine.
  void stop();

 private:
  struct Impl;
  explicit ZmqLoop(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace spillway::net
