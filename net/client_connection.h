#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/client_messages.h"
#include "core/result.h"
#include "net/curve.h"

namespace spillway::net {

struct ClientConnectionOptions {
  std::string endpoint;     ///< "tcp://10.0.0.7:7403"
  std::string server_key;   ///< the node's CURVE public key, Z85; empty: without CURVE
  KeyPair keys;             ///< the client's own; empty with CURVE = a fresh pair (for clients that hold a token)
  core::ClientHello hello;  ///< sent first
  core::Duration connect_max{std::chrono::seconds{2}};  ///< longest time until the first message of the router
  core::Duration silence_max{std::chrono::seconds{2}};  ///< the router pings several times a second; longer silence = gone
  std::size_t message_bytes_max = 4U << 20;
};

/// The client's side of one connection to one router. It lives once: after on_gone make another, to the same router or the next.
/// Pings are answered inside.
class ClientConnection {
 public:
  struct Callbacks {
    /// The connection's thread; must not block. The first message is ServerHello, or Failed with a zero request id, which says
    /// why the router will not have this client.
    std::function<void(core::ClientMessage&&)> on_message;
    /// The connection's thread; once: refused, lost or silent. Errc::unavailable, timeout, unauthorized or incompatible.
    std::function<void(const core::Error&)> on_gone;
    /// The connection's thread, before it reads; may be empty. True: nothing is read for now. Signs of life go on, so the router
    /// does not take the client for dead; it does give it up when more waits there than it keeps for one client.
    std::function<bool()> full{};
  };

  /// Closes; when it returns no callback is running. Must not be called from a callback.
  virtual ~ClientConnection() = default;

  /// Any thread, never blocks. In order. False: gone, or more is queued than a slow connection can take.
  virtual bool send(core::ClientMessage message) = 0;
};

/// Over ZeroMQ, with a thread of its own. Error: bad_argument for an endpoint or key that cannot be; whether anybody listens there
/// is told by the callbacks.
core::Result<std::unique_ptr<ClientConnection>> connect_client(ClientConnectionOptions options, ClientConnection::Callbacks callbacks);

}  // namespace spillway::net
