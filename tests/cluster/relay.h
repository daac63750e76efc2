#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>
#include <vector>

namespace spillway::tests {

/// Carries TCP connections between a port of its own on loopback and another one, until it is told to carry nothing: then both
/// ends stay open and hear no more, like those of a cable that was cut.
class Relay {
 public:
  explicit Relay(int to_port);
  ~Relay();
  Relay(const Relay&) = delete;
  Relay& operator=(const Relay&) = delete;

  int port() const { return port_; }
  /// From its return on nothing flows and nothing is accepted or closed.
  void cut();
  /// Bytes carried in both directions.
  std::uint64_t carried() const { return carried_; }
  /// Connections from clients that are open at the client's end. After cut() only.
  int open_at_client() const;

 private:
  void run();
  void accept_one();
  bool carry(int from, int to);

  int to_port_;
  int port_ = 0;
  int listener_ = -1;
  std::vector<std::pair<int, int>> pairs_;  // client's end, router's end; of the thread while it runs
  std::atomic<bool> stopping_{false};
  std::atomic<std::uint64_t> carried_{0};
  std::thread thread_;
};

}  // namespace spillway::tests
