#include "kernels/vector_ops.h"

#include <boost/test/unit_test.hpp>

#include "kernels/isa.h"

using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(vector_ops_table)

BOOST_AUTO_TEST_CASE(each_instruction_set_has_its_own_code) {
  const auto saved = current_isa();
  BOOST_REQUIRE(set_isa(Isa::scalar));
  const auto* scalar = &vector_ops();
  for (const auto isa : {Isa::avx2, Isa::avx512}) {
    if (!set_isa(isa)) continue;
    const auto* ops = &vector_ops();
    BOOST_TEST((ops->exp != scalar->exp));
    BOOST_TEST((ops->log != scalar->log));
    BOOST_TEST((ops->sin != scalar->sin));
    BOOST_TEST((ops->cos != scalar->cos));
    BOOST_TEST((ops->rms_norm != scalar->rms_norm));
    BOOST_TEST((ops->rope != scalar->rope));
    BOOST_TEST((ops->silu_mul != scalar->silu_mul));
    BOOST_TEST((ops->store_values != scalar->store_values));
    BOOST_TEST((ops->attention != scalar->attention));
  }
  set_isa(saved);
}

BOOST_AUTO_TEST_SUITE_END()
