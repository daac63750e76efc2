#include "core/philox.h"

#include <boost/test/unit_test.hpp>
#include <set>

using namespace spillway::core;

using Words4 = std::array<std::uint32_t, 4>;
using Words2 = std::array<std::uint32_t, 2>;

BOOST_AUTO_TEST_SUITE(philox)

// The three published vectors of philox4x32 with ten rounds (Random123, tests/kat_vectors).
BOOST_AUTO_TEST_CASE(published_vectors) {
  BOOST_TEST((philox4x32(Words4{}, Words2{}) == Words4{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t ones = 0xffffffffU;
  BOOST_TEST((philox4x32({ones, ones, ones, ones}, {ones, ones}) == Words4{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  BOOST_TEST((philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
              Words4{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

BOOST_AUTO_TEST_CASE(uniform_stays_below_one_and_uses_each_argument) {
  std::set<float> values;
  double sum = 0;
  for (std::uint32_t index = 0; index < 4096; ++index) {
    const float value = philox_uniform(7, 0, index);
    BOOST_REQUIRE(value >= 0.0F);
    BOOST_REQUIRE(value < 1.0F);
    values.insert(value);
    sum += static_cast<double>(value);
  }
  BOOST_TEST(values.size() > 4090U);
  BOOST_TEST(sum / 4096 > 0.48);
  BOOST_TEST(sum / 4096 < 0.52);
  const float one = philox_uniform(7, 1, 5, 0);
  BOOST_TEST(one != philox_uniform(8, 1, 5, 0));
  BOOST_TEST(one != philox_uniform(7 + (1ULL << 32), 1, 5, 0));
  BOOST_TEST(one != philox_uniform(7, 2, 5, 0));
  BOOST_TEST(one != philox_uniform(7, 1, 6, 0));
  BOOST_TEST(one != philox_uniform(7, 1, 5, 1));
}

BOOST_AUTO_TEST_SUITE_END()
