// Cost of the wire: encoding and decoding of what travels most, and the time from one loop's send to another's receiver over
// TCP on loopback. Prints figures and decides nothing.
//
//   bench_wire [--rounds N]

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "net/codec.h"
#include "net/zmq_loop.h"

namespace {

using namespace spillway;
using Clock = std::chrono::steady_clock;

double us_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

/// One step of a batcher: `streams` streams, one token each, `top` alternatives with each token.
core::Envelope tokens_of_a_step(std::uint32_t streams, std::uint32_t top) {
  core::Tokens tokens;
  for (std::uint32_t i = 0; i < streams; ++i) {
    core::TokenRun run;
    run.key = {{7}, {{1, i}}};
    run.epoch = {{3}, 1};
    run.first_index = 40;
    core::TokenOut out;
    out.token = static_cast<core::TokenId>(1000 + i);
    out.logprob = -1.5F;
    for (std::uint32_t k = 0; k < top; ++k) out.top.emplace_back(k, -2.0F);
    run.tokens.push_back(out);
    tokens.runs.push_back(std::move(run));
  }
  core::Envelope envelope;
  envelope.lane = core::Lane::token;
  envelope.message = core::make_message(std::move(tokens));
  return envelope;
}

core::Envelope page_fragment(std::uint32_t bytes) {
  core::PageFrame page;
  page.data = core::share(core::ByteVector(bytes));
  page.data_bytes = page.payload_bytes = bytes;
  core::Envelope envelope;
  envelope.lane = core::Lane::bulk;
  envelope.message = core::make_message(std::move(page));
  return envelope;
}

/// Median microseconds of one call.
template <class Call>
double median_us(std::size_t rounds, Call&& call) {
  constexpr std::size_t calls = 50;
  std::vector<double> samples;
  for (std::size_t i = 0; i < rounds; ++i) {
    const auto begin = Clock::now();
    for (std::size_t k = 0; k < calls; ++k) call();
    samples.push_back(us_since(begin) / calls);
  }
  std::nth_element(samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2), samples.end());
  return samples[samples.size() / 2];
}

void codec_row(const char* name, const core::Envelope& envelope, std::uint32_t tokens, std::size_t rounds) {
  const auto frames = net::encode(envelope);
  core::SharedBytes payload;
  if (frames.payload) payload = frames.payload;
  const auto encode = median_us(rounds, [&] { (void)net::encode(envelope); });
  const auto decode = median_us(rounds, [&] {
    if (!net::decode_envelope({frames.header, payload})) std::abort();
  });
  std::printf("%-34s %8zu bytes  encode %8.2f us  decode %8.2f us", name, frames.header.size(), encode, decode);
  if (tokens > 0) std::printf("  %6.3f us a token", (encode + decode) / tokens);
  std::printf("\n");
}

std::unique_ptr<net::ZmqLoop> open(const char* name) {
  net::ZmqLoopOptions options;
  options.self = core::node_id(name);
  options.name = name;
  options.bind.fill("tcp://127.0.0.1:*");
  auto opened = net::ZmqLoop::open(std::move(options));
  if (!opened) {
    std::fprintf(stderr, "bench_wire: %s\n", opened.error().message.c_str());
    std::exit(1);
  }
  return std::move(*opened);
}

void latency(std::size_t rounds) {
  const auto a = open("a");
  const auto b = open("b");
  std::mutex mutex;
  std::condition_variable arrived;
  std::size_t count = 0;
  b->transport().set_receiver([&](core::Envelope&&) {
    const std::lock_guard lock(mutex);
    ++count;
    arrived.notify_one();
  });
  a->transport().set_peer(core::node_id("b"), b->address());
  auto envelope = tokens_of_a_step(32, 0);
  envelope.from = core::node_id("a");
  envelope.to = core::node_id("b");
  std::vector<double> samples;
  while (samples.size() < rounds) {
    std::unique_lock lock(mutex);
    const auto before = count;
    const auto begin = Clock::now();
    lock.unlock();
    a->transport().send(envelope);
    lock.lock();
    // The first ones are dropped until the connection stands.
    if (arrived.wait_for(lock, std::chrono::milliseconds(50), [&] { return count > before; })) samples.push_back(us_since(begin));
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  std::sort(samples.begin(), samples.end());
  std::printf("loop to loop, 32 tokens a message     p50 %8.1f us  p99 %8.1f us\n", samples[samples.size() / 2],
              samples[samples.size() * 99 / 100]);

  constexpr std::size_t burst = 20'000;
  const auto begin = Clock::now();
  std::size_t sent = 0;
  std::size_t base = 0;
  {
    const std::lock_guard lock(mutex);
    base = count;
  }
  while (sent < burst) {
    a->transport().send(envelope);
    ++sent;
    std::unique_lock lock(mutex);  // at most 1,000 on their way, as a link's window would have it
    arrived.wait_for(lock, std::chrono::seconds(5), [&] { return sent - (count - base) < 1000; });
  }
  std::unique_lock lock(mutex);
  arrived.wait_for(lock, std::chrono::seconds(5), [&] { return count - base >= burst; });
  const auto seconds = us_since(begin) / 1e6;
  std::printf("loop to loop, burst                   %8.0f messages a second, %8.0f tokens a second\n",
              static_cast<double>(count - base) / seconds, static_cast<double>(count - base) * 32 / seconds);
}

}  // namespace

int main(int argc, char** argv) {
  std::size_t rounds = 1000;
  for (int i = 1; i + 1 < argc; ++i) {
    if (std::string_view(argv[i]) == "--rounds") rounds = std::max(10UL, std::strtoul(argv[i + 1], nullptr, 10));
  }
  codec_row("Tokens, 1 stream", tokens_of_a_step(1, 0), 1, rounds);
  codec_row("Tokens, 32 streams", tokens_of_a_step(32, 0), 32, rounds);
  codec_row("Tokens, 32 streams, 5 logprobs", tokens_of_a_step(32, 5), 32, rounds);
  codec_row("PageFrame, 256 KiB beside it", page_fragment(256 << 10), 0, rounds);
  latency(rounds);
  return 0;
}
