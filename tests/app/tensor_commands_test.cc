#include "app/tensor_commands.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

using namespace spillway::app;

BOOST_AUTO_TEST_SUITE(tensor_commands)

namespace {

struct Fixture {
  int dequantize(const std::string& type, const std::string& blocks) {
    std::istringstream in(blocks);
    return models_dequantize(type, in, out, errors);
  }
  std::vector<float> values() const {
    const std::string text = out.str();
    std::vector<float> made(text.size() / sizeof(float));
    std::memcpy(made.data(), text.data(), made.size() * sizeof(float));
    return made;
  }
  std::ostringstream out, errors;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(values_of_more_blocks_than_are_read_at_once, Fixture) {
  std::string blocks;
  for (int i = 0; i < 5000; ++i) {
    std::string block(34, '\0');
    block[1] = 0x3c;  // a scale of 1
    block[2] = static_cast<char>(i % 100);
    blocks += block;
  }
  BOOST_TEST(dequantize("q8_0", blocks) == 0);
  const auto made = values();
  BOOST_REQUIRE(made.size() == 5000U * 32);
  for (std::size_t i = 0; i < 5000; ++i) BOOST_REQUIRE(made[i * 32] == static_cast<float>(i % 100));
  BOOST_TEST(errors.str() == "");
}

BOOST_FIXTURE_TEST_CASE(nothing_gives_nothing, Fixture) {
  BOOST_TEST(dequantize("F32", "") == 0);
  BOOST_TEST(out.str() == "");
}

BOOST_FIXTURE_TEST_CASE(the_two_layouts_of_q2_0_have_two_names, Fixture) {
  BOOST_TEST(dequantize("Q2_0", std::string(18, '\0')) == 0);
  BOOST_TEST(values().size() == 64U);
  BOOST_TEST(dequantize("Q2_0_G128", std::string(34, '\0')) == 0);
  BOOST_TEST(values().size() == 64U + 128);
}

BOOST_FIXTURE_TEST_CASE(refuses_by_name, Fixture) {
  BOOST_TEST(dequantize("Q9_9", "") == 2);
  BOOST_TEST(errors.str().find("--type Q9_9 cannot be decoded; want one of F32, F16") != std::string::npos, errors.str());
  BOOST_TEST(dequantize("IQ1_S", "") == 2);
  BOOST_TEST(dequantize("Q4_0", std::string(19, '\0')) == 1);
  BOOST_TEST(errors.str().find("1 bytes at the end are no whole block: want blocks of 18 bytes") != std::string::npos, errors.str());
  BOOST_TEST(out.str() == "");
}

BOOST_FIXTURE_TEST_CASE(random_models_are_converted, Fixture) {
  const std::string random = "/tmp/spillway_tensors_" + std::to_string(::getpid()) + ".gguf";
  const std::string converted = random + ".out.gguf";
  BOOST_TEST(models_random("tiny", "BF16", 7, random, true, out, errors) == 0);
  const auto made = boost::json::parse(out.str());
  BOOST_TEST(made.at("tensors").to_number<int>() == 20);
  BOOST_TEST(made.at("seed").to_number<int>() == 7);
  out.str("");
  BOOST_TEST(models_convert(random, converted, "Q4_0", true, out, errors) == 0);
  const auto done = boost::json::parse(out.str());
  BOOST_TEST(done.at("tensors").to_number<int>() == 15);
  BOOST_TEST(done.at("bytes_after").to_number<double>() < 0.3 * done.at("bytes_before").to_number<double>());
  BOOST_TEST(errors.str().find("15 matrices brought to Q4_0 by plain rounding") != std::string::npos, errors.str());
  errors.str("");
  BOOST_TEST(models_convert(converted, random, "Q8_0", false, out, errors) == 1);
  BOOST_TEST(errors.str().find("has type Q4_0: want F32, F16 or BF16") != std::string::npos, errors.str());
  BOOST_TEST(models_convert(random, converted, "Q4_K", false, out, errors) == 2);
  BOOST_TEST(models_convert("/nonexistent.gguf", converted, "Q8_0", false, out, errors) == 1);
  BOOST_TEST(models_random("gpt-7", "Q8_0", 1, random, false, out, errors) == 2);
  BOOST_TEST(models_random("tiny", "Q9_9", 1, random, false, out, errors) == 2);
  BOOST_TEST(models_random("tiny", "Q8_0", 1, "/nonexistent/x", false, out, errors) == 1);
  std::remove(random.c_str());
  std::remove(converted.c_str());
}

BOOST_AUTO_TEST_SUITE_END()
