#include "sched/class_queue.h"

#include <boost/test/unit_test.hpp>

using namespace spillway;
using namespace spillway::sched;
using namespace std::chrono_literals;

namespace {
constexpr core::TenantId a{1}, b{2}, c{3};
QueueKey key(core::Duration due, std::uint64_t arrival) {
  return {core::Instant{due}, arrival, static_cast<std::uint32_t>(arrival)};
}
}  // namespace

BOOST_AUTO_TEST_SUITE(class_queue)

BOOST_AUTO_TEST_CASE(within_a_tenant_the_earliest_deadline_is_first_ties_by_arrival) {
  ClassQueue q({}, {});
  BOOST_TEST(!q.head().has_value());
  for (const auto& k : {key(9s, 1), key(5s, 2), key(5s, 3), key(7s, 4)}) q.insert(a, k);
  for (const std::uint32_t slot : {2U, 3U, 4U, 1U}) {
    const auto head = q.head();
    BOOST_TEST(head->slot == slot);
    BOOST_TEST((head->reason == QueueReason::only_tenant));
    BOOST_TEST(q.erase(a, key(slot == 1 ? 9s : slot == 4 ? 7s : 5s, slot)));
  }
  BOOST_TEST(q.empty());
}

BOOST_AUTO_TEST_CASE(an_overdue_one_goes_before_every_deadline) {
  ClassQueue q({}, {});
  q.insert(a, key(1ns, 1));
  q.insert(a, key(0ns, 3));
  q.insert(a, key(0ns, 2));
  BOOST_TEST(q.head()->slot == 2U);
  BOOST_TEST(q.head()->overdue);
}

BOOST_AUTO_TEST_CASE(between_tenants_the_one_served_least_is_first_whatever_the_deadlines) {
  ClassQueue q({}, {});
  q.insert(a, key(1s, 1));
  q.insert(b, key(9s, 2));
  q.counters().charge_input(a, 10);
  const auto head = q.head();
  BOOST_TEST(head->slot == 2U);
  BOOST_TEST((head->reason == QueueReason::least_counter));
  BOOST_TEST(head->counter == q.counters().counter(b));
}

BOOST_AUTO_TEST_CASE(the_last_one_is_of_the_tenant_served_most) {
  ClassQueue q({}, {});
  BOOST_TEST(!q.last().has_value());
  q.insert(a, key(1s, 1));
  q.insert(a, key(2s, 2));
  q.insert(b, key(9s, 3));
  q.counters().charge_input(a, 10);
  BOOST_TEST(*q.last() == 2U);
}

BOOST_AUTO_TEST_CASE(a_newcomer_gets_a_place_of_the_tenant_that_holds_two_more) {
  ClassQueue q({}, {});
  q.insert(a, key(1s, 1));
  BOOST_TEST(!q.beyond_share(b).has_value());  // one against the newcomer's first: no gain
  q.insert(a, key(2s, 2));
  BOOST_TEST(q.beyond_share(b).value() == 2U);
  BOOST_TEST(!q.beyond_share(a).has_value());
}

BOOST_AUTO_TEST_CASE(places_are_shared_by_weight) {
  ClassQueue q({}, {{a, 3}});
  for (std::uint64_t i = 1; i <= 3; ++i) q.insert(a, key(1s, i));
  BOOST_TEST(!q.beyond_share(b).has_value());
  q.insert(a, key(1s, 4));
  BOOST_TEST(q.beyond_share(b).value() == 4U);
  q.insert(c, key(1s, 5));
  q.insert(c, key(1s, 6));
  BOOST_TEST(q.beyond_share(b).value() == 6U);  // two for a weight of one is more than four for three
}

BOOST_AUTO_TEST_CASE(what_is_not_there_is_not_erased) {
  ClassQueue q({}, {});
  q.insert(a, key(1s, 1));
  BOOST_TEST(!q.erase(b, key(1s, 1)));
  BOOST_TEST(!q.erase(a, key(1s, 2)));
  BOOST_TEST(q.contains(a, key(1s, 1)));
  BOOST_TEST(q.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
