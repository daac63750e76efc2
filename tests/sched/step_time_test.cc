#include "sched/step_time.h"

#include <boost/test/unit_test.hpp>

using namespace spillway;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(step_time)

BOOST_AUTO_TEST_CASE(learns_base_and_row_from_steps_of_different_size) {
  sched::StepTime t;
  BOOST_TEST((t.base() == 0ns));
  for (std::uint32_t i = 0; i < 100; ++i) t.learn(1 + i % 50, 3ms + 40us * (1 + i % 50));
  BOOST_TEST((t.base() > 2990us && t.base() < 3010us));
  BOOST_TEST((t.row() > 39900ns && t.row() < 40100ns));
}

BOOST_AUTO_TEST_CASE(follows_a_machine_that_changes) {
  sched::StepTime t;
  for (std::uint32_t i = 0; i < 100; ++i) t.learn(1 + i % 50, 3ms + 40us * (1 + i % 50));
  for (std::uint32_t i = 0; i < 500; ++i) t.learn(1 + i % 50, 6ms + 80us * (1 + i % 50));
  BOOST_TEST((t.base() > 5900us && t.base() < 6100us));
  BOOST_TEST((t.row() > 79us && t.row() < 81us));
}

BOOST_AUTO_TEST_CASE(steps_of_one_size_tell_their_sum_only) {
  sched::StepTime t;
  for (int i = 0; i < 50; ++i) t.learn(8, 5ms);
  BOOST_TEST((t.base() + t.row() * 8 > 4990us && t.base() + t.row() * 8 < 5010us));
}

BOOST_AUTO_TEST_CASE(neither_coefficient_is_negative) {
  sched::StepTime t;
  for (std::uint32_t i = 0; i < 50; ++i) t.learn(1 + i % 10, 10ms - 900us * (i % 10));  // larger steps are faster: noise
  BOOST_TEST((t.row() >= 0ns));
  BOOST_TEST((t.base() >= 0ns));
  sched::StepTime u;
  for (std::uint32_t i = 0; i < 50; ++i) u.learn(100 + i % 10, 1ms * (i % 10 + 1));  // steeper than through the origin
  BOOST_TEST((u.base() >= 0ns));
}

BOOST_AUTO_TEST_CASE(rate_counts_the_last_second) {
  sched::RateWindow r;
  const core::Instant t0{5s};
  for (int i = 0; i < 30; ++i) r.add(2, t0 + 100ms * i);
  BOOST_TEST(r.last_second(t0 + 2900ms) == 20U);
  BOOST_TEST(r.last_second(t0 + 3400ms) == 10U);
  BOOST_TEST(r.last_second(t0 + 3900ms) == 0U);
  BOOST_TEST(sched::RateWindow{}.last_second(core::Instant{}) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
