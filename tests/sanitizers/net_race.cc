// Two network loops on loopback. `planted`: the receiver, on the loop's thread, writes a variable that the main thread writes
// too, and ThreadSanitizer must say so under the shipped suppressions. `clean`: the same traffic, counted by an atomic; it must
// stay silent.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "net/zmq_loop.h"

namespace {

using namespace spillway;

constexpr int envelopes_wanted = 200;
int planted_counter = 0;
std::atomic<int> received = 0;

std::unique_ptr<net::ZmqLoop> open_loop(const char* name) {
  net::ZmqLoopOptions options;
  options.self = core::node_id(name);
  options.name = name;
  options.bind = {"tcp://127.0.0.1:*", "tcp://127.0.0.1:*", "tcp://127.0.0.1:*"};
  auto loop = net::ZmqLoop::open(options);
  if (!loop) std::printf("%s\n", loop.error().message.c_str());
  return loop ? std::move(*loop) : nullptr;
}

}  // namespace

int main(int argc, char** argv) {
  const bool planted = argc > 1 && std::strcmp(argv[1], "planted") == 0;
  const auto left = open_loop("left");
  const auto right = open_loop("right");
  if (!left || !right) return 2;
  right->transport().set_receiver([planted](core::Envelope&&) {
    if (planted) ++planted_counter;
    ++received;
  });
  left->transport().set_receiver([](core::Envelope&&) {});
  left->transport().set_peer(core::node_id("right"), right->address());
  right->transport().set_peer(core::node_id("left"), left->address());
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (received < envelopes_wanted && std::chrono::steady_clock::now() < end) {
    core::Envelope envelope;
    envelope.from = core::node_id("left");
    envelope.to = core::node_id("right");
    envelope.incarnation = {1};
    envelope.session = 1;
    envelope.message = core::make_message(core::StatusAsk{1, core::node_id("left")});
    left->transport().send(std::move(envelope));
    if (planted) ++planted_counter;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  left->stop();
  right->stop();
  std::printf("%d envelopes received\n", received.load());
  return received >= envelopes_wanted ? 0 : 1;
}
