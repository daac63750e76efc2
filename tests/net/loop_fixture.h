#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/zmq_loop.h"

namespace spillway::net::test {

/// Waits until `condition` holds; false when it does not in `longest`. Generous: it only decides how long a failure takes.
template <class Condition>
bool eventually(Condition&& condition, std::chrono::milliseconds longest = std::chrono::seconds(20)) {
  const auto end = std::chrono::steady_clock::now() + longest;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

/// While it lives the process gets no new file descriptor.
class NoDescriptors {
 public:
  NoDescriptors() {
    BOOST_REQUIRE(::getrlimit(RLIMIT_NOFILE, &before_) == 0);
    const int lowest = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    BOOST_REQUIRE(lowest >= 0);
    ::close(lowest);
    const rlimit none{static_cast<rlim_t>(lowest), before_.rlim_max};
    BOOST_REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
  NoDescriptors(const NoDescriptors&) = delete;
  NoDescriptors& operator=(const NoDescriptors&) = delete;

 private:
  rlimit before_{};
};

struct NodeOptions {
  std::array<std::string, 3> bind{"tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*"};
  KeyPair keys = {};
  std::map<std::string, core::NodeId> nodes = {};
  std::map<std::string, ClientRights> client_keys = {};
  std::map<std::string, ClientRights> tokens = {};
  int peer_messages_max = 4096;
  bool clients = false;
  core::Duration client_silence_max = std::chrono::seconds{5};
  std::uint32_t clients_max = 64;
  core::Duration peer_reopen_after = std::chrono::seconds{2};
};

/// Sequence of envelopes that only find out whether a connection stands. A late one may come at any time, so they are counted
/// apart.
inline constexpr std::uint64_t greeting_sequence = 0x6e5c'3a1d'9f04'77b2;

/// A loop that keeps what it receives.
struct Node {
  explicit Node(const std::string& name, const NodeOptions& given = {}) : id(core::node_id(name)) {
    ZmqLoopOptions options;
    options.self = id;
    options.name = name;
    options.bind = given.bind;
    if (given.clients) options.client_bind = "tcp://127.0.0.1:*";
    options.keys = given.keys;
    options.nodes = given.nodes;
    options.clients = given.client_keys;
    options.tokens = given.tokens;
    options.peer_messages_max.fill(given.peer_messages_max);
    options.client_silence_max = given.client_silence_max;
    options.clients_max = given.clients_max;
    options.peer_reopen_after = given.peer_reopen_after;
    auto opened = ZmqLoop::open(std::move(options));
    BOOST_REQUIRE_MESSAGE(opened, (opened ? "" : opened.error().message));
    loop = std::move(*opened);
    loop->transport().set_receiver([this](core::Envelope&& e) {
      const std::lock_guard lock(mutex);
      if (e.sequence == greeting_sequence) return static_cast<void>(++greetings_heard);
      received.push_back(std::move(e));
    });
  }
  ~Node() { loop->stop(); }

  void meet(const Node& other) { loop->transport().set_peer(other.id, other.loop->address()); }
  std::size_t count() {
    const std::lock_guard lock(mutex);
    return received.size();
  }
  std::size_t greetings() {
    const std::lock_guard lock(mutex);
    return greetings_heard;
  }
  void clear() {
    const std::lock_guard lock(mutex);
    received.clear();
  }
  core::Envelope first() {
    const std::lock_guard lock(mutex);
    return received.at(0);
  }
  std::vector<std::uint64_t> sequences() {
    const std::lock_guard lock(mutex);
    std::vector<std::uint64_t> all;
    for (const auto& e : received) all.push_back(e.sequence);
    return all;
  }

  core::NodeId id;
  std::mutex mutex;
  std::vector<core::Envelope> received;
  std::size_t greetings_heard = 0;
  std::unique_ptr<ZmqLoop> loop;
};

}  // namespace spillway::net::test
