#include <algorithm>

#include "tests/sched/router_fixture.h"

/// What the planner wants, as one router carries it out; and pools of nodes.
namespace spillway::sched::test {

namespace {

RouterLimits explaining() {
  RouterLimits limits;
  limits.explain = true;
  return limits;
}

struct PlanFixture : Fixture {
  explicit PlanFixture(const RouterLimits& router_limits = explaining()) : Fixture(router_limits) {}

  /// As if others ran at `a` too, and its blocks lasted some milliseconds.
  void fill_a() {
    replica(a).streams = 20;
    replica(a).decode_tokens = 700;
    replica(a).blocks_free = 1;
    report(a);
    report(b);
  }
  std::vector<RouterCore::MovePlanned> planned() const {
    std::vector<RouterCore::MovePlanned> list;
    for (const auto& action : out) {
      if (const auto* p = std::get_if<RouterCore::MovePlanned>(&action)) list.push_back(*p);
    }
    return list;
  }
  template <class M>
  std::size_t count(core::NodeId to) const {
    return static_cast<std::size_t>(std::count_if(out.begin(), out.end(), [&](const auto& action) {
      const auto* post = std::get_if<RouterCore::Post>(&action);
      return post != nullptr && post->to == to && std::holds_alternative<M>(*post->message);
    }));
  }
  /// The move at `source` commits with its next token.
  void commit(core::NodeId source, const StreamKey& key, std::uint32_t index, core::Duration frozen = {}) {
    const core::Move move = *sent<core::Move>(source);
    const core::NodeId there = move.destination.node;
    give(there, core::RunAccepted{key, move.new_epoch, {there, 0}, reports.at(there).number, 0, true, 1, 3});
    tokens(there, key, move.new_epoch, index, {7});
    core::MoveReport told;
    told.key = key;
    told.new_epoch = move.new_epoch;
    told.frozen = frozen;
    give(source, told);
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(router_plan)

BOOST_AUTO_TEST_CASE(a_stream_leaves_before_the_blocks_run_out) {
  PlanFixture f;
  const core::Run run = f.start(f.request());
  f.tokens(a, run.key, run.epoch, 0, {1});
  f.fill_a();
  f.pass(milliseconds(250));
  BOOST_REQUIRE(f.sent<core::Move>(a) != nullptr);
  const auto planned = f.planned();
  BOOST_REQUIRE(planned.size() == 1U);
  BOOST_TEST((planned[0].key == run.key && planned[0].epoch == run.epoch));
  BOOST_TEST(to_string(planned[0].decision.road) == "move");
  BOOST_TEST(to_string(planned[0].decision.reason) == "exhaustion");
  BOOST_TEST((planned[0].decision.destination.node == b));
  BOOST_TEST((planned[0].decision.gain > f.limits.moves.margin));
}

BOOST_AUTO_TEST_CASE(a_held_stream_is_moved_or_given_back_by_what_costs_less) {
  for (const bool cheap : {true, false}) {
    RouterLimits limits = explaining();
    if (!cheap) limits.moves.downtime = seconds(5);
    PlanFixture f(limits);
    const core::Run run = f.start(f.request());
    f.tokens(a, run.key, run.epoch, 0, {1});
    f.give(a, core::RunHeld{run.key, run.epoch, {a, 0}, seconds(1), milliseconds(300)});
    BOOST_TEST(f.count<core::Move>(a) == (cheap ? 1U : 0U));
    BOOST_TEST(f.count<core::CancelRun>(a) == (cheap ? 0U : 1U));
    BOOST_TEST(f.planned().size() == (cheap ? 1U : 0U));
    if (cheap) {
      // Said again it changes nothing.
      f.give(a, core::RunHeld{run.key, run.epoch, {a, 0}, seconds(1), milliseconds(300)});
      BOOST_TEST(f.count<core::Move>(a) == 1U);
      BOOST_TEST(f.count<core::CancelRun>(a) == 0U);
      f.commit(a, run.key, 1);
      BOOST_TEST(f.core.counters().moves_committed == 1U);
      // Of an epoch that is over it is an echo.
      f.give(a, core::RunHeld{run.key, run.epoch, {a, 0}, seconds(1), milliseconds(300)});
      BOOST_TEST(f.count<core::Move>(a) == 1U);
      continue;
    }
    BOOST_TEST(f.sent<core::CancelRun>(a)->give_back);
    f.give(a, core::RunReturned{run.key, run.epoch, {a, 0}, Errc::no_capacity, "preempted"});
    BOOST_REQUIRE(f.sent<core::Run>(b) != nullptr);
    BOOST_TEST(f.sent<core::Run>(b)->choices[0].tokens.size() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(without_moves_a_held_stream_is_given_back) {
  RouterLimits limits;
  limits.moves.enabled = false;
  PlanFixture f(limits);
  const core::Run run = f.start(f.request());
  f.give(a, core::RunHeld{run.key, run.epoch, {a, 0}, seconds(1), milliseconds(300)});
  BOOST_REQUIRE(f.sent<core::CancelRun>(a) != nullptr);
  BOOST_TEST(f.sent<core::CancelRun>(a)->give_back);
  f.give(a, core::RunHeld{{run.key.tenant, {{9, 9}}}, run.epoch, {a, 0}, seconds(1), milliseconds(300)});
  BOOST_TEST(!f.sent<core::CancelRun>(a)->give_back);  // a stream that nobody knows
}

BOOST_AUTO_TEST_CASE(twice_at_most_and_not_at_once) {
  RouterLimits limits = explaining();
  limits.run_give_up = limits.stall_max = seconds(100);
  PlanFixture f(limits);
  core::Run run = f.start(f.request());
  f.tokens(a, run.key, run.epoch, 0, {1});
  std::uint32_t index = 1;
  core::NodeId from = a;
  core::NodeId to = b;
  for (int move = 0; move < 3; ++move) {
    for (const core::NodeId node : {from, to}) {
      f.replica(node).streams = node == from ? 20 : 1;
      f.replica(node).blocks_free = node == from ? 1 : 48;
      f.report(node);
    }
    f.out.clear();
    f.pass(milliseconds(450));
    const bool in_cool_down = move > 0;
    BOOST_TEST((f.sent<core::Move>(from) == nullptr) == in_cool_down);
    for (int i = 0; in_cool_down && i < 12; ++i) {
      f.pass(milliseconds(400));
      f.report(from);
      f.report(to);
    }
    f.pass(milliseconds(450));
    if (move == 2) break;
    BOOST_REQUIRE(f.sent<core::Move>(from) != nullptr);
    f.commit(from, run.key, index++);
    std::swap(from, to);
  }
  BOOST_TEST(f.sent<core::Move>(from) == nullptr);
  BOOST_TEST(f.core.counters().moves_committed == 2U);
}

BOOST_AUTO_TEST_CASE(what_has_not_begun_is_given_back_and_placed_where_it_was_planned) {
  PlanFixture f;
  const core::Run run = f.start(f.request());
  f.replica(a).queued = 1;
  f.replica(a).blocks_head = f.replica(a).blocks_queued = 3;
  f.fill_a();
  f.pass(milliseconds(250));
  const auto* cancel = f.sent<core::CancelRun>(a);
  BOOST_REQUIRE(cancel != nullptr);
  BOOST_TEST((cancel->give_back && cancel->epoch == run.epoch));
  BOOST_TEST(f.sent<core::Run>(b) == nullptr);
  BOOST_TEST(to_string(f.planned().at(0).decision.road) == "place");
  f.give(a, core::RunReturned{run.key, run.epoch, run.replica, Errc::queue_full, "given back"});
  BOOST_REQUIRE(f.sent<core::Run>(b) != nullptr);
  BOOST_TEST(f.core.counters().streams_restarted == 0U);
  BOOST_TEST(f.told<core::Failed>(1).empty());
}

BOOST_AUTO_TEST_CASE(what_begins_meanwhile_stays) {
  PlanFixture f;
  const core::Run run = f.start(f.request());
  f.replica(a).queued = 1;
  f.replica(a).blocks_head = f.replica(a).blocks_queued = 3;
  f.fill_a();
  f.pass(milliseconds(250));
  BOOST_REQUIRE(f.sent<core::CancelRun>(a) != nullptr);
  f.tokens(a, run.key, run.epoch, 0, {1});
  f.replica(a).blocks_free = 45;
  f.report(a);
  f.pass(milliseconds(100));
  BOOST_TEST(f.sent<core::Run>(b) == nullptr);
  BOOST_TEST((f.received(1) == std::vector<core::TokenId>{1}));
  // Given back much later, for another reason: placed as ever, and counted as no planned move.
  f.give(a, core::RunReturned{run.key, run.epoch, run.replica, Errc::no_capacity, "preempted"});
  BOOST_TEST(f.sent<core::Run>(b) != nullptr);
}

BOOST_AUTO_TEST_CASE(what_is_asked_back_in_vain_is_asked_again) {
  PlanFixture f;
  f.start(f.request());
  f.replica(a).queued = 1;
  f.replica(a).blocks_head = f.replica(a).blocks_queued = 3;
  f.fill_a();
  f.pass(milliseconds(450));
  BOOST_TEST(f.count<core::CancelRun>(a) == 1U);
  f.report(a);
  f.report(b);
  f.pass(milliseconds(500));
  BOOST_TEST(f.count<core::CancelRun>(a) == 2U);
}

BOOST_AUTO_TEST_CASE(what_is_soon_computed_runs_elsewhere_anew) {
  PlanFixture f;
  f.replica(a).page_bytes = 64 << 20;
  const core::Run run = f.start(f.request());
  f.tokens(a, run.key, run.epoch, 0, {1, 2});
  f.fill_a();
  f.pass(milliseconds(250));
  BOOST_TEST(f.sent<core::Move>(a) == nullptr);
  BOOST_TEST(to_string(f.planned().at(0).decision.road) == "recompute");
  BOOST_REQUIRE(f.sent<core::CancelRun>(a) != nullptr);
  BOOST_TEST((!f.sent<core::CancelRun>(a)->give_back && f.sent<core::CancelRun>(a)->epoch == run.epoch));
  BOOST_REQUIRE(f.sent<core::Run>(b) != nullptr);
  BOOST_TEST((f.sent<core::Run>(b)->choices.at(0).tokens == std::vector<core::TokenId>{1, 2}));
  BOOST_TEST(f.core.counters().streams_restarted == 0U);
}

BOOST_AUTO_TEST_CASE(measured_moves_are_what_later_ones_cost) {
  RouterLimits limits = explaining();
  limits.moves.cool_down = milliseconds(0);
  PlanFixture f(limits);
  const core::Run run = f.start(f.request());
  f.tokens(a, run.key, run.epoch, 0, {1});
  f.fill_a();
  f.pass(milliseconds(250));
  BOOST_REQUIRE(f.sent<core::Move>(a) != nullptr);
  BOOST_TEST((f.planned().at(0).decision.downtime == milliseconds(20)));
  f.commit(a, run.key, 1, milliseconds(36));
  f.replica(a).streams = 1;
  f.replica(a).blocks_free = 48;
  f.replica(b).streams = 20;
  f.replica(b).blocks_free = 1;
  f.report(a);
  f.report(b);
  f.out.clear();
  f.pass(milliseconds(450));
  BOOST_TEST((f.planned().at(0).decision.downtime == milliseconds(22)));  // 7/8 x 20 + 1/8 x 36
}

BOOST_AUTO_TEST_CASE(without_the_planner_streams_stay) {
  RouterLimits limits = explaining();
  limits.moves.enabled = false;
  PlanFixture f(limits);
  const core::Run run = f.start(f.request());
  f.tokens(a, run.key, run.epoch, 0, {1});
  f.fill_a();
  f.pass(milliseconds(900));
  BOOST_TEST(f.sent<core::Move>(a) == nullptr);
  BOOST_TEST(f.planned().empty());
}

namespace {

RouterLimits pooled() {
  RouterLimits limits = explaining();
  limits.pools.prefill = {a};
  limits.pools.decode = {b};
  limits.pools.prompt_tokens_min = 100;
  return limits;
}

}  // namespace

BOOST_AUTO_TEST_CASE(a_long_prompt_is_computed_by_a_prefill_node_and_answered_by_a_decode_node) {
  PlanFixture f(pooled());
  f.replica(a).prefill_tokens = 5000;
  f.report(a);
  const core::Run run = f.start(f.request(1, 120));
  BOOST_TEST(f.sent<core::Move>(a) == nullptr);
  f.tokens(a, run.key, run.epoch, 0, {1});
  BOOST_REQUIRE(f.sent<core::Move>(a) != nullptr);
  BOOST_TEST((f.sent<core::Move>(a)->destination.node == b));
  BOOST_TEST(to_string(f.planned().at(0).decision.reason) == "prefilled");
  f.tokens(a, run.key, run.epoch, 1, {2});
  BOOST_TEST(f.count<core::Move>(a) == 1U);
  f.commit(a, run.key, 2);
  f.tokens(b, run.key, f.sent<core::Move>(a)->new_epoch, 3, {8});
  BOOST_TEST((f.received(1) == std::vector<core::TokenId>{1, 2, 7, 8}));
  BOOST_TEST(f.count<core::Move>(b) == 0U);
  BOOST_TEST(f.planned().size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_short_prompt_goes_to_a_decode_node) {
  PlanFixture f(pooled());
  f.replica(b).prefill_tokens = 5000;
  f.report(b);
  const core::Run run = f.start(f.request(1, 99), b);
  f.tokens(b, run.key, run.epoch, 0, {1});
  BOOST_TEST(f.planned().empty());
}

BOOST_AUTO_TEST_CASE(without_room_for_its_answer_a_stream_goes_on_where_it_is) {
  PlanFixture f(pooled());
  f.replica(b).blocks_free = 2;
  f.report(b);
  const core::Run run = f.start(f.request(1, 120));
  f.tokens(a, run.key, run.epoch, 0, {1});
  BOOST_TEST(f.sent<core::Move>(a) == nullptr);
  f.replica(b).blocks_free = 50;
  f.report(b);
  f.tokens(a, run.key, run.epoch, 1, {2});
  BOOST_TEST(f.sent<core::Move>(a) == nullptr);  // not at once again
  f.now += milliseconds(250);
  f.tokens(a, run.key, run.epoch, 2, {3});
  BOOST_TEST(f.sent<core::Move>(a) != nullptr);
  BOOST_TEST((f.received(1) == std::vector<core::TokenId>{1, 2, 3}));
}

BOOST_AUTO_TEST_CASE(without_a_prefill_node_that_has_room_the_others_compute_it) {
  PlanFixture f(pooled());
  f.replica(a).blocks_free = 2;
  f.report(a);
  const core::Run run = f.start(f.request(1, 120), b);
  f.tokens(b, run.key, run.epoch, 0, {1});
  BOOST_TEST(f.planned().empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
