// Two threads and a network loop between them. `planted`: the loop's thread and main write one variable without a lock, and
// ThreadSanitizer must say so under the suppressions that the tests run with. `clean`: the same traffic with nothing shared; it
// must stay silent, or the report would prove nothing. Built and run where SPILLWAY_SANITIZE holds `thread` only.
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <iostream>

#include "net/zmq_loop.h"

namespace {

long planted_counter = 0;  // neither atomic nor locked

}  // namespace

int main(int argc, char** argv) {
  const bool planted = argc > 1 && std::strcmp(argv[1], "planted") == 0;
  using namespace spillway;
  const auto open = [](const char* name) {
    net::ZmqLoopOptions options;
    options.self = core::node_id(name);
    options.bind = {"tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*"};
    return std::move(*net::ZmqLoop::open(std::move(options)));
  };
  std::atomic<bool> done{false};
  auto a = open("a");
  auto b = open("b");
  b->transport().set_receiver([&](core::Envelope&&) {
    if (planted) ++planted_counter;
    done.store(true, std::memory_order_relaxed);
  });
  a->transport().set_peer(core::node_id("b"), b->address());
  for (int i = 0; i < 1000 && !done.load(std::memory_order_relaxed); ++i) {
    core::Envelope envelope;
    envelope.kind = core::EnvelopeKind::heartbeat;
    envelope.from = core::node_id("a");
    envelope.to = core::node_id("b");
    a->transport().send(envelope);
    if (planted) ++planted_counter;
    ::usleep(10'000);
  }
  a->stop(), b->stop();
  std::cout << "received: " << done.load() << "\n";
  return done.load() ? 0 : 1;
}
