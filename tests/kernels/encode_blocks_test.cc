#include "kernels/encode_blocks.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/float16.h"

using namespace spillway;
using namespace spillway::kernels;

BOOST_AUTO_TEST_SUITE(encode_blocks_of_types)

namespace {

const BlockType& type_of(std::string_view name) {
  const BlockType* type = find_block_type(name);
  BOOST_REQUIRE(type != nullptr);
  return *type;
}

core::ByteVector encoded(const BlockType& type, const std::vector<float>& values) {
  core::ByteVector blocks(values.size() / type.elements * type.bytes);
  const auto done = encode_blocks(type, values, blocks);
  BOOST_REQUIRE_MESSAGE(done, (done ? "" : done.error().message));
  return blocks;
}

std::vector<float> there_and_back(const BlockType& type, const std::vector<float>& values) {
  std::vector<float> back(values.size());
  BOOST_REQUIRE(dequantize(type, encoded(type, values), back));
  return back;
}

/// Values of one block each time, of several kinds: even, normal, one-sided, one giant, all equal, zero, subnormal.
std::vector<float> block_of_kind(int kind, std::size_t elements, std::mt19937& random) {
  std::uniform_real_distribution<float> even(-1.0F, 1.0F);
  std::normal_distribution<float> normal(0.0F, 0.02F);
  std::vector<float> values(elements);
  for (float& value : values) {
    switch (kind) {
      case 0: value = even(random); break;
      case 1: value = normal(random); break;
      case 2: value = std::fabs(normal(random)); break;
      case 3: value = -std::fabs(even(random)) * 1000.0F; break;
      case 4: value = 0.7F; break;
      case 5: value = 0.0F; break;
      default: value = even(random) * 1e-6F;
    }
  }
  if (kind == 1) values[random() % elements] = 30.0F;
  return values;
}

/// Step of the block as stored: the distance of neighbouring codes.
float step_of(const BlockType& type, const core::ByteVector& block) {
  const std::size_t at = type.name == "TQ2_0" ? 64 : 0;
  const auto half = static_cast<std::uint16_t>(std::to_integer<unsigned>(block[at]) | std::to_integer<unsigned>(block[at + 1]) << 8);
  return std::fabs(f16_to_f32(half));
}

}  // namespace

BOOST_AUTO_TEST_CASE(no_value_is_off_by_more_than_half_a_step) {
  std::mt19937 random(5);
  for (const char* name : {"Q8_0", "Q4_0", "TQ2_0"}) {
    const BlockType& type = type_of(name);
    double worst = 0.0;
    for (int round = 0; round < 700; ++round) {
      const auto values = block_of_kind(round % 7, type.elements, random);
      const double step = static_cast<double>(step_of(type, encoded(type, values)));
      const auto back = there_and_back(type, values);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const double off = std::fabs(static_cast<double>(back[i]) - static_cast<double>(values[i]));
        worst = step > 0 ? std::max(worst, off / step) : std::max(worst, off);  // no step: all values are 0
      }
    }
    BOOST_TEST(worst <= 0.50001, name << " " << worst);
    BOOST_TEST(worst > 0.49, name << " " << worst);
  }
}

BOOST_AUTO_TEST_CASE(values_of_a_type_come_back_as_they_were) {
  std::mt19937 random(6);
  for (const char* name : {"Q8_0", "Q4_0", "TQ2_0", "Q1_0"}) {
    const BlockType& type = type_of(name);
    std::vector<float> values(type.elements);
    for (int round = 0; round < 100; ++round) {
      const int low = type.name == "Q8_0" ? -127 : type.name == "Q4_0" ? -8 : -1;
      const int high = type.name == "Q8_0" ? 127 : type.name == "Q4_0" ? 7 : 1;
      for (float& value : values)
        value = 0.25F * static_cast<float>(low + static_cast<int>(random() % static_cast<unsigned>(high - low + 1)));
      if (type.name == "Q1_0")
        for (float& value : values) value = value < 0 ? -0.25F : 0.25F;
      values[0] = 0.25F * static_cast<float>(low);  // the extreme must be there for the scale to be found again
      BOOST_TEST(there_and_back(type, values) == values, boost::test_tools::per_element());
    }
  }
}

BOOST_AUTO_TEST_CASE(signs_and_mean_of_one_bit) {
  const BlockType& type = type_of("Q1_0");
  std::vector<float> values(128, 0.5F);
  for (std::size_t i = 0; i < 64; ++i) values[i] = -1.5F;
  values[64] = 0.5F;
  const auto back = there_and_back(type, values);
  BOOST_TEST(back[0] == -1.0F);
  BOOST_TEST(back[127] == 1.0F);
}

BOOST_AUTO_TEST_CASE(refuses_by_name) {
  std::vector<std::byte> room(256);
  const auto says = [&](const char* name, const std::vector<float>& values, std::size_t bytes, std::string_view part) {
    const auto done = encode_blocks(type_of(name), values, std::span(room).first(bytes));
    BOOST_REQUIRE(!done);
    BOOST_TEST(done.error().message.find(part) != std::string::npos, done.error().message);
  };
  says("Q4_K", std::vector<float>(256), 144, "type Q4_K cannot be made; want one of Q8_0, Q4_0, TQ2_0, Q1_0");
  says("Q8_0", std::vector<float>(33), 34, "want whole blocks of 32 values");
  says("Q8_0", std::vector<float>(32, std::numeric_limits<float>::infinity()), 34, "value inf");
  says("Q8_0", std::vector<float>(32, std::numeric_limits<float>::quiet_NaN()), 34, "want numbers");
  says("Q8_0", std::vector<float>(32, 1e9F), 34, "at most 65504");
}

BOOST_AUTO_TEST_SUITE_END()
