#include <atomic>
#include <set>
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

BOOST_AUTO_TEST_CASE(connect_says_what_is_wrong) {
  const auto none = sdk::Client::connect({});
  BOOST_REQUIRE(!none.ok());
  BOOST_TEST((none.error().code == sdk::Code::bad_argument));
  sdk::ClientOptions options;
  options.connect_timeout = milliseconds(300);
  options.endpoints = {{"127.0.0.1:9", ""}, {"127.0.0.1:19", ""}};
  const auto nobody = sdk::Client::connect(options);
  BOOST_REQUIRE(!nobody.ok());
  BOOST_TEST((nobody.error().code == sdk::Code::unavailable));
  BOOST_TEST(nobody.error().message.find("127.0.0.1:9 ") != std::string::npos);
  BOOST_TEST(nobody.error().message.find("127.0.0.1:19") != std::string::npos);
  options.public_key = "half a pair";
  BOOST_TEST((sdk::Client::connect(options).error().code == sdk::Code::bad_argument));
}

BOOST_FIXTURE_TEST_SUITE(client, PacedCluster)

BOOST_AUTO_TEST_CASE(callbacks_range_and_complete_give_the_same) {
  auto client = cluster.client();
  const auto whole = client.complete(story(40));
  BOOST_REQUIRE(whole.ok());
  BOOST_TEST(whole->choices[0].tokens.size() == 40U);
  BOOST_TEST(whole->usage.prompt_tokens == whole->prompt_tokens.size());
  BOOST_TEST(whole->choices[0].finish_reason == "length");
  auto stream = client.stream(story(40));
  BOOST_REQUIRE(stream.ok());
  std::string text;
  std::size_t tokens = 0;
  for (const auto& chunk : *stream) {
    text += chunk.text;
    tokens += chunk.tokens.size();
  }
  BOOST_TEST(text == whole->choices[0].text);
  BOOST_TEST(tokens == 40U);
  BOOST_TEST(bytes_of(*stream->wait()) == bytes_of(*whole));
  const auto chat = client.chat({{"user", "Hello"}}, story(8));
  BOOST_TEST(chat.ok());
}

BOOST_AUTO_TEST_CASE(callbacks_come_on_one_thread_and_may_call_back) {
  auto client = cluster.client();
  std::set<std::thread::id> threads;
  std::atomic<int> refused{0}, ends{0}, nested{0};
  std::vector<sdk::Stream> streams;
  for (int i = 0; i < 8; ++i) {
    sdk::StreamCallbacks callbacks;
    callbacks.on_chunk = [&, first = true](const sdk::Chunk&) mutable {
      threads.insert(std::this_thread::get_id());
      if (!first) return;
      first = false;
      // What would wait for itself says so at once; what does not wait works.
      refused += client.complete(story(2)).ok() ? 0 : 1;
      refused += client.status().ok() ? 0 : 1;
      sdk::StreamCallbacks inner;
      inner.on_end = [&](const sdk::Result<sdk::Completion>& done) { nested += done.ok() ? 1 : 0; };
      if (!client.stream(story(3), inner)) --nested;
    };
    callbacks.on_end = [&](const sdk::Result<sdk::Completion>& done) {
      threads.insert(std::this_thread::get_id());
      ends += done.ok() ? 1 : 0;
    };
    auto stream = client.stream(story(20), callbacks);
    BOOST_REQUIRE(stream.ok());
    streams.push_back(std::move(*stream));
  }
  for (auto& stream : streams) BOOST_TEST(stream.wait().ok());
  for (int i = 0; i < 200 && (nested < 8 || ends < 8); ++i) std::this_thread::sleep_for(milliseconds(10));
  BOOST_TEST(threads.size() == 1U);
  BOOST_TEST(threads.count(std::this_thread::get_id()) == 0U);
  BOOST_TEST(refused == 16);
  BOOST_TEST(ends == 8);
  BOOST_TEST(nested == 8);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
