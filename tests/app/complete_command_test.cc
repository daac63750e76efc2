#include <boost/test/unit_test.hpp>

#include "app/generate_flags.h"
#include "tests/app/run_command.h"

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

BOOST_AUTO_TEST_CASE(sampling_flags_become_fields_or_are_refused_by_name) {
  GenerateFlags flags;
  flags.logit_bias = {"42=-1.5", "7=3"};
  flags.min_tokens = 5;
  flags.dry_breakers = {";"};
  const auto made = flags.request();
  BOOST_REQUIRE(made.has_value());
  BOOST_REQUIRE(made->logit_bias.size() == 2U);
  BOOST_TEST(made->logit_bias[0].token == 42);
  BOOST_TEST(made->logit_bias[0].value == -1.5F);
  BOOST_TEST(made->min_tokens == 5U);
  BOOST_TEST((made->dry_sequence_breakers == std::vector<std::string>{";"}));
  const auto refused = [](const GenerateFlags& wrong, std::string_view part) {
    const auto request = wrong.request();
    BOOST_REQUIRE(!request.has_value());
    BOOST_TEST(request.error().message.find(part) != std::string::npos, request.error().message);
  };
  flags.logit_bias = {"x=1"};
  refused(flags, "--logit-bias x=1: want ID=VALUE");
  flags.logit_bias = {"1"};
  refused(flags, "--logit-bias 1: want ID=VALUE");
  flags.logit_bias.clear();
  flags.mirostat = "2";
  refused(flags, "--mirostat is not offered");
  flags.mirostat.clear();
  flags.json_schema = "/nonexistent/schema.json";
  refused(flags, "--json-schema /nonexistent/schema.json");
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
