// A race on purpose, between the loop's thread and main: ThreadSanitizer must report it under the suppressions that the tests
// run with. Built and run where SPILLWAY_SANITIZE holds `thread` only.
#include <unistd.h>

#include <atomic>
#include <iostream>

#include "net/zmq_loop.h"

int main() {
  using namespace spillway;
  const auto open = [](const char* name) {
    net::ZmqLoopOptions options;
    options.self = core::node_id(name);
    options.bind = {"tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*"};
    return std::move(*net::ZmqLoop::open(std::move(options)));
  };
  long plain = 0;  // neither atomic nor locked
  std::atomic<bool> done{false};
  auto a = open("a");
  auto b = open("b");
  b->transport().set_receiver([&](core::Envelope&&) {
    ++plain;
    done.store(true, std::memory_order_relaxed);
  });
  a->transport().set_peer(core::node_id("b"), b->address());
  for (int i = 0; i < 1000 && !done.load(std::memory_order_relaxed); ++i) {
    core::Envelope envelope;
    envelope.kind = core::EnvelopeKind::heartbeat;
    envelope.from = core::node_id("a");
    envelope.to = core::node_id("b");
    a->transport().send(envelope);
    ++plain;
    ::usleep(10'000);
  }
  std::cout << "received: " << done.load() << "\n";
}
