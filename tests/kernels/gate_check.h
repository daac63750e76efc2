#pragma once

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/thread_pool.h"
#include "tests/kernels/vector_check.h"

namespace spillway::kernels::testing {

/// `op`(gate, up, y, rows, cols, pool) is close to reference(gate) * up in float64 and equal on every instruction set.
template <class Op, class Reference>
void check_gate(const std::string& name, float spread, Op op, Reference reference) {
  ThreadPool pool{2};
  for (const std::size_t cols : {1U, 16U, 31U, 172U, 1536U}) {
    const std::size_t rows = 24;
    auto gate = normals(rows * cols, 5, spread);
    gate[0] = 200.0F;
    gate[rows * cols - 1] = -200.0F;  // exp overflows: the gate closes
    const auto up = normals(rows * cols, 6);
    const auto run = [&] {
      std::vector<float> y(gate.size());
      op(gate.data(), up.data(), y.data(), rows, cols, pool);
      return y;
    };
    const auto y = run();
    double worst = 0;
    for (std::size_t i = 0; i < y.size(); ++i) {
      const double want = reference(static_cast<double>(gate[i])) * static_cast<double>(up[i]);
      worst = std::max(worst, std::abs(static_cast<double>(y[i]) - want) / std::max(1.0, std::abs(want)));
    }
    BOOST_TEST(worst < 1e-6);
    BOOST_TEST(y.back() == 0.0F);
    check_same(name + " of " + std::to_string(cols), run);
  }
}

}  // namespace spillway::kernels::testing
