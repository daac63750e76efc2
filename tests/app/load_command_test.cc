#include "app/load_command.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>

#include "tests/app/run_command.h"

namespace spillway::app {
namespace {

namespace bdata = boost::unit_test::data;

constexpr std::int64_t ms = 1'000'000;

struct UseCase {
  std::vector<std::string> words;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const UseCase& c) { return out << c.says; }
};

const UseCase use_cases[] = {
    {{"load"}, "FILE is required"},
    {{"load", "f", "--format", "vidur"}, "--format: vidur not in {"},
    {{"load", "f", "--rate-scale", "0"}, "--rate-scale: Value 0 not in range"},
    {{"load", "f", "--warm-up", "-1"}, "--warm-up: Value -1 not in range"},
    {{"load", "f", "--warm-up", "5", "--duration", "5"}, "--warm-up is not shorter than --duration"},
    {{"load", "f", "--goodput", "itl:5"}, "--goodput itl:5: want ttft:MS"},
    {{"load", "f", "--goodput", "ttft"}, "--goodput ttft: want ttft:MS"},
    {{"load", "f", "--goodput", "ttft:0"}, "--goodput ttft:0: want ttft:MS"},
    {{"load", "f", "--goodput", "ttft:5ms"}, "--goodput ttft:5ms: want ttft:MS"},
    {{"load", "f", "--goodput", "slow.ttft:5"}, "--goodput slow.ttft:5: want ttft:MS"},
};

struct Files {
  TestFolder folder;
  std::string cluster = folder.file("cluster.toml");
  std::string workload = folder.file("workload.jsonl");
  Files() {
    std::ofstream{cluster} << "version = 1\n[cluster]\nname = \"test\"\n[models.paced]\nkind = \"paced\"\n[[nodes]]\nname = \"red\"\n";
  }
  Outcome load(const std::string& text, std::vector<std::string> more = {}) const {
    std::ofstream{workload} << text;
    std::vector<std::string> words{"load", workload, "--config", cluster, "--json"};
    words.insert(words.end(), more.begin(), more.end());
    return run_command(words);
  }
};

const char row[] = "{\"arrival_ns\":0,\"input_tokens\":10,\"output_tokens\":5";

}  // namespace

BOOST_AUTO_TEST_SUITE(load_command)

BOOST_DATA_TEST_CASE(wrong_use_is_explained_with_exit_2, bdata::make(use_cases), c) {
  const auto done = run_command(c.words);
  BOOST_TEST(done.status == 2);
  BOOST_TEST(done.out == "");
  BOOST_TEST(done.errors.find(c.says) != std::string::npos, done.errors);
}

BOOST_AUTO_TEST_CASE(objectives_are_of_all_classes_or_of_one) {
  const auto slos = parse_objectives({"ttft:500", "tpot:50", "live.ttft:250.5", "batch.e2e:60000"});
  BOOST_REQUIRE(slos);
  BOOST_TEST(((*slos)[0] == sim::Slo{250'500'000, 50 * ms, 0}));
  BOOST_TEST(((*slos)[1] == sim::Slo{500 * ms, 50 * ms, 0}));
  BOOST_TEST(((*slos)[2] == sim::Slo{500 * ms, 50 * ms, 60'000 * ms}));
  BOOST_TEST((parse_objectives({}).value() == std::array<sim::Slo, 3>{}));
}

BOOST_AUTO_TEST_CASE(a_malformed_workload_is_named_with_its_line_before_anything_is_sent) {
  const Files files;
  const auto done = files.load(std::string(row) + "}\n" + "{\"arrival_ns\":0,\"input_tokens\":0,\"output_tokens\":5}\n");
  BOOST_TEST(done.status == 1);
  BOOST_TEST(done.out == "");
  BOOST_TEST(done.errors.find("workload.jsonl:2: ") != std::string::npos, done.errors);
  BOOST_TEST(done.errors.find("input_tokens") != std::string::npos, done.errors);
  const auto gone = run_command({"load", files.folder.file("none.jsonl"), "--config", files.cluster});
  BOOST_TEST(gone.status == 1);
  BOOST_TEST(gone.errors.find("none.jsonl") != std::string::npos, gone.errors);
}

BOOST_AUTO_TEST_CASE(names_that_the_cluster_does_not_have_are_refused_with_the_way_round) {
  const Files files;
  const auto tenant = files.load(std::string(row) + ",\"tenant\":\"captions\"}\n");
  BOOST_TEST(tenant.status == 1);
  BOOST_TEST(tenant.errors.find("tenant captions is not in the cluster file: add [tenants.captions]") != std::string::npos, tenant.errors);
  const auto model = files.load(std::string(row) + ",\"model\":\"large\"}\n");
  BOOST_TEST(model.status == 1);
  BOOST_TEST(model.errors.find("model large of ") != std::string::npos, model.errors);
  const auto flag = files.load(std::string(row) + "}\n", {"--model", "huge"});
  BOOST_TEST(flag.errors.find("model huge of --model is not in the cluster file") != std::string::npos, flag.errors);
}

BOOST_AUTO_TEST_CASE(a_duration_without_requests_is_refused) {
  const Files files;
  const auto done = files.load("{\"arrival_ns\":5000000000,\"input_tokens\":10,\"output_tokens\":5}\n", {"--duration", "2"});
  BOOST_TEST(done.status == 1);
  BOOST_TEST(done.errors.find("no request arrives within --duration 2 s") != std::string::npos, done.errors);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
