#include "kernels/rope.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "tests/kernels/vector_check.h"

using namespace spillway::kernels;

namespace {

/// Largest difference of angles and turned values from float64 at `position`, given the frequencies and the size of sines.
double worst_at(std::uint32_t position, const Rope& angles, const std::vector<double>& frequencies, double size = 1.0) {
  const std::size_t dims = angles.dims();
  std::vector<float> cosines(dims);
  std::vector<float> sines(dims);
  const auto x = testing::normals(3 * dims, position);
  auto y = x;
  angles.angles(position, cosines.data(), sines.data());
  rope(angles.order(), y.data(), 3, dims, cosines.data(), sines.data());
  double worst = 0;
  for (std::size_t head = 0; head < 3; ++head) {
    for (std::size_t i = 0; i < dims / 2; ++i) {
      const bool adjacent = angles.order() == RopeOrder::adjacent;
      const std::size_t at_a = head * dims + (adjacent ? 2 * i : i);
      const std::size_t at_b = head * dims + (adjacent ? 2 * i + 1 : dims / 2 + i);
      const double angle = position * frequencies[i];
      const double c = size * std::cos(angle);
      const double s = size * std::sin(angle);
      const double a = static_cast<double>(x[at_a]);
      const double b = static_cast<double>(x[at_b]);
      worst = std::max(worst, std::abs(static_cast<double>(y[at_a]) - (a * c - b * s)));
      worst = std::max(worst, std::abs(static_cast<double>(y[at_b]) - (b * c + a * s)));
    }
  }
  return worst;
}

constexpr std::uint32_t positions[] = {0, 1, 255, 256, 4095, 8191, 131071, 1048575};

}  // namespace

BOOST_AUTO_TEST_SUITE(rope_op)

BOOST_AUTO_TEST_CASE(close_to_float64_at_all_positions) {
  for (const RopeOrder order : {RopeOrder::adjacent, RopeOrder::halves}) {
    for (const bool with_factors : {false, true}) {
      const std::vector<float> factors = with_factors ? std::vector<float>(32, 8.0F) : std::vector<float>{};
      const Rope angles{{.dims = 64, .base = 100000.0F}, order, factors};
      std::vector<double> frequencies(32);
      for (std::size_t i = 0; i < 32; ++i) frequencies[i] = std::pow(100000.0, -static_cast<double>(i) / 32.0) / (with_factors ? 8.0 : 1.0);
      for (const std::uint32_t position : positions) BOOST_TEST(worst_at(position, angles, frequencies) < 1e-6);
    }
  }
}

BOOST_AUTO_TEST_CASE(linear_scaling_slows_every_pair) {
  const Rope angles{{.dims = 16, .scaling = RopeScaling::linear, .factor = 8.0F}, RopeOrder::halves, {}};
  std::vector<double> frequencies(8);
  for (std::size_t i = 0; i < 8; ++i) frequencies[i] = std::pow(10000.0, -static_cast<double>(i) / 8.0) / 8.0;
  for (const std::uint32_t position : positions) BOOST_TEST(worst_at(position, angles, frequencies) < 1e-6);
}

BOOST_AUTO_TEST_CASE(yarn_keeps_fast_pairs_and_slows_slow_ones) {
  const Rope angles{{.dims = 64, .scaling = RopeScaling::yarn, .factor = 4.0F, .original_context = 2048}, RopeOrder::adjacent, {}};
  // Pairs of 32 turns and of one in 2048 positions: 32 ln(2048 / 64 pi) / ln 10000 = 8.06 and 32 ln(2048 / 2 pi) / ln 10000 = 20.10.
  std::vector<double> frequencies(32);
  for (std::size_t i = 0; i < 32; ++i) {
    const double plain = std::pow(10000.0, -static_cast<double>(i) / 32.0);
    const double share = std::clamp((static_cast<double>(i) - 8.0) / (21.0 - 8.0), 0.0, 1.0);
    frequencies[i] = plain / 4.0 * share + plain * (1.0 - share);
  }
  for (const std::uint32_t position : positions) BOOST_TEST(worst_at(position, angles, frequencies, 1.0 + 0.1 * std::log(4.0)) < 2e-6);
}

BOOST_AUTO_TEST_CASE(equal_on_every_instruction_set) {
  for (const RopeOrder order : {RopeOrder::adjacent, RopeOrder::halves}) {
    for (const std::uint32_t dims : {2U, 8U, 16U, 18U, 64U, 128U}) {
      const Rope angles{{.dims = dims}, order, {}};
      std::vector<float> cosines(dims);
      std::vector<float> sines(dims);
      angles.angles(777, cosines.data(), sines.data());
      testing::check_same("rope of " + std::to_string(dims), [&] {
        auto x = testing::normals(std::size_t{5} * dims, dims);
        rope(order, x.data(), 5, dims, cosines.data(), sines.data());
        return x;
      });
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
