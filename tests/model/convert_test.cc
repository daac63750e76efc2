#include "model/convert.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "kernels/float16.h"
#include "tests/model/gguf_writer.h"

using namespace spillway;
using namespace spillway::model;
using spillway::model::test::GgufWriter;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(convert)

namespace {

struct Fixture {
  Fixture() {
    std::mt19937 random(3);
    std::normal_distribution<float> normal(0.0F, 0.02F);
    values.resize(512 * 6);
    for (float& value : values) value = normal(random);
    std::vector<std::uint16_t> halves, tops;
    for (const float value : values) {
      halves.push_back(kernels::f32_to_f16(value));
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      tops.push_back(static_cast<std::uint16_t>(bits >> 16));
    }
    GgufWriter writer;
    writer.add_string("general.architecture", "llama")
        .add_u32("general.file_type", 1)
        .add_strings("words", std::vector<std::string>{"x", "y"});
    writer.add_raw("split.no", 2, std::vector<std::byte>(2));
    writer.add_tensor_f32("single", {512, 6}, values);
    writer.add_tensor("half", {512, 6}, 1, std::as_bytes(std::span(halves)));
    writer.add_tensor("top", {512, 3, 2}, 30, std::as_bytes(std::span(tops)));
    writer.add_tensor_f32("norm", {512}, std::span(values).first(512));
    writer.add_tensor_f32("narrow", {48, 4}, std::span(values).first(192));
    writer.add_tensor_f32("blk.0.ffn_gate_inp.weight", {512, 2}, std::span(values).first(1024));
    BOOST_REQUIRE(writer.write(from));
  }
  ~Fixture() {
    std::error_code error;
    fs::remove(from, error);
    fs::remove(to, error);
  }

  static std::vector<float> values_of(const GgufFile& file, std::string_view name) {
    const GgufTensor& tensor = *file.find_tensor(name);
    std::vector<float> read(tensor.elements);
    BOOST_REQUIRE(kernels::dequantize(*tensor.layout, *file.tensor_bytes(tensor), read));
    return read;
  }

  std::vector<float> values;
  std::string from = "/tmp/spillway_convert_" + std::to_string(::getpid()) + ".gguf";
  std::string to = from + ".out.gguf";
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(matrices_are_converted_and_all_else_copied, Fixture) {
  const auto in = GgufFile::open(from);
  BOOST_REQUIRE(in);
  for (const char* name : {"Q8_0", "Q4_0", "TQ2_0", "Q1_0"}) {
    const kernels::BlockType& type = *kernels::find_block_type(std::string_view(name));
    const auto done = convert_model(*in, type, to);
    BOOST_REQUIRE_MESSAGE(done, (done ? "" : done.error().message));
    BOOST_TEST(done->tensors == 3U);
    BOOST_TEST(done->kept.size() == 2U);
    BOOST_TEST(done->kept[0] == "narrow: rows of 48 are no whole blocks of " + std::to_string(type.elements));
    BOOST_TEST(done->kept[1] == "blk.0.ffn_gate_inp.weight: it chooses experts");
    const auto out = GgufFile::open(to);
    BOOST_REQUIRE(out);
    BOOST_TEST(out->get_strings("words")->at(1) == "y");
    BOOST_TEST(!out->has("general.file_type"));
    BOOST_TEST(!out->has("split.no"));
    for (const char* matrix : {"single", "half", "top"}) {
      BOOST_TEST(out->find_tensor(matrix)->type_name() == name);
      const auto before = values_of(*in, matrix);
      const auto after = values_of(*out, matrix);
      double error = 0.0;
      double power = 0.0;
      for (std::size_t i = 0; i < before.size(); ++i) {
        error += std::pow(static_cast<double>(before[i] - after[i]), 2);
        power += std::pow(static_cast<double>(before[i]), 2);
      }
      const double noise = std::sqrt(error / power);
      const double most = type.name == "Q8_0" ? 0.01 : type.name == "Q4_0" ? 0.12 : 1.0;
      BOOST_TEST(noise < most, name << " " << matrix << " " << noise);
      BOOST_TEST(noise > 0.0);
    }
    BOOST_TEST(values_of(*out, "norm") == values_of(*in, "norm"), boost::test_tools::per_element());
    BOOST_TEST(values_of(*out, "narrow") == values_of(*in, "narrow"), boost::test_tools::per_element());
  }
}

BOOST_FIXTURE_TEST_CASE(what_was_rounded_is_not_rounded_again, Fixture) {
  BOOST_REQUIRE(convert_model(*GgufFile::open(from), *kernels::find_block_type(std::string_view("Q8_0")), to));
  const std::string again = to + ".again";
  const auto done = convert_model(*GgufFile::open(to), *kernels::find_block_type(std::string_view("Q4_0")), again);
  BOOST_REQUIRE(!done);
  BOOST_TEST(done.error().message.find("tensor \"single\" has type Q8_0: want F32, F16 or BF16") != std::string::npos,
             done.error().message);
  BOOST_TEST(!fs::exists(again));
  const auto other = convert_model(*GgufFile::open(from), *kernels::find_block_type(std::string_view("Q4_K")), again);
  BOOST_TEST(other.error().message.find("Q4_K cannot be made") != std::string::npos);
}

BOOST_FIXTURE_TEST_CASE(values_that_cannot_be_rounded_are_named, Fixture) {
  BOOST_REQUIRE(GgufWriter().add_tensor_f32("wild", {32, 2}, std::vector<float>(64, 1e30F)).write(from));
  const auto done = convert_model(*GgufFile::open(from), *kernels::find_block_type(std::string_view("Q8_0")), to);
  BOOST_REQUIRE(!done);
  BOOST_TEST(done.error().message.find("tensor \"wild\": value") != std::string::npos, done.error().message);
}

BOOST_AUTO_TEST_SUITE_END()
