#include "kernels/isa.h"

#include <boost/test/unit_test.hpp>

using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(isa)

BOOST_AUTO_TEST_CASE(names_go_both_ways) {
  for (const auto set : {Isa::scalar, Isa::avx2, Isa::avx512}) BOOST_TEST((isa_from_string(to_string(set)) == set));
  BOOST_TEST(!isa_from_string("AVX2"));
  BOOST_TEST(!isa_from_string(""));
}

BOOST_AUTO_TEST_CASE(only_a_supported_set_can_be_chosen) {
  const auto saved = current_isa();
  BOOST_TEST(isa_supported(Isa::scalar));
  BOOST_TEST(isa_supported(best_isa()));
  for (const auto set : {Isa::scalar, Isa::avx2, Isa::avx512}) {
    const auto before = current_isa();
    BOOST_TEST(set_isa(set) == isa_supported(set));
    BOOST_TEST((current_isa() == (isa_supported(set) ? set : before)));
    BOOST_TEST_MESSAGE(to_string(set) << (isa_supported(set) ? ": supported here" : ": not supported here"));
  }
  set_isa(saved);
}

BOOST_AUTO_TEST_CASE(counts_add_up) {
  reset_kernel_counts();
  count_call(Isa::scalar);
  count_matmul(Isa::scalar, 1);
  count_matmul(Isa::avx2, 15);
  count_matmul(Isa::avx2, 16);
  const auto counts = kernel_counts();
  BOOST_TEST(counts.calls[0] == 2u);
  BOOST_TEST(counts.calls[1] == 2u);
  BOOST_TEST(counts.calls[2] == 0u);
  BOOST_TEST(counts.gemv == 1u);
  BOOST_TEST(counts.small == 1u);
  BOOST_TEST(counts.gemm == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
