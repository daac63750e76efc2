#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "net/zmq_loop.h"
#include "net/zmq_socket.h"

namespace spillway::net {

/// A function that other threads may exchange while the loop calls it. The lock is held during the call, so that whoever exchanges
/// knows that the former one is not running; it is recursive for exchanges from within.
template <class F>
class Slot {
 public:
  void set(F function) {
    const std::lock_guard lock(mutex_);
    current_ = std::make_shared<const F>(std::move(function));
  }
  /// use(function) under the lock.
  template <class Use>
  auto with(Use&& use) {
    const std::lock_guard lock(mutex_);
    const auto kept = current_;
    return use(*kept);
  }

 private:
  std::recursive_mutex mutex_;
  std::shared_ptr<const F> current_ = std::make_shared<const F>();
};

/// The clients of a process, as the loop's thread sees them. Another thread calls `knows` alone.
class ZmqClients {
 public:
  using Count = std::function<void(std::uint64_t ZmqCounters::*)>;

  /// The prefix of user ids that the key check gives to clients; the public key follows.
  static constexpr std::string_view user_prefix = "c:";

  ZmqClients(const ZmqLoopOptions& options, ZmqSocket router, Count count);

  ZmqSocket& socket() { return router_; }
  Slot<ClientListener::Callbacks>& callbacks() { return callbacks_; }
  bool knows(ClientRef client) const;

  /// Reads at most `messages_max`. False when there may be more.
  bool on_readable(std::size_t messages_max, core::Instant now);
  void send(ClientRef client, const Frames& frames);
  void close(ClientRef client, std::string_view reason);
  /// Pings, and tells of the silent.
  void on_tick(core::Instant now);
  core::Instant next_tick() const { return next_ping_; }

 private:
  struct Client {
    ClientRef ref;
    std::string routing_id;
    std::string user;
    ClientIdentity identity;
    core::Instant heard;
  };

  void on_parts(core::Instant now);
  void on_stranger(const std::string& routing_id, const std::string& user, core::ClientMessage&& message, core::Instant now);
  void on_client(Client& client, core::ClientMessage&& message);
  core::Result<ClientIdentity> identify(const core::ClientHello& hello, const std::string& user) const;
  void deliver(const Client& client, core::ClientMessage&& message);
  void refuse(const std::string& routing_id, core::Errc code, const std::string& reason);
  SendResult send_to(const std::string& routing_id, const Frames& frames);
  /// Removes; on_gone is called.
  void gone(ClientRef client, std::string_view reason);

  const ZmqLoopOptions& options_;
  ZmqSocket router_;
  Count count_;
  Slot<ClientListener::Callbacks> callbacks_;
  std::map<std::uint64_t, Client> clients_;  // by ref
  std::map<std::string, std::uint64_t> by_routing_id_;
  mutable std::mutex known_mutex_;
  std::unordered_set<std::uint64_t> known_;  // the refs, for other threads
  std::uint64_t next_ref_ = 1;
  std::uint64_t next_ping_number_ = 1;
  core::Instant next_ping_{};
  std::vector<ZmqMessage> parts_;
};

}  // namespace spillway::net
