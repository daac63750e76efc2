#include "sched/token_bucket.h"

#include <boost/test/unit_test.hpp>
#include <vector>

namespace spillway::sched {

namespace {

using core::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

const Instant t0{seconds(100)};
const BucketRules rules{1000, 500};

}  // namespace

BOOST_AUTO_TEST_SUITE(token_bucket)

BOOST_AUTO_TEST_CASE(it_is_full_at_first_empties_and_fills_at_its_rate) {
  TokenBucket bucket;
  BOOST_TEST(bucket.level(rules, t0) == 500U);
  BOOST_TEST((*bucket.wait(rules, 500, t0) == milliseconds(0)));
  bucket.take(rules, 500, t0);
  BOOST_TEST(bucket.level(rules, t0) == 0U);
  BOOST_TEST((*bucket.wait(rules, 1, t0) == milliseconds(1)));
  BOOST_TEST((*bucket.wait(rules, 500, t0) == milliseconds(500)));
  BOOST_TEST(bucket.level(rules, t0 + milliseconds(250)) == 250U);
  BOOST_TEST((*bucket.wait(rules, 300, t0 + milliseconds(250)) == milliseconds(50)));
  BOOST_TEST(bucket.level(rules, t0 + seconds(9)) == 500U);  // no more than the burst
}

BOOST_AUTO_TEST_CASE(what_is_more_than_the_burst_never_fits) {
  TokenBucket bucket;
  BOOST_TEST(!bucket.wait(rules, 501, t0).has_value());
}

BOOST_AUTO_TEST_CASE(no_rate_is_no_bucket) {
  TokenBucket bucket;
  BOOST_TEST((*bucket.wait({}, UINT64_MAX, t0) == milliseconds(0)));
  bucket.take({}, UINT64_MAX, t0);
  BOOST_TEST((*bucket.wait({}, 1, t0) == milliseconds(0)));
}

BOOST_AUTO_TEST_CASE(what_is_taken_for_later_is_not_there_in_between) {
  TokenBucket bucket;
  bucket.take(rules, 500, t0);
  bucket.take(rules, 200, t0 + milliseconds(200));
  BOOST_TEST((*bucket.wait(rules, 100, t0) == milliseconds(300)));
}

BOOST_AUTO_TEST_CASE(never_more_than_burst_and_rate_times_time_is_taken_over_any_stretch) {
  std::uint64_t state = 1;
  const auto random = [&state](std::uint64_t n) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33) % n;
  };
  std::uint64_t taken_in_all = 0;
  std::uint64_t waits = 0;
  for (int trial = 0; trial < 200; ++trial) {
    const BucketRules some{1 + random(trial % 2 == 0 ? 1'000'000'000 : 5000), 1 + random(100'000)};
    TokenBucket bucket;
    struct Taken {
      Instant when;
      std::uint64_t cost;
    };
    std::vector<Taken> all;
    Instant now = t0;
    for (int i = 0; i < 120; ++i) {
      now += core::Duration(random(20'000'000));
      const std::uint64_t cost = 1 + random(some.burst_tokens + some.burst_tokens / 4);
      const auto wait = bucket.wait(some, cost, now);
      BOOST_REQUIRE(wait.has_value() == (cost <= some.burst_tokens));
      if (!wait || *wait > milliseconds(50)) continue;
      waits += *wait > core::Duration{0} ? 1 : 0;
      // One nanosecond earlier it would not have fitted: nothing is lost to rounding either, but for a token.
      bucket.take(some, cost, now + *wait);
      all.push_back({now + *wait, cost});
      taken_in_all += cost;
    }
    for (std::size_t from = 0; from < all.size(); ++from) {
      std::uint64_t sum = 0;
      for (std::size_t to = from; to < all.size(); ++to) {
        sum += all[to].cost;
        const auto time = static_cast<std::uint64_t>((all[to].when - all[from].when).count());
        if (all[to].when < all[from].when) continue;
        const std::uint64_t may = some.burst_tokens + time / 1'000'000'000 * some.tokens_per_second +
                                  time % 1'000'000'000 * some.tokens_per_second / 1'000'000'000;
        BOOST_REQUIRE_MESSAGE(sum <= may, "trial " << trial << ": " << sum << " of " << may);
      }
    }
  }
  BOOST_TEST(taken_in_all > 1'000'000U);
  BOOST_TEST(waits > 100U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
