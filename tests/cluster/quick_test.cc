// One move and one kill on three real processes: small enough to run under the sanitizers on every commit. A report of a
// sanitizer in any of the processes fails the test.

#include <signal.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <thread>

#include "tests/cluster/load.h"

namespace spillway::tests {

namespace {

sdk::Request story(std::uint32_t tokens) {
  sdk::Request request;
  request.prompt = "A story about a lighthouse";
  request.max_tokens = tokens;
  request.ignore_eos = true;
  return request;
}

std::string node_of(sdk::Client& client, const std::string& request) {
  const auto status = client.status();
  if (!status) return "";
  for (const auto& stream : status->streams) {
    if (stream.request_id == request) return stream.node;
  }
  return "";
}

/// Waits for the first `count` tokens. The limit is only for a stream that hangs.
bool wait_tokens(const std::atomic<std::size_t>& seen, std::size_t count) {
  for (const auto until = std::chrono::steady_clock::now() + std::chrono::minutes(2); std::chrono::steady_clock::now() < until;) {
    if (seen >= count) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_stream_moves_and_then_loses_its_node) {
  const std::vector<std::string> names{"red", "green", "blue"};
  const int port = free_ports(3);
  // Sanitizers slow everything down: a node that is only slow must not be taken for dead.
  UpProcess cluster(cluster_toml(names, port, "paced", "kind = \"paced\"\n[models.paced.paced]\nstep_us = 10000\n", "kv_blocks = 256",
                                 "[timings]\nsuspect_after = \"1s\"\ndead_after = \"2s\"\n"),
                    names, port);
  BOOST_REQUIRE(cluster.wait_ready());
  auto client = cluster.client(0);
  const auto want = client.complete(story(250));
  BOOST_REQUIRE(want.ok());
  std::atomic<std::size_t> seen{0};
  sdk::StreamCallbacks callbacks;
  callbacks.on_chunk = [&](const sdk::Chunk& chunk) { seen += chunk.tokens.size(); };
  auto stream = client.stream(story(250), callbacks);
  BOOST_REQUIRE(stream.ok());
  BOOST_REQUIRE(wait_tokens(seen, 40));
  // Away from the router that owns it, so that the kill hits a running stream and not its owner.
  const std::string to = node_of(client, stream->request_id()) == "green" ? "blue" : "green";
  const auto moved = client.move(stream->request_id(), to);
  BOOST_REQUIRE_MESSAGE(moved.ok(), (moved ? "" : moved.error().message));
  BOOST_REQUIRE(wait_tokens(seen, 90));
  BOOST_TEST(node_of(client, stream->request_id()) == to);
  BOOST_REQUIRE(::kill(cluster.nodes().at(to), SIGKILL) == 0);
  const auto done = stream->wait();
  BOOST_REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().message));
  BOOST_TEST(bytes_of(*done) == bytes_of(*want));
  BOOST_TEST(done->moves == 1U);
  BOOST_TEST(done->restarts >= 1U);  // more when the machine is so slow that a node is taken for dead
  BOOST_TEST_MESSAGE("moves committed " << done->moves << ", kills -9 that hit the stream " << done->restarts);
  const auto took = cluster.stop();
  BOOST_TEST(took.has_value());
  const auto log = cluster.log();
  BOOST_TEST(log.find("Sanitizer") == std::string::npos, log);
  BOOST_TEST(log.find("runtime error") == std::string::npos, log);
}

}  // namespace spillway::tests
