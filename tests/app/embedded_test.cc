// Whole nodes in this process: `complete` without a cluster file.

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/app/run_command.h"
#include "tests/model/tiny_model.h"

namespace spillway::app {

BOOST_AUTO_TEST_SUITE(embedded)

/// What a request needs of a model is known when the model has loaded, however soon the request comes.
BOOST_AUTO_TEST_CASE(nothing_is_refused_or_cut_before_the_model_has_told_what_it_is) {
  const std::string model = model::test::write_tiny_model({.context = 256});
  const std::vector<std::vector<std::string>> asked = {
      {"--max-tokens", "4", "--stop", "no such words"},
      {"--max-tokens", "4", "--n", "2", "--temperature", "1", "--seed", "3"},
      {"--max-tokens", "0", "--ignore-eos"},
      {"--max-tokens", "9999", "--ignore-eos"},
  };
  std::size_t answers = 0;
  for (int round = 0; round < 5; ++round) {
    for (std::size_t i = 0; i < asked.size(); ++i) {
      std::vector<std::string> words = {"complete", "--model", model, "--prompt", "ab ba", "--kv", "raw32", "--threads", "1", "--json"};
      words.insert(words.end(), asked[i].begin(), asked[i].end());
      const auto outcome = run_command(words);
      BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.errors);
      const auto printed = boost::json::parse(outcome.out);
      const auto tokens = printed.at("tokens").as_array().size();
      const auto prompt = printed.at("usage").at("prompt_tokens").to_number<std::size_t>();
      if (i >= 2) BOOST_TEST(prompt + tokens == 256U);  // up to the context
      ++answers;
    }
  }
  BOOST_TEST(answers == 20U);
}

BOOST_AUTO_TEST_CASE(a_request_without_output_ends_when_its_prompt_is_computed) {
  const std::string model = model::test::write_tiny_model({.context = 256});
  std::vector<std::string> words = {"complete", "--model",   model, "--prompt", "ab ba",        "--kv",
                                    "raw32",    "--threads", "1",   "--json",   "--prompt-only"};
  const auto outcome = run_command(words);
  BOOST_REQUIRE_MESSAGE(outcome.status == 0, outcome.errors);
  const auto printed = boost::json::parse(outcome.out);
  BOOST_TEST(printed.at("tokens").as_array().empty());
  BOOST_TEST(printed.at("finish_reason").as_string() == "length");
  BOOST_TEST(printed.at("usage").at("prompt_tokens").to_number<std::size_t>() > 0U);
  BOOST_TEST(printed.at("usage").at("completion_tokens").to_number<std::size_t>() == 0U);
  words.insert(words.end(), {"--max-tokens", "3"});
  BOOST_TEST(run_command(words).status != 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
