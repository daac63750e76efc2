#include "net/memory_network.h"

#include <boost/test/unit_test.hpp>

#include "core/digest.h"
#include "tests/net/random_message.h"

namespace spillway::net {

namespace {

using core::EnvelopeKind;
using core::Instant;
using namespace std::chrono_literals;

const auto node_a = core::node_id("a");
const auto node_b = core::node_id("b");
constexpr Instant start{};

core::Envelope cancel(core::NodeId from, core::NodeId to, std::uint64_t sequence, core::Lane lane = core::Lane::control) {
  core::Envelope e;
  e.from = from;
  e.to = to;
  e.sequence = sequence;
  e.lane = lane;
  e.message = core::make_message(core::CancelRun{{{7}, {{1, sequence}}}, {{3}, sequence}});
  return e;
}

/// Two nodes that know each other; `trace` is what b received: (time, sequence).
struct Pair {
  explicit Pair(const MemoryNetworkOptions& options = {}) : net(options), a(net.attach(node_a)), b(net.attach(node_b)) {
    a->set_peer(node_b, {});
    b->set_peer(node_a, {});
    b->set_receiver([this](core::Envelope&& e) { trace.emplace_back(e.sequence), all += test::dump(e) + "\n"; });
  }
  void run_all() {
    while (net.next_due() != core::never) net.deliver_due(net.next_due());
  }
  bool in_order() const { return std::is_sorted(trace.begin(), trace.end()); }

