#include "app/perplexity_command.h"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <string>

#include "tests/app/run_command.h"
#include "tests/model/tiny_model.h"

using namespace spillway;
using namespace spillway::app;

namespace {

struct Fixture {
  Outcome perplexity(std::vector<std::string> more, const std::string& text) {
    std::ofstream(folder.file("text"), std::ios::binary) << text;
    std::vector<std::string> words = {"models", "perplexity",        "--model",   model::test::write_tiny_model({}),
                                      "--text", folder.file("text"), "--threads", "2"};
    words.insert(words.end(), more.begin(), more.end());
    return run_command(words);
  }
  TestFolder folder;
};

std::string long_text() {
  std::string text;
  while (text.size() < 2000) text += "word" + std::to_string(text.size()) + " ";
  return text;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(perplexity_command)

BOOST_FIXTURE_TEST_CASE(prints_one_object, Fixture) {
  const auto done = perplexity({"--window", "64", "--kv", "raw32", "--json"}, long_text());
  BOOST_TEST(done.status == 0, done.errors);
  const auto printed = boost::json::parse(done.out).as_object();
  BOOST_TEST(printed.size() == 3U);
  const auto windows = printed.at("windows").to_number<std::uint64_t>();
  BOOST_TEST(windows > 10U);
  BOOST_TEST(printed.at("tokens").to_number<std::uint64_t>() == windows * 31);
  BOOST_TEST(printed.at("perplexity").as_double() > 1.0);
  BOOST_TEST(perplexity({"--window", "64"}, long_text()).out.starts_with("perplexity "));
}

BOOST_FIXTURE_TEST_CASE(says_what_is_wrong, Fixture) {
  const auto says = [](const Outcome& done, std::string_view part) {
    BOOST_TEST(done.status == 1);
    BOOST_TEST(done.out == "");
    BOOST_TEST(done.errors.find(part) != std::string::npos, done.errors);
  };
  says(perplexity({}, "too short"), "fewer than one window of 512");
  says(perplexity({"--window", "100000"}, long_text()), "the context holds 4096");
  says(run_command({"models", "perplexity", "--model", model::test::write_tiny_model({}), "--text", folder.file("none")}), "cannot read ");
  says(run_command({"models", "perplexity", "--model", "/nonexistent.gguf", "--text", folder.file("text")}), "/nonexistent.gguf");
  BOOST_TEST(perplexity({"--kv", "raw8"}, "x").status == 2);
}

BOOST_AUTO_TEST_SUITE_END()
