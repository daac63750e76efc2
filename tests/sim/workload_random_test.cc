#include "sim/workload_random.h"

#include <bit>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <functional>
#include <set>
#include <vector>

using namespace spillway::sim;
namespace bdata = boost::unit_test::data;

namespace {

constexpr int draws = 200'000;

struct Shape {
  const char* name;  // the rule
  double mean;
  double variance;
  std::uint64_t digest;  // of the bits of all draws: the same with every compiler
  std::function<double(CounterRandom&)> draw;
  friend std::ostream& operator<<(std::ostream& out, const Shape& s) { return out << s.name; }
};

const Shape shapes[] = {
    {"uniform", 0.5, 1.0 / 12, 17'769'182'459'757'318'079U, [](CounterRandom& r) { return r.uniform(); }},
    {"exponential", 3, 9, 2'173'723'228'163'046'080U, [](CounterRandom& r) { return r.exponential(3); }},
    {"normal", 0, 1, 8'086'255'142'254'714'855U, [](CounterRandom& r) { return r.normal(); }},
    {"gamma below 1", 0.6, 1.2, 7'363'551'010'551'771'102U, [](CounterRandom& r) { return r.gamma(0.3, 2); }},
    {"gamma of 1 is exponential", 2, 4, 1'840'692'936'957'523'972U, [](CounterRandom& r) { return r.gamma(1, 2); }},
    {"gamma above 1", 10, 20, 12'277'229'951'302'627'017U, [](CounterRandom& r) { return r.gamma(5, 2); }},
    {"weibull of 1/2", 2, 20, 17'590'495'334'956'011'174U, [](CounterRandom& r) { return r.weibull(0.5, 1); }},
    {"weibull of 2", 0.886226925452758, 0.214601836602552, 9'449'288'488'615'073'190U, [](CounterRandom& r) { return r.weibull(2, 1); }},
    {"below", 4.5, 8.25, 17'267'363'921'291'902'976U, [](CounterRandom& r) { return static_cast<double>(r.below(10)); }},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(workload_random)

BOOST_DATA_TEST_CASE(draws_have_their_mean_and_variance_and_the_same_bits_everywhere, bdata::make(shapes), s) {
  CounterRandom random(7, RandomUse::test);
  double sum = 0;
  double squares = 0;
  std::uint64_t digest = 0;
  for (int i = 0; i < draws; ++i) {
    const double x = s.draw(random);
    sum += x;
    squares += x * x;
    digest = (digest ^ std::bit_cast<std::uint64_t>(x)) * 0x100000001b3ULL;
  }
  const double mean = sum / draws;
  const double variance = squares / draws - mean * mean;
  // Five standard deviations of the mean of so many draws; the variance of these shapes is known to a few per cent.
  BOOST_TEST(std::abs(mean - s.mean) < 5 * std::sqrt(s.variance / draws), mean);
  BOOST_TEST(std::abs(variance - s.variance) < 0.06 * s.variance, variance);
  BOOST_TEST(digest == s.digest);
}

BOOST_AUTO_TEST_CASE(logarithm_and_exponential_agree_with_the_library) {
  CounterRandom random(1, RandomUse::test);
  for (int i = 0; i < 100'000; ++i) {
    const double x = std::ldexp(random.uniform() + 0.5, static_cast<int>(random.below(2000)) - 1000);
    BOOST_TEST_INFO(x);
    BOOST_REQUIRE(std::abs(exact_log(x) - std::log(x)) <= 2e-15 * std::max(1.0, std::abs(std::log(x))));
    const double y = (random.uniform() - 0.5) * 1380;
    BOOST_TEST_INFO(y);
    BOOST_REQUIRE(std::abs(exact_exp(y) - std::exp(y)) <= 1e-14 * std::exp(y));
  }
  BOOST_TEST(exact_log(1) == 0);
  BOOST_TEST(exact_exp(0) == 1);
  BOOST_TEST(exact_exp(-800) == 0);
  BOOST_TEST(std::isinf(exact_exp(800)));
  BOOST_TEST(std::abs(exact_power(10, 3) - 1000) < 1e-10);
}

BOOST_AUTO_TEST_CASE(the_tail_of_a_weibull_is_its_formula) {
  CounterRandom random(5, RandomUse::test);
  std::vector<int> above(4, 0);
  const double limits[] = {0.1, 1, 3, 10};
  for (int i = 0; i < draws; ++i) {
    const double x = random.weibull(0.7, 2);
    for (std::size_t k = 0; k < above.size(); ++k) above[k] += x > limits[k] ? 1 : 0;
  }
  for (std::size_t k = 0; k < above.size(); ++k) {
    const double p = std::exp(-std::pow(limits[k] / 2, 0.7));
    BOOST_TEST(std::abs(above[k] - draws * p) < 5 * std::sqrt(draws * p * (1 - p)));
  }
}

BOOST_AUTO_TEST_CASE(streams_seeds_and_uses_are_all_different) {
  std::set<std::uint64_t> seen;
  std::size_t count = 0;
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    for (const auto use : {RandomUse::thinning, RandomUse::captions, RandomUse::test}) {
      for (std::uint32_t a = 0; a < 5; ++a) {
        for (std::uint32_t b = 0; b < 5; ++b) {
          CounterRandom random(seed, use, a, b);
          for (int i = 0; i < 5; ++i, ++count) seen.insert(random.bits());
        }
      }
    }
  }
  BOOST_TEST(seen.size() == count);
}

BOOST_AUTO_TEST_CASE(a_copy_goes_on_from_the_same_place) {
  CounterRandom random(9, RandomUse::test, 3, 4);
  random.normal();
  CounterRandom copy = random;
  for (int i = 0; i < 10; ++i) BOOST_TEST(copy.bits() == random.bits());
}

BOOST_AUTO_TEST_SUITE_END()
