// Given tokens get the log-probabilities that a run which drew them reported.

#include "model/score.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "tests/model/drive.h"
#include "tests/model/tiny_model.h"

using namespace spillway;

namespace {

std::unique_ptr<model::CpuDevice> make_device(std::uint32_t rows_max, std::uint32_t blocks = 64) {
  auto device =
      model::CpuDevice::make({.path = model::test::write_tiny_model({}), .blocks = blocks, .threads = 2, .step_rows_max = rows_max});
  BOOST_REQUIRE(device.has_value());
  return std::move(*device);
}

std::vector<core::TokenId> prompt_of(std::size_t n) {
  std::vector<core::TokenId> tokens(n);
  for (std::size_t i = 0; i < n; ++i) tokens[i] = static_cast<core::TokenId>((i * 19 + 3) % 250);
  return tokens;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(score_given_tokens)

BOOST_AUTO_TEST_CASE(equal_to_the_run_that_drew_them) {
  auto device = make_device(2048);
  auto small_steps = make_device(37);  // cuts the prompt, and the answer, elsewhere
  for (const std::size_t prompt : {1U, 30U, 260U}) {
    for (const float temperature : {0.0F, 1.0F}) {
      const auto request = model::test::make_request(prompt_of(prompt), 60);
      request->logprobs = 5;
      request->ignore_eos = true;
      request->sampling.temperature = temperature;
      const auto outs = model::test::drive(*device, request, {});
      for (auto* scorer : {device.get(), small_steps.get()}) {
        const auto scored = model::score(*scorer, {request->prompt.vector(), model::test::tokens_of(outs)}, 5);
        BOOST_REQUIRE(scored.has_value());
        BOOST_REQUIRE(scored->size() == outs.size());
        for (std::size_t i = 0; i < outs.size(); ++i) {
          BOOST_TEST((*scored)[i].token == outs[i].token);
          BOOST_TEST((*scored)[i].logprob == outs[i].logprob);
          BOOST_TEST(((*scored)[i].top == outs[i].top));
          BOOST_TEST((*scored)[i].top.size() == 5U);
        }
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(wrong_cases_are_refused_by_name) {
  auto device = make_device(64, 4);
  const auto refused = [&](const model::ScoreCase& given, const std::string& wish) {
    const auto scored = model::score(*device, given, 5);
    BOOST_REQUIRE(!scored.has_value());
    BOOST_TEST(scored.error().message.find(wish) != std::string::npos, scored.error().message);
  };
  refused({{}, {1}}, "prompt_tokens");
  refused({{1, 2}, {-1}}, "token -1");
  refused({{1, 9999}, {1}}, "token 9999");
  refused({prompt_of(100), {1}}, "4 blocks");
  refused({prompt_of(5000), {1}}, "context");
  const auto none = model::score(*device, {{1}, {}}, 5);
  BOOST_REQUIRE(none.has_value());
  BOOST_TEST(none->empty());
}

BOOST_AUTO_TEST_SUITE_END()
