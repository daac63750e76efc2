#include "app/score_command.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include "model/cpu_device.h"
#include "tests/model/tiny_model.h"

using namespace spillway;
using namespace spillway::app;

BOOST_AUTO_TEST_SUITE(score_command)

namespace {

struct Fixture {
  ~Fixture() { std::remove(path.c_str()); }

  int score(const std::string& cases, bool json = true) {
    std::ofstream(path, std::ios::binary) << cases;
    out.str("");
    errors.str("");
    return models_score({model::test::write_tiny_model({}), path, "raw32", 2, json}, out, errors);
  }

  std::string path = "/tmp/spillway_score_" + std::to_string(::getpid()) + ".json";
  std::ostringstream out;
  std::ostringstream errors;
};

}  // namespace

BOOST_FIXTURE_TEST_CASE(one_entry_per_given_token, Fixture) {
  BOOST_TEST(
      score(
          R"({"note": 1, "cases": [{"prompt_tokens": [5, 6, 7], "tokens": [8, 9], "text": "x"}, {"prompt_tokens": [5], "tokens": []}]})") ==
      0);
  const boost::json::value printed = boost::json::parse(out.str());
  const auto& cases = printed.at("cases").as_array();
  BOOST_REQUIRE(cases.size() == 2U);
  BOOST_REQUIRE(cases[0].as_array().size() == 2U);
  BOOST_TEST(cases[1].as_array().empty());
  const auto& second = cases[0].as_array()[1];
  BOOST_TEST(second.at("id").as_int64() == 9);
  BOOST_TEST(second.at("logprob").as_double() < 0.0);
  const auto& top = second.at("top").as_array();
  BOOST_REQUIRE(top.size() == 5U);
  for (std::size_t i = 1; i < top.size(); ++i) BOOST_TEST(top[i - 1].as_array()[1].as_double() >= top[i].as_array()[1].as_double());
  BOOST_TEST(score(R"([{"prompt_tokens": [5, 6], "tokens": [8]}])", false) == 0);
  BOOST_TEST(out.str().starts_with("case 0: 1 tokens"), out.str());
}

BOOST_FIXTURE_TEST_CASE(wrong_cases_are_named, Fixture) {
  const auto says = [&](const std::string& cases, std::string_view part) {
    BOOST_TEST(score(cases) == 1);
    BOOST_TEST(out.str() == "");
    BOOST_TEST(errors.str().find(part) != std::string::npos, errors.str());
  };
  says("{", "is not JSON");
  says("{}", "want {\"cases\": [...]}");
  says("[1]", "cases[0]: want an object");
  says(R"([{"prompt_tokens": [1]}])", "cases[0].tokens: want a list");
  says(R"([{"prompt_tokens": ["a"], "tokens": []}])", "prompt_tokens holds \"a\"");
  says(R"([{"prompt_tokens": [], "tokens": [1]}])", "cases[0]: prompt_tokens is empty");
  says(R"([{"prompt_tokens": [1], "tokens": [100000]}])", "token 100000 is not in the vocabulary");
  std::ostringstream ignored;
  BOOST_TEST(models_score({"tiny", "/nonexistent.json", "raw32", 1, true}, ignored, errors) == 1);
}

BOOST_AUTO_TEST_CASE(no_more_threads_than_the_machine_has) {
  const auto threads = [] {
    const std::filesystem::directory_iterator all("/proc/self/task");
    return std::distance(begin(all), end(all));
  };
  const auto before = threads();
  const auto device =
      model::CpuDevice::make({.path = model::test::write_tiny_model({}), .blocks = 4, .threads = 1000, .step_rows_max = 16});
  BOOST_REQUIRE(device);
  const auto most = static_cast<std::ptrdiff_t>(std::max(2U, std::thread::hardware_concurrency()));
  BOOST_TEST(threads() - before <= most - 1);  // the caller is one of them
  BOOST_TEST(threads() - before >= 1);
}

BOOST_AUTO_TEST_SUITE_END()
