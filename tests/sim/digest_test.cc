// The bytes of simulated runs against digests that were committed: no compiler, no machine and no change that is not meant may
// alter them. Only the simulator is linked, so that other compilers build little.
#include <xxhash.h>

#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <fstream>
#include <map>
#include <sstream>

#include "cluster-config/load.h"
#include "sim/cluster.h"
#include "sim/event_generator_spec.h"
#include "sim/report.h"
#include "sim/run_summary.h"
#include "sim/scenario.h"
#include "tests/sim/random_cluster.h"

using namespace spillway;
using namespace spillway::sim;

namespace {

const std::string source = SPILLWAY_SOURCE_DIR;

/// Digests by name, of lines "NAME DIGEST".
std::map<std::string, std::string> committed() {
  std::ifstream file(source + "/tests/sim/digests.txt");
  BOOST_REQUIRE(file.is_open());
  std::map<std::string, std::string> digests;
  for (std::string name, digest; file >> name >> digest;) digests[name] = digest;
  return digests;
}

std::string digest_of(const std::string& bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  char text[33];
  std::snprintf(text, sizeof text, "%016llx%016llx", static_cast<unsigned long long>(hash.high64),
                static_cast<unsigned long long>(hash.low64));
  return text;
}

/// All that a run prints and writes.
std::string bytes_of(ClusterOutcome& outcome, const std::array<Slo, 3>& slos, std::uint64_t seed) {
  const RunSummary summary = summarise(outcome, slos);
  outcome.run.name = "simulated";
  outcome.run.slos = slos;
  const std::span<const Run> runs(&outcome.run, 1);
  return to_json(summary, outcome, seed) + to_table(summary, outcome, seed) + report_html(runs, {}) + summary_csv(runs, {}) +
         requests_csv(runs) + series_csv(runs) + distributions_csv(runs, {});
}

std::string scenario_bytes(const std::string& name, std::uint64_t seed) {
  const std::string folder = source + "/sim/scenarios/";
  const auto cluster = config::load_cluster(folder + name + "-cluster.toml");
  BOOST_REQUIRE(cluster.has_value());
  const auto scenario = load_scenario(folder + name + ".toml");
  BOOST_REQUIRE(scenario.has_value());
  const auto plan = plan_of(*cluster, *scenario, std::nullopt);
  BOOST_REQUIRE(plan.has_value());
  const auto event = load_event(scenario->event);
  BOOST_REQUIRE(event.has_value());
  const auto workload = generate_event(*event, seed);
  BOOST_REQUIRE(workload.has_value());
  ClusterOptions how;
  how.seed = seed;
  how.faults = scenario->faults;
  how.sample_interval = std::chrono::seconds(1);
  WorkloadSource requests(*workload);
  auto outcome = Cluster(*plan, how).run(requests);
  BOOST_REQUIRE(outcome.has_value());
  return bytes_of(*outcome, scenario->slos, seed);
}

std::string random_bytes(std::uint64_t seed) {
  const test::RandomCluster shape;
  test::RandomCase drawn = test::random_case(shape, seed);
  drawn.options.sample_interval = std::chrono::milliseconds(100);
  test::RandomSource requests(shape, seed, drawn.mean_gap_ns);
  auto outcome = Cluster(drawn.plan, drawn.options).run(requests);
  BOOST_REQUIRE(outcome.has_value());
  return bytes_of(*outcome, {}, seed);
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_same_seed_gives_the_same_bytes) {
  std::map<std::string, std::string> now;
  for (const char* name : {"final", "burst"}) now[name] = digest_of(scenario_bytes(name, 1));
  std::string lives;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) lives += random_bytes(seed);
  now["random"] = digest_of(lives);
  std::ostringstream lines;
  for (const auto& [name, digest] : now) lines << name << ' ' << digest << '\n';
  BOOST_TEST_MESSAGE(lines.str());
  BOOST_CHECK_MESSAGE(now == committed(), "the bytes of simulated runs changed; where that was meant, tests/sim/digests.txt becomes\n"
                                              << lines.str());
}

BOOST_AUTO_TEST_CASE(another_seed_gives_other_bytes) {
  BOOST_CHECK(random_bytes(3) == random_bytes(3));
  BOOST_CHECK(random_bytes(3) != random_bytes(4));
}
