#include <atomic>
#include <boost/test/unit_test.hpp>
#include <mutex>

#include "net/client_connection.h"
#include "net/codec.h"
#include "net/zmq_socket.h"
#include "tests/net/loop_fixture.h"

namespace spillway::net {

using test::eventually;
using namespace std::chrono_literals;

namespace {

/// A router of the test's own making, which says only what it is told to.
struct BareRouter {
  BareRouter() : context(1), socket(context, ZMQ_ROUTER) { BOOST_REQUIRE(socket.bind("tcp://127.0.0.1:*")); }
  /// The next message of the client; its routing id is kept.
  core::ClientMessage next() {
    std::vector<ZmqMessage> parts;
    bool overlong = false;
    BOOST_REQUIRE(eventually([&] { return socket.receive(parts, 2, overlong); }));
    client = parts.at(0).text();
    auto message = decode_client({parts.at(1).bytes(), nullptr});
    BOOST_REQUIRE(message);
    return *message;
  }
  void say(core::Bytes bytes) { socket.send(core::as_bytes(client), true), socket.send(bytes); }
  void say(const core::ClientMessage& message) { say(core::Bytes{encode(message).header}); }

  ZmqContext context;
  ZmqSocket socket;
  std::string client;
};

/// A client that keeps the reason of its end.
struct Ended {
  explicit Ended(const BareRouter& router, core::Duration connect_max = 20s, core::Duration silence_max = 20s,
                 const std::function<bool()>& full = {}) {
    ClientConnectionOptions options;
    options.endpoint = router.socket.last_endpoint();
    options.hello.tenant = "news";
    options.connect_max = connect_max;
    options.silence_max = silence_max;
    auto made = connect_client(std::move(options), {[this](core::ClientMessage&&) { ++messages; },
                                                    [this](const core::Error& why) {
                                                      const std::lock_guard lock(mutex);
                                                      error = why, ++times;
                                                    },
                                                    full});
    BOOST_REQUIRE(made);
    connection = std::move(*made);
  }
  core::Error wait() {
    BOOST_REQUIRE(eventually([&] { return times > 0; }));
    const std::lock_guard lock(mutex);
    return error;
  }
  std::mutex mutex;
  core::Error error;
  std::atomic<int> times{0};
  std::atomic<int> messages{0};
  std::unique_ptr<ClientConnection> connection;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(zmq_client_connection)

BOOST_AUTO_TEST_CASE(the_hello_comes_first_then_what_was_sent_and_pings_are_answered_inside) {
  BareRouter router;
  Ended client(router);
  BOOST_TEST(client.connection->send(core::StatusRequest{3}));
  BOOST_TEST(std::get<core::ClientHello>(router.next()).tenant == "news");
  BOOST_TEST(std::get<core::StatusRequest>(router.next()).operation == 3U);
  router.say(core::ServerHello{});
  router.say(core::Ping{41, false});
  const auto answer = std::get<core::Ping>(router.next());
  BOOST_TEST(answer.number == 41U);
  BOOST_TEST(answer.answer);
  BOOST_TEST(eventually([&] { return client.messages == 1; }));  // the ServerHello alone
  BOOST_TEST(client.times == 0);
}

BOOST_AUTO_TEST_CASE(a_router_that_never_answers_and_one_that_falls_silent_are_left) {
  BareRouter router;
  Ended unanswered(router, 150ms);
  const auto first = unanswered.wait();
  BOOST_TEST((first.code == core::Errc::timeout));
  BOOST_TEST(first.message.find("no answer") == 0U);
  BOOST_TEST(!unanswered.connection->send(core::StatusRequest{3}));
  (void)router.next();  // the hello of the first client

  Ended left(router, 20s, 150ms);
  (void)router.next();
  router.say(core::ServerHello{});
  const auto second = left.wait();
  BOOST_TEST((second.code == core::Errc::timeout));
  BOOST_TEST(second.message.find("silent") != std::string::npos);
  BOOST_TEST(left.messages == 1);
}

BOOST_AUTO_TEST_CASE(a_full_client_reads_nothing_and_shows_that_it_lives) {
  BareRouter router;
  std::atomic<bool> full{false};
  Ended client(router, 20s, 100ms, [&] { return full.load(); });
  (void)router.next();
  full = true;
  router.say(core::ServerHello{});  // is read: the connection stands from then on
  BOOST_REQUIRE(eventually([&] { return client.messages == 1; }));
  (void)router.next();  // a sign of life, so it knows that it is full
  for (std::uint64_t i = 0; i < 100; ++i) router.say(core::StatusReply{});
  // Longer than the silence it bears from a router.
  for (int i = 0; i < 10; ++i) BOOST_TEST(std::get<core::Ping>(router.next()).answer);
  BOOST_TEST(client.messages == 1);
  BOOST_TEST(client.times == 0);
  full = false;
  BOOST_TEST(eventually([&] { return client.messages == 101; }));
}

BOOST_AUTO_TEST_CASE(junk_and_a_refusal_end_it_once_with_the_reason) {
  BareRouter router;
  Ended junk(router);
  (void)router.next();
  router.say(core::as_bytes("no message"));
  BOOST_TEST((junk.wait().code == core::Errc::bad_frame));
  BOOST_TEST(junk.messages == 0);

  Ended refused(router);
  (void)router.next();
  router.say(core::Failed{{}, core::Errc::unauthorized, "not you", {}});
  router.say(core::Failed{{}, core::Errc::internal, "again", {}});
  BOOST_TEST((refused.wait().code == core::Errc::unauthorized));
  BOOST_TEST(refused.wait().message == "not you");
  refused.connection.reset();
  BOOST_TEST(refused.times == 1);
  BOOST_TEST(refused.messages == 1);
}

BOOST_AUTO_TEST_CASE(a_failed_request_does_not_end_the_connection) {
  BareRouter router;
  Ended client(router);
  (void)router.next();
  router.say(core::Failed{{{1, 2}}, core::Errc::queue_full, "later", {}});
  BOOST_TEST(eventually([&] { return client.messages == 1; }));
  BOOST_TEST(client.connection->send(core::StatusRequest{3}));
  BOOST_TEST(std::get<core::StatusRequest>(router.next()).operation == 3U);
}

BOOST_AUTO_TEST_CASE(endpoints_and_keys_that_cannot_be_are_refused) {
  const auto code = [](ClientConnectionOptions options) {
    auto made = connect_client(std::move(options), {});
    return made ? core::Errc::ok : made.error().code;
  };
  ClientConnectionOptions options;
  options.endpoint = "tcp://10.1.2.3:7403";
  BOOST_TEST((code(options) == core::Errc::bad_argument));  // off loopback without a key
  options.server_key = "short";
  BOOST_TEST((code(options) == core::Errc::bad_argument));
  options.server_key.clear();
  options.endpoint = "tcp://127.0.0.1";
  BOOST_TEST((code(options) == core::Errc::bad_argument));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::net
