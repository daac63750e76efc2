#pragma once

#include <array>
#include <functional>
#include <string>

#include "core/envelope.h"

namespace spillway::net {

/// Where a node listens, and who it is.
struct PeerAddress {
  std::array<std::string, 3> endpoints;  ///< by core::Lane: "tcp://10.0.0.7:7400" or "tcp://[fd00::7]:7400"
  std::string public_key;                ///< CURVE, 40 characters of Z85; empty: links without CURVE (loopback only)
  friend bool operator==(const PeerAddress&, const PeerAddress&) = default;
};

/// Carries envelopes between nodes and nothing more: no order between lanes, no resending, no acknowledgement. The link core does
/// those. An envelope that arrives was whole, decodes, came on the lane it names, is for this node and, with CURVE, was sent by
/// the holder of `from`'s key.
class Transport {
 public:
  using Receiver = std::function<void(core::Envelope&&)>;

  virtual ~Transport() = default;

  /// Any thread, never blocks. `envelope.to` must have been named by set_peer, `envelope.from` be this node. Dropped and counted
  /// when the peer is unknown, full or gone: the link core resends.
  virtual void send(core::Envelope envelope) = 0;

  /// Called for each envelope that arrives, on the one thread of the loop; it must not block. Any thread; an empty function
  /// drops what arrives. When the call returns the former receiver is not running (unless it is the caller).
  virtual void set_receiver(Receiver receiver) = 0;

  /// Names a peer or gives it another address or key, also at run time. Any thread.
  virtual void set_peer(core::NodeId peer, PeerAddress address) = 0;

  /// Ends sending and receiving. When the call returns the receiver is not running (unless it is the caller). Any thread, twice is fine.
  virtual void stop() = 0;
};

}  // namespace spillway::net
