#include "tests/cluster/relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>

namespace spillway::tests {

namespace {

sockaddr_in loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  return address;
}

}  // namespace

Relay::Relay(int to_port) : to_port_(to_port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  auto address = loopback(0);
  BOOST_REQUIRE(::bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  BOOST_REQUIRE(::listen(listener_, 8) == 0);
  socklen_t size = sizeof address;
  BOOST_REQUIRE(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
  cut();
  for (const auto& [client, router] : pairs_) ::close(client), ::close(router);
  ::close(listener_);
}

void Relay::cut() {
  stopping_ = true;
  if (thread_.joinable()) thread_.join();
}

int Relay::open_at_client() const {
  int open = 0;
  for (const auto& [client, router] : pairs_) {
    pollfd end{client, POLLRDHUP, 0};
    open += ::poll(&end, 1, 0) == 0 ? 1 : 0;
  }
  return open;
}

void Relay::accept_one() {
  const int client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (client < 0) return;
  const int router = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const auto address = loopback(to_port_);
  if (::connect(router, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    ::close(client), ::close(router);
    return;
  }
  pairs_.emplace_back(client, router);
}

/// What waits at `from`; false at its end.
bool Relay::carry(int from, int to) {
  std::array<char, 16384> bytes{};
  const auto got = ::recv(from, bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got <= 0) return false;
  for (ssize_t sent = 0; sent < got;) {
    const auto more = ::send(to, bytes.data() + sent, static_cast<std::size_t>(got - sent), MSG_NOSIGNAL);
    if (more <= 0) return false;
    sent += more;
  }
  carried_ += static_cast<std::uint64_t>(got);
  return true;
}

void Relay::run() {
  while (!stopping_) {
    std::vector<pollfd> waiting{{listener_, POLLIN, 0}};
    for (const auto& [client, router] : pairs_) {
      waiting.push_back({client, POLLIN, 0});
      waiting.push_back({router, POLLIN, 0});
    }
    if (::poll(waiting.data(), waiting.size(), 20) <= 0) continue;
    std::vector<std::pair<int, int>> left;
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const auto [client, router] = pairs_[i];
      bool open = true;
      if (waiting[2 * i + 1].revents != 0) open = carry(client, router);
      if (open && waiting[2 * i + 2].revents != 0) open = carry(router, client);
      if (open) {
        left.emplace_back(client, router);
      } else {
        ::close(client), ::close(router);
      }
    }
    pairs_ = std::move(left);
    if (waiting[0].revents != 0) accept_one();
  }
}

}  // namespace spillway::tests
