#include "net/zmq_socket.h"

#include <boost/test/unit_test.hpp>

#include "tests/net/loop_fixture.h"

namespace spillway::net {

using test::eventually;

BOOST_AUTO_TEST_SUITE(zmq_socket)

BOOST_AUTO_TEST_CASE(only_what_stays_on_the_machine_is_loopback) {
  for (const auto* endpoint :
       {"tcp://127.0.0.1:7400", "tcp://127.3.2.1:*", "tcp://localhost:1", "tcp://[::1]:7400", "ipc:///tmp/x", "inproc://x"}) {
    BOOST_TEST(is_loopback(endpoint), endpoint);
  }
  for (const auto* endpoint : {"tcp://10.0.0.1:7400", "tcp://*:7400", "tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://127.evil.example:1",
                               "tcp://localhost.example:1", "tcp://[::1].example:1", "udp://127.0.0.1:1", "", "127.0.0.1:7400"}) {
    BOOST_TEST(!is_loopback(endpoint), endpoint);
  }
}

BOOST_AUTO_TEST_CASE(parts_beyond_the_limit_are_read_and_thrown_away) {
  const ZmqContext context(1);
  ZmqSocket left(context, ZMQ_PAIR);
  ZmqSocket right(context, ZMQ_PAIR);
  BOOST_REQUIRE(left.bind("inproc://parts"));
  BOOST_REQUIRE(right.connect("inproc://parts"));
  for (const std::size_t sent : {1U, 2U, 3U, 9U}) {
    for (std::size_t i = 1; i <= sent; ++i) left.send(core::as_bytes("part"), i < sent);
    left.send(core::as_bytes("end"));
    std::vector<ZmqMessage> parts;
    bool overlong = false;
    BOOST_REQUIRE(right.receive(parts, 2, overlong));
    BOOST_TEST(parts.size() == std::min<std::size_t>(sent, 2));
    BOOST_TEST(overlong == (sent > 2));
    BOOST_REQUIRE(right.receive(parts, 2, overlong));
    BOOST_TEST(parts[0].text() == "end");
    BOOST_TEST(!right.receive(parts, 2, overlong));
  }
}

BOOST_AUTO_TEST_CASE(a_socket_that_no_descriptor_is_left_for_is_empty) {
  const ZmqContext context(1);
  const ZmqSocket first(context, ZMQ_DEALER);
  BOOST_REQUIRE(static_cast<bool>(first));
  std::string why;
  {
    const test::NoDescriptors none;
    const ZmqSocket second(context, ZMQ_DEALER);
    why = no_socket("tcp://127.0.0.1:7400").message;
    BOOST_TEST(!second);
  }
  BOOST_TEST(why.find("tcp://127.0.0.1:7400") != std::string::npos, why);
  BOOST_TEST(why.find("open files") != std::string::npos, why);
  BOOST_TEST(static_cast<bool>(ZmqSocket(context, ZMQ_DEALER)));
}

BOOST_AUTO_TEST_CASE(a_full_socket_and_a_closed_connection_are_told_apart) {
  const ZmqContext context(1);
  ZmqSocket dealer(context, ZMQ_DEALER);
  BOOST_TEST((dealer.send(core::as_bytes("nobody is there")) == SendResult::full));
  ZmqSocket router(context, ZMQ_ROUTER);
  router.set(ZMQ_ROUTER_MANDATORY, 1);
  BOOST_TEST((router.send(core::as_bytes("no such peer"), true) == SendResult::unreachable));
}

BOOST_AUTO_TEST_CASE(page_bytes_live_until_they_are_sent_and_no_longer) {
  const ZmqContext context(1);
  ZmqSocket router(context, ZMQ_ROUTER);
  BOOST_REQUIRE(router.bind("tcp://127.0.0.1:*"));
  ZmqSocket dealer(context, ZMQ_DEALER);
  BOOST_REQUIRE(dealer.connect(router.last_endpoint()));
  auto bytes = std::make_shared<const core::ByteVector>(200'000, std::byte{9});
  const std::weak_ptr<const core::ByteVector> watched = bytes;
  Frames frames;
  frames.header.assign(8, std::byte{1});
  frames.payload = std::move(bytes);
  frames.payload_offset = 50'000;
  frames.payload_bytes = 100'000;
  BOOST_REQUIRE((dealer.send(frames) == SendResult::sent));
  frames.payload.reset();
  std::vector<ZmqMessage> parts;
  bool overlong = false;
  BOOST_REQUIRE(eventually([&] { return router.receive(parts, 3, overlong); }));
  BOOST_REQUIRE(parts.size() == 3U);
  BOOST_TEST(parts[2].bytes().size() == 100'000U);
  BOOST_TEST((parts[2].bytes().back() == std::byte{9}));
  BOOST_TEST(eventually([&] { return watched.expired(); }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::net
