#include "kernels/rms_norm.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "tests/kernels/vector_check.h"

using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(rms_norm_op)

BOOST_AUTO_TEST_CASE(close_to_float64_and_equal_on_every_instruction_set) {
  ThreadPool pool{2};
  for (const std::size_t cols : {1U, 8U, 15U, 16U, 17U, 64U, 172U, 576U, 1000U}) {
    const std::size_t rows = 40;
    const auto x = testing::normals(rows * cols, static_cast<std::uint32_t>(cols), 3.0F);
    const auto weight = testing::normals(cols, 9);
    const auto run = [&] {
      std::vector<float> y(rows * cols);
      rms_norm(x.data(), weight.data(), y.data(), rows, cols, 1e-5F, pool);
      return y;
    };
    const auto y = run();
    double worst = 0;
    for (std::size_t r = 0; r < rows; ++r) {
      double sum = 0;
      for (std::size_t c = 0; c < cols; ++c) sum += static_cast<double>(x[r * cols + c]) * static_cast<double>(x[r * cols + c]);
      const double scale = 1.0 / std::sqrt(sum / static_cast<double>(cols) + 1e-5);
      for (std::size_t c = 0; c < cols; ++c) {
        const double want = static_cast<double>(x[r * cols + c]) * scale * static_cast<double>(weight[c]);
        worst = std::max(worst, std::abs(static_cast<double>(y[r * cols + c]) - want) / std::max(1.0, std::abs(want)));
      }
    }
    BOOST_TEST(worst < 1e-6);
    testing::check_same("rms_norm of " + std::to_string(cols), run);
  }
}

BOOST_AUTO_TEST_CASE(a_row_does_not_depend_on_the_others_and_may_be_done_in_place) {
  ThreadPool one{1};
  ThreadPool two{2};
  const std::size_t cols = 576;
  const auto x = testing::normals(64 * cols, 1);
  const auto weight = testing::normals(cols, 2);
  std::vector<float> all(x.size());
  rms_norm(x.data(), weight.data(), all.data(), 64, cols, 1e-5F, two);
  auto in_place = x;
  for (std::size_t r = 0; r < 64; ++r) rms_norm(&in_place[r * cols], weight.data(), &in_place[r * cols], 1, cols, 1e-5F, one);
  BOOST_TEST(testing::same_bits(all, in_place, "row by row"));
}

BOOST_AUTO_TEST_SUITE_END()
