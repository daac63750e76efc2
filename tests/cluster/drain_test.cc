// Draining nodes in turn under load: empty in time, everything moved, nothing lost; refused with the reason when nobody can take it.

#include <boost/test/unit_test.hpp>
#include <thread>

#include "tests/cluster/load.h"

namespace spillway::tests {

namespace {

using std::chrono::milliseconds;

constexpr int streams_wanted = 30;
constexpr std::uint32_t answer_tokens = 1500;

/// Prompts of their own in each round, so that streams are placed by load and not by what is cached.
std::vector<sdk::Request> requests(int round) {
  std::vector<sdk::Request> made;
  for (int i = 0; i < streams_wanted; ++i) {
    sdk::Request request;
    request.prompt = std::to_string(round) + ": commentary on lane " + std::to_string(i);
    request.max_tokens = answer_tokens;
    request.ignore_eos = true;
    made.push_back(request);
  }
  return made;
}

struct Holding {
  std::uint32_t long_to_go = 0;  // streams with at least 400 tokens to go
  std::uint32_t all = 0;
};

Holding holding(sdk::Client& client, const std::string& node) {
  Holding found;
  const auto status = client.status();
  if (!status) return found;
  for (const auto& stream : status->streams) {
    if (stream.node != node) continue;
    ++found.all;
    found.long_to_go += stream.tokens >= 100 && stream.tokens + 400 <= answer_tokens;
  }
  return found;
}

/// Until every stream of the node has a hundred tokens behind it.
Holding wait_long(sdk::Client& client, const std::string& node) {
  Holding held;
  for (int i = 0; i < 200; ++i) {
    std::this_thread::sleep_for(milliseconds(20));
    held = holding(client, node);
    if (held.long_to_go >= 8 && held.long_to_go == held.all) break;
  }
  return held;
}

const std::vector<std::string> names{"red", "green", "blue"};

std::string toml(int port) {
  return cluster_toml(names, port, "paced",
                      "kind = \"paced\"\n[models.paced.paced]\nstep_us = 8000\ndecode_token_us = 100\npage_bytes = \"64KiB\"\n",
                      "kv_blocks = 4096", "[limits]\nmove_concurrent_max = 16\n");
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_node_in_turn_is_emptied_under_load) {
  const int port = free_ports(3);
  UpProcess cluster(toml(port), names, port);
  BOOST_REQUIRE(cluster.wait_ready());
  auto client = cluster.client(0);
  std::uint64_t wrong = 0;
  std::uint32_t commits = 0;
  for (int round = 0; round < 3; ++round) {
    // Let the reports of the round before settle: streams are placed by what the nodes last said.
    std::this_thread::sleep_for(milliseconds(500));
    const auto asked = requests(round);
    const std::string& node = names[static_cast<std::size_t>(round)];
    std::vector<sdk::Stream> streams;
    for (const auto& request : asked) {
      auto stream = client.stream(request);
      BOOST_REQUIRE(stream.ok());
      streams.push_back(std::move(*stream));
    }
    const Holding held = wait_long(client, node);
    BOOST_TEST(held.long_to_go >= 8U);
    std::uint32_t updates = 0;
    const auto begin = std::chrono::steady_clock::now();
    const auto drained = client.drain(node, sdk::DrainMode::begin, [&](const sdk::DrainProgress&) { ++updates; });
    const auto took = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - begin);
    BOOST_REQUIRE_MESSAGE(drained.ok(), (drained ? "" : drained.error().message));
    BOOST_TEST_MESSAGE("drained " << node << ": " << held.all << " streams, commits " << drained->commits << ", blocks " << drained->blocks
                                  << ", bytes " << drained->bytes << ", " << took.count() << " ms, " << updates << " updates");
    BOOST_TEST(drained->commits == held.all);
    BOOST_TEST(drained->streams_left == 0U);
    BOOST_TEST(holding(client, node).all == 0U);
    BOOST_TEST(updates >= 1U);
    BOOST_TEST(took.count() < 5000);  // what a drain is for; on an idle machine it takes a tenth of it
    commits += drained->commits;
    BOOST_REQUIRE(client.drain(node, sdk::DrainMode::resume).ok());
    std::vector<std::string> got;
    for (auto& stream : streams) {
      const auto done = stream.wait();
      BOOST_REQUIRE(done.ok());
      got.push_back(bytes_of(*done));
    }
    Load undisturbed(asked);
    undisturbed.learn(client, streams_wanted);
    for (std::size_t i = 0; i < got.size(); ++i) wrong += got[i] != undisturbed.wanted()[i];
  }
  BOOST_TEST_MESSAGE("commits " << commits << ", answers with other bytes " << wrong);
  BOOST_TEST(wrong == 0U);
  BOOST_TEST(commits >= 24U);
}

BOOST_AUTO_TEST_CASE(a_drain_that_nobody_can_take_is_refused_with_the_reason) {
  const int port = free_ports(3);
  UpProcess cluster(toml(port), names, port);
  BOOST_REQUIRE(cluster.wait_ready());
  auto client = cluster.client(0);
  BOOST_REQUIRE(client.drain("red").ok());
  BOOST_REQUIRE(client.drain("green").ok());
  const auto request = requests(0).front();
  auto stream = client.stream(request);
  BOOST_REQUIRE(stream.ok());
  for (int i = 0; i < 200 && holding(client, "blue").all == 0; ++i) std::this_thread::sleep_for(milliseconds(20));
  BOOST_REQUIRE(holding(client, "blue").all == 1U);
  const auto refused = client.drain("blue");
  BOOST_REQUIRE(!refused.ok());
  BOOST_TEST_MESSAGE("refused: " << refused.error().message);
  BOOST_TEST(refused.error().message.find("blue") != std::string::npos);
  const auto unknown = client.drain("violet");
  BOOST_REQUIRE(!unknown.ok());
  BOOST_TEST(unknown.error().message.find("violet") != std::string::npos);
  BOOST_TEST(stream->wait().ok());  // and the stream went on
  BOOST_REQUIRE(client.drain("red", sdk::DrainMode::resume).ok());
}

}  // namespace spillway::tests
