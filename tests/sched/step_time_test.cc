#include "sched/step_time.h"

#include <boost/test/unit_test.hpp>

using namespace spillway;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(step_time)

BOOST_AUTO_TEST_CASE(learns_base_and_row_from_steps_of_different_size) {
  sched::StepTime t;
  BOOST_TEST((t.base() == 0ns));
  for (std::uint32_t i = 0; i < 100; ++i) t.learn(1 + i % 50, 0, 3ms + 40us * (1 + i % 50));
  BOOST_TEST((t.base() > 2990us && t.base() < 3010us));
  BOOST_TEST((t.row() > 39900ns && t.row() < 40100ns));
}

BOOST_AUTO_TEST_CASE(follows_a_machine_that_changes) {
  sched::StepTime t;
  for (std::uint32_t i = 0; i < 100; ++i) t.learn(1 + i % 50, 0, 3ms + 40us * (1 + i % 50));
  for (std::uint32_t i = 0; i < 500; ++i) t.learn(1 + i % 50, 0, 6ms + 80us * (1 + i % 50));
  BOOST_TEST((t.base() > 5900us && t.base() < 6100us));
  BOOST_TEST((t.row() > 79us && t.row() < 81us));
}

BOOST_AUTO_TEST_CASE(steps_of_one_size_tell_their_sum_only) {
  sched::StepTime t;
  for (int i = 0; i < 50; ++i) t.learn(8, 0, 5ms);
  BOOST_TEST((t.base() + t.row() * 8 > 4990us && t.base() + t.row() * 8 < 5010us));
}

BOOST_AUTO_TEST_CASE(neither_coefficient_is_negative) {
  sched::StepTime t;
  for (std::uint32_t i = 0; i < 50; ++i) t.learn(1 + i % 10, 0, 10ms - 900us * (i % 10));  // larger steps are faster: noise
  BOOST_TEST((t.row() >= 0ns));
  BOOST_TEST((t.base() >= 0ns));
  sched::StepTime u;
  for (std::uint32_t i = 0; i < 50; ++i) u.learn(100 + i % 10, 0, 1ms * (i % 10 + 1));  // steeper than through the origin
  BOOST_TEST((u.base() >= 0ns));
}

BOOST_AUTO_TEST_CASE(learns_the_cost_of_contexts_beside_rows) {
  sched::StepTime t;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const std::uint32_t rows = 1 + i % 50;
    const std::uint64_t attended = 1024 * ((i * 37) % 90);
    t.learn(rows, attended, 3ms + 40us * rows + 100us * (attended / 1024));
  }
  BOOST_TEST((t.base() > 2990us && t.base() < 3010us));
  BOOST_TEST((t.row() > 39900ns && t.row() < 40100ns));
  BOOST_TEST((t.context() > 99900ns && t.context() < 100100ns));
}

BOOST_AUTO_TEST_CASE(contexts_that_grow_beside_steady_rows_are_told_apart) {
  sched::StepTime t;
  for (std::uint64_t i = 0; i < 200; ++i) t.learn(64, 64 * (500 + i), 5ms + 200us * (64 * (500 + i)) / 1024);
  BOOST_TEST((t.context() > 199us && t.context() < 201us));
  BOOST_TEST((t.row() == 0ns));
}

BOOST_AUTO_TEST_CASE(rows_and_contexts_that_grow_together_tell_their_sum_only) {
  sched::StepTime t;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const std::uint32_t rows = 1 + i % 60;
    t.learn(rows, 1024ULL * rows, 2ms + 40us * rows + 10us * rows);
  }
  BOOST_TEST((t.context() == 0ns));  // what was known of it: nothing
  BOOST_TEST((t.row() > 49us && t.row() < 51us));
}

BOOST_AUTO_TEST_CASE(what_is_known_of_contexts_stays_while_they_do_not_vary) {
  sched::StepTime t;
  const auto learn = [&](std::uint32_t rows, std::uint64_t attended) {
    t.learn(rows, attended, 3ms + 40us * rows + 100us * (attended / 1024));
  };
  for (std::uint32_t i = 0; i < 200; ++i) learn(1 + i % 50, 1024 * ((i * 37) % 90));
  for (std::uint32_t i = 0; i < 1000; ++i) learn(1 + i % 50, 1024 * 30);
  BOOST_TEST((t.context() > 99us && t.context() < 101us));
  BOOST_TEST((t.row() > 39us && t.row() < 41us));
  BOOST_TEST((t.base() > 2900us && t.base() < 3100us));
}

BOOST_AUTO_TEST_CASE(no_coefficient_is_negative_whatever_is_measured) {
  std::uint64_t x = 1;
  const auto random = [&x](std::uint64_t n) { return ((x = x * 6364136223846793005ULL + 1442695040888963407ULL) >> 33U) % n; };
  sched::StepTime t;
  for (int i = 0; i < 20000; ++i) {
    t.learn(static_cast<std::uint32_t>(1 + random(2048)), random(1 << 20), 1us * (random(100000)));
    BOOST_REQUIRE((t.base() >= 0ns && t.row() >= 0ns && t.context() >= 0ns));
  }
}

BOOST_AUTO_TEST_CASE(rate_counts_its_window) {
  sched::RateWindow r;
  const core::Instant t0{5s};
  for (int i = 0; i < 30; ++i) r.add(2, t0 + 100ms * i);
  BOOST_TEST(r.sum(t0 + 2900ms) == 20U);
  BOOST_TEST(r.sum(t0 + 3400ms) == 10U);
  BOOST_TEST(r.sum(t0 + 3900ms) == 0U);
  BOOST_TEST(sched::RateWindow{}.sum(core::Instant{}) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
