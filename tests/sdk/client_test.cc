#include <atomic>
#include <future>
#include <set>
#include <thread>
#include <utility>

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

BOOST_AUTO_TEST_CASE(no_callback_comes_after_wait) {
  auto client = cluster.client();
  int chunks_late = 0;
  int ends_seen = 0;
  for (int i = 0; i < 4; ++i) {
    bool ended = false;
    auto held = std::make_shared<int>(i);  // captured: gone with the callbacks
    const std::weak_ptr<int> captured = held;
    sdk::StreamCallbacks callbacks;
    callbacks.on_chunk = [&, held](const sdk::Chunk&) { chunks_late += ended ? 1 : 0; };
    callbacks.on_end = [&, held](const sdk::Result<sdk::Completion>&) {
      std::this_thread::sleep_for(milliseconds(30));
      ended = true;
    };
    held.reset();
    auto stream = client.stream(story(3), std::exchange(callbacks, {}));
    BOOST_REQUIRE(stream.ok());
    BOOST_TEST(stream->wait().ok());
    ends_seen += ended ? 1 : 0;
    BOOST_TEST(captured.expired());
  }
  BOOST_TEST(ends_seen == 4);
  BOOST_TEST(chunks_late == 0);
}

BOOST_AUTO_TEST_CASE(a_client_may_be_destroyed_in_its_own_callback) {
  auto client = std::make_unique<sdk::Client>(cluster.client());
  auto other = client->stream(story(2000));
  BOOST_REQUIRE(other.ok());
  std::promise<void> go;
  std::promise<std::pair<sdk::Code, sdk::Code>> ended;
  sdk::StreamCallbacks callbacks;
  callbacks.on_chunk = [&, begin = go.get_future().share()](const sdk::Chunk&) {
    begin.wait();
    client.reset();
  };
  callbacks.on_end = [&](const sdk::Result<sdk::Completion>& done) {
    const auto waited = other->wait();  // still the event thread: refused at once
    ended.set_value({done ? sdk::Code::ok : done.error().code, waited ? sdk::Code::ok : waited.error().code});
  };
  auto stream = client->stream(story(2000), callbacks);
  BOOST_REQUIRE(stream.ok());
  go.set_value();
  const auto [outcome, waited] = ended.get_future().get();
  BOOST_TEST((outcome == sdk::Code::cancelled));
  BOOST_TEST((waited == sdk::Code::bad_argument));
  BOOST_TEST((stream->wait().error().code == sdk::Code::cancelled));
  const auto rest = other->wait();
  BOOST_REQUIRE(!rest.ok());
  BOOST_TEST((rest.error().code == sdk::Code::cancelled));
  BOOST_TEST(!client);
}

BOOST_AUTO_TEST_CASE(what_is_queued_when_the_client_is_destroyed_ends_cancelled) {
  auto client = std::make_unique<sdk::Client>(cluster.client());
  std::promise<void> entered, release;
  sdk::StreamCallbacks blocking;
  blocking.on_chunk = [&, first = true, go = release.get_future().share()](const sdk::Chunk&) mutable {
    if (!std::exchange(first, false)) return;
    entered.set_value();
    go.wait();
  };
  std::vector<sdk::Stream> streams;
  const auto begin = [&](std::uint32_t tokens, const sdk::StreamCallbacks* callbacks) {
    auto stream = callbacks == nullptr ? client->stream(story(tokens)) : client->stream(story(tokens), *callbacks);
    BOOST_REQUIRE(stream.ok());
    streams.push_back(std::move(*stream));
  };
  begin(2000, &blocking);
  entered.get_future().wait();
  // The event thread stands: none of these is taken up before the client goes.
  std::atomic<int> ends{0};
  sdk::StreamCallbacks counting;
  counting.on_end = [&](const sdk::Result<sdk::Completion>&) { ++ends; };
  for (int i = 0; i < 10; ++i) begin(5, i % 2 == 0 ? &counting : nullptr);
  std::thread closer([&] { client.reset(); });
  std::this_thread::sleep_for(milliseconds(100));
  release.set_value();
  closer.join();
  for (auto& stream : streams) {
    const auto done = stream.wait();
    BOOST_REQUIRE(!done.ok());
    BOOST_TEST((done.error().code == sdk::Code::cancelled));
  }
  BOOST_TEST(ends == 5);
}

BOOST_AUTO_TEST_CASE(status_is_by_name_and_a_move_says_whence) {
  auto client = cluster.client();
  auto stream = client.stream(story(2000));
  BOOST_REQUIRE(stream.ok());
  BOOST_REQUIRE(stream->next().has_value());
  const auto status = client.status();
  BOOST_REQUIRE(status.ok());
  BOOST_REQUIRE(status->nodes.size() == 3U);
  BOOST_REQUIRE(status->streams.size() == 1U);
  for (std::size_t i = 0; i < 3; ++i) BOOST_TEST(status->nodes[i].name == (std::vector<std::string>{"blue", "green", "red"})[i]);
  const std::string source = status->streams[0].node;
  const auto moved = client.move(stream->request_id(), source == "red" ? "green" : "red");
  BOOST_REQUIRE_MESSAGE(moved.ok(), (moved ? "" : moved.error().message));
  BOOST_TEST(moved->source == source);
  stream->cancel();
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
