#include <boost/test/unit_test.hpp>
#include <set>
#include <utility>

#include "tests/sched/router_fixture.h"

/// Placement by a whole router: many nodes, samples, explanations, waiting streams.
namespace spillway::sched::test {

namespace {

/// A router and `count` equal nodes beside the two of the fixture, which are down.
struct Many : Fixture {
  std::vector<core::NodeId> nodes;

  explicit Many(std::size_t count, RouterLimits router_limits = {}) : Fixture(with_explain(std::move(router_limits))) {
    for (const auto node : {a, b}) core.on_peer_down(node, {1}, now, out);
    for (std::size_t i = 0; i < count; ++i) {
      const core::NodeId node{1000 + i};
      nodes.push_back(node);
      core::Report& r = reports[node];
      r = reports.at(a);
      r.node = node;
      r.name = "n" + std::to_string(i);
      core.on_peer_up(node, {1}, now, out);
      report(node);
    }
    out.clear();
  }
  static RouterLimits with_explain(RouterLimits limits) {
    limits.explain = true;
    return limits;
  }
  /// Admits and returns the decision, which is that of the Run.
  const RouterCore::Placed& place(const RouterCore::Admit& what) {
    out.clear();
    admit(what);
    const RouterCore::Placed* placed = nullptr;
    core::NodeId to;
    for (const auto& action : out) {
      if (const auto* p = std::get_if<RouterCore::Placed>(&action)) placed = p;
      if (const auto* post = std::get_if<RouterCore::Post>(&action)) to = post->to;
    }
    BOOST_REQUIRE(placed != nullptr);
    BOOST_TEST((placed->decision.replica.node == to));
    BOOST_TEST((placed->key == what.request->key));
    const auto& scores = placed->decision.scores;
    const auto mine = std::find_if(scores.begin(), scores.end(), [&](const auto& s) { return s.replica == placed->decision.replica; });
    BOOST_REQUIRE(mine != scores.end());
    BOOST_TEST(mine->usable);
    for (const auto& score : scores) BOOST_TEST((!score.usable || mine->score <= score.score));
    return *placed;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(router_placement)

BOOST_AUTO_TEST_CASE(with_few_replicas_all_are_looked_at) {
  Many f(64);
  BOOST_TEST(f.place(f.request()).decision.scores.size() == 64U);
}

BOOST_AUTO_TEST_CASE(with_many_a_sample_is_looked_at_and_in_time_every_replica) {
  Many f(200);
  std::set<core::NodeId> seen;
  std::set<core::NodeId> chosen;
  for (std::uint64_t id = 1; id <= 300; ++id) {
    auto request = f.request(id);
    request.request->prompt = std::vector<core::TokenId>(40, static_cast<core::TokenId>(id));
    const auto& decision = f.place(request).decision;
    BOOST_TEST(decision.scores.size() == 8U);
    for (const auto& score : decision.scores) seen.insert(score.replica.node);
    chosen.insert(decision.replica.node);
  }
  BOOST_TEST(seen.size() == 200U);
  BOOST_TEST(chosen.size() > 150U);
}

BOOST_AUTO_TEST_CASE(the_likely_holders_of_a_prefix_are_looked_at_beside_the_sample) {
  Many f(200);
  const auto names = StreamNames(secret, 0, f.request().request->prompt, 1).prompt();
  core::ReplicaRef first;
  for (std::uint64_t id = 1; id <= 20; ++id) {
    const core::ReplicaRef chosen = f.place(f.request(id)).decision.replica;
    if (id == 1) {
      first = chosen;
      f.give(first.node, core::Announce{first, {}, true, names, {}});
    }
    BOOST_REQUIRE((chosen == first));
    // It runs there, has ended, and is part of a report.
    const core::Run run = *f.sent<core::Run>(first.node);
    f.give(first.node, core::RunAccepted{run.key, run.epoch, first, f.reports.at(first.node).number, 32, false, 0, 0});
    f.report(first.node);
  }
}

BOOST_AUTO_TEST_CASE(a_replica_with_room_is_found_when_the_sample_is_full) {
  Many f(200);
  for (const auto node : f.nodes) {
    if (node != f.nodes[137]) f.replica(node).blocks_free = 0, f.report(node);
  }
  const auto& decision = f.place(f.request()).decision;
  BOOST_TEST((decision.replica.node == f.nodes[137]));
  BOOST_TEST(decision.scores.size() <= 64U);
}

BOOST_AUTO_TEST_CASE(round_robin_goes_round_many_replicas) {
  RouterLimits limits;
  limits.placement.policy = core::PlacementPolicy::round_robin;
  Many f(100, limits);
  for (std::uint64_t id = 1; id <= 250; ++id) {
    const auto& decision = f.place(f.request(id)).decision;
    BOOST_TEST((decision.replica.node == f.nodes[(id - 1) % 100]));
    BOOST_TEST((decision.reason == PlacementReason::in_turn));
    if (id % 100 == 0) {
      for (const auto node : f.nodes) f.report(node);
    }
  }
}

BOOST_AUTO_TEST_CASE(nobody_who_does_not_listen_pays_for_explanations) {
  Fixture f;
  f.admit(f.request());
  for (const auto& action : f.out) BOOST_TEST(!std::holds_alternative<RouterCore::Placed>(action));
}

BOOST_AUTO_TEST_CASE(work_that_is_done_by_now_counts_no_more_though_nobody_reported_it) {
  const auto second = [](core::Duration later) {
    Fixture f;  // 10 ms a step and 1 ms a row
    f.replica(b).streams = 3;
    f.report(b);
    f.admit(f.request(1));  // to a: 40 tokens in flight there
    f.now += later;
    f.out.clear();
    f.admit(f.request(2));
    return f.sent<core::Run>(a) != nullptr;
  };
  BOOST_TEST(!second(milliseconds(0)));
  BOOST_TEST(second(milliseconds(60)));
}

BOOST_AUTO_TEST_CASE(a_report_lets_waiting_streams_go_to_its_node) {
  Fixture f;
  for (const auto node : {a, b}) f.replica(node).blocks_free = 0, f.report(node);
  f.admit(f.request(1));
  f.admit(f.request(2));
  BOOST_TEST(f.sent<core::Run>(a) == nullptr);
  f.replica(b).blocks_free = 50;
  f.report(b);
  BOOST_TEST(f.sent<core::Run>(a) == nullptr);
  BOOST_REQUIRE(f.sent<core::Run>(b) != nullptr);
  BOOST_TEST(f.sent<core::Run>(b)->key.request.lo == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
