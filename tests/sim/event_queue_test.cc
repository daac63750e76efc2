#include "sim/event_queue.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <tuple>
#include <vector>

#include "sim/workload_random.h"

using namespace spillway;
using namespace spillway::sim;

BOOST_AUTO_TEST_SUITE(event_queue)

BOOST_AUTO_TEST_CASE(events_come_by_time_rank_who_and_insertion) {
  EventQueue queue;
  CounterRandom random(5, RandomUse::test);
  using Key = std::tuple<std::int64_t, std::uint8_t, std::uint32_t, std::uint64_t>;
  std::vector<Key> want;
  std::vector<Key> got;
  for (std::uint64_t i = 0; i < 5000; ++i) {
    const auto time = static_cast<std::int64_t>(random.below(40));
    const auto rank = static_cast<EventRank>(random.below(5));
    const auto who = static_cast<std::uint32_t>(random.below(3));
    queue.push(core::Instant{core::Duration(time)}, rank, 7, who, i);
    want.emplace_back(time, static_cast<std::uint8_t>(rank), who, i);
  }
  std::sort(want.begin(), want.end());
  BOOST_TEST(queue.size() == want.size());
  while (!queue.empty()) {
    const Event event = queue.pop();
    BOOST_TEST(event.kind == 7U);
    got.emplace_back(event.at.time_since_epoch().count(), static_cast<std::uint8_t>(event.rank()), event.who, event.what);
  }
  BOOST_TEST((got == want));
}

BOOST_AUTO_TEST_SUITE_END()
