#include "kernels/dequantize.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "kernels/float16.h"
#include "tests/model/shared_data.h"

using namespace spillway;
using namespace spillway::kernels;
namespace bdata = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(dequantize_blocks)

namespace {

using Sets = std::vector<std::pair<std::size_t, unsigned>>;  // byte offset, value

std::vector<float> decode(const BlockType& type, const core::ByteVector& blocks) {
  std::vector<float> values(blocks.size() / type.bytes * type.elements);
  const auto done = dequantize(type, blocks, values);
  BOOST_REQUIRE_MESSAGE(done, (done ? "" : done.error().message));
  return values;
}

/// One block of zeros but for the bytes of `sets`; f16 1.0 is {at + 1, 0x3c}.
core::ByteVector block_of(const BlockType& type, const Sets& sets) {
  core::ByteVector block(type.bytes);
  for (const auto& [at, value] : sets) block.at(at) = static_cast<std::byte>(value);
  return block;
}

struct Case {
  const char* rule;
  const char* type;
  Sets sets;
  std::vector<std::pair<std::size_t, float>> want;  // element, value
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.type << ": " << c.rule; }
};

const Case cases[] = {
    {"as it is", "F32", {{2, 0xc0}, {3, 0x3f}}, {{0, 1.5F}}},
    {"half precision", "F16", {{1, 0x3e}}, {{0, 1.5F}}},
    {"upper half of f32", "BF16", {{0, 0xc0}, {1, 0xbf}}, {{0, -1.5F}}},
    {"low nibbles are the first half, zero is 8",
     "Q4_0",
     {{1, 0x3c}, {2, 0x9f}, {17, 0x30}},
     {{0, 7}, {16, 1}, {15, -8}, {31, -5}, {1, -8}}},
    {"minimum is added", "Q4_1", {{1, 0x3c}, {3, 0xc0}, {5, 0x4f}}, {{1, 13}, {17, 2}, {0, -2}}},
    {"fifth bits of 32 elements", "Q5_0", {{1, 0x3c}, {2, 0x02}, {4, 0x04}, {7, 0x0f}, {8, 0x50}}, {{0, -16}, {1, 15}, {17, -16}, {18, 5}}},
    {"fifth bits and a minimum", "Q5_1", {{1, 0x3c}, {3, 0x3c}, {4, 0x01}, {8, 0x21}}, {{0, 18}, {16, 3}, {1, 1}}},
    {"signed bytes", "Q8_0", {{1, 0x40}, {2, 0x80}, {33, 0x7f}}, {{0, -256}, {31, 254}, {1, 0}}},
    {"table", "IQ4_NL", {{1, 0x3c}, {2, 0x80}, {3, 0xf7}}, {{0, -127}, {16, 1}, {1, -10}, {17, 113}}},
    {"scale, minimum and two bits",
     "Q2_K",
     {{81, 0x3c}, {83, 0x3c}, {0, 0x12}, {3, 0x01}, {9, 0x31}, {16, 0x03}, {32, 0x80}, {48, 0x04}},
     {{0, 5}, {1, -1}, {48, 0}, {144, -3 + 0}, {160, 0}}},
    {"offset 4 without a mask bit, scales less 32",
     "Q3_K",
     {{109, 0x3c}, {96, 0x01}, {104, 0x02}, {0, 0x01}, {32, 0x03}},
     {{0, 3}, {1, -4}, {128, 128}, {32, 128}}},
    {"scales above sub-block 4 take their high bits from below",
     "Q4_K",
     {{1, 0x3c}, {3, 0x3c}, {4, 0x41}, {8, 0x82}, {12, 0x23}, {16, 0x0f}, {80, 0x02}},
     {{0, 13}, {1, -2}, {128, 38 - 34}, {129, -34}}},
    {"fifth bits by sub-block", "Q5_K", {{1, 0x3c}, {4, 1}, {5, 2}, {16, 0x03}, {48, 0x21}}, {{0, 17}, {32, 36}, {1, 0}}},
    {"signed scales, offset 32",
     "Q6_K",
     {{209, 0x3c}, {192, 0xff}, {202, 2}, {0, 0x0f}, {128, 0x02}, {160, 0x04}, {64, 0x01}},
     {{0, 32 - 47}, {1, 32}, {160, 2 * (16 - 32)}, {161, 2 * -32}}},
    {"trits of a byte, big end first",
     "TQ1_0",
     {{53, 0x3c}, {0, 0xff}, {32, 0x80}, {48, 0xff}},
     {{0, 1}, {32, 1}, {128, 1}, {1, -1}, {160, 0}, {176, 0}, {240, 1}, {252, 1}, {241, -1}}},
    {"two bits, 32 bytes a half", "TQ2_0", {{65, 0x3c}, {0, 0x24}, {33, 0xc0}}, {{0, -1}, {32, 0}, {64, 1}, {225, 2}}},
    {"exponent, and code 8 is +0", "MXFP4", {{0, 128}, {1, 0x87}, {2, 0xf1}}, {{0, 12}, {16, 0}, {1, 1}, {17, -12}}},
    {"the smallest exponents are subnormal", "MXFP4", {{0, 0}, {1, 0x12}}, {{0, 0x1p-127F}, {16, 0x1p-128F}}},
    {"a scale for 16",
     "NVFP4",
     {{0, 0x38}, {1, 0x01}, {2, 0x7f}, {4, 0x9f}, {12, 0x17}, {20, 0x77}},
     {{0, -6}, {8, -0.5F}, {16, 12 * 0x1p-10F}, {24, 0x1p-10F}, {32, 0}, {40, 0}}},
    {"a bit is a sign", "Q1_0", {{1, 0x40}, {2, 0x82}}, {{0, -2}, {1, 2}, {7, 2}, {8, -2}}},
    {"groups of 64, code 3 is 2", "Q2_0", {{1, 0x3c}, {2, 0xe4}}, {{0, -1}, {1, 0}, {2, 1}, {3, 2}, {63, -1}}},
    {"groups of 128", "Q2_0_G128", {{1, 0x3c}, {33, 0xc0}}, {{0, -1}, {127, 2}}},
};

}  // namespace

