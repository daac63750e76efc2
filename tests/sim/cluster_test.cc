#include "sim/cluster.h"

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string_view>

#include "sim/run_summary.h"
#include "tests/sim/random_cluster.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;

namespace {

bool long_run() {
  const char* value = std::getenv("SPILLWAY_TEST_LONG");
  return value != nullptr && std::string_view(value) == "1";
}

/// SPILLWAY_SIM_SEED=n plays that seed alone.
std::uint64_t only_seed() {
  const char* value = std::getenv("SPILLWAY_SIM_SEED");
  return value == nullptr ? 0 : std::strtoull(value, nullptr, 10);
}

std::string replay(std::uint64_t seed, const char* test) {
  return "replay: SPILLWAY_SIM_SEED=" + std::to_string(seed) + " build/release/tests/sim/sim_test --run_test=cluster/" + test;
}

core::Result<ClusterOutcome> play(const RandomCluster& shape, std::uint64_t seed, bool jumps, bool check) {
  RandomCase drawn = random_case(shape, seed);
  drawn.options.jumps = jumps;
  drawn.options.check = check;
  RandomSource source(shape, seed, drawn.mean_gap_ns);
  Cluster cluster(drawn.plan, drawn.options);
  return cluster.run(source);
}

/// What must not depend on how steps are taken.
struct Result {
  std::vector<RunRecord> records;
  core::Duration simulated{0};
  ClusterCounts counts;
};
Result result_of(const ClusterOutcome& outcome) {
  Result r{outcome.run.records, outcome.simulated, outcome.counts};
  // What is said, when and how often.
  r.counts.events = r.counts.messages = r.counts.jumped = r.counts.delivered = 0;
  r.counts.cuts = {};
  return r;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cluster)

BOOST_AUTO_TEST_CASE(jumps_change_nothing) {
  const RandomCluster shape;
  ClusterCounts sum;
  std::uint64_t equal = 0;
  const std::uint64_t seeds = long_run() ? 10'000 : 500;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (only_seed() != 0 && seed != only_seed()) continue;
    const auto jumped = play(shape, seed, true, false);
    const auto stepped = play(shape, seed, false, false);
    BOOST_REQUIRE_MESSAGE(jumped.has_value(), (jumped ? std::string() : jumped.error().message)
                                                  << "; " << replay(seed, "jumps_change_nothing"));
    BOOST_REQUIRE_MESSAGE(stepped.has_value(), (stepped ? std::string() : stepped.error().message)
                                                   << "; " << replay(seed, "jumps_change_nothing"));
    const Result a = result_of(*jumped);
    const Result b = result_of(*stepped);
    for (std::size_t i = 0; i < a.records.size(); ++i) {
      const auto& x = a.records[i];
      const auto& y = b.records[i];
      if (x == y) continue;
      BOOST_FAIL("request " << i << ": " << to_string(x.outcome) << " at " << x.end_ns << " (first " << x.first_token_ns << ", "
                            << x.preemptions << " restarts, " << x.moves << " moves) by jumps, " << to_string(y.outcome) << " at "
                            << y.end_ns << " (first " << y.first_token_ns << ", " << y.preemptions << " restarts, " << y.moves
                            << " moves) step by step; " << replay(seed, "jumps_change_nothing"));
    }
    BOOST_REQUIRE_MESSAGE(a.simulated == b.simulated && a.counts == b.counts, "counts differ; " << replay(seed, "jumps_change_nothing"));
    ++equal;
    sum.decode_steps += jumped->counts.decode_steps;
    sum.jumped += jumped->counts.jumped;
    for (std::size_t c = 0; c < jump_cuts; ++c) sum.cuts[c] += jumped->counts.cuts[c];
  }
  if (only_seed() != 0) return;
  BOOST_TEST_MESSAGE(equal << " scenarios equal; " << sum.jumped << " of " << sum.decode_steps << " decode steps jumped; cut by arrival "
                           << sum.cuts[0] << ", cancel " << sum.cuts[1] << ", deadline " << sum.cuts[2] << ", blocks " << sum.cuts[3]
                           << ", move " << sum.cuts[4] << ", failure " << sum.cuts[5] << ", report " << sum.cuts[6]);
  BOOST_TEST(equal == seeds);
  BOOST_TEST(sum.jumped * 2 >= sum.decode_steps);
  for (const auto cuts : sum.cuts) BOOST_TEST(cuts >= 100U);
}

