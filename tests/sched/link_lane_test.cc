#include "sched/link_lane.h"

#include <boost/test/unit_test.hpp>

using namespace spillway;
using namespace std::chrono_literals;
using sched::LinkLane;

namespace {
const core::Instant t0{1s};
core::MessagePtr message(std::uint64_t n) {
  return core::make_message(core::CancelRun{.key = {}, .epoch = {{1}, n}});
}
std::uint64_t number(const core::MessagePtr& m) {
  return std::get<core::CancelRun>(*m).epoch.counter;
}
LinkLane lane(std::uint32_t reorder_max = 8) {
  return {50ms, 400ms, reorder_max};
}
std::vector<std::uint64_t> due_at(LinkLane& l, core::Instant now) {
  std::vector<LinkLane::Due> due;
  l.collect_due(now, due);
  std::vector<std::uint64_t> result;
  for (const auto& d : due) result.push_back(d.sequence);
  return result;
}
using List = std::vector<std::uint64_t>;
}  // namespace

BOOST_AUTO_TEST_SUITE(link_lane)

BOOST_AUTO_TEST_CASE(sequences_count_from_one) {
  auto l = lane();
  BOOST_TEST(l.send(message(7), t0) == 1U);
  BOOST_TEST(l.send(message(8), t0) == 2U);
  l.acknowledge(2, t0);
  BOOST_TEST(l.send(message(9), t0) == 3U);
}

BOOST_AUTO_TEST_CASE(what_is_not_acknowledged_is_sent_again_ever_more_rarely) {
  auto l = lane();
  l.send(message(1), t0);
  l.send(message(2), t0 + 30ms);
  BOOST_TEST(due_at(l, t0 + 49ms).empty());
  BOOST_TEST((due_at(l, t0 + 50ms) == List{1}));  // the second is young
  BOOST_TEST(due_at(l, t0 + 149ms).empty());
  BOOST_TEST((due_at(l, t0 + 150ms) == List{1, 2}));
  BOOST_TEST((due_at(l, t0 + 350ms) == List{1, 2}));
  BOOST_TEST((l.next_resend() == t0 + 750ms));  // 50, 100, 200, then every 400
  BOOST_TEST((due_at(l, t0 + 750ms) == List{1, 2}));
  BOOST_TEST((l.next_resend() == t0 + 1150ms));
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_brings_the_short_wait_back) {
  auto l = lane();
  l.send(message(1), t0);
  l.send(message(2), t0);
  due_at(l, t0 + 50ms);
  due_at(l, t0 + 150ms);
  l.acknowledge(1, t0 + 160ms);
  BOOST_TEST(l.unacked() == 1U);
  BOOST_TEST((l.next_resend() == t0 + 200ms));
  l.acknowledge(2, t0 + 170ms);
  BOOST_TEST((l.next_resend() == core::never));
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_of_what_was_never_sent_is_ignored) {
  auto l = lane();
  l.send(message(1), t0);
  l.acknowledge(2, t0);
  BOOST_TEST(l.unacked() == 1U);
  l.acknowledge(1, t0);
  l.acknowledge(0, t0);
  BOOST_TEST(l.unacked() == 0U);
}

BOOST_AUTO_TEST_CASE(one_turn_resends_a_bounded_number) {
  auto l = lane();
  for (int i = 0; i < 1000; ++i) l.send(message(1), t0);
  BOOST_TEST(due_at(l, t0 + 50ms).size() == 64U);
}

BOOST_AUTO_TEST_CASE(received_in_order_once) {
  auto l = lane();
  std::vector<core::MessagePtr> got;
  BOOST_TEST(l.receive(2, message(2), got));
  BOOST_TEST(!l.receive(2, message(2), got));
  BOOST_TEST(got.empty());
  BOOST_TEST(l.received() == 0U);
  BOOST_TEST(l.receive(4, message(4), got));
  BOOST_TEST(l.receive(1, message(1), got));
  BOOST_TEST(l.received() == 2U);
  BOOST_TEST(!l.receive(1, message(1), got));
  BOOST_TEST(l.receive(3, message(3), got));
  BOOST_REQUIRE(got.size() == 4U);
  for (std::size_t i = 0; i < 4; ++i) BOOST_TEST(number(got[i]) == i + 1);
  BOOST_TEST(l.reordered() == 0U);
}

BOOST_AUTO_TEST_CASE(what_comes_too_early_is_not_kept) {
  auto l = lane(8);
  std::vector<core::MessagePtr> got;
  BOOST_TEST(!l.receive(9, message(9), got));
  BOOST_TEST(l.receive(8, message(8), got));
  BOOST_TEST(l.reordered() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
