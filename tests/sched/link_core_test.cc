#include "sched/link_core.h"

#include <boost/test/unit_test.hpp>

#include "tests/sched/link_world.h"

using namespace spillway;
using namespace spillway::sched::test;
using namespace std::chrono_literals;
using core::EnvelopeKind;
using core::Lane;
using sched::LinkCore;

namespace {

LinkCounts play(LinkOptions options, std::uint64_t seeds) {
  LinkCounts sum;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      options.seed = seed;
      sum += LinkWorld(options).play();
    }
  }
  BOOST_TEST_MESSAGE("sent " << sum.sent << ", delivered " << sum.delivered << ", not taken while down " << sum.dropped_down << ", bulk "
                             << sum.bulk_sent << "/" << sum.bulk_delivered << ", ups " << sum.ups << ", downs " << sum.downs
                             << ", restarts " << sum.restarts << ", partitions " << sum.partitions << ", replays " << sum.replays
                             << ", lost " << sum.lost << ", repeated " << sum.repeated << ", resent " << sum.resent << ", suspected "
                             << sum.suspects);
  return sum;
}

const core::Instant t0{10s};
const core::NodeId node_a{1};
const core::NodeId node_b{2};

core::MessagePtr control(std::uint64_t n = 1) {
  return core::make_message(core::CancelRun{.key = {}, .epoch = {{1}, n}});
}
core::MessagePtr page(std::uint32_t bytes) {
  core::PageFrame frame;
  frame.data_bytes = bytes;
  return core::make_message(std::move(frame));
}

/// Two ends joined by hand: `a_out` and `b_out` collect what they want done; `exchange` carries envelopes both ways until silence.
struct Pair {
  explicit Pair(const sched::LinkLimits& limits = {})
      : a(node_a, {11}, node_b, {}, limits, 1 << 20), b(node_b, {21}, node_a, {}, limits, 2 << 20) {}

  LinkCore a, b;
  LinkCore::Actions a_out, b_out;

  static std::vector<core::Envelope> take_envelopes(LinkCore::Actions& actions) {
    std::vector<core::Envelope> envelopes;
    std::erase_if(actions, [&](auto& action) {
      auto* t = std::get_if<LinkCore::Transmit>(&action);
      if (t != nullptr) envelopes.push_back(std::move(t->envelope));
      return t != nullptr;
    });
    return envelopes;
  }
  void exchange(core::Instant now) {
    for (int round = 0; round < 10; ++round) {
      for (const auto& e : take_envelopes(a_out)) b.on(e, now, b_out);
      for (const auto& e : take_envelopes(b_out)) a.on(e, now, a_out);
    }
  }
  void tick(core::Instant now) {
    a.on_tick(now, a_out);
    b.on_tick(now, b_out);
    exchange(now);
  }
  void connect(core::Instant now = t0) {
    tick(now);
    tick(now);
    BOOST_REQUIRE(a.up());
    BOOST_REQUIRE(b.up());
    a_out.clear();
    b_out.clear();
  }
};

