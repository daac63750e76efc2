// A cluster of one node, killed under its streams: everything they need is told again by the node that comes back, and nothing is
// decided before it has loaded its model.

#include <signal.h>

#include <boost/test/unit_test.hpp>
#include <thread>

#include "tests/cluster/load.h"

namespace spillway::tests {

namespace {

using std::chrono::milliseconds;

/// One of each kind of request that needs something of a replica.
std::vector<sdk::Request> requests() {
  std::vector<sdk::Request> made(5);
  for (auto& request : made) {
    request.prompt = "The harbour at night, as seen from the lighthouse:";
    request.max_tokens = 200;
    request.ignore_eos = true;
  }
  made[1].stop = {"no such words in any answer"};
  made[2].temperature = 0.8F;
  made[2].seed = 4;
  made[3].n = 2;
  made[4].max_tokens = 0;  // up to the context, or the limit of the cluster file
  return made;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_lone_node_that_is_killed_goes_on_where_it_was) {
  const std::vector<std::string> names{"red"};
  const int port = free_ports(1);
  // A context of 512 tokens ends the answer whose limit is left open.
  UpProcess cluster(cluster_toml(names, port, "smollm2-135m", "path = \"" + default_model() + "\"\ncontext = 512", "threads = 2", ""),
                    names, port);
  BOOST_REQUIRE(cluster.wait_ready());
  auto client = cluster.client();
  const auto asked = requests();
  Load undisturbed(asked);
  undisturbed.learn(client, static_cast<int>(asked.size()));
  constexpr int rounds = 3;
  std::uint32_t hit = 0;
  std::uint64_t wrong = 0;
  std::uint64_t reconnects = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<sdk::Stream> streams;
    std::atomic<std::uint64_t> tokens{0};
    for (const auto& request : asked) {
      sdk::StreamCallbacks callbacks;
      callbacks.on_chunk = [&](const sdk::Chunk& chunk) { tokens += chunk.tokens.size(); };
      auto stream = client.stream(request, callbacks);
      BOOST_REQUIRE(stream.ok());
      streams.push_back(std::move(*stream));
    }
    for (int i = 0; i < 3000 && tokens < 60; ++i) std::this_thread::sleep_for(milliseconds(5));
    const auto status = client.status();
    if (status) hit += static_cast<std::uint32_t>(status->streams.size());
    const auto nodes = cluster.nodes();
    BOOST_REQUIRE(nodes.count("red") == 1U);
    BOOST_REQUIRE(::kill(nodes.at("red"), SIGKILL) == 0);
    for (std::size_t i = 0; i < streams.size(); ++i) {
      const auto done = streams[i].wait();
      BOOST_TEST(done.ok(), "request " << i << ": " << (done ? "" : done.error().message));
      if (!done) continue;
      reconnects += done->reconnects;
      wrong += bytes_of(*done) != undisturbed.wanted()[i];
    }
  }
  BOOST_TEST_MESSAGE("kills " << rounds << ", streams that ran then " << hit << ", submitted again " << reconnects << ", other bytes "
                              << wrong);
  BOOST_TEST(wrong == 0U);
  BOOST_TEST(hit >= rounds * asked.size() * 3 / 4);
  BOOST_TEST(reconnects >= hit);
}

}  // namespace spillway::tests
