#include "kernels/rope.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "tests/kernels/vector_check.h"

using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(rope_op)

BOOST_AUTO_TEST_CASE(close_to_float64_at_all_positions) {
  for (const bool with_factors : {false, true}) {
    const std::vector<float> factors = with_factors ? std::vector<float>(32, 8.0F) : std::vector<float>{};
    const Rope angles{64, 100000.0F, factors};
    std::vector<float> cosines(64);
    std::vector<float> sines(64);
    double worst = 0;
    for (const std::uint32_t position : {0U, 1U, 255U, 256U, 4095U, 8191U, 131071U, 1048575U}) {
      const auto x = testing::normals(3 * 64, position);
      auto y = x;
      angles.angles(position, cosines.data(), sines.data());
      rope(y.data(), 3, 64, cosines.data(), sines.data());
      for (std::size_t i = 0; i < y.size(); i += 2) {
        const double angle = position * std::pow(100000.0, -static_cast<double>(i % 64) / 64.0) / (with_factors ? 8.0 : 1.0);
        const double a = static_cast<double>(x[i]);
        const double b = static_cast<double>(x[i + 1]);
        worst = std::max(worst, std::abs(static_cast<double>(y[i]) - (a * std::cos(angle) - b * std::sin(angle))));
        worst = std::max(worst, std::abs(static_cast<double>(y[i + 1]) - (b * std::cos(angle) + a * std::sin(angle))));
      }
    }
    BOOST_TEST(worst < 1e-6);
  }
}

BOOST_AUTO_TEST_CASE(equal_on_every_instruction_set) {
  for (const std::uint32_t dims : {2U, 8U, 16U, 18U, 64U, 128U}) {
    const Rope angles{dims, 10000.0F, {}};
    std::vector<float> cosines(dims);
    std::vector<float> sines(dims);
    angles.angles(777, cosines.data(), sines.data());
    testing::check_same("rope of " + std::to_string(dims), [&] {
      auto x = testing::normals(std::size_t{5} * dims, dims);
      rope(x.data(), 5, dims, cosines.data(), sines.data());
      return x;
    });
  }
}

BOOST_AUTO_TEST_SUITE_END()
