#include "kernels/softcap.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <vector>

#include "tests/kernels/vector_check.h"

using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(softcap_op)

BOOST_AUTO_TEST_CASE(close_to_float64_and_equal_on_every_instruction_set) {
  ThreadPool pool{2};
  for (const float cap : {1.0F, 30.0F}) {
    for (const std::size_t cols : {1U, 16U, 31U, 500U}) {
      const std::size_t rows = 9;
      auto x = testing::normals(rows * cols, 5, 2.0F * cap);
      x[0] = 1e30F;
      x[rows * cols - 1] = -1e30F;
      const auto run = [&] {
        auto y = x;
        softcap(y.data(), rows, cols, cap, pool);
        return y;
      };
      const auto y = run();
      double worst = 0;
      for (std::size_t i = 0; i < y.size(); ++i) {
        const auto c = static_cast<double>(cap);
        worst = std::max(worst, std::abs(static_cast<double>(y[i]) - c * std::tanh(static_cast<double>(x[i]) / c)) / c);
      }
      BOOST_TEST(worst < 2e-7);
      BOOST_TEST(y.front() == cap);
      BOOST_TEST(y.back() == -cap);
      testing::check_same("softcap of " + std::to_string(cols), run);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
