#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include "app/generate_flags.h"
#include "tests/app/run_command.h"
#include "tests/model/tiny_model.h"

namespace spillway::app {

BOOST_AUTO_TEST_SUITE(complete_command)

BOOST_AUTO_TEST_CASE(a_talk_has_no_one_json_value) {
  const auto outcome = run_command({"chat", "--model", "no-such-model", "--json"});
  BOOST_TEST(outcome.status == 2);
  BOOST_TEST(outcome.out.empty());
  BOOST_TEST(outcome.errors.find("--messages") != std::string::npos, outcome.errors);
}

BOOST_AUTO_TEST_CASE(flags_of_a_running_cluster_are_refused_by_name_in_this_process) {
  for (const char* flag : {"--tenant", "--token", "--key", "--router"}) {
    const auto outcome = run_command({"complete", "--model", "no-such-model", "--prompt", "x", flag, "word"});
    BOOST_TEST(outcome.status == 2, flag);
    BOOST_TEST(outcome.out.empty());
    BOOST_TEST(outcome.errors.find(flag) != std::string::npos, outcome.errors);
    BOOST_TEST(outcome.errors.find("--config") != std::string::npos, outcome.errors);
  }
}

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

BOOST_AUTO_TEST_CASE(an_answer_that_ended_with_an_error_is_named) {
  sdk::Completion done;
  done.request_id = "00000000000000000000000000000007";
  done.choices.resize(2);
  done.choices[0].finish_reason = "length";
  done.choices[1].index = 1;
  done.choices[1].finish_reason = "stop";
  BOOST_TEST(!failed_answer(done).has_value());
  done.choices[1].finish_reason = "error";
  const auto said = failed_answer(done);
  BOOST_REQUIRE(said.has_value());
  BOOST_TEST(said->find("answer 1 of request 00000000000000000000000000000007") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
