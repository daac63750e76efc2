#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/client_messages.h"

namespace spillway::net {

/// One connection of one client, numbered from 1; never reused by a listener.
using ClientRef = core::Id<struct ClientRefTag>;

/// What a key or a token allows.
struct ClientRights {
  std::string name;                  ///< of the client or token, for logs
  std::vector<std::string> tenants;  ///< allowed; the first is the default. Empty = any (loopback without CURVE only)
  bool operator_rights = false;      ///< may ask for status, drain and move

  friend bool operator==(const ClientRights&, const ClientRights&) = default;
};

/// Who sent a message, already checked against the key or the token of the connection.
struct ClientIdentity {
  std::string name;    ///< of the key or token in the cluster file; "loopback" without CURVE
  std::string tenant;  ///< name: as wished for in ClientHello and allowed, else the first that is allowed
  bool operator_rights = false;

  friend bool operator==(const ClientIdentity&, const ClientIdentity&) = default;
};

/// The router's side of its clients. Pings, silence, keys, tokens and the version are dealt with here: the router sees a client's
/// ClientHello first (its token erased), then its other messages in order, never a Ping.
class ClientListener {
 public:
  struct Callbacks {
    /// Loop thread; must not block. The first message of a client is its ClientHello (answer it by ServerHello).
    std::function<void(ClientRef, const ClientIdentity&, core::ClientMessage&&)> on_message;
    /// Loop thread. Once for every client that was seen by on_message: closed, killed, silent for most of client_silence_max, or too slow
    /// to read what it is sent. Nothing of this client comes afterwards.
    std::function<void(ClientRef, std::string_view reason)> on_gone;
  };

  virtual ~ClientListener() = default;

  /// Any thread; when the call returns the former callbacks are not running (unless one of them is the caller).
  virtual void set_callbacks(Callbacks callbacks) = 0;

  /// Any thread, never blocks. Messages to one client arrive in the order of the calls, or the client is gone: nothing is lost in
  /// between. False: this client is gone (on_gone was or will be called).
  virtual bool send(ClientRef client, core::ClientMessagePtr message) = 0;

  /// Forget a client, on_gone is called for it. Any thread.
  virtual void close(ClientRef client, std::string_view reason) = 0;

  /// Ends all. When the call returns no callback is running (unless one of them is the caller). Any thread, twice is fine.
  virtual void stop() = 0;
};

}  // namespace spillway::net
