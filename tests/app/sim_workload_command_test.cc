#include "app/sim_workload_command.h"

#include <boost/json.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>

#include "tests/app/run_command.h"

namespace spillway::app {
namespace {

namespace bdata = boost::unit_test::data;

struct UseCase {
  std::vector<std::string> words;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const UseCase& c) { return out << c.says; }
};

const UseCase use_cases[] = {
    {{"sim"}, "A subcommand is required"},
    {{"sim", "workloads"}, "no command `workloads`; did you mean `workload`?"},
    {{"sim", "workload"}, "a FILE with --format, or --event SPEC, and not both is required"},
    {{"sim", "workload", "f"}, "--format of the FILE is required"},
    {{"sim", "workload", "f", "--format", "azure", "--event", "e"}, "and not both"},
    {{"sim", "workload", "f", "--format", "vidur"}, "--format: vidur not in {"},
    {{"sim", "workload", "f", "--format", "azure", "--thin", "2"}, "--thin: Value 2 not in range"},
    {{"sim", "workload", "f", "--format", "azure", "--thin", "0.5", "--stretch", "2"}, "excludes"},
    {{"sim", "workload", "f", "--format", "azure", "--thin", "0.5", "--superpose", "2"}, "excludes"},
    {{"sim", "workload", "f", "--format", "azure", "--superpose", "0"}, "--superpose: Value 0 not in range"},
    {{"sim", "workload", "f", "--format", "azure", "--spread-ms", "0"}, "--spread-ms: Value 0 not in range"},
    {{"sim", "workload", "f", "--format", "azure", "--limit", "0"}, "--limit: Value 0 not in range"},
};

std::string read(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Fixture {
  Fixture() {
    std::ofstream{trace} << "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:17:03.5,4808,10\n2023-11-16 18:17:04.5,3180,8\n"
                            "2023-11-16 18:17:05.5,110,27\n2023-11-16 18:17:07.5,100,3\n";
    std::ofstream{event} << "version = 1\nduration = \"1min\"\n[[moments]]\nkind = \"goal\"\nat = \"20s\"\n";
  }
  TestFolder folder;
  std::string trace = folder.file("trace.csv");
  std::string event = folder.file("event.toml");
};

}  // namespace

BOOST_AUTO_TEST_SUITE(sim_workload_command)

BOOST_DATA_TEST_CASE(wrong_use_is_explained_with_exit_2, bdata::make(use_cases), c) {
  const auto done = run_command(c.words);
  BOOST_TEST(done.status == 2);
  BOOST_TEST(done.out == "");
  BOOST_TEST((done.errors.find(c.says) != std::string::npos), done.errors);
}

BOOST_AUTO_TEST_CASE(help_names_every_format) {
  const auto done = run_command({"sim", "workload", "--help"});
  BOOST_TEST(done.status == 0);
  for (const auto* word : {"azure", "mooncake", "burstgpt", "bailian", "servegen", "native", "vllm", "--event", "--superpose"})
    BOOST_TEST((done.out.find(word) != std::string::npos), word);
}

BOOST_FIXTURE_TEST_CASE(statistics_for_people, Fixture) {
  const auto done = run_command({"sim", "workload", trace, "--format", "azure"});
  BOOST_TEST(done.errors == "");
  BOOST_TEST(done.status == 0);
  BOOST_TEST(done.out ==
             "requests        4 over 4.0 s\n"
             "rate            mean 1.00, peak 1 over 1 s, 0.1 over 60 s (requests per second)\n"
             "dispersion      0.20 of the counts per second (1 = Poisson)\n"
             "input tokens    mean 2050, p50 3180, p95 4808, max 4808\n"
             "output tokens   mean 12, p50 10, p95 27, max 27\n"
             "classes         0 live, 4 interactive, 0 batch; 0 with a deadline\n"
             "who             1 tenant, 1 model\n"
             "sessions        0; 0 requests continue one, 0 supersede it\n"
             "blocks          none: nothing is known of shared prefixes\n");
}

BOOST_FIXTURE_TEST_CASE(statistics_as_json_with_what_was_done, Fixture) {
  const auto done = run_command({"sim", "workload", trace, "--format", "azure", "--superpose", "3", "--limit", "7", "--json"});
  BOOST_TEST(done.status == 0);
  const auto value = boost::json::parse(done.out).as_object();
  BOOST_TEST(value.at("requests").to_number<int>() == 7);
  BOOST_TEST(value.at("interactive").to_number<int>() == 7);
  BOOST_TEST(value.at("input_tokens").at("max").to_number<int>() == 4808);
  BOOST_TEST(value.at("prefix_hit_ceiling").to_number<double>() == 0);
  const auto& notes = value.at("notes").as_array();
  BOOST_REQUIRE(notes.size() == 2U);
  BOOST_TEST(notes[0].as_string().starts_with("superposed: 3 copies"));
  BOOST_TEST(notes[1].as_string() == "cut: the first 7 of 12 requests");
}

BOOST_FIXTURE_TEST_CASE(an_event_is_written_and_read_back, Fixture) {
  const auto file = folder.file("w.jsonl");
  const auto made = run_command({"sim", "workload", "--event", event, "--seed", "5", "--out", file, "--json"});
  BOOST_TEST(made.errors == "");
  BOOST_TEST(made.status == 0);
  const auto first = read(file);
  auto before = boost::json::parse(made.out).as_object();
  BOOST_TEST(before.at("live").to_number<int>() > 100);
  BOOST_TEST(before.at("batch").to_number<int>() > 100);
  BOOST_TEST(before.at("prefix_hit_ceiling").to_number<double>() > 0.5);
  const auto back = run_command({"sim", "workload", file, "--format", "native", "--out", folder.file("w.csv"), "--json"});
  auto after = boost::json::parse(back.out).as_object();
  before.erase("notes"), after.erase("notes");
  BOOST_TEST(before == after);
  run_command({"sim", "workload", folder.file("w.csv"), "--format", "native", "--out", folder.file("again.jsonl")});
  BOOST_TEST((read(folder.file("again.jsonl")) == first));
  run_command({"sim", "workload", "--event", event, "--seed", "5", "--out", file});
  BOOST_TEST((read(file) == first));
  run_command({"sim", "workload", "--event", event, "--seed", "6", "--out", file});
  BOOST_TEST((read(file) != first));
}

BOOST_FIXTURE_TEST_CASE(a_failure_is_exit_1_and_leaves_nothing, Fixture) {
  std::ofstream{trace, std::ios::app} << "2023-11-16 18:17:08.5,x,3\n";
  const auto out = folder.file("w.csv");
  const auto bad = run_command({"sim", "workload", trace, "--format", "azure", "--out", out});
  BOOST_TEST(bad.status == 1);
  BOOST_TEST(bad.out == "");
  BOOST_TEST(bad.errors == "spillway: " + trace + ":6: ContextTokens = x: want a whole number from 1 to 1073741824 (tokens)\n");
  BOOST_TEST(!std::filesystem::exists(out));
  std::ofstream{event, std::ios::app} << "goals = 3\n";
  const auto event_error = run_command({"sim", "workload", "--event", event});
  BOOST_TEST(event_error.status == 1);
  BOOST_TEST((event_error.errors.find(event + ":6: moments[0].goals = 3: is no key of an event") != std::string::npos), event_error.errors);
  const auto absent = run_command({"sim", "workload", folder.file("m"), "--format", "servegen"});
  BOOST_TEST(absent.status == 1);
  BOOST_TEST((absent.errors.find("m-total-rate.csv: cannot be opened") != std::string::npos), absent.errors);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
