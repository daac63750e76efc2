#include "kernels/gelu_mul.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "tests/kernels/gate_check.h"

using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(gelu_mul_op)

BOOST_AUTO_TEST_CASE(close_to_float64_and_equal_on_every_instruction_set) {
  testing::check_gate("gelu_mul", 3.0F, gelu_mul,
                      [](double g) { return 0.5 * g * (1.0 + std::tanh(std::sqrt(2.0 / std::acos(-1.0)) * (g + 0.044715 * g * g * g))); });
}

BOOST_AUTO_TEST_SUITE_END()
