#include "sim/scenario.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace spillway;
using namespace spillway::sim;
namespace bdata = boost::unit_test::data;

namespace {

struct WrongCase {
  const char* name;  // the rule
  const char* text;
  const char* want;  // part of the first error
  friend std::ostream& operator<<(std::ostream& out, const WrongCase& c) { return out << c.name; }
};
const WrongCase wrong_cases[] = {
    {"no version", "[network]\nlatency = \"1ms\"\n", "version"},
    {"unknown key", "version = 1\n[network]\nlatncy = \"1ms\"\n", "s.toml:3: network.latncy"},
    {"unknown kind of fault", "version = 1\n[[faults]]\nkind = \"rain\"\nat = \"1s\"\nnodes = [\"a\"]\n", "s.toml:3: faults[0].kind"},
    {"a fault without nodes", "version = 1\n[[faults]]\nkind = \"kill\"\nat = \"1s\"\n", "faults[0].nodes"},
    {"a class that is none", "version = 1\n[slo.fast]\nttft = \"1s\"\n", "slo.fast"},
    {"more tokens a step than a block", "version = 1\n[[types]]\nnodes = [\"a\"]\ntokens_per_step = 17\n", "types[0].tokens_per_step"},
    {"workload and event", "version = 1\nworkload = \"a\"\nevent = \"b\"\n", "want a workload or an event"},
    {"percent of a kill", "version = 1\n[[faults]]\nkind = \"kill\"\nat = \"1s\"\nnodes = [\"a\"]\npercent = 3\n", "faults[0].percent"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(scenario)

BOOST_AUTO_TEST_CASE(a_scenario_is_read_whole) {
  const auto read = parse_scenario(
      "version = 1\nworkload = \"w.jsonl\"\n[network]\nlatency = \"300us\"\nnic = \"100MB/s\"\nclient_latency = \"2ms\"\n[start]\nweights "
      "= \"2GiB\"\n"
      "[slo.live]\nttft = \"500ms\"\n[[types]]\nnodes = [\"zone:east\"]\nprice_cents_per_hour = 250\nspeed_percent = 150\n"
      "tokens_per_step = 4\nguess_permille = 700\n"
      "step_overhead = \"400us\"\n"
      "[[faults]]\nkind = \"slow\"\nat = \"10s\"\nnodes = [\"all\"]\nfor = \"5s\"\npercent = 300\n",
      "s.toml");
  BOOST_REQUIRE_MESSAGE(read.has_value(), (read ? "" : config::to_error(read.error()).message));
  BOOST_TEST(read->workload == "w.jsonl");
  BOOST_TEST((read->network.latency == std::chrono::microseconds(300)));
  BOOST_TEST(read->network.nic_bytes_per_second == 100'000'000U);
  BOOST_TEST((read->network.client_latency == std::chrono::milliseconds(2)));
  BOOST_TEST((read->types[0].step_overhead == std::chrono::microseconds(400)));
  BOOST_TEST(read->start.weight_bytes == 2ULL << 30);
  BOOST_TEST(read->slos[0].ttft_ns == 500'000'000);
  BOOST_REQUIRE(read->types.size() == 1U);
  BOOST_TEST(read->types[0].speed_percent == 150U);
  BOOST_TEST(read->types[0].tokens_per_step == 4U);
  BOOST_TEST(read->types[0].guess_permille == 700U);
  BOOST_REQUIRE(read->faults.size() == 1U);
  BOOST_TEST((read->faults[0].kind == FaultKind::slow));
  BOOST_TEST(read->faults[0].percent == 300U);
  BOOST_TEST(to_string(read->faults[0].kind) == "slow");
}

BOOST_DATA_TEST_CASE(what_is_wrong_is_said_with_its_place, bdata::make(wrong_cases), c) {
  const auto read = parse_scenario(c.text, "s.toml");
  BOOST_REQUIRE(!read);
  const std::string message = config::to_error(read.error()).message;
  BOOST_TEST(message.find(c.want) != std::string::npos, message);
}

BOOST_AUTO_TEST_SUITE_END()
