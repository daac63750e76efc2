#include "app/sim_speed_command.h"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/app/run_command.h"

using namespace spillway::app;

BOOST_AUTO_TEST_SUITE(sim_speed_command)

BOOST_AUTO_TEST_CASE(every_feature_works_and_is_counted) {
  const auto done = run_command({"sim", "speed", "--nodes", "4", "--requests", "3000", "--json"});
  BOOST_REQUIRE_MESSAGE(done.status == 0, done.errors);
  const auto told = boost::json::parse(done.out);
  const auto count = [&told](const char* key) { return told.at(key).to_number<double>(); };
  BOOST_TEST(count("completed") == 3000.0);
  for (const char* key : {"requests_per_minute", "peak_rss_bytes", "blocks_allocated", "prefix_hits", "reports"})
    BOOST_TEST(count(key) > 0.0, key);
  BOOST_TEST(count("prefix_lookups") > count("prefix_hits"));
  BOOST_TEST(count("jumped") > count("steps") / 2);
  BOOST_TEST(told.as_object().contains("flows"));
}

BOOST_AUTO_TEST_CASE(counts_come_from_the_seed) {
  const auto counts = [](const char* seed) {
    const auto done = run_command({"sim", "speed", "--nodes", "3", "--requests", "500", "--seed", seed, "--json"});
    BOOST_REQUIRE_MESSAGE(done.status == 0, done.errors);
    auto told = boost::json::parse(done.out).as_object();
    for (const char* key : {"requests_per_minute", "loaded_requests_per_minute", "peak_rss_bytes", "cpu_seconds", "wall_seconds"})
      told.erase(key);
    return boost::json::serialize(told);
  };
  BOOST_TEST(counts("1") == counts("1"));
  BOOST_TEST(counts("1") != counts("2"));
}

BOOST_AUTO_TEST_CASE(people_get_lines_and_wrong_use_is_exit_2) {
  const auto done = run_command({"sim", "speed", "--nodes", "1", "--requests", "10"});
  BOOST_TEST(done.status == 0);
  BOOST_TEST(done.out.find("requests_per_minute: ") != std::string::npos);
  BOOST_TEST(run_command({"sim", "speed", "--nodes", "0"}).status == 2);
}

BOOST_AUTO_TEST_SUITE_END()
