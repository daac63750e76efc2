// Moves on real processes with a real model: every stream ends with the bytes of an undisturbed run.

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <future>
#include <mutex>
#include <semaphore>
#include <thread>

#include "tests/cluster/up_process.h"

namespace spillway::tests {

namespace {

constexpr std::uint32_t answer_tokens = 64;
constexpr std::uint32_t page_bytes = 368640;  // SmolLM2-135M, raw16: 16 tokens x 30 layers x 2 x 192 values x 2 bytes

struct Outcome {
  std::vector<std::vector<std::int32_t>> tokens;
  std::vector<std::string> texts;
  friend bool operator==(const Outcome&, const Outcome&) = default;
};

Outcome outcome(const sdk::Completion& done) {
  Outcome made;
  for (const auto& choice : done.choices) {
    made.tokens.emplace_back();
    for (const auto& token : choice.tokens) made.tokens.back().push_back(token.id);
    made.texts.push_back(choice.text + "|" + choice.finish_reason);
  }
  return made;
}

struct Counts {
  std::atomic<int> committed{0};
  std::atomic<int> refused{0};
  std::atomic<int> wrong{0};
  std::atomic<int> bad_figures{0};
  std::atomic<int> late{0};  // positions at which the answer may well be over
  std::atomic<std::int64_t> pause_us{0};
};

/// Carries the stream to `node` and holds what the move reports to what a move may cost.
bool carry(sdk::Client& client, const std::string& request, const std::string& node, std::uint32_t choices, bool fresh, Counts& counts) {
  const auto moved = client.move(request, node, std::chrono::seconds(20));
  if (!moved) {
    ++counts.refused;
    return false;
  }
  ++counts.committed;
  counts.pause_us += std::chrono::duration_cast<std::chrono::microseconds>(moved->pause).count();
  const bool right = moved->rows_recomputed <= 2 * choices && moved->rows_after_freeze <= 2 * choices &&
                     moved->bytes == std::uint64_t{moved->blocks_sent} * page_bytes && (!fresh || moved->blocks_sent == moved->blocks);
  if (!right) {
    ++counts.bad_figures;
    BOOST_TEST_MESSAGE("figures of a move: blocks " << moved->blocks << ", sent " << moved->blocks_sent << ", bytes " << moved->bytes
                                                    << ", rows recomputed " << moved->rows_recomputed << ", after the freeze "
                                                    << moved->rows_after_freeze);
  }
  return true;
}

std::string node_of(sdk::Client& client, const std::string& request) {
  const auto status = client.status();
  if (!status) return "";
  for (const auto& stream : status->streams) {
    if (stream.request_id == request) return stream.node;
  }
  return "";
}

/// Runs one request and moves it there and back once `position` tokens of its first choice have come. `fresh`: nobody has run it
/// before, so no block of it can be at the destination already.
Outcome disturbed(sdk::Client& client, const sdk::Request& request, std::uint32_t position, bool fresh, Counts& counts) {
  std::binary_semaphore reached(0);
  std::atomic<std::uint32_t> seen{0};
  std::atomic<bool> told{false};
  sdk::StreamCallbacks callbacks;
  callbacks.on_chunk = [&](const sdk::Chunk& chunk) {
    if (chunk.choice == 0 && (seen += static_cast<std::uint32_t>(chunk.tokens.size())) >= position && !told.exchange(true))
      reached.release();
  };
  callbacks.on_end = [&](const sdk::Result<sdk::Completion>&) {
    if (!told.exchange(true)) reached.release();
  };
  auto stream = client.stream(request, callbacks);
  BOOST_REQUIRE(stream.ok());
  reached.acquire();
  const std::string source = node_of(client, stream->request_id());
  const std::vector<std::string> names{"red", "green", "blue"};
  std::string other;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == source) other = names[(i + 1 + position % 2) % 3];
  }
  if (!other.empty() && carry(client, stream->request_id(), other, request.n, fresh, counts)) {
    carry(client, stream->request_id(), source, request.n, false, counts);
  } else if (position > 40) {
    ++counts.late;
  }
  const auto done = stream->wait();
  if (done) return outcome(*done);
  BOOST_TEST_MESSAGE("position " << position << ": " << done.error().message);
  return {};
}

void compare(int position, const Outcome& got, const Outcome& want, Counts& counts) {
  if (!want.tokens.empty() && got == want) return;
  ++counts.wrong;
  BOOST_TEST_MESSAGE("position " << position << ": other bytes than undisturbed");
}