template <class T>
std::vector<T> of(const LinkCore::Actions& actions) {
  std::vector<T> result;
  for (const auto& action : actions) {
    if (const auto* t = std::get_if<T>(&action)) result.push_back(*t);
  }
  return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(link_core)

BOOST_AUTO_TEST_CASE(both_ends_may_say_hello_at_once) {
  Pair p;
  p.tick(t0);
  p.tick(t0);
  BOOST_REQUIRE(of<LinkCore::PeerUp>(p.a_out).size() == 1U);
  BOOST_REQUIRE(of<LinkCore::PeerUp>(p.b_out).size() == 1U);
  BOOST_TEST((of<LinkCore::PeerUp>(p.a_out)[0].incarnation == core::Incarnation{21}));
  BOOST_TEST((of<LinkCore::PeerUp>(p.b_out)[0].incarnation == core::Incarnation{11}));
  BOOST_TEST((p.a.peer_incarnation() == core::Incarnation{21}));
}

BOOST_AUTO_TEST_CASE(hello_is_repeated_until_somebody_answers) {
  Pair p;
  p.a.on_tick(t0, p.a_out);
  BOOST_TEST((p.a.next_tick() == t0 + 100ms));
  p.a.on_tick(t0 + 50ms, p.a_out);
  BOOST_TEST(p.a_out.size() == 1U);
  p.a.on_tick(t0 + 100ms, p.a_out);
  const auto envelopes = Pair::take_envelopes(p.a_out);
  BOOST_REQUIRE(envelopes.size() == 2U);
  BOOST_TEST((envelopes[1].kind == EnvelopeKind::hello));
  BOOST_TEST(envelopes[0].session == envelopes[1].session);
}

BOOST_AUTO_TEST_CASE(nothing_is_taken_while_the_peer_is_down) {
  Pair p;
  BOOST_TEST(!p.a.send(control(), t0, p.a_out));
  BOOST_TEST(p.a_out.empty());
}

BOOST_AUTO_TEST_CASE(messages_arrive_on_their_lane_and_acks_ride_on_data) {
  Pair p;
  p.connect();
  BOOST_TEST(p.a.send(control(5), t0, p.a_out));
  p.exchange(t0);
  const auto delivered = of<LinkCore::Deliver>(p.b_out);
  BOOST_REQUIRE(delivered.size() == 1U);
  BOOST_TEST(std::get<core::CancelRun>(*delivered[0].message).epoch.counter == 5U);
  BOOST_TEST(p.a.unacked() == 1U);
  BOOST_TEST(p.b.send(control(6), t0, p.b_out));  // carries the acknowledgement
  p.exchange(t0);
  BOOST_TEST(p.a.unacked() == 0U);
}

BOOST_AUTO_TEST_CASE(a_lone_ack_leaves_within_a_tick) {
  Pair p;
  p.connect();
  p.a.send(control(), t0, p.a_out);
  p.exchange(t0);
  BOOST_TEST((p.b.next_tick() <= t0 + 13ms));
  p.tick(p.b.next_tick());
  BOOST_TEST(p.a.unacked() == 0U);
}

BOOST_AUTO_TEST_CASE(every_32_messages_are_acknowledged_at_once) {
  Pair p;
  p.connect();
  for (int i = 0; i < 64; ++i) p.a.send(control(), t0, p.a_out);
  p.exchange(t0);
  BOOST_TEST(p.a.unacked() == 0U);
}

BOOST_AUTO_TEST_CASE(heartbeats_come_whatever_else_is_said) {
  Pair p;
  p.connect();
  std::size_t beats = 0;
  for (auto now = t0 + 10ms; now <= t0 + 1s; now += 10ms) {
    p.a.send(control(), now, p.a_out);
    p.a.on_tick(now, p.a_out);
    p.b.on_tick(now, p.b_out);
    for (const auto& action : p.a_out) {
      const auto* t = std::get_if<LinkCore::Transmit>(&action);
      beats += t != nullptr && t->envelope.kind == EnvelopeKind::heartbeat ? 1 : 0;
    }
    p.exchange(now);
  }
  BOOST_TEST(beats == 10U);
}

BOOST_AUTO_TEST_CASE(silence_makes_suspect_then_dead_and_hellos_go_on) {
  Pair p;
  p.connect();
  p.a.on_tick(t0 + 249ms, p.a_out);
  BOOST_TEST(!p.a.suspect());
  p.a.on_tick(t0 + 250ms, p.a_out);
  BOOST_TEST(p.a.suspect());
  BOOST_TEST(p.a.up());
  for (auto now = t0 + 300ms; now < t0 + 700ms; now += 50ms) p.a.on_tick(now, p.a_out);
  p.a.on_tick(t0 + 699ms, p.a_out);
  BOOST_TEST(p.a.up());
  Pair::take_envelopes(p.a_out);
  p.a.on_tick(t0 + 700ms, p.a_out);
  BOOST_TEST(!p.a.up());
  BOOST_REQUIRE(of<LinkCore::PeerDown>(p.a_out).size() == 1U);
  BOOST_TEST((of<LinkCore::PeerDown>(p.a_out)[0].incarnation == core::Incarnation{21}));
  const auto envelopes = Pair::take_envelopes(p.a_out);
  BOOST_REQUIRE(envelopes.size() == 1U);
  BOOST_TEST((envelopes[0].kind == EnvelopeKind::hello));
}

BOOST_AUTO_TEST_CASE(a_node_that_was_silent_itself_forgives_half_of_the_silence_once) {
  Pair p;
  p.connect();
  p.a.on_tick(t0 + 100ms, p.a_out);
  p.a.on_tick(t0 + 5s, p.a_out);  // stopped for 4.9 s: the peer may well have spoken
  BOOST_TEST(p.a.up());
  p.a.on_tick(t0 + 5s + 349ms, p.a_out);
  BOOST_TEST(p.a.up());
  p.a.on_tick(t0 + 5s + 350ms, p.a_out);
  BOOST_TEST(!p.a.up());
  BOOST_TEST(of<LinkCore::PeerDown>(p.a_out).size() == 1U);

  Pair again;  // always late: a dead peer is found all the same
  again.connect();
  again.a.on_tick(t0 + 2s, again.a_out);
  BOOST_TEST(again.a.up());
  again.a.on_tick(t0 + 4s, again.a_out);
  BOOST_TEST(!again.a.up());
}

BOOST_AUTO_TEST_CASE(a_suspect_that_speaks_is_cleared) {
  Pair p;
  p.connect();
  p.a.on_tick(t0 + 300ms, p.a_out);
  BOOST_REQUIRE(p.a.suspect());
  Pair::take_envelopes(p.a_out);
  p.b.on_tick(t0 + 300ms, p.b_out);
  p.exchange(t0 + 300ms);
  BOOST_TEST(!p.a.suspect());
  const auto told = of<LinkCore::PeerSuspect>(p.a_out);
  BOOST_REQUIRE(told.size() == 2U);
  BOOST_TEST(told[0].suspect);
  BOOST_TEST(!told[1].suspect);
}

BOOST_AUTO_TEST_CASE(another_incarnation_means_that_the_old_one_is_dead_at_once) {
  Pair p;
  p.connect();
  p.a.send(control(1), t0, p.a_out);
  Pair::take_envelopes(p.a_out);  // never arrives
  p.b = LinkCore(node_b, {22}, node_a, {}, {}, 3 << 20);
  p.tick(t0 + 10ms);
  p.tick(t0 + 10ms);
  const auto downs = of<LinkCore::PeerDown>(p.a_out);
  const auto ups = of<LinkCore::PeerUp>(p.a_out);
  BOOST_REQUIRE(downs.size() == 1U);
  BOOST_REQUIRE(ups.size() == 1U);
  BOOST_TEST((downs[0].incarnation == core::Incarnation{21}));
  BOOST_TEST((ups[0].incarnation == core::Incarnation{22}));
  BOOST_TEST(p.a.unacked() == 0U);  // what was queued for the old one is dropped
  BOOST_TEST(of<LinkCore::Deliver>(p.b_out).empty());
}

BOOST_AUTO_TEST_CASE(an_incarnation_that_was_replaced_is_not_even_answered) {
  Pair p;
  p.b.on_tick(t0, p.b_out);
  const auto old = Pair::take_envelopes(p.b_out).at(0);
  p.connect(t0 + 100ms);
  p.b = LinkCore(node_b, {22}, node_a, {}, {}, 3 << 20);
  p.tick(t0 + 110ms);
  p.tick(t0 + 120ms);
  BOOST_REQUIRE((p.a.peer_incarnation() == core::Incarnation{22}));
  Pair::take_envelopes(p.a_out);
  p.a.on(old, t0 + 120ms, p.a_out);
  BOOST_TEST(Pair::take_envelopes(p.a_out).empty());
}

BOOST_AUTO_TEST_CASE(a_hello_of_a_dead_incarnation_replayed_harms_nobody) {
  Pair p;
  LinkCore old(node_b, {20}, node_a, {}, {}, 9 << 20);
  LinkCore::Actions old_out;
  old.on_tick(t0, old_out);
  const auto hello = Pair::take_envelopes(old_out).at(0);
  p.connect();
  for (int i = 0; i < 20; ++i) {
    p.a.on(hello, t0, p.a_out);
    p.exchange(t0);
  }
  BOOST_TEST(p.a.up());
  BOOST_TEST((p.a.peer_incarnation() == core::Incarnation{21}));
  BOOST_TEST(of<LinkCore::PeerDown>(p.a_out).empty());
}

BOOST_AUTO_TEST_CASE(what_the_peer_lost_of_an_earlier_session_is_not_acknowledged_in_the_next) {
  Pair p;
  p.connect();
  std::vector<core::Envelope> late;
  for (int i = 0; i < 3; ++i) p.a.send(control(), t0, p.a_out);
  p.exchange(t0);
  p.b.on_tick(t0 + 20ms, p.b_out);
  late = Pair::take_envelopes(p.b_out);  // acknowledges 3, and is delayed
  BOOST_REQUIRE(late.size() == 1U);
  p.tick(t0 + 800ms);
  p.tick(t0 + 900ms);
  p.connect(t0 + 1000ms);
  p.a.send(control(), t0 + 1s, p.a_out);
  p.a.on(late[0], t0 + 1s, p.a_out);
  BOOST_TEST(p.a.unacked() == 1U);
}

BOOST_AUTO_TEST_CASE(another_protocol_version_is_refused_with_both_versions_named) {
  Pair p;
  p.a.on_tick(t0, p.a_out);
  auto hello = Pair::take_envelopes(p.a_out).at(0);
  hello.version = 9;
  for (int i = 0; i < 3; ++i) p.b.on(hello, t0, p.b_out);
  const auto refused = of<LinkCore::Refused>(p.b_out);
  BOOST_REQUIRE(refused.size() == 1U);  // told once
  BOOST_TEST(refused[0].reason.find("version 9") != std::string::npos);
  BOOST_TEST(refused[0].reason.find("version 1") != std::string::npos);
  const auto answers = Pair::take_envelopes(p.b_out);
  BOOST_REQUIRE(answers.size() == 3U);
  BOOST_TEST((answers[0].kind == EnvelopeKind::refuse));
  p.a.on(answers[0], t0, p.a_out);
  BOOST_REQUIRE(of<LinkCore::Refused>(p.a_out).size() == 1U);
  BOOST_TEST(!p.a.up());
  p.a_out.clear();
  p.a.on_tick(t0 + 100ms, p.a_out);
  p.a.on_tick(t0 + 200ms, p.a_out);
  BOOST_TEST(Pair::take_envelopes(p.a_out).size() == 1U);  // hellos are rarer now
}

BOOST_AUTO_TEST_CASE(envelopes_for_others_are_ignored) {
  Pair p;
  p.connect();
  p.a.send(control(), t0, p.a_out);
  const auto good = Pair::take_envelopes(p.a_out).at(0);
  for (int i = 0; i < 4; ++i) {
    auto bad = good;
    if (i == 0) bad.from = {3};
    if (i == 1) bad.to = {3};
    if (i == 2) bad.to_incarnation = {20};
    if (i == 3) bad.session -= 1;
    p.b.on(bad, t0, p.b_out);
  }
  BOOST_TEST(of<LinkCore::Deliver>(p.b_out).empty());
  p.b.on(good, t0, p.b_out);
  BOOST_TEST(of<LinkCore::Deliver>(p.b_out).size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_message_on_a_lane_that_is_not_its_own_is_dropped) {
  Pair p;
  p.connect();
  p.a.send(control(), t0, p.a_out);
  auto bad = Pair::take_envelopes(p.a_out).at(0);
  bad.lane = Lane::token;
  p.b.on(bad, t0, p.b_out);
  BOOST_TEST(of<LinkCore::Deliver>(p.b_out).empty());
}

BOOST_AUTO_TEST_CASE(too_many_unacknowledged_messages_are_a_dead_peer) {
  Pair p({.unacked_messages_max = 10});
  p.connect();
  for (int i = 0; i < 10; ++i) BOOST_TEST(p.a.send(control(), t0, p.a_out));
  BOOST_TEST(!p.a.send(control(), t0, p.a_out));
  BOOST_TEST(!p.a.up());
  BOOST_TEST(p.a.unacked() == 0U);
  BOOST_REQUIRE(of<LinkCore::PeerDown>(p.a_out).size() == 1U);
  BOOST_TEST(of<LinkCore::PeerDown>(p.a_out)[0].reason.find("10 messages") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(bulk_beyond_the_credit_waits_for_it) {
  Pair p({.credit_bytes = 10'000});
  p.connect();
  for (int i = 0; i < 5; ++i) BOOST_TEST(p.a.send(page(4000 - 128), t0, p.a_out));
  p.exchange(t0);
  auto delivered = of<LinkCore::Deliver>(p.b_out);
  BOOST_REQUIRE(delivered.size() == 2U);
  BOOST_TEST(delivered[0].bulk_bytes == 4000U);
  p.b_out.clear();
  p.b.consumed(4000, t0, p.b_out);
  p.exchange(t0);
  BOOST_TEST(of<LinkCore::Deliver>(p.b_out).size() == 1U);
  BOOST_TEST(of<LinkCore::BulkCredit>(p.a_out).back().bytes_in_flight == 16'000U);  // sent and waiting
}

BOOST_AUTO_TEST_CASE(a_page_larger_than_the_credit_goes_alone) {
  Pair p({.credit_bytes = 1000});
  p.connect();
  p.a.send(page(5000), t0, p.a_out);
  p.a.send(page(5000), t0, p.a_out);
  p.exchange(t0);
  BOOST_TEST(of<LinkCore::Deliver>(p.b_out).size() == 1U);
}

BOOST_AUTO_TEST_CASE(credit_of_lost_bulk_comes_back) {
  Pair p({.credit_bytes = 10'000});
  p.connect();
  p.a.send(page(4000), t0, p.a_out);
  p.a.send(page(4000), t0, p.a_out);
  Pair::take_envelopes(p.a_out);  // both lost
  for (auto now = t0 + 50ms; now < t0 + 2s; now += 50ms) p.tick(now);
  BOOST_REQUIRE(!of<LinkCore::BulkCredit>(p.a_out).empty());
  BOOST_TEST(of<LinkCore::BulkCredit>(p.a_out).back().bytes_in_flight == 0U);
}

BOOST_AUTO_TEST_CASE(credit_comes_back_for_no_more_than_can_have_been_sent) {
  core::Hello hello;
  hello.frame_bytes_max = 1000;
  for (const bool by_heartbeat : {false, true}) {
    Pair p({.credit_bytes = 10'000});
    p.b.set_hello(hello);
    p.connect();
    p.a.send(page(4000 - 128), t0, p.a_out);
    auto lie = Pair::take_envelopes(p.a_out).at(0);
    lie.sequence = std::uint64_t{1} << 60;
    if (by_heartbeat) {
      lie.kind = EnvelopeKind::heartbeat;
      lie.message = nullptr;
    }
    p.b.on(lie, t0, p.b_out);
    p.b.consumed(4000, t0, p.b_out);
    std::uint64_t credit = 0;
    for (auto now = t0; now < t0 + 1500ms; now += 50ms) {
      p.b.on_tick(now, p.b_out);
      for (const auto& e : Pair::take_envelopes(p.b_out)) credit = std::max(credit, e.credit);
      lie.kind = EnvelopeKind::heartbeat;
      lie.message = nullptr;
      lie.sequence = 4000;  // so that the link stays up
      p.b.on(lie, now, p.b_out);
    }
    BOOST_TEST(credit == 10'000U);
  }
}

BOOST_AUTO_TEST_CASE(a_peer_that_sends_beyond_its_credit_fills_nothing) {
  Pair p({.credit_bytes = 10'000});
  p.connect();
  p.a.send(page(4000 - 128), t0, p.a_out);
  auto e = Pair::take_envelopes(p.a_out).at(0);
  for (int i = 0; i < 100; ++i, e.sequence += 4000) p.b.on(e, t0, p.b_out);
  BOOST_TEST(of<LinkCore::Deliver>(p.b_out).size() == 5U);  // twice the credit
  p.b.consumed(20'000, t0, p.b_out);
  p.b.on(e, t0, p.b_out);
  BOOST_TEST(of<LinkCore::Deliver>(p.b_out).size() == 6U);
}

BOOST_AUTO_TEST_CASE(the_hello_says_what_was_set) {
  Pair p;
  core::Hello hello;
  hello.name = "node-a";
  hello.features = 3;
  p.a.set_hello(hello);
  p.tick(t0);
  p.tick(t0);
  BOOST_REQUIRE(of<LinkCore::PeerUp>(p.b_out).size() == 1U);
  BOOST_TEST(of<LinkCore::PeerUp>(p.b_out)[0].hello.name == "node-a");
  BOOST_TEST(of<LinkCore::PeerUp>(p.b_out)[0].hello.features == 3U);
  BOOST_TEST(of<LinkCore::PeerUp>(p.b_out)[0].hello.credit_bytes == sched::LinkLimits{}.credit_bytes);
}

BOOST_AUTO_TEST_CASE(in_order_once_and_none_lost_over_a_pipe_that_does_everything_wrong) {
  const auto sum = play({}, 200);
  BOOST_TEST(sum.delivered > 800'000U);
  BOOST_TEST(sum.restarts > 500U);
  BOOST_TEST(sum.partitions > 700U);
  BOOST_TEST(sum.replays > 20'000U);
  BOOST_TEST(sum.downs > 800U);
  BOOST_TEST(sum.suspects > 500U);
  BOOST_TEST(sum.bulk_delivered > 50'000U);
}

BOOST_AUTO_TEST_CASE(loss_alone_brings_no_link_down) {
  const auto sum = play({.loss_percent = 5, .partitions = false, .restarts = false, .replays = false, .length = 6s}, 30);
  BOOST_TEST(sum.ups == 60U);
  BOOST_TEST(sum.downs == 0U);
  BOOST_TEST(sum.delivered == sum.sent);
  BOOST_TEST(sum.lost > 1000U);
}

BOOST_AUTO_TEST_CASE(small_limits_overflow_and_recover) {
  const auto sum = play({.length = 5s, .limits = {.unacked_messages_max = 60, .reorder_max = 8, .credit_bytes = 4000}}, 30);
  BOOST_TEST(sum.downs > 300U);
  BOOST_TEST(sum.delivered > 20'000U);
}

BOOST_AUTO_TEST_SUITE_END()
