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

BOOST_AUTO_TEST_SUITE(pack_suite)

BOOST_AUTO_TEST_CASE(rows_come_back_as_the_file_has_them) {
  ThreadPool pool{2};
  std::size_t elements = 0;
  for (const auto type : all_weight_types())
    for (const auto fill : {Fill::ordinary, Fill::extreme})
      for (const std::size_t rows : {1, 16, 19, 64})
        for (const std::size_t size : {32, 96, 576}) {
          const auto k = whole_blocks(type, size);
          auto raw = random_tensor(type, rows, k, fill, 77);
          const auto values = dequantized(type, raw);
          raw.insert(raw.begin(), std::byte{1});  // an odd address
          const auto w = PackedMatrix::pack(type, Bytes{raw}.subspan(1), rows, k, rows == 64 ? &pool : nullptr);
          BOOST_REQUIRE(w);
          raw.clear();
          BOOST_REQUIRE_EQUAL(w->rows(), rows);
          BOOST_REQUIRE_EQUAL(w->k(), k);
          std::vector<float> out(k);
          for (std::size_t row = 0; row < rows; ++row) {
            w->dequantize_row(row, out.data());
            for (std::size_t i = 0; i < k; ++i, ++elements) BOOST_REQUIRE(same(out[i], values[row * k + i]));
          }
        }
  BOOST_TEST_MESSAGE("elements compared: " << elements);
}

BOOST_AUTO_TEST_CASE(an_output_scale_multiplies_each_element_of_a_row) {
  for (const auto type : all_weight_types()) {
    const auto k = whole_blocks(type, 96);
    auto w = PackedMatrix::pack(type, random_tensor(type, 3, k, Fill::ordinary, 5), 3, k, nullptr);
    BOOST_REQUIRE(w);
    std::vector<float> before(k), after(k);
    w->dequantize_row(2, before.data());
    w->set_output_scale(0.7F);
    w->dequantize_row(2, after.data());
    for (std::size_t i = 0; i < k; ++i) BOOST_REQUIRE(same(after[i], before[i] * 0.7F));
  }
}

BOOST_AUTO_TEST_CASE(packing_costs_the_file_size_but_for_what_is_expanded) {
  for (const auto type : all_weight_types()) {
    const std::size_t rows = 64;
    const std::size_t k = 1536;
    const auto raw = random_tensor(type, rows, k, Fill::ordinary, 1);
    const auto w = PackedMatrix::pack(type, raw, rows, k, nullptr);
    BOOST_REQUIRE(w);
    // Bytes more for 256 elements: sub-scales of six bits as bytes, base-3 digits as two bits.
    const std::size_t more = type == WeightType::q3_k || type == WeightType::q4_k || type == WeightType::q5_k ? 4
                             : type == WeightType::tq1_0                                                      ? 12
                                                                                                              : 0;
    BOOST_TEST(w->bytes() == raw.size() + rows * k / 256 * more, to_string(type));
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
  for (const auto type : all_weight_types()) {
    auto raw = random_tensor(type, 20, 256, Fill::ordinary, 2);
    refused(type, Bytes{raw}.first(raw.size() - 1), 20, 256, "does not fit");
    refused(type, raw, 21, 256, "does not fit");
    refused(type, raw, 0, 256, "does not fit");
    refused(type, {}, 20, 0, "does not fit");
    refused(type, raw, huge / 2, 256, "does not fit");
    const std::size_t elements = block_type(type).elements;
    if (elements > 1) refused(type, raw, 20, 256 + elements / 2, "whole blocks of " + std::to_string(elements) + " elements");
    refused(type, raw, 20, huge / 256 * 256, "does not fit");
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

BOOST_AUTO_TEST_CASE(every_scale_and_minimum_is_looked_at) {
  const auto refused = [](WeightType type, const spillway::core::ByteVector& raw, std::size_t k) {
    const auto w = PackedMatrix::pack(type, raw, 20, k, nullptr);
    BOOST_REQUIRE(!w);
    BOOST_TEST(w.error().message.find("row 17 has a value that is not finite") != std::string::npos, w.error().message);
  };
  const std::size_t k = 768;
  for (const auto type : all_weight_types()) {
    const auto raw = random_tensor(type, 20, k, Fill::ordinary, 2);
    const auto row = 17 * *row_bytes(type, k);
    const auto bytes = block_type(type).bytes;
    const auto last = row + *row_bytes(type, k) - bytes;
    for (const auto block : {row, row + bytes, last})
      if (const auto* at = places_of(type)) {
        for (const auto half : {at->d, at->m})
          for (const std::uint16_t value : {0x7c00, 0xfc00, 0x7e01}) {
            auto bad = raw;
            set_u16(&bad[block + (half == 0 ? at->d : half)], value);
            refused(type, bad, k);
          }
      } else if (type == WeightType::mxfp4) {
        for (const unsigned exponent : {253U, 254U, 255U}) {  // 12 times 2^(e - 128) is no f32
          auto bad = raw;
          bad[block] = static_cast<std::byte>(exponent);
          refused(type, bad, k);
        }
      } else if (type == WeightType::bf16) {
        for (const std::uint16_t value : {0x7f80, 0xff80, 0x7fc0}) {
          auto bad = raw;
          set_u16(&bad[block], value);
          refused(type, bad, k);
        }
      }
  }
}

BOOST_AUTO_TEST_SUITE_END()
