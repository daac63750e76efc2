#include "sched/slot_timers.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <map>

#include "tests/sched/fake_worker.h"

using namespace spillway;
using core::Instant;
using sched::SlotTimers;

namespace {
Instant at(std::int64_t ns) {
  return Instant{core::Duration{ns}};
}
}  // namespace

BOOST_AUTO_TEST_SUITE(slot_timers)

BOOST_AUTO_TEST_CASE(the_earliest_is_next_however_often_timers_are_put_off) {
  SlotTimers timers;
  BOOST_TEST((timers.next() == core::never));
  timers.set(3, at(30));
  timers.set(1, at(10));
  BOOST_TEST((timers.next() == at(10)));
  timers.set(1, at(40));
  BOOST_TEST((timers.next() == at(30)));
  timers.set(3, core::never);
  BOOST_TEST((timers.next() == at(40)));
  timers.set(1, at(5));
  BOOST_TEST((timers.at(1) == at(5)));
  BOOST_TEST((timers.at(77) == core::never));
  std::vector<std::uint32_t> due;
  timers.due(at(4), due);
  BOOST_TEST(due.empty());
  timers.due(at(5), due);
  BOOST_TEST(due == std::vector<std::uint32_t>{1}, boost::test_tools::per_element());
  due.clear();
  timers.due(at(100), due);
  BOOST_TEST(due.empty());  // told
  timers.set(1, at(5));     // again, to the same time
  timers.due(at(100), due);
  BOOST_TEST(due.size() == 1U);
  BOOST_TEST((timers.next() == core::never));
}

BOOST_AUTO_TEST_CASE(agrees_with_a_map_of_times) {
  sched::test::Random random(41);
  SlotTimers timers;
  std::map<std::uint32_t, Instant> set;
  std::int64_t now = 0;
  std::uint64_t fired = 0;
  for (std::uint32_t i = 0; i < 50000; ++i) {
    const std::uint32_t slot = random.below(50);
    switch (random.below(8)) {
      case 0:
        timers.set(slot, core::never);
        set.erase(slot);
        break;
      case 1: {
        now += random.below(20);
        std::vector<std::uint32_t> due;
        timers.due(at(now), due);
        std::sort(due.begin(), due.end());
        std::vector<std::uint32_t> wanted;
        for (const auto& [other, when] : set) {
          if (when <= at(now)) wanted.push_back(other);
        }
        BOOST_REQUIRE(due == wanted);
        fired += due.size();
        for (const std::uint32_t other : due) {
          set[other] = at(now + 1 + random.below(100));
          timers.set(other, set[other]);
        }
        break;
      }
      default: set[slot] = at(now + 1 + random.below(200)); timers.set(slot, set[slot]);
    }
    Instant next = core::never;
    for (const auto& [other, when] : set) next = std::min(next, when);
    if (random.one_in(3)) BOOST_REQUIRE(timers.next() == next);
  }
  BOOST_TEST(fired > 1000U);
}

BOOST_AUTO_TEST_SUITE_END()
