#include <boost/json.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/app/run_command.h"
#include "tests/sim/tiny_profile.h"

namespace spillway::app {
namespace {

namespace bdata = boost::unit_test::data;
using sim::test::TinyProfile;

struct UseCase {
  const char* name;
  std::vector<std::string> words;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const UseCase& c) { return out << c.name; }
};

const UseCase wrong_uses[] = {
    {"a folder must be named", {"sim", "validate", "--workload", "w"}, "DIR"},
    {"a workload too", {"sim", "validate", "d"}, "--workload"},
    {"no blocks is no number of them", {"sim", "validate", "d", "--workload", "w", "--kv-blocks", "0"}, "--kv-blocks"},
    {"nor is a word", {"sim", "validate", "d", "--workload", "w", "--max-seqs", "many"}, "--max-seqs"},
    {"sim alone is nothing", {"sim"}, "spillway sim --help"},
    {"a flag written wrong is guessed", {"sim", "validate", "d", "--workload", "w", "--layer", "3"}, "did you mean `--layers`"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sim_command)

BOOST_AUTO_TEST_CASE(validate_prints_one_json_object_or_a_table) {
  const TinyProfile folder;
  const std::vector<std::string> words = {"sim", "validate", folder.path(), "--workload", folder.workload(), "--layers", "2"};
  auto with_json = words;
  with_json.emplace_back("--json");
  const auto done = run_command(with_json);
  BOOST_TEST(done.status == 0);
  BOOST_TEST(done.errors == "");
  BOOST_TEST(boost::json::parse(done.out).as_object().at("steps").to_number<int>() == 5);
  BOOST_TEST(run_command(with_json).out == done.out);
  const auto table = run_command(words);
  BOOST_TEST(table.status == 0);
  BOOST_TEST(table.out.find("simulated: 5 steps") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(flags_change_the_simulated_engine) {
  const TinyProfile folder;
  const auto steps = [&folder](std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"sim", "validate", folder.path(), "--workload", folder.workload(), "--layers", "2", "--json"});
    const auto done = run_command(flags);
    BOOST_REQUIRE_MESSAGE(done.status == 0, done.errors);
    return boost::json::parse(done.out).as_object().at("steps").to_number<int>();
  };
  BOOST_TEST(steps({"--max-batched-tokens", "8"}) > 5);
  BOOST_TEST(steps({"--no-prefix-cache", "--max-seqs", "1", "--kv-blocks", "9"}) == 6);
}

BOOST_AUTO_TEST_CASE(bad_input_is_told_with_its_place_and_prints_nothing) {
  const TinyProfile folder;
  folder.replace("dense.csv", "o_proj,0,10", "o_proj,0,ten");
  const auto done = run_command({"sim", "validate", folder.path(), "--workload", folder.workload(), "--layers", "2", "--json"});
  BOOST_TEST(done.status == 1);
  BOOST_TEST(done.out == "");
  BOOST_TEST(done.errors.find(folder.file("dense.csv") + ":10: time_us = ten: want a number") != std::string::npos);
}

BOOST_DATA_TEST_CASE(wrong_use_is_told_apart, bdata::make(wrong_uses), c) {
  const auto done = run_command(c.words);
  BOOST_TEST(done.status == 2);
  BOOST_TEST(done.out == "");
  BOOST_TEST_INFO(done.errors);
  BOOST_TEST(done.errors.find(c.says) != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
