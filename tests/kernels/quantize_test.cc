#include "kernels/quantize.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "kernels/isa.h"
#include "kernels/weight_type.h"

using namespace spillway::kernels;

namespace {

struct IsaGuard {
  Isa saved = current_isa();
  ~IsaGuard() { set_isa(saved); }
};

std::vector<Isa> supported() {
  std::vector<Isa> isas;
  for (const auto isa : {Isa::scalar, Isa::avx2, Isa::avx512})
    if (isa_supported(isa)) isas.push_back(isa);
  return isas;
}

/// One group, by the definition, in float64 where that is exact. `scale` is the f32 quotient.
void check_group(const float* x, const std::int8_t* codes, const GroupScale& got) {
  float largest = 0;
  bool finite = true;
  for (std::size_t i = 0; i < group_elements; ++i) {
    finite = finite && std::isfinite(x[i]);
    largest = std::max(largest, std::fabs(x[i]));
  }
  if (!finite) {
    BOOST_REQUIRE(std::isnan(got.scale));
  } else {
    BOOST_REQUIRE_EQUAL(got.scale, largest / 127.0f);
  }
  int sum = 0;
  int half_sums[2] = {};
  for (std::size_t i = 0; i < group_elements; ++i) {
    const auto ratio = finite && got.scale > 0 ? x[i] / got.scale : 0.0f;
    const auto below = std::floor(ratio);
    auto want = static_cast<int>(below) + (ratio - below > 0.5f ? 1 : 0);
    if (ratio - below == 0.5f) want = static_cast<int>(below) + (static_cast<int>(below) % 2 != 0 ? 1 : 0);
    BOOST_REQUIRE_EQUAL(int{codes[i]}, std::min(127, std::max(-127, want)));
    sum += codes[i];
    half_sums[i / 16] += codes[i];
  }
  for (std::size_t half = 0; half < 2; ++half) BOOST_REQUIRE_EQUAL(got.half_sums[half], half_sums[half]);
  BOOST_REQUIRE_EQUAL(got.sum, static_cast<float>(sum));
  BOOST_REQUIRE_EQUAL(got.minus_128_sums, -128 * sum);
}

/// Rows whose groups are of every kind that could go wrong.
std::vector<float> hostile_rows(std::size_t n, std::size_t k) {
  std::mt19937 rng{12};
  std::normal_distribution<float> normal;
  std::vector<float> x(n * k);
  constexpr auto least = std::numeric_limits<float>::denorm_min();
  for (std::size_t i = 0; i < x.size(); ++i) {
    switch (i / group_elements % 12) {
      case 0: x[i] = 0; break;
      case 1: x[i] = -0.0f; break;
      case 2: x[i] = least * static_cast<float>(rng() % 60); break;    // scale underflows to zero
      case 3: x[i] = -least * static_cast<float>(rng() % 191); break;  // scale of one unit: the clamp
      case 4: x[i] = 127.0f * (i % group_elements == 3) + 0.5f * static_cast<float>(rng() % 250) - 62.5f; break;  // ties
      case 5: x[i] = i % 7 == 0 ? std::numeric_limits<float>::max() : -1.0f; break;
      case 6: x[i] = i % group_elements == 31 ? std::numeric_limits<float>::quiet_NaN() : 1.0f; break;
      case 7: x[i] = i % group_elements == 0 ? -std::numeric_limits<float>::infinity() : 1.0f; break;
      case 8: x[i] = -3.0f; break;
      case 9: x[i] = std::ldexp(normal(rng), static_cast<int>(rng() % 40) - 20); break;
      default: x[i] = normal(rng); break;
    }
  }
  return x;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(quantize_suite)

BOOST_AUTO_TEST_CASE(every_set_follows_the_definition) {
  const IsaGuard guard;
  ThreadPool pool{2};
  std::size_t groups = 0;
  for (const std::size_t k : {32, 64, 416, 1024, 1536}) {
    const std::size_t n = 37;
    const auto x = hostile_rows(n, k);
    QuantizedRows rows{n, 1536};
    for (const auto isa : supported()) {
      set_isa(isa);
      rows.assign(x.data(), n, k, k, pool);
      BOOST_REQUIRE_EQUAL(rows.rows(), n);
      BOOST_REQUIRE_EQUAL(rows.k(), k);
      for (std::size_t row = 0; row < n; ++row)
        for (std::size_t group = 0; group < k / group_elements; ++group, ++groups)
          check_group(&x[row * k + group * group_elements], rows.codes(row) + group * group_elements, rows.scales(row)[group]);
    }
  }
  BOOST_TEST_MESSAGE("groups checked: " << groups);
}

BOOST_AUTO_TEST_CASE(rows_lie_apart_by_the_stride_and_do_not_touch_each_other) {
  ThreadPool pool{3};
  const std::size_t k = 64;
  const std::size_t stride = 70;
  std::vector<float> x(20 * stride, 1e30f);  // what lies between rows must not be read
  for (std::size_t row = 0; row < 20; ++row)
    for (std::size_t i = 0; i < k; ++i) x[row * stride + i] = static_cast<float>(row + 1) * (i % 2 == 0 ? 1.0f : -0.5f);
  QuantizedRows rows{20, k};
  rows.assign(x.data(), 20, k, stride, pool);
  for (std::size_t row = 0; row < 20; ++row)
    for (std::size_t group = 0; group < 2; ++group) {
      BOOST_TEST(rows.scales(row)[group].scale == static_cast<float>(row + 1) / 127.0f);
      BOOST_TEST(int{rows.codes(row)[group * group_elements]} == 127);
      BOOST_TEST(rows.scales(row)[group].minus_128_sums == -128 * (16 * 127 + 16 * int{rows.codes(row)[1]}));
    }
}

BOOST_AUTO_TEST_SUITE_END()
