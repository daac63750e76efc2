#include "kernels/silu_mul.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "tests/kernels/gate_check.h"

using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(silu_mul_op)

BOOST_AUTO_TEST_CASE(close_to_float64_and_equal_on_every_instruction_set) {
  testing::check_gate("silu_mul", 4.0F, silu_mul, [](double g) { return g / (1.0 + std::exp(-g)); });
}

BOOST_AUTO_TEST_SUITE_END()
