#include "sched/backoff.h"

#include <boost/test/unit_test.hpp>

using namespace spillway;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(backoff)

BOOST_AUTO_TEST_CASE(each_failure_doubles_the_wait_up_to_the_limit) {
  sched::Backoff wait({.first = 100ms, .limit = 1s, .calm = 10s});
  const core::Instant t0{};
  BOOST_TEST((wait.failed(t0) == 100ms));
  BOOST_TEST((wait.failed(t0 + 1s) == 200ms));
  BOOST_TEST((wait.failed(t0 + 2s) == 400ms));
  BOOST_TEST((wait.failed(t0 + 3s) == 800ms));
  BOOST_TEST((wait.failed(t0 + 4s) == 1s));
  BOOST_TEST((wait.failed(t0 + 5s) == 1s));
  BOOST_TEST(wait.failures() == 6U);
}

BOOST_AUTO_TEST_CASE(a_calm_while_forgets_the_failures) {
  sched::Backoff wait({.first = 100ms, .limit = 1s, .calm = 10s});
  const core::Instant t0{};
  BOOST_TEST((wait.failed(t0) == 100ms));
  BOOST_TEST((wait.failed(t0 + 9s) == 200ms));
  BOOST_TEST((wait.failed(t0 + 19s + 200ms) == 100ms));
  BOOST_TEST(wait.failures() == 1U);
}

BOOST_AUTO_TEST_CASE(a_calm_while_counts_from_the_end_of_the_wait) {
  sched::Backoff wait({.first = 4s, .limit = 8s, .calm = 10s});
  const core::Instant t0{};
  BOOST_TEST((wait.failed(t0) == 4s));
  BOOST_TEST((wait.failed(t0 + 13s) == 8s));  // 9 s after the restart at 4 s: not calm yet
  BOOST_TEST((wait.failed(t0 + 31s) == 4s));  // 10 s after the restart at 21 s
}

BOOST_AUTO_TEST_CASE(huge_limits_do_not_overflow) {
  sched::Backoff wait({.first = 1h, .limit = 24h * 365, .calm = 24h * 365 * 10});
  core::Duration last{0};
  for (int i = 0; i < 200; ++i) {
    const auto next = wait.failed(core::Instant{});
    BOOST_TEST((next >= last));
    last = next;
  }
  BOOST_TEST((last == 24h * 365));
}

BOOST_AUTO_TEST_SUITE_END()