BOOST_DATA_TEST_CASE(elements_lie_where_the_layout_says, bdata::make(cases), c) {
  const BlockType* type = find_block_type(std::string_view(c.type));
  BOOST_REQUIRE(type != nullptr);
  const auto values = decode(*type, block_of(*type, c.sets));
  for (const auto& [element, want] : c.want) {
    BOOST_TEST(values.at(element) == want, "element " << element << ": " << values[element] << ", want " << want);
    BOOST_TEST(std::signbit(values[element]) == std::signbit(want), "sign of element " << element);
  }
}

BOOST_AUTO_TEST_CASE(every_type_is_found_by_name_and_id) {
  std::size_t decoded = 0;
  for (const BlockType& type : block_types()) {
    BOOST_TEST((find_block_type(type.name) == &type), type.name);
    BOOST_REQUIRE((find_block_type(type.id) != nullptr));
    BOOST_TEST(((find_block_type(type.id) == &type) == (type.name != "Q2_0_G128")), type.name);
    decoded += type.decode != nullptr;
  }
  BOOST_TEST(decoded == 21U);
  BOOST_TEST((find_block_type(std::string_view("q4_k"))->id == 12U));
  BOOST_TEST((find_block_type(std::string_view("Q9_9")) == nullptr));
  BOOST_TEST((find_block_type(36U) == nullptr));
}

BOOST_AUTO_TEST_CASE(refuses_what_it_cannot_decode) {
  std::vector<float> values(32);
  const core::ByteVector bytes(36);
  const auto says = [&](const char* type, std::size_t size, std::string_view part) {
    const auto done = dequantize(*find_block_type(std::string_view(type)), core::Bytes(bytes).first(size), values);
    BOOST_REQUIRE(!done);
    BOOST_TEST(done.error().message.find(part) != std::string::npos, done.error().message);
  };
  says("Q8_1", 36, "Q8_1 cannot be decoded; want one of F32, F16");
  says("Q8_0", 33, "want whole blocks of 34 bytes");
  says("Q5_1", 0, "want whole blocks of 24 bytes, 32 values each");
}

// Scales of every kind, infinities and NaN too, go through as f16 means them.
BOOST_AUTO_TEST_CASE(scales_are_taken_as_they_are) {
  const BlockType& type = *find_block_type(std::string_view("Q8_0"));
  for (const unsigned half : {0x0001U, 0x03ffU, 0x7bffU, 0x8001U, 0x7c00U, 0x7e00U}) {
    const auto values = decode(type, block_of(type, {{0, half & 255}, {1, half >> 8}, {2, 3}}));
    const float want = f16_to_f32(static_cast<std::uint16_t>(half)) * 3.0F;
    BOOST_TEST((values[0] == want || (std::isnan(values[0]) && std::isnan(want))));
  }
}

BOOST_AUTO_TEST_CASE(values_equal_those_of_other_engines_bit_for_bit) {
  unsigned ran = 0;
  if (const auto index = model::test::shared_path("golden/quants/index.json")) {
    const auto entries = model::test::read_json(*index);
    for (const auto& entry : entries.as_array()) {
      const std::string name = model::test::text_of(entry.at("type"));
      const BlockType* type = find_block_type(std::string_view(name));
      BOOST_REQUIRE_MESSAGE(type != nullptr, name);
      BOOST_TEST(type->id == entry.at("id").to_number<std::uint32_t>());
      BOOST_TEST(type->elements == entry.at("block_elements").to_number<std::uint32_t>());
      BOOST_TEST(type->bytes == entry.at("block_bytes").to_number<std::uint32_t>());
      const std::string blocks = model::test::read_text(*model::test::shared_path("golden/quants/" + name + ".blocks"));
      const std::string want = model::test::read_text(*model::test::shared_path("golden/quants/" + name + ".f32"));
      const auto bytes = core::as_bytes(blocks);
      const auto values = decode(*type, {bytes.begin(), bytes.end()});
      BOOST_TEST((values.size() * sizeof(float) == want.size() && std::memcmp(values.data(), want.data(), want.size()) == 0), name);
      ++ran;
    }
    BOOST_TEST(ran == 19U);
  }
  BOOST_TEST_MESSAGE("shared tensor types: " << ran << (ran == 0 ? " (shared material absent)" : ""));
}

BOOST_AUTO_TEST_SUITE_END()
