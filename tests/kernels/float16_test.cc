#include "kernels/float16.h"

#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>

using spillway::kernels::f16_to_f32;
using spillway::kernels::f32_to_f16;

BOOST_AUTO_TEST_SUITE(float16)

BOOST_AUTO_TEST_CASE(every_half_has_its_value_and_comes_back) {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const auto value = f16_to_f32(half);
    const auto exponent = static_cast<int>(bits >> 10 & 31);
    const auto mantissa = static_cast<double>(bits & 1023);
    if (exponent == 31) {
      BOOST_REQUIRE(mantissa != 0 ? std::isnan(value) : std::isinf(value));
      BOOST_REQUIRE_EQUAL(std::signbit(value), bits >= 0x8000);
      BOOST_REQUIRE_EQUAL(f32_to_f16(value), mantissa != 0 ? half | 0x200 : half);
      continue;
    }
    const auto magnitude = exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    BOOST_REQUIRE_EQUAL(value, static_cast<float>(bits >= 0x8000 ? -magnitude : magnitude));
    BOOST_REQUIRE_EQUAL(std::signbit(value), bits >= 0x8000);
    BOOST_REQUIRE_EQUAL(f32_to_f16(value), half);
  }
}

BOOST_AUTO_TEST_CASE(rounds_to_nearest_even_between_all_neighbours) {
  for (std::uint16_t half = 0; half < 0x7bff; ++half) {
    const auto low = f16_to_f32(half);
    const auto high = f16_to_f32(static_cast<std::uint16_t>(half + 1));
    const auto middle = (low + high) / 2;  // exact: one bit more than a half has
    const auto even = static_cast<std::uint16_t>(half % 2 == 0 ? half : half + 1);
    BOOST_REQUIRE_EQUAL(f32_to_f16(middle), even);
    BOOST_REQUIRE_EQUAL(f32_to_f16(-middle), even | 0x8000);
    BOOST_REQUIRE_EQUAL(f32_to_f16(std::nextafter(middle, low)), half);
    BOOST_REQUIRE_EQUAL(f32_to_f16(std::nextafter(middle, high)), half + 1);
  }
  BOOST_TEST(f32_to_f16(65519.99f) == 0x7bff);
  BOOST_TEST(f32_to_f16(65520.0f) == 0x7c00);
  BOOST_TEST(f32_to_f16(std::numeric_limits<float>::max()) == 0x7c00);
  BOOST_TEST(f32_to_f16(std::numeric_limits<float>::denorm_min()) == 0);
}

BOOST_AUTO_TEST_SUITE_END()
