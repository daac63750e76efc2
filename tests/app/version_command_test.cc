#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/app/run_command.h"

namespace spillway::app {

BOOST_AUTO_TEST_SUITE(version_command)

BOOST_AUTO_TEST_CASE(version_as_text_and_json) {
  BOOST_TEST(run_command({"version"}).out == "spillway " SPILLWAY_VERSION "\n");
  const auto done = run_command({"version", "--json"});
  const auto value = boost::json::parse(done.out).as_object();
  BOOST_TEST(value.at("version").as_string() == SPILLWAY_VERSION);
  BOOST_TEST(value.at("cluster_file_version").to_number<int>() == 1);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
