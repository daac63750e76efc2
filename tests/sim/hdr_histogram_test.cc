#include "sim/hdr_histogram.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>

#include "sim/workload_random.h"

using namespace spillway::sim;

namespace {

/// Values over many orders of magnitude, small and equal ones too.
std::vector<std::int64_t> drawn(std::uint64_t seed, std::size_t count) {
  CounterRandom random(seed, RandomUse::test);
  std::vector<std::int64_t> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<std::int64_t>(random.bits() >> (2 + random.below(62))));
  return values;
}

std::uint64_t not_above(const std::vector<std::int64_t>& values, std::int64_t limit) {
  return static_cast<std::uint64_t>(std::count_if(values.begin(), values.end(), [&](auto v) { return v <= limit; }));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(hdr_histogram)

BOOST_AUTO_TEST_CASE(quantiles_are_those_of_the_sorted_values_within_a_thousandth) {
  std::size_t compared = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    auto values = drawn(seed, 1 + seed * 37);
    HdrHistogram histogram;
    for (const auto value : values) histogram.record(value);
    std::sort(values.begin(), values.end());
    BOOST_REQUIRE(histogram.count() == values.size());
    BOOST_REQUIRE(histogram.min() == values.front());
    BOOST_REQUIRE(histogram.max() == values.back());
    for (const double share : {0.0, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
      const auto rank = static_cast<std::size_t>(std::max(1.0, std::ceil(share * static_cast<double>(values.size()))));
      const auto exact = values[rank - 1];
      const auto told = histogram.quantile(share);
      BOOST_REQUIRE(told >= exact);
      BOOST_REQUIRE(told - exact <= exact / 1024);
      ++compared;
    }
  }
  BOOST_TEST(compared == 400U);
}

BOOST_AUTO_TEST_CASE(small_values_and_the_mean_are_exact) {
  HdrHistogram histogram;
  for (std::int64_t value = 0; value < 2048; ++value) histogram.record(value);
  for (std::int64_t value = 0; value < 2048; ++value) BOOST_REQUIRE(histogram.count_up_to(value) == static_cast<std::uint64_t>(value) + 1);
  BOOST_TEST(histogram.mean() == 1023.5);
  HdrHistogram large;
  large.record(std::int64_t{1} << 40U, 3);
  large.record(1);
  BOOST_TEST(large.mean() == (3.0 * 1099511627776.0 + 1) / 4);
  BOOST_TEST(large.quantile(1) == std::int64_t{1} << 40U);  // never above the largest value
  BOOST_TEST(HdrHistogram{}.mean() == 0);
  BOOST_TEST(HdrHistogram{}.quantile(0.5) == 0);
  BOOST_TEST(HdrHistogram{}.steps().empty());
}

BOOST_AUTO_TEST_CASE(merging_is_recording_in_any_order) {
  const auto values = drawn(7, 3000);
  HdrHistogram whole;
  HdrHistogram parts[3];
  for (std::size_t i = 0; i < values.size(); ++i) {
    whole.record(values[i]);
    parts[i % 3].record(values[i]);
  }
  HdrHistogram forward;
  HdrHistogram backward;
  for (int i = 0; i < 3; ++i) {
    forward.merge(parts[i]);
    backward.merge(parts[2 - i]);
  }
  forward.merge({});
  BOOST_TEST((forward == whole));
  BOOST_TEST((backward == whole));
}

BOOST_AUTO_TEST_CASE(steps_ascend_to_the_count_and_agree_with_count_up_to) {
  const auto values = drawn(11, 2000);
  HdrHistogram histogram;
  for (const auto value : values) histogram.record(value);
  const auto steps = histogram.steps();
  BOOST_REQUIRE(steps.size() > 100);
  BOOST_TEST(steps.back().up_to == values.size());
  BOOST_TEST(steps.back().value == histogram.max());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    BOOST_REQUIRE(histogram.count_up_to(steps[i].value) == steps[i].up_to);
    BOOST_REQUIRE(not_above(values, steps[i].value) == steps[i].up_to);
    if (i > 0) BOOST_REQUIRE(steps[i].value > steps[i - 1].value && steps[i].up_to > steps[i - 1].up_to);
  }
}

BOOST_AUTO_TEST_SUITE_END()
