#include "kernels/gelu_mul.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "tests/kernels/vector_check.h"

using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(gelu_mul_op)

BOOST_AUTO_TEST_CASE(close_to_float64_and_equal_on_every_instruction_set) {
  ThreadPool pool{2};
  for (const std::size_t cols : {1U, 16U, 31U, 172U, 1536U}) {
    const std::size_t rows = 24;
    auto gate = testing::normals(rows * cols, 5, 3.0F);
    gate[0] = 200.0F;
    gate[rows * cols - 1] = -200.0F;  // exp overflows: the gate closes
    const auto up = testing::normals(rows * cols, 6);
    const auto run = [&] {
      std::vector<float> y(gate.size());
      gelu_mul(gate.data(), up.data(), y.data(), rows, cols, pool);
      return y;
    };
    const auto y = run();
    double worst = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto g = static_cast<double>(gate[i]);
      const double u = std::sqrt(2.0 / std::acos(-1.0)) * (g + 0.044715 * g * g * g);
      const double want = 0.5 * g * (1.0 + std::tanh(u)) * static_cast<double>(up[i]);
      worst = std::max(worst, std::abs(static_cast<double>(y[i]) - want) / std::max(1.0, std::abs(want)));
    }
    BOOST_TEST(worst < 1e-6);
    BOOST_TEST(y.back() == 0.0F);
    testing::check_same("gelu_mul of " + std::to_string(cols), run);
  }
}

BOOST_AUTO_TEST_SUITE_END()