/// All positions, `width` streams at a time.
template <class Body>
void for_positions(int last, int step, int width, const Body& body) {
  std::atomic<int> next{1};
  std::vector<std::thread> threads;
  for (int i = 0; i < width; ++i) {
    threads.emplace_back([&] {
      for (int position = next.fetch_add(step); position <= last; position = next.fetch_add(step)) body(position);
    });
  }
  for (auto& thread : threads) thread.join();
}

struct Fixture {
  std::vector<std::string> names{"red", "green", "blue"};
  int port = free_ports(3);
  UpProcess cluster{cluster_toml(names, port, "smollm2-135m", "path = \"" + default_model() + "\"", "threads = 1", ""), names, port};
  Fixture() { BOOST_REQUIRE(cluster.wait_ready()); }
};

void report(const char* what, const Counts& counts, int streams) {
  BOOST_TEST_MESSAGE(what << ": streams " << streams << ", commits " << counts.committed << ", not committed " << counts.refused
                          << " (late " << counts.late << "), mean pause "
                          << (counts.committed > 0 ? static_cast<double>(counts.pause_us) / counts.committed / 1000.0 : 0.0) << " ms");
  BOOST_TEST(counts.wrong == 0);
  BOOST_TEST(counts.bad_figures == 0);
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(move, Fixture)

BOOST_AUTO_TEST_CASE(greedy_streams_keep_their_bytes_at_every_position) {
  auto client = cluster.client();
  const auto request = [&](int position) {
    sdk::Request made;
    // A prompt of its own, so that no block is at the destination already.
    made.prompt = "Report " + std::to_string(position * 7919) + " from the stadium: the home side";
    made.max_tokens = answer_tokens;
    made.ignore_eos = true;
    return made;
  };
  constexpr int last = 60;
  std::vector<Outcome> got(last + 1);
  Counts counts;
  for_positions(last, 1, 5, [&](int position) {
    got[static_cast<std::size_t>(position)] = disturbed(client, request(position), static_cast<std::uint32_t>(position), true, counts);
  });
  for_positions(last, 1, 8, [&](int position) {
    const auto done = client.complete(request(position));
    compare(position, got[static_cast<std::size_t>(position)], done ? outcome(*done) : Outcome{}, counts);
  });
  report("greedy", counts, last);
  BOOST_TEST(counts.committed >= 80);  // 40 early positions, there and back
}

BOOST_AUTO_TEST_CASE(sampled_forks_keep_their_bytes_at_every_position) {
  auto client = cluster.client(1);
  sdk::Request request;
  request.prompt = "Breaking news from the harbour this morning:";
  request.max_tokens = answer_tokens;
  request.ignore_eos = true;
  request.n = 3;
  request.temperature = 0.9F;
  request.top_p = 0.95F;
  request.seed = 20240717;
  const auto undisturbed = client.complete(request);
  BOOST_REQUIRE(undisturbed.ok());
  const auto want = outcome(*undisturbed);
  BOOST_TEST(want.tokens[0] != want.tokens[1]);
  Counts counts;
  for_positions(60, 1, 4, [&](int position) {
    compare(position, disturbed(client, request, static_cast<std::uint32_t>(position), false, counts), want, counts);
  });
  report("sampled, n = 3", counts, 60);
  BOOST_TEST(counts.committed >= 80);
}

BOOST_AUTO_TEST_CASE(streams_with_a_stop_string_end_where_they_would) {
  auto client = cluster.client(2);
  sdk::Request request;
  request.prompt = "List twenty animals, one a line, with a full stop behind each:\n1. dog.\n2. cat.\n3.";
  request.max_tokens = answer_tokens;
  request.stop = {"\n14."};
  const auto undisturbed = client.complete(request);
  BOOST_REQUIRE(undisturbed.ok());
  const auto want = outcome(*undisturbed);
  BOOST_TEST(undisturbed->choices[0].finish_reason == "stop");
  BOOST_TEST_MESSAGE("the undisturbed answer has " << want.tokens[0].size() << " tokens and ends by "
                                                   << undisturbed->choices[0].finish_reason);
  Counts counts;
  for_positions(60, 1, 5, [&](int position) {
    compare(position, disturbed(client, request, static_cast<std::uint32_t>(position), false, counts), want, counts);
  });
  report("stop string", counts, 60);
  BOOST_TEST(counts.committed >= 80);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
