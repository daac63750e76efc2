#include "kernels/pack.h"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <string>
#include <vector>

#include "tests/kernels/weights.h"

using namespace spillway::kernels;
using namespace spillway::kernels::testing;
using spillway::core::Bytes;
using spillway::core::Errc;

namespace {
constexpr WeightType all_types[] = {WeightType::f32, WeightType::f16, WeightType::q4_1, WeightType::q8_0};
}

BOOST_AUTO_TEST_SUITE(pack_suite)

BOOST_AUTO_TEST_CASE(rows_come_back_as_the_file_has_them) {
  ThreadPool pool{2};
  std::size_t elements = 0;
  for (const auto type : all_types)
    for (const auto fill : {Fill::ordinary, Fill::extreme})
      for (const std::size_t rows : {1, 16, 19, 64})
        for (const std::size_t k : {32, 96, 576}) {
          auto raw = random_tensor(type, rows, k, fill, 77);
          const auto file = raw;
          raw.insert(raw.begin(), std::byte{1});  // an odd address
          const auto w = PackedMatrix::pack(type, Bytes{raw}.subspan(1), rows, k, rows == 64 ? &pool : nullptr);
          BOOST_REQUIRE(w);
          raw.clear();
          BOOST_REQUIRE_EQUAL(w->rows(), rows);
          BOOST_REQUIRE_EQUAL(w->k(), k);
          std::vector<float> out(k);
          for (std::size_t row = 0; row < rows; ++row) {
            w->dequantize_row(row, out.data());
            for (std::size_t i = 0; i < k; ++i, ++elements) {
              const auto e = element(type, file, k, row, i);
              const float product = e.d * e.code;
              BOOST_REQUIRE(same(out[i], takes_quantized(type) && type == WeightType::q4_1 ? product + e.m : product));
            }
          }
        }
  BOOST_TEST_MESSAGE("elements compared: " << elements);
}

BOOST_AUTO_TEST_CASE(packing_costs_the_file_size_but_for_the_last_rows) {
  for (const auto type : all_types) {
    const std::size_t rows = 64;
    const std::size_t k = 576;
    const auto raw = random_tensor(type, rows, k, Fill::ordinary, 1);
    const auto w = PackedMatrix::pack(type, raw, rows, k, nullptr);
    BOOST_REQUIRE(w);
    BOOST_TEST(w->bytes() == raw.size());
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_packed_is_refused_by_name) {
  const auto refused = [](WeightType type, Bytes raw, std::size_t rows, std::size_t k, std::string_view word) {
    const auto w = PackedMatrix::pack(type, raw, rows, k, nullptr);
    BOOST_REQUIRE(!w);
    BOOST_TEST((w.error().code == Errc::bad_file));
    BOOST_TEST(w.error().message.find(word) != std::string::npos, w.error().message);
  };
  const auto huge = std::numeric_limits<std::size_t>::max();
  for (const auto type : all_types) {
    auto raw = random_tensor(type, 20, 64, Fill::ordinary, 2);
    refused(type, Bytes{raw}.first(raw.size() - 1), 20, 64, "does not fit");
    refused(type, raw, 21, 64, "does not fit");
    refused(type, raw, 0, 64, "does not fit");
    refused(type, {}, 20, 0, "does not fit");
    refused(type, raw, huge / 2, 64, "does not fit");
    if (takes_quantized(type)) refused(type, raw, 20, 48, "whole blocks");
    refused(type, raw, 20, huge / 32 * 32, "does not fit");
  }
}

BOOST_AUTO_TEST_CASE(a_value_that_is_not_finite_is_refused_with_its_row) {
  // Where the scales (or elements) of row 17 start, and the byte that holds their exponent.
  struct Case {
    WeightType type;
    std::size_t offset;
    std::byte value;
  };
  const Case cases[] = {{WeightType::f32, 4 * 5 + 3, std::byte{0x7f}},
                        {WeightType::f16, 2 * 63 + 1, std::byte{0x7c}},
                        {WeightType::q4_1, 1, std::byte{0xfc}},
                        {WeightType::q4_1, 23, std::byte{0x7c}},
                        {WeightType::q8_0, 35, std::byte{0x7e}}};
  ThreadPool pool{2};
  for (const auto& c : cases) {
    auto raw = random_tensor(c.type, 40, 64, Fill::ordinary, 2);
    raw[17 * *row_bytes(c.type, 64) + c.offset] = c.value;
    if (c.type == WeightType::f32) raw[17 * *row_bytes(c.type, 64) + c.offset - 1] |= std::byte{0x80};
    const auto w = PackedMatrix::pack(c.type, raw, 40, 64, &pool);
    BOOST_REQUIRE(!w);
    BOOST_TEST(w.error().message.find("row 17") != std::string::npos, w.error().message);
  }
}

BOOST_AUTO_TEST_SUITE_END()
