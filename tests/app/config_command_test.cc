#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>

#include "tests/app/run_command.h"

namespace spillway::app {
namespace {

const std::string three_nodes = SPILLWAY_SOURCE_DIR "/cluster-config/examples/three-nodes.toml";

}  // namespace

BOOST_AUTO_TEST_SUITE(config_command)

BOOST_AUTO_TEST_CASE(a_good_file_is_told_in_one_line) {
  const auto done = run_command({"config", "check", three_nodes});
  BOOST_TEST(done.status == 0);
  BOOST_TEST(done.out == three_nodes + ": good: 3 nodes, 1 model, 1 tenant, CURVE off (loopback)\n");
  BOOST_TEST(done.errors == "");
}

BOOST_AUTO_TEST_CASE(a_good_file_as_json) {
  const auto done = run_command({"config", "check", "--json", three_nodes});
  BOOST_TEST(done.status == 0);
  const auto value = boost::json::parse(done.out).as_object();
  BOOST_TEST(value.at("ok").as_bool());
  BOOST_TEST(value.at("errors").as_array().empty());
  BOOST_TEST(value.at("nodes").to_number<int>() == 3);
}

BOOST_AUTO_TEST_CASE(all_errors_of_a_bad_file_go_to_stderr_one_a_line) {
  const TestFolder folder;
  const auto file = folder.file("c.toml");
  std::ofstream{file} << "version = 1\n[models.smollm2-135m]\n[[nodes]]\nname = \"a\"\nthread = 2\nport = 0\n";
  const auto done = run_command({"config", "check", file});
  BOOST_TEST(done.status == 1);
  BOOST_TEST(done.out == "");
  BOOST_TEST(done.errors ==
             file + ":5: nodes[0].thread = 2: is no key of Spillway; did you mean `threads`?\n" + file +
                 ":6: nodes[0].port = 0: want a whole number from 1 to 65532 (port number); for example: port = 7400\n2 errors in " + file +
                 "\n");

  const auto json = run_command({"config", "check", file, "--json"});
  BOOST_TEST(json.status == 1);
  BOOST_TEST(json.errors == "");
  const auto value = boost::json::parse(json.out).as_object();
  BOOST_TEST(!value.at("ok").as_bool());
  BOOST_REQUIRE(value.at("errors").as_array().size() == 2U);
  const auto& first = value.at("errors").as_array()[0].as_object();
  BOOST_TEST(first.at("kind").as_string() == "unknown_key");
  BOOST_TEST(first.at("line").to_number<int>() == 5);
  BOOST_TEST(first.at("key").as_string() == "nodes[0].thread");
}

BOOST_AUTO_TEST_CASE(a_model_that_cannot_exist_is_told) {
  const TestFolder folder;
  const auto file = folder.file("c.toml");
  std::ofstream{file} << "version = 1\n[models.smolm2-135m]\n[[nodes]]\nname = \"a\"\n";
  const auto done = run_command({"config", "check", file});
  BOOST_TEST(done.status == 1);
  BOOST_TEST(done.errors.find(file + ":2: models.smolm2-135m: want `path` or a known model (smollm2-135m") == 0U, done.errors);
  BOOST_TEST(done.errors.find("there is no \"smolm2-135m\"; did you mean \"smollm2-135m\"?\n") != std::string::npos, done.errors);
}

BOOST_AUTO_TEST_CASE(the_file_of_the_environment_is_the_default) {
  ::setenv("SPILLWAY_CONFIG", three_nodes.c_str(), 1);
  BOOST_TEST(run_command({"config", "check"}).status == 0);
  ::setenv("SPILLWAY_CONFIG", "/nonexistent.toml", 1);
  const auto absent = run_command({"config", "check"});
  BOOST_TEST(absent.status == 1);
  BOOST_TEST((absent.errors.find("/nonexistent.toml: want a cluster file") != std::string::npos));
  ::unsetenv("SPILLWAY_CONFIG");
}

BOOST_AUTO_TEST_CASE(the_reference_as_text_and_json) {
  const auto text = run_command({"config", "reference"});
  BOOST_TEST(text.status == 0);
  BOOST_TEST((text.out.find("`step_tokens_max`: Token budget of one model step") != std::string::npos));
  const auto rows = boost::json::parse(run_command({"config", "reference", "--json"}).out).as_array();
  BOOST_TEST(rows.size() >= 90U);
  BOOST_TEST(rows[0].as_object().at("key").as_string() == "version");
  BOOST_TEST(rows[0].as_object().at("default").is_null());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
