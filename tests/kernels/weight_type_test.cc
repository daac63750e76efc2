#include "kernels/weight_type.h"

#include <boost/test/unit_test.hpp>
#include <limits>

using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(weight_type)

BOOST_AUTO_TEST_CASE(every_type_that_can_be_decoded_is_a_type_of_weights) {
  std::size_t types = 0;
  for (const BlockType& layout : block_types()) {
    const auto type = weight_type_of(layout);
    BOOST_TEST(type.has_value() == (layout.decode != nullptr), layout.name);
    if (!type) continue;
    ++types;
    BOOST_TEST((&block_type(*type) == &layout));
    BOOST_TEST(to_string(*type) == layout.name);
    BOOST_TEST(takes_quantized(*type) == (layout.elements > 1));
    BOOST_TEST(row_bytes(*type, 512).value() == 512 / layout.elements * layout.bytes);
    BOOST_TEST(row_bytes(*type, 48).has_value() == (layout.elements == 1));
  }
  BOOST_TEST(types == weight_type_count);
}

BOOST_AUTO_TEST_CASE(sizes_that_overflow_are_none) {
  BOOST_TEST(row_bytes(WeightType::q4_1, 64).value() == 40U);
  BOOST_TEST(!row_bytes(WeightType::f32, std::numeric_limits<std::size_t>::max() / 2));
  BOOST_TEST(!row_bytes(WeightType::q8_0, std::numeric_limits<std::size_t>::max() / 32 * 32));
}

BOOST_AUTO_TEST_SUITE_END()