  MemoryNetwork net;
  std::unique_ptr<Transport> a;
  std::unique_ptr<Transport> b;
  std::vector<std::uint64_t> trace;
  std::string all;
};

MemoryNetworkOptions noisy(std::uint64_t seed) {
  MemoryNetworkOptions options;
  options.seed = seed;
  options.faults.loss_ppm = 50'000;
  options.faults.duplicate_ppm = 50'000;
  options.faults.reorder_ppm = 50'000;
  return options;
}

std::string noisy_run(std::uint64_t seed, MemoryNetworkCounters* counters = nullptr) {
  Pair pair(noisy(seed));
  test::Filler filler(4);
  for (std::uint64_t i = 1; i <= 2000; ++i) {
    auto e = filler.envelope(EnvelopeKind::data, i % core::message_types);
    e.from = node_a, e.to = node_b, e.sequence = i;
    pair.net.set_now(start + i * 50us);
    pair.a->send(e);
    if (i % 10 == 0) pair.net.deliver_due(start + i * 50us);
  }
  pair.run_all();
  if (counters != nullptr) *counters = pair.net.counters();
  return pair.all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(memory_network)

BOOST_AUTO_TEST_CASE(nothing_arrives_before_its_time_and_order_is_kept) {
  Pair pair;
  for (std::uint64_t i = 1; i <= 100; ++i) pair.a->send(cancel(node_a, node_b, i));
  BOOST_TEST(pair.net.deliver_due(start + 50us) == 0U);
  BOOST_TEST(pair.trace.empty());
  BOOST_TEST((pair.net.next_due() > start + 50us));
  pair.net.deliver_due(start + 1ms);
  BOOST_TEST(pair.trace.size() == 100U);
  BOOST_TEST(pair.in_order());
  BOOST_TEST((pair.net.next_due() == core::never));
}

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_deliveries_and_another_does_not) {
  MemoryNetworkCounters counters;
  const auto first = noisy_run(1, &counters);
  BOOST_TEST((first == noisy_run(1)));
  BOOST_TEST((first != noisy_run(2)));
  BOOST_TEST(counters.sent == 2000U);
  BOOST_TEST(counters.lost > 60U);
  BOOST_TEST(counters.duplicated > 60U);
  BOOST_TEST(counters.reordered > 60U);
  BOOST_TEST(counters.delivered == counters.sent - counters.lost + counters.duplicated);
}

BOOST_AUTO_TEST_CASE(what_arrives_equals_what_was_sent_with_and_without_the_codec) {
  for (const bool codec : {true, false}) {
    MemoryNetworkOptions options;
    options.codec_round_trip = codec;
    Pair pair(options);
    std::string sent;
    for (std::size_t type = 0; type < core::message_types; ++type) {
      auto e = test::Filler(type).envelope(EnvelopeKind::data, type);
      e.from = node_a, e.to = node_b, e.lane = core::Lane::token;
      pair.a->send(e);
      sent += test::dump(e) + "\n";
    }
    pair.run_all();
    BOOST_TEST((pair.all == sent));
    BOOST_TEST(pair.net.counters().delivered_by_type[core::message_types - 1] == 1U);
  }
}

BOOST_AUTO_TEST_CASE(scripted_faults_strike_the_envelopes_they_name) {
  Pair pair;
  const auto type = message_type<core::CancelRun>;
  const auto drop = pair.net.add_fault({.match = {.type = type}, .action = FaultAction::drop, .skip = 1, .count = 2});
  const auto twice = pair.net.add_fault({.match = {.type = type}, .action = FaultAction::duplicate, .skip = 3, .count = 1, .delay = 5ms});
  const auto late =
      pair.net.add_fault({.match = {.to = node_b, .type = type}, .action = FaultAction::delay, .skip = 4, .count = 1, .delay = 9ms});
  const auto other = pair.net.add_fault({.match = {.type = message_type<core::Run>}});
  for (std::uint64_t i = 1; i <= 6; ++i) pair.a->send(cancel(node_a, node_b, i));
  pair.run_all();
  BOOST_TEST(pair.trace == (std::vector<std::uint64_t>{1, 4, 6, 4, 5}), boost::test_tools::per_element());
  BOOST_TEST(pair.net.fault_hits(drop) == 2U);
  BOOST_TEST(pair.net.fault_hits(twice) == 1U);
  BOOST_TEST(pair.net.fault_hits(late) == 1U);
  BOOST_TEST(pair.net.fault_hits(other) == 0U);
}

BOOST_AUTO_TEST_CASE(a_cut_goes_one_way_and_mends) {
  Pair pair;
  std::size_t to_a = 0;
  pair.a->set_receiver([&](core::Envelope&&) { ++to_a; });
  const auto both = [&](std::uint64_t i) {
    pair.a->send(cancel(node_a, node_b, i)), pair.b->send(cancel(node_b, node_a, i));
    pair.run_all();
  };
  pair.net.set_cut(node_a, node_b, true);
  both(1);
  BOOST_TEST(pair.trace.empty());
  BOOST_TEST(to_a == 1U);
  pair.net.set_cut(node_a, node_b, false);
  pair.net.isolate(node_a, true, false);
  both(2);
  BOOST_TEST(pair.trace.size() == 1U);
  BOOST_TEST(to_a == 1U);
  pair.net.heal();
  both(3);
  BOOST_TEST(pair.trace.size() == 2U);
  BOOST_TEST(to_a == 2U);
  BOOST_TEST(pair.net.counters().cut == 2U);
}

BOOST_AUTO_TEST_CASE(captured_envelopes_come_again_to_a_node_that_was_attached_anew) {
  Pair pair;
  pair.net.capture({.type = message_type<core::CancelRun>}, 2);
  for (std::uint64_t i = 1; i <= 3; ++i) pair.a->send(cancel(node_a, node_b, i));
  pair.run_all();
  BOOST_REQUIRE(pair.net.captured().size() == 2U);
  std::vector<std::uint64_t> again;
  auto reborn = pair.net.attach(node_b);
  reborn->set_receiver([&](core::Envelope&& e) { again.push_back(e.sequence); });
  pair.b->set_receiver([&](core::Envelope&&) { BOOST_ERROR("the old transport is deaf"); });
  pair.net.replay(pair.net.captured()[1], 3ms);
  pair.run_all();
  BOOST_TEST(again == (std::vector<std::uint64_t>{2}), boost::test_tools::per_element());
  pair.b->stop();  // the old one again: nothing happens to the new
  pair.net.replay(pair.net.captured()[0]);
  pair.run_all();
  BOOST_TEST(again.size() == 2U);
}

BOOST_AUTO_TEST_CASE(the_bulk_lane_has_a_bandwidth_and_does_not_delay_the_others) {
  MemoryNetworkOptions options;
  options.faults.bulk_bytes_per_second = 1'000'000;
  Pair pair(options);
  core::PageFrame page;
  page.data = core::share(core::ByteVector(100'000));
  page.data_bytes = page.payload_bytes = 100'000;
  for (std::uint64_t i = 1; i <= 10; ++i) {
    auto e = cancel(node_a, node_b, i, core::Lane::bulk);
    e.message = core::make_message(page);
    pair.a->send(e);
  }
  pair.a->send(cancel(node_a, node_b, 99));
  pair.net.deliver_due(start + 50ms);
  BOOST_TEST(pair.trace == (std::vector<std::uint64_t>{99}), boost::test_tools::per_element());
  pair.net.deliver_due(start + 990ms);
  BOOST_TEST(pair.trace.size() == 10U);
  pair.net.deliver_due(start + 1100ms);
  BOOST_TEST(pair.trace.size() == 11U);
}

BOOST_AUTO_TEST_CASE(clients_talk_in_order_and_both_sides_learn_of_the_end) {
  MemoryNetwork net;
  auto listener = net.attach_listener(node_a);
  std::vector<std::string> heard;
  std::vector<std::string> router_gone;
  ClientRef ref;
  listener->set_callbacks({[&](ClientRef client, const ClientIdentity& identity, core::ClientMessage&& message) {
                             ref = client;
                             heard.push_back(identity.tenant + " " + std::string(core::client_message_name(message)));
                           },
                           [&](ClientRef, std::string_view reason) { router_gone.emplace_back(reason); }});
  std::vector<std::string> answers;
  std::size_t client_gone = 0;
  const auto connect = [&](core::NodeId node) {
    ClientConnectionOptions options;
    options.hello.tenant = "news";
    return net.connect_client(
        node, options,
        {[&](core::ClientMessage&& m) { answers.emplace_back(core::client_message_name(m)); }, [&](const core::Error&) { ++client_gone; }});
  };
  const auto run_all = [&] {
    while (net.next_due() != core::never) net.deliver_due(net.next_due());
  };
  auto client = connect(node_a);
  BOOST_TEST(client->send(core::Submit{}));
  run_all();
  BOOST_TEST(heard == (std::vector<std::string>{"news ClientHello", "news Submit"}), boost::test_tools::per_element());
  BOOST_TEST(listener->send(ref, core::make_client_message(core::ServerHello{})));
  BOOST_TEST(listener->send(ref, core::make_client_message(core::Finished{})));
  client.reset();  // closed before the answers arrive
  BOOST_TEST(!listener->send(ref, core::make_client_message(core::Finished{})));
  run_all();
  BOOST_TEST(answers.empty());
  BOOST_TEST(router_gone.size() == 1U);
  BOOST_TEST(client_gone == 0U);

  auto second = connect(node_a);
  run_all();
  listener->send(ref, core::make_client_message(core::Finished{}));
  listener->close(ref, "enough");
  run_all();
  BOOST_TEST(answers.size() == 1U);  // sent before the end
  BOOST_TEST(router_gone.back() == "enough");
  BOOST_TEST(client_gone == 1U);
  BOOST_TEST(!second->send(core::Submit{}));

  auto third = connect(node_a);
  run_all();
  net.break_clients(node_a);
  net.break_clients(node_a);
  run_all();
  BOOST_TEST(router_gone.size() == 3U);
  BOOST_TEST(client_gone == 2U);

  auto fourth = connect(node_b);  // nobody listens there
  run_all();
  BOOST_TEST(client_gone == 3U);
  auto fifth = connect(node_a);
  run_all();
  listener->stop();
  run_all();
  BOOST_TEST(client_gone == 4U);
  BOOST_TEST(router_gone.size() == 3U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::net
