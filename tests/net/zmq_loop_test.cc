#include "net/zmq_loop.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <chrono>
#include <thread>

#include "net/zmq_socket.h"
#include "tests/net/loop_fixture.h"
#include "tests/net/random_message.h"

namespace spillway::net {

using core::EnvelopeKind;
using core::Lane;
using test::eventually;
using test::Node;
using namespace std::chrono_literals;

namespace {

core::Envelope token(const Node& from, const Node& to, std::uint64_t sequence, Lane lane = Lane::token) {
  core::Envelope e;
  e.from = from.id, e.to = to.id, e.lane = lane, e.sequence = sequence;
  e.message = core::make_message(core::CancelRun{{{7}, {{1, sequence}}}, {{3}, sequence}});
  return e;
}

/// Sends until one arrives: the connection stands.
bool greet(Node& from, Node& to, Lane lane = Lane::token) {
  return eventually([&] {
    const auto before = to.greetings();
    from.loop->transport().send(token(from, to, test::greeting_sequence, lane));
    return eventually([&] { return to.greetings() > before; }, 50ms);
  });
}

int raw_connect(const std::string& endpoint) {
  const auto colon = endpoint.rfind(':');
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(endpoint.substr(colon + 1))));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BOOST_REQUIRE(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  return fd;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(zmq_loop)

BOOST_AUTO_TEST_CASE(two_nodes_exchange_ten_thousand_envelopes_in_order) {
  Node a("a");
  Node b("b");
  a.meet(b), b.meet(a);
  BOOST_REQUIRE(greet(a, b));
  BOOST_REQUIRE(greet(b, a));
  a.clear(), b.clear();
  constexpr std::uint64_t each = 5000;
  for (std::uint64_t i = 1; i <= each; ++i) {
    a.loop->transport().send(token(a, b, i));
    b.loop->transport().send(token(b, a, i));
    // The transport drops what a socket cannot hold; the link core would send it again.
    if (i % 1000 == 0) BOOST_REQUIRE(eventually([&] { return a.count() == i && b.count() == i; }));
  }
  const auto sequences = a.sequences();
  BOOST_TEST((sequences == b.sequences()));
  BOOST_TEST(std::is_sorted(sequences.begin(), sequences.end()));
  BOOST_TEST(sequences.back() == each);
}

BOOST_AUTO_TEST_CASE(every_message_arrives_whole_on_its_lane_with_page_bytes) {
  Node a("a");
  Node b("b");
  a.meet(b);
  for (const auto lane : {Lane::control, Lane::token, Lane::bulk}) BOOST_REQUIRE(greet(a, b, lane));
  for (std::size_t type = 0; type < core::message_types; ++type) {
    b.clear();
    auto e = test::Filler(type).envelope(EnvelopeKind::data, type);
    e.from = a.id, e.to = b.id;
    a.loop->transport().send(e);
    BOOST_REQUIRE(eventually([&] { return b.count() == 1; }));
    BOOST_TEST(test::dump(b.first()) == test::dump(e));
  }
  core::PageFrame page;
  page.data = core::share(core::ByteVector(1 << 20, std::byte{0x5a}));
  page.data_offset = 4096 + 3;
  page.data_bytes = page.payload_bytes = 256 << 10;
  auto e = token(a, b, 1, Lane::bulk);
  e.message = core::make_message(page);
  b.clear();
  a.loop->transport().send(e);
  BOOST_REQUIRE(eventually([&] { return b.count() == 1; }));
  BOOST_TEST((test::dump(b.first()) == test::dump(e)));
  page.data_bytes = page.payload_bytes = (256 << 10) + 1;
  e.message = core::make_message(page);
  a.loop->transport().send(e);
  BOOST_TEST(a.loop->counters().dropped_large == 1U);
}

BOOST_AUTO_TEST_CASE(a_peer_met_without_descriptors_is_reached_later) {
  Node a("a", {.peer_reopen_after = 50ms});
  Node b("b");
  {
    const test::NoDescriptors none;
    a.meet(b);
    BOOST_REQUIRE(eventually([&] { return a.loop->counters().sockets_refused == 3; }));
    a.loop->transport().send(token(a, b, 1));
    BOOST_REQUIRE(eventually([&] { return a.loop->counters().dropped_unknown == 1; }));
  }
  BOOST_TEST(greet(a, b));
}

BOOST_AUTO_TEST_CASE(three_nodes_know_each_other) {
  Node nodes[] = {Node("a"), Node("b"), Node("c")};
  for (auto& x : nodes) {
    for (auto& y : nodes) {
      if (&x != &y) x.meet(y);
    }
  }
  for (auto& x : nodes) {
    for (auto& y : nodes) {
      if (&x != &y) BOOST_TEST(greet(x, y));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_starts_again_under_its_name_is_found_again) {
  Node a("a");
  auto b = std::make_unique<Node>("b");
  const auto address = b->loop->address();
  a.meet(*b);
  BOOST_REQUIRE(greet(a, *b));
  b.reset();
  for (std::uint64_t i = 0; i < 100; ++i) {  // into the void
    core::Envelope e;
    e.from = a.id, e.to = core::node_id("b"), e.kind = EnvelopeKind::heartbeat;
    a.loop->transport().send(e);
  }
  b = std::make_unique<Node>("b", test::NodeOptions{.bind = address.endpoints});
  BOOST_TEST(greet(a, *b));
}

BOOST_AUTO_TEST_CASE(a_full_peer_costs_drops_and_no_time) {
  Node a("a", {.peer_messages_max = 10});
  // A peer that accepts connections and never reads: a listening socket that nobody serves.
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  BOOST_REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  BOOST_REQUIRE(::listen(fd, 5) == 0);
  socklen_t size = sizeof address;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  const auto endpoint = "tcp://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  const auto deaf = core::node_id("deaf");
  a.loop->transport().set_peer(deaf, {{endpoint, endpoint, endpoint}, ""});

  // And one that reads slowly: its receiver stops until told.
  std::atomic<bool> closed{true};
  Node slow("slow", {.peer_messages_max = 10});
  slow.loop->transport().set_receiver([&](core::Envelope&&) {
    while (closed) std::this_thread::sleep_for(1ms);
  });
  a.meet(slow);
  BOOST_REQUIRE(eventually([&] {
    a.loop->transport().send(token(a, slow, 1));
    return a.loop->counters().sent > 0;
  }));
  core::PageFrame page;
  page.data = core::share(core::ByteVector(200'000));
  page.data_bytes = page.payload_bytes = 200'000;
  constexpr std::uint64_t sends = 400;
  for (std::uint64_t i = 0; i < sends; ++i) {
    auto e = token(a, slow, i, Lane::bulk);
    e.message = core::make_message(page);
    a.loop->transport().send(e);
    auto lost = e;
    lost.to = deaf;
    a.loop->transport().send(lost);
  }
  BOOST_TEST(eventually([&] {
    const auto counters = a.loop->counters();
    return counters.sent + counters.dropped_full >= 2 * sends;
  }));
  BOOST_TEST(a.loop->counters().dropped_full > sends + 100);  // all to the deaf, most to the slow
  Node b("b");
  a.meet(b);
  BOOST_TEST(greet(a, b));  // others do not feel it
  closed = false;
  ::close(fd);
}

BOOST_AUTO_TEST_CASE(with_curve_the_right_key_is_heard_and_a_wrong_one_is_refused) {
  const auto keys_a = *make_key_pair();
  const auto keys_b = *make_key_pair();
  const auto keys_x = *make_key_pair();
  const std::map<std::string, core::NodeId> allowed{{keys_a.public_key, core::node_id("a")}, {keys_b.public_key, core::node_id("b")}};
  Node a("a", {.keys = keys_a, .nodes = allowed});
  Node b("b", {.keys = keys_b, .nodes = allowed});
  Node x("x", {.keys = keys_x, .nodes = allowed});  // knows everybody, known by nobody
  a.meet(b), x.meet(b);
  BOOST_REQUIRE(greet(a, b));
  const auto heard = b.count();
  const auto refused = eventually([&] {
    x.loop->transport().send(token(x, b, 1));
    return b.loop->counters().keys_refused > 0;
  });
  BOOST_TEST(refused);
  BOOST_TEST(b.count() == heard);
  // A node of the cluster that takes b for a: the server key does not fit, nothing is heard.
  auto address = b.loop->address();
  address.public_key = keys_a.public_key;
  Node c("a", {.keys = keys_a, .nodes = allowed});
  c.loop->transport().set_peer(b.id, address);
  BOOST_TEST(!eventually([&] { return c.loop->transport().send(token(c, b, 2)), c.loop->counters().sent > 0; }, 300ms));
  BOOST_TEST(b.count() == heard);
}

BOOST_AUTO_TEST_CASE(a_sender_that_its_key_is_not_is_refused) {
  const auto keys_a = *make_key_pair();
  const auto keys_b = *make_key_pair();
  const std::map<std::string, core::NodeId> allowed{{keys_a.public_key, core::node_id("a")}, {keys_b.public_key, core::node_id("b")}};
  Node liar("b", {.keys = keys_a, .nodes = allowed});  // has a's key, says b
  Node b("b", {.keys = keys_b, .nodes = allowed});
  liar.loop->transport().set_peer(b.id, b.loop->address());
  BOOST_TEST(eventually([&] {
    liar.loop->transport().send(token(liar, b, 1));
    return b.loop->counters().spoofed > 0;
  }));
  BOOST_TEST(b.count() == 0U);
}

BOOST_AUTO_TEST_CASE(envelopes_for_others_or_on_a_wrong_lane_are_not_heard) {
  Node b("b");
  ZmqContext context(1);
  ZmqSocket dealer(context, ZMQ_DEALER);
  BOOST_REQUIRE(dealer.connect(b.loop->address().endpoints[1]));
  Node a("a");
  auto wrong_lane = token(a, b, 1, Lane::control);
  dealer.send(encode(wrong_lane));
  auto wrong_node = token(a, a, 1);
  dealer.send(encode(wrong_node));
  BOOST_TEST(eventually([&] { return b.loop->counters().misdirected == 2; }));
  dealer.send(encode(token(a, b, 1)));
  BOOST_TEST(eventually([&] { return b.count() == 1; }));
}

BOOST_AUTO_TEST_CASE(junk_on_every_socket_does_no_harm) {
  Node a("a");
  Node b("b", {.clients = true});
  a.meet(b);
  BOOST_REQUIRE(greet(a, b));
  const auto lanes = b.loop->address().endpoints;
  std::vector<std::string> endpoints(lanes.begin(), lanes.end());
  endpoints.push_back(b.loop->client_endpoint());
  test::Filler filler(3);
  ZmqContext context(1);
  std::uint64_t junk = 0;
  for (const auto& endpoint : endpoints) {
    for (int round = 0; round < 5; ++round) {
      const int fd = raw_connect(endpoint);
      std::string bytes(filler.number(5000) + 1, '\0');
      for (auto& c : bytes) c = static_cast<char>(filler.number(256));
      if (round == 0) bytes = "GET / HTTP/1.1\r\nHost: spillway\r\n\r\n";
      if (round == 1) bytes = std::string("\xff\0\0\0\0\0\0\0\1\x7f\3\0NULL", 16);  // a greeting that ends early
      [[maybe_unused]] const auto written = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      ::close(fd);
    }
    ZmqSocket dealer(context, ZMQ_DEALER);
    BOOST_REQUIRE(dealer.connect(endpoint));
    for (int round = 0; round < 50; ++round) {
      std::string bytes(filler.number(300), 'x');
      for (auto& c : bytes) c = static_cast<char>(filler.number(256));
      const auto parts = 1 + filler.number(5);
      for (std::uint64_t p = 1; p <= parts; ++p) dealer.send(core::as_bytes(bytes), p < parts);
      ++junk;
    }
    BOOST_TEST(eventually([&] { return b.loop->counters().bad_frames >= junk; }));  // raw bytes may pass for frames of an old ZMTP, too
  }
  BOOST_TEST(greet(a, b));
  BOOST_TEST_MESSAGE("junk messages: " << junk);
}

BOOST_AUTO_TEST_CASE(endpoints_that_cannot_be_are_refused_with_the_fix) {
  const auto open = [](const std::string& endpoint) {
    ZmqLoopOptions options;
    options.self = core::node_id("a");
    options.bind[0] = endpoint;
    auto opened = ZmqLoop::open(std::move(options));
    return opened ? core::Error{core::Errc::ok, {}, {}} : opened.error();
  };
  Node a("a");
  BOOST_TEST((open(a.loop->address().endpoints[0]).code == core::Errc::io));
  BOOST_TEST(open(a.loop->address().endpoints[0]).message.find(a.loop->address().endpoints[0]) != std::string::npos);
  BOOST_TEST((open("tcp://0.0.0.0:*").code == core::Errc::unauthorized));
  BOOST_TEST((open("tcp://127.0.0.1").code == core::Errc::bad_argument));
  ZmqLoopOptions bad_key;
  bad_key.keys = {"short", "short"};
  BOOST_TEST(!ZmqLoop::open(bad_key));
}

BOOST_AUTO_TEST_CASE(after_stop_the_receiver_is_not_running_and_is_not_called) {
  Node a("a");
  Node b("b");
  a.meet(b);
  BOOST_REQUIRE(greet(a, b));
  std::atomic<bool> running{false};
  std::atomic<int> calls{0};
  b.loop->transport().set_receiver([&](core::Envelope&&) {
    running = true;
    std::this_thread::sleep_for(20ms);
    ++calls;
    running = false;
  });
  a.loop->transport().send(token(a, b, 1));
  BOOST_REQUIRE(eventually([&] { return running.load() || calls.load() > 0; }));
  b.loop->transport().stop();
  BOOST_TEST(!running.load());
  const auto before = calls.load();
  a.loop->transport().send(token(a, b, 2));
  BOOST_TEST(eventually([&] { return b.loop->counters().dropped_unheard > 0; }));
  BOOST_TEST(calls.load() == before);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::net
