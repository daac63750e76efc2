#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>

#include "sim/profile.h"
#include "tests/app/run_command.h"
#include "tests/model/tiny_model.h"

using namespace spillway;
using namespace spillway::app;

BOOST_AUTO_TEST_SUITE(profile_command)

BOOST_AUTO_TEST_CASE(the_tables_of_a_worker_are_written_and_read) {
  const TestFolder folder;
  const std::string out = folder.file("tables");
  const auto done = run_command({"profile", "--model", model::test::write_tiny_model({}), "--out", out, "--kv", "raw32", "--threads", "1",
                                 "--max-rows", "32", "--max-seqs", "2", "--max-context", "64", "--rounds", "1", "--json"});
  BOOST_REQUIRE_MESSAGE(done.status == 0, done.errors);
  const auto told = boost::json::parse(done.out);
  BOOST_TEST(told.at("folder").as_string() == out);
  BOOST_TEST(told.at("points").as_int64() > 20);
  BOOST_TEST(told.at("steps_checked").as_int64() >= 1);
  BOOST_TEST(!told.at("isa").as_string().empty());
  const auto profile = sim::read_profile(out, std::nullopt);
  BOOST_REQUIRE_MESSAGE(profile.has_value(), (profile ? "" : profile.error().message));
  sim::StepShape shape;
  shape.rows = shape.sequences = shape.attention.decodes = 1;
  shape.attention.context_mean = sim::to_fixed(40);
  BOOST_TEST(profile->costs.time_of(shape)->count() > 0);
}

BOOST_AUTO_TEST_CASE(wrong_uses_and_failures_are_told_apart) {
  const TestFolder folder;
  BOOST_TEST(run_command({"profile", "--out", folder.file("a")}).status == 2);
  BOOST_TEST(run_command({"profile", "--model", "m", "--out", folder.file("a"), "--rounds", "0"}).status == 2);
  const auto missing = run_command({"profile", "--model", folder.file("none.gguf"), "--out", folder.file("a")});
  BOOST_TEST(missing.status == 1);
  BOOST_TEST(missing.errors.find("none.gguf") != std::string::npos);
  BOOST_TEST(!std::filesystem::exists(folder.file("a")));
}

BOOST_AUTO_TEST_SUITE_END()
