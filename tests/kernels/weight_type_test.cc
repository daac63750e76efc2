#include "kernels/weight_type.h"

#include <boost/test/unit_test.hpp>
#include <limits>

using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(weight_type)

BOOST_AUTO_TEST_CASE(ids_names_and_sizes) {
  struct Row {
    std::uint32_t id;
    std::string_view name;
    bool quantized;
    std::size_t bytes_of_64;
  };
  for (const auto& row : {Row{0, "F32", false, 256}, Row{1, "F16", false, 128}, Row{3, "Q4_1", true, 40}, Row{8, "Q8_0", true, 68}}) {
    const auto type = weight_type_from_gguf(row.id);
    BOOST_REQUIRE(type);
    BOOST_TEST(to_string(*type) == row.name);
    BOOST_TEST(takes_quantized(*type) == row.quantized);
    BOOST_TEST(row_bytes(*type, 64).value() == row.bytes_of_64);
    BOOST_TEST(row_bytes(*type, 48).has_value() == !row.quantized);
  }
  for (const std::uint32_t id : {2u, 4u, 6u, 9u, 30u, 0xffffffffu}) BOOST_TEST(!weight_type_from_gguf(id));
  BOOST_TEST(!row_bytes(WeightType::f32, std::numeric_limits<std::size_t>::max() / 2));
  BOOST_TEST(!row_bytes(WeightType::q8_0, std::numeric_limits<std::size_t>::max() / 32 * 32));
}

BOOST_AUTO_TEST_SUITE_END()
