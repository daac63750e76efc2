#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>

#include "core/client_messages.h"
#include "net/client_listener.h"

namespace spillway::actors {

/// Between the listener's thread and the router's mailbox, which has no end of its own: counts what each client has sent and the
/// router has not done with. Pure but for the counters, which tickets give back on any thread.
class ClientGate {
 public:
  struct Limits {
    std::uint32_t messages_max = 4096;      ///< of one client at once
    std::uint64_t bytes_max = 64ULL << 20;  ///< of the texts and tokens in them; one message always goes
    std::uint32_t cancels_max = 512;        ///< cancels are taken beyond `messages_max`, up to so many more
  };
  /// Held with the message until the router has done with it. Null: turned away.
  using Ticket = std::shared_ptr<const void>;

  explicit ClientGate(const Limits& limits) : limits_(limits) {}

  /// The listener's thread. A message that is turned away and has no answer leaves a client that should be closed.
  Ticket enter(net::ClientRef client, const core::ClientMessage& message);
  /// The listener's thread. Tickets of the client may outlive this.
  void gone(net::ClientRef client) { clients_.erase(client); }
  std::size_t clients() const { return clients_.size(); }

  /// What a client hears of a message that was turned away; nothing: such a message has no answer.
  static std::optional<core::ClientMessage> answer(const core::ClientMessage& message);

 private:
  struct Waiting {
    std::atomic<std::uint32_t> messages{0};
    std::atomic<std::uint64_t> bytes{0};
  };

  Limits limits_;
  std::map<net::ClientRef, std::shared_ptr<Waiting>> clients_;
};

}  // namespace spillway::actors