BOOST_AUTO_TEST_CASE(invariants_hold_through_faults) {
  RandomCluster shape;
  shape.nodes = 20;
  shape.routers = 3;
  shape.requests = 2000;
  shape.input_max = 120;
  shape.output_max = 40;
  shape.kills = 9;
  shape.drains = 5;
  shape.worker_failures = 2;
  shape.partitions = 3;
  shape.adapters = shape.groups = true;
  const std::uint64_t seeds = long_run() ? 10'000 : 200;
  ClusterCounts sum;
  std::uint64_t refused = 0;
  std::uint64_t played = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    if (only_seed() != 0 && seed != only_seed()) continue;
    const auto outcome = play(shape, seed, true, true);
    BOOST_REQUIRE_MESSAGE(outcome.has_value(), (outcome ? std::string() : outcome.error().message)
                                                   << "; " << replay(seed, "invariants_hold_through_faults"));
    const auto summary = summarise(*outcome, {});
    std::uint64_t ended = 0;
    for (const auto count : summary.outcomes) ended += count;
    BOOST_REQUIRE(ended == shape.requests);
    for (const auto& record : outcome->run.records) BOOST_REQUIRE(record.end_ns >= record.arrival_ns);
    ++played;
    refused += summary.outcomes[static_cast<std::size_t>(RequestOutcome::refused)];
    sum.preemptions += outcome->counts.preemptions;
    sum.moves += outcome->counts.moves;
    sum.deaths_with_streams += outcome->counts.deaths_with_streams;
    sum.events += outcome->counts.events;
    sum.resubmitted += outcome->counts.resubmitted;
    sum.scored += outcome->counts.scored;
    sum.preemptions_moved += outcome->counts.preemptions_moved;
  }
  if (only_seed() != 0) return;
  BOOST_TEST_MESSAGE(played << " seeds, " << sum.events << " events: " << sum.preemptions << " preemptions by recompute, "
                            << sum.preemptions_moved << " by moving away, " << sum.moves << " moves, " << sum.deaths_with_streams
                            << " deaths with streams, " << refused << " refusals, " << sum.resubmitted << " resubmitted, " << sum.scored
                            << " scored");
  BOOST_TEST(played == seeds);
  BOOST_TEST(sum.preemptions >= 1000U);
  BOOST_TEST(sum.preemptions_moved >= 100U);
  BOOST_TEST(sum.moves >= 1000U);
  BOOST_TEST(sum.deaths_with_streams >= 1000U);
  BOOST_TEST(refused >= 1000U);
  BOOST_TEST(sum.scored >= 1000U);
}

BOOST_AUTO_TEST_CASE(clients_at_a_distance_see_it_later_and_steps_have_an_overhead) {
  WorkloadBuilder builder;
  for (std::int64_t i = 0; i < 20; ++i) {
    DraftRequest draft;
    draft.arrival_ns = i * 2'000'000'000;  // each alone
    draft.input_tokens = 40;
    draft.output_tokens = 11;
    builder.add(draft);
  }
  const Workload workload = builder.finish().value();
  const auto records_of = [&](core::Duration client_latency, core::Duration overhead, bool jumps) {
    ClusterPlan plan = plan_of(EqualNodes{});
    plan.network.client_latency = client_latency;
    plan.nodes[0].replicas[0].overhead = overhead;
    ClusterOptions options;
    options.jumps = jumps;
    WorkloadSource source(workload);
    return Cluster(plan, options).run(source).value().run.records;
  };
  const auto near = records_of({}, {}, true);
  const auto far = records_of(std::chrono::milliseconds(3), std::chrono::microseconds(500), true);
  for (std::size_t i = 0; i < near.size(); ++i) {
    BOOST_REQUIRE((far[i].outcome == RequestOutcome::finished));
    BOOST_TEST(far[i].sent_ns == near[i].sent_ns);
    BOOST_TEST(far[i].first_token_ns - near[i].first_token_ns == 2 * 3'000'000 + 500'000);
    BOOST_TEST((far[i].end_ns - far[i].first_token_ns) - (near[i].end_ns - near[i].first_token_ns) == 10 * 500'000);
  }
  BOOST_TEST((far == records_of(std::chrono::milliseconds(3), std::chrono::microseconds(500), false)));
}

BOOST_AUTO_TEST_CASE(one_seed_has_one_outcome) {
  const RandomCluster shape;
  const auto a = play(shape, 7, true, false);
  const auto b = play(shape, 7, true, false);
  const auto c = play(shape, 8, true, false);
  BOOST_REQUIRE((a && b && c));
  BOOST_TEST((a->run.records == b->run.records));
  BOOST_TEST((a->counts == b->counts));
  BOOST_TEST(to_json(summarise(*a, {}), *a, 7) == to_json(summarise(*b, {}), *b, 7));
  BOOST_TEST((a->run.records != c->run.records));
}

BOOST_AUTO_TEST_SUITE_END()
