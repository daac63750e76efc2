#include <signal.h>

#include <atomic>
#include <thread>

#include "tests/cluster/load.h"
#include "tests/sdk/paced_cluster.h"

namespace spillway::tests {

using std::chrono::milliseconds;

namespace {

sdk::Request story(std::uint32_t tokens) {
  sdk::Request request;
  request.prompt = "A story about a lighthouse";
  request.max_tokens = tokens;
  request.ignore_eos = true;
  return request;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(session, PacedCluster)

BOOST_AUTO_TEST_CASE(a_cancelled_stream_is_gone_from_the_cluster) {
  auto client = cluster.client();
  auto stream = client.stream(story(4000));  // 40 s, were it not cancelled
  BOOST_REQUIRE(stream.ok());
  BOOST_REQUIRE(stream->next().has_value());
  const auto streams = [&] {
    const auto status = client.status();
    BOOST_REQUIRE(status.ok());
    return status->streams.size();
  };
  BOOST_REQUIRE(streams() == 1U);
  stream->cancel();
  const auto cancelled = stream->wait();
  BOOST_REQUIRE(cancelled.ok());
  BOOST_TEST(cancelled->choices[0].finish_reason == "cancelled");
  std::size_t left = 1;
  for (int i = 0; i < 500 && left > 0; ++i) {
    left = streams();
    std::this_thread::sleep_for(milliseconds(10));
  }
  BOOST_TEST(left == 0U);
}

BOOST_AUTO_TEST_CASE(chunks_that_nobody_asks_for_are_joined) {
  auto client = cluster.client();
  auto stream = client.stream(story(320));
  BOOST_REQUIRE(stream.ok());
  const auto done = stream->wait();
  BOOST_REQUIRE(done.ok());
  BOOST_REQUIRE(done->choices[0].tokens.size() == 320U);
  std::size_t chunks = 0;
  std::size_t tokens = 0;
  std::string text;
  std::string finish;
  while (const auto chunk = stream->next()) {
    ++chunks;
    tokens += chunk->tokens.size();
    text += chunk->text;
    finish = chunk->finish_reason;
  }
  BOOST_TEST(chunks <= 256U);
  BOOST_TEST(tokens == 320U);
  BOOST_TEST(text == done->choices[0].text);
  BOOST_TEST(finish == done->choices[0].finish_reason);
}

BOOST_AUTO_TEST_CASE(a_request_waits_for_a_router_for_its_own_time) {
  sdk::ClientOptions options;
  options.endpoints = cluster.endpoints();
  options.unavailable_max = milliseconds(1000);
  auto client = sdk::Client::connect(options);
  BOOST_REQUIRE(client.ok());
  cluster.stop();
  while (!client->router().empty()) std::this_thread::sleep_for(milliseconds(5));
  std::this_thread::sleep_for(milliseconds(1500));  // gone for longer than that before anything is asked
  const auto begin = std::chrono::steady_clock::now();
  const auto done = client->complete(story(4));
  const auto waited = std::chrono::steady_clock::now() - begin;
  BOOST_REQUIRE(!done.ok());
  BOOST_TEST((done.error().code == sdk::Code::unavailable));
  BOOST_TEST(std::chrono::duration_cast<milliseconds>(waited).count() >= 1000);
}

BOOST_AUTO_TEST_CASE(cancel_timeout_and_bad_requests_end_as_they_should) {
  auto client = cluster.client();
  auto stream = client.stream(story(2000));
  BOOST_REQUIRE(stream.ok());
  BOOST_TEST(stream->next().has_value());
  stream->cancel();
  const auto cancelled = stream->wait();
  BOOST_REQUIRE(cancelled.ok());
  BOOST_TEST(cancelled->choices[0].finish_reason == "cancelled");
  BOOST_TEST(cancelled->choices[0].tokens.size() < 2000U);
  auto late = story(2000);
  late.timeout = milliseconds(300);
  const auto timed_out = client.complete(late);
  BOOST_REQUIRE(!timed_out.ok());
  BOOST_TEST((timed_out.error().code == sdk::Code::timeout));
  auto many = story(4);
  many.n = 1000;
  BOOST_TEST((client.complete(many).error().code == sdk::Code::bad_argument));
  auto unknown = story(4);
  unknown.model = "no-such-model";
  const auto missing = client.complete(unknown);
  BOOST_REQUIRE(!missing.ok());
  BOOST_TEST((missing.error().code == sdk::Code::unknown_model));
  BOOST_TEST(missing.error().message.find("no-such-model") != std::string::npos);
  auto hopeless = story(500);
  hopeless.deadline = milliseconds(50);
  const auto refused = client.complete(hopeless);
  const bool in_time = refused.ok() && refused->choices[0].finish_reason == "deadline";
  BOOST_TEST((in_time || (!refused.ok() && refused.error().code == sdk::Code::deadline_infeasible)));
}

BOOST_AUTO_TEST_CASE(a_stream_survives_the_death_of_its_router) {
  auto client = cluster.client(0);
  BOOST_TEST(client.router() == "red");
  const auto want = client.complete(story(200));
  BOOST_REQUIRE(want.ok());
  std::atomic<std::size_t> seen{0};
  sdk::StreamCallbacks callbacks;
  callbacks.on_chunk = [&](const sdk::Chunk& chunk) { seen += chunk.tokens.size(); };
  auto stream = client.stream(story(200), callbacks);
  BOOST_REQUIRE(stream.ok());
  while (seen < 60) std::this_thread::sleep_for(milliseconds(5));
  ::kill(cluster.nodes().at("red"), SIGKILL);
  const auto done = stream->wait();
  BOOST_REQUIRE_MESSAGE(done.ok(), (done ? "" : done.error().message));
  BOOST_TEST(bytes_of(*done) == bytes_of(*want));
  BOOST_TEST(done->reconnects >= 1U);
  BOOST_TEST(client.router() != "red");
  const std::chrono::duration<double, std::milli> gap = done->longest_gap;
  BOOST_TEST_MESSAGE("longest gap " << gap.count() << " ms");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
