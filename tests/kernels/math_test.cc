#include "kernels/math.h"

#include <array>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/kernels/vector_check.h"

using namespace spillway::kernels;
using testing::check_same;

namespace {

using Op = void (*)(const float*, float*, std::size_t);

std::vector<float> apply(Op op, const std::vector<float>& x) {
  std::vector<float> y(x.size());
  op(x.data(), y.data(), x.size());
  return y;
}

/// Every 4,099th float of all bit patterns, infinities, NaNs and subnormals among them, and the specials by name.
std::vector<float> all_kinds() {
  std::vector<float> x;
  for (std::uint64_t bits = 0; bits <= 0xffffffffU; bits += 4099) x.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  for (const float special : {0.0F, -0.0F, 1.0F, -1.0F, INFINITY, -INFINITY, NAN, 88.7228317F, 88.72284F, -87.3365402F, -87.33655F,
                              0x1p-126F, 0x1p-149F, std::numeric_limits<float>::max(), 0.707106781F, 8192.0F, -8192.0F})
    x.push_back(special);
  return x;
}

std::vector<float> range(float low, float high, int n) {
  std::vector<float> x;
  for (int i = 0; i <= n; ++i) x.push_back(low + (high - low) * static_cast<float>(i) / static_cast<float>(n));
  return x;
}

/// Largest error in units in the last place of the exact result.
double worst_ulp(Op op, double (*exact)(double), const std::vector<float>& x) {
  const auto y = apply(op, x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double want = exact(static_cast<double>(x[i]));
    const auto rounded = static_cast<float>(std::abs(want));
    if (rounded < 0x1p-126F || !std::isfinite(rounded)) continue;
    const double ulp = static_cast<double>(std::nextafter(rounded, INFINITY)) - static_cast<double>(rounded);
    worst = std::max(worst, std::abs(static_cast<double>(y[i]) - want) / ulp);
  }
  return worst;
}

double worst_absolute(Op op, double (*exact)(double), const std::vector<float>& x) {
  const auto y = apply(op, x);
  double worst = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    worst = std::max(worst, std::abs(static_cast<double>(y[i]) - exact(static_cast<double>(x[i]))));
  return worst;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(math)

BOOST_AUTO_TEST_CASE(equal_on_every_instruction_set) {
  const auto x = all_kinds();
  check_same("exp", [&] { return apply(spillway::kernels::exp, x); });
  check_same("log", [&] { return apply(spillway::kernels::log, x); });
  check_same("sin", [&] { return apply(spillway::kernels::sin, x); });
  check_same("cos", [&] { return apply(spillway::kernels::cos, x); });
  BOOST_TEST_MESSAGE(x.size() << " floats through four functions");
}

BOOST_AUTO_TEST_CASE(equal_at_every_length) {
  const auto x = testing::normals(40, 3);
  for (std::size_t n = 0; n <= x.size(); ++n) {
    const std::vector<float> part(x.begin(), x.begin() + static_cast<std::ptrdiff_t>(n));
    check_same("exp of " + std::to_string(n), [&] { return apply(spillway::kernels::exp, part); });
  }
}

BOOST_AUTO_TEST_CASE(errors_stay_within_what_the_header_says) {
  const double exp_ulp = worst_ulp(spillway::kernels::exp, std::exp, range(-87.3F, 88.7F, 400'000));
  const double log_ulp = std::max(worst_ulp(spillway::kernels::log, std::log, range(1e-6F, 4.0F, 400'000)),
                                  worst_ulp(spillway::kernels::log, std::log, range(1.0F, 3e38F, 100'000)));
  const double sin_error = worst_absolute(spillway::kernels::sin, std::sin, range(-8192.0F, 8192.0F, 400'000));
  const double cos_error = worst_absolute(spillway::kernels::cos, std::cos, range(-8192.0F, 8192.0F, 400'000));
  BOOST_TEST(exp_ulp < 1.0);
  BOOST_TEST(log_ulp < 1.0);
  BOOST_TEST(sin_error < 1e-7);
  BOOST_TEST(cos_error < 1e-7);
  BOOST_TEST_MESSAGE("largest errors: exp " << exp_ulp << " ulp, log " << log_ulp << " ulp, sin " << sin_error << ", cos " << cos_error);
}

BOOST_AUTO_TEST_CASE(specials) {
  const auto one = [](Op op, float x) { return apply(op, {x})[0]; };
  BOOST_TEST(one(spillway::kernels::exp, 0.0F) == 1.0F);
  BOOST_TEST(one(spillway::kernels::exp, INFINITY) == INFINITY);
  BOOST_TEST(one(spillway::kernels::exp, 89.0F) == INFINITY);
  BOOST_TEST(one(spillway::kernels::exp, -INFINITY) == 0.0F);
  BOOST_TEST(one(spillway::kernels::exp, -88.0F) == 0.0F);
  BOOST_TEST(one(spillway::kernels::log, 1.0F) == 0.0F);
  BOOST_TEST(one(spillway::kernels::log, 0.0F) == -INFINITY);
  BOOST_TEST(one(spillway::kernels::log, INFINITY) == INFINITY);
  BOOST_TEST(std::isnan(one(spillway::kernels::log, -1.0F)));
  BOOST_TEST(std::abs(one(spillway::kernels::log, 0x1p-149F) + 103.278929F) < 1e-4F);
  for (const auto op : {spillway::kernels::sin, spillway::kernels::cos}) BOOST_TEST(std::isnan(one(op, INFINITY)));
  for (const auto op : {spillway::kernels::exp, spillway::kernels::log, spillway::kernels::sin, spillway::kernels::cos})
    BOOST_TEST(std::bit_cast<std::uint32_t>(one(op, NAN)) == 0x7fc00000U);
}

BOOST_AUTO_TEST_CASE(doubles_are_accurate) {
  double worst = 0;
  for (int i = -4000; i <= 4000; ++i) {
    const double x = i * 0.0371;
    worst = std::max(worst, std::abs(exp_f64(x) / std::exp(x) - 1.0));
    const double y = std::exp(x);
    worst = std::max(worst, std::abs(log_f64(y) - std::log(y)) / std::max(1.0, std::abs(std::log(y))));
  }
  for (int i = 0; i <= 200'000; ++i) {
    const double x = i * 5.2428;  // to 2^20
    worst = std::max(worst, std::abs(sin_f64(x) - std::sin(x)));
    worst = std::max(worst, std::abs(cos_f64(x) - std::cos(x)));
  }
  BOOST_TEST(worst < 1e-14);
}

BOOST_AUTO_TEST_SUITE_END()
