#include "app/sim_what_if.h"

#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>

#include "tests/app/run_command.h"

using namespace spillway::app;

namespace {

/// Requests at even times, four a second for two seconds.
std::string write_trace(const TestFolder& folder) {
  std::string path = folder.file("trace.csv");
  std::ofstream out(path);
  out << "TIMESTAMP,ContextTokens,GeneratedTokens\n";
  for (int i = 0; i < 8; ++i) out << "2024-01-01 00:00:0" << i / 4 << '.' << i % 4 * 25 << "0000,100,20\n";
  return path;
}

std::string write_scenario(const TestFolder& folder) {
  std::string path = folder.file("scenario.toml");
  std::ofstream(path) << "version = 1\n[slo.interactive]\nttft = \"5s\"\n[[types]]\nnodes = [\"all\"]\nprice_cents_per_hour = 50\n";
  return path;
}

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(sim_what_if)

BOOST_AUTO_TEST_CASE(a_sweep_prints_its_points_and_writes_its_page) {
  const TestFolder folder;
  const std::vector<std::string> words{
      "sim",    "sweep", "--trace",  write_trace(folder),    "--format", "azure", "--scenario", write_scenario(folder), "--nodes", "1,2",
      "--rate", "1,2",   "--policy", "additive,round_robin", "--seeds",  "2",     "--json"};
  const auto done = run_command(words);
  BOOST_REQUIRE_MESSAGE(done.status == 0, done.errors);
  const auto told = boost::json::parse(done.out);
  const auto& points = told.at("points").as_array();
  BOOST_REQUIRE(points.size() == 8U);
  for (const auto& point : points) {
    BOOST_TEST(point.at("good_share").at("mean").to_number<double>() == 1.0);
    BOOST_TEST(point.at("price").at("mean").to_number<double>() > 0.0);
    const auto& seeds = point.at("by_seed").as_array();
    BOOST_REQUIRE(seeds.size() == 2U);
    const double sum = seeds[0].at("ttft_p99_ms").to_number<double>() + seeds[1].at("ttft_p99_ms").to_number<double>();
    BOOST_TEST(sum / 2 == point.at("ttft_p99_ms").at("mean").to_number<double>(), boost::test_tools::tolerance(1e-6));
  }
  auto with_report = words;
  with_report.insert(with_report.end(), {"--report", folder.file("a"), "--jobs", "1"});
  BOOST_TEST(run_command(with_report).out == done.out);
  with_report[with_report.size() - 3] = folder.file("b");
  BOOST_TEST(run_command(with_report).status == 0);
  for (const char* name : {"/report.html", "/sweep.csv"}) {
    BOOST_TEST(!text_of(folder.file("a") + name).empty());
    BOOST_TEST(text_of(folder.file("a") + name) == text_of(folder.file("b") + name));
  }
}

BOOST_AUTO_TEST_CASE(a_size_is_found_with_its_price) {
  const TestFolder folder;
  const auto done = run_command({"sim", "size", "--trace", write_trace(folder), "--format", "azure", "--scenario", write_scenario(folder),
                                 "--seeds", "1", "--max-nodes", "4", "--report", folder.file("report"), "--json"});
  BOOST_REQUIRE_MESSAGE(done.status == 0, done.errors);
  const auto told = boost::json::parse(done.out);
  BOOST_TEST(told.at("nodes").as_int64() == 1);
  BOOST_TEST(told.at("price_per_hour").to_number<double>() == 0.5);
  BOOST_TEST(text_of(folder.file("report") + "/report.html").find("How many nodes") != std::string::npos);
  BOOST_TEST(text_of(folder.file("report") + "/size.csv").starts_with("kind,nodes,enough"));
}

BOOST_AUTO_TEST_CASE(wrong_uses_and_wrong_files_are_told_apart) {
  const TestFolder folder;
  const auto trace = write_trace(folder);
  BOOST_TEST(run_command({"sim", "sweep", "--nodes", "1"}).status == 2);
  BOOST_TEST(run_command({"sim", "sweep", "--trace", trace}).status == 2);
  BOOST_TEST(run_command({"sim", "sweep", "--trace", trace, "--format", "azure", "--nodes", "0"}).status == 2);
  BOOST_TEST(run_command({"sim", "size", "--trace", trace, "--format", "azure", "--min-nodes", "5", "--max-nodes", "4"}).status == 2);
  const auto missing = run_command({"sim", "sweep", "--trace", folder.file("none.csv"), "--format", "azure"});
  BOOST_TEST(missing.status == 1);
  BOOST_TEST(missing.errors.find("none.csv") != std::string::npos);
  const auto unknown = run_command({"sim", "sweep", "--trace", trace, "--format", "azure", "--policy", "best"});
  BOOST_TEST(unknown.status == 1);
  BOOST_TEST(unknown.errors.find("best") != std::string::npos);
  std::ofstream(folder.file("faults.toml")) << "version = 1\n[[faults]]\nkind = \"kill\"\nat = \"1s\"\nnodes = [\"all\"]\n";
  const auto faults = run_command({"sim", "size", "--trace", trace, "--format", "azure", "--scenario", folder.file("faults.toml")});
  BOOST_TEST(faults.status == 1);
  BOOST_TEST(faults.errors.find("without faults") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
