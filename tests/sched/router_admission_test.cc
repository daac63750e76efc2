#include <boost/test/unit_test.hpp>

#include "tests/sched/router_fixture.h"

/// Buckets, homes and ladders of a whole router.
namespace spillway::sched::test {

namespace {

const core::ModelId small = core::model_id("small");
const core::TenantId tenant = core::tenant_id("t");

core::Rung rung(core::Rung::Kind kind, std::uint32_t tokens, core::Duration wait, const char* text) {
  core::Rung made;
  made.kind = kind, made.tokens = tokens, made.wait = wait, made.text = text;
  if (kind == core::Rung::Kind::model) made.model = "small", made.model_id = small;
  return made;
}
const core::Rung shorter = rung(core::Rung::Kind::shorter, 5, {}, "shorter:5");
const core::Rung smaller = rung(core::Rung::Kind::model, 0, {}, "model:small");
const core::Rung later = rung(core::Rung::Kind::defer, 0, seconds(2), "defer:2s");

/// Requests of the fixture cost 40 + 20 tokens.
RouterLimits with(std::uint64_t rate, std::uint64_t burst, std::vector<core::Rung> ladder) {
  RouterLimits limits;
  limits.tenants[tenant].bucket = {rate, burst};
  limits.tenants[tenant].ladder = std::move(ladder);
  return limits;
}

/// `b` serves the small model instead.
struct TwoModels : Fixture {
  explicit TwoModels(const RouterLimits& router_limits) : Fixture(router_limits) {
    replica(b).model = small;
    replica(b).weights_digest = {8, 8};
    report(b);
    out.clear();
  }
  RouterCore::Admit two_tongues(std::uint64_t id) const {
    auto admit = request(id);
    admit.alternatives.push_back({small, std::vector<core::TokenId>(30, 6)});
    return admit;
  }
};

/// A second router, which is the home of some tenants.
struct TwoRouters : Fixture {
  const core::NodeId other{300};
  core::TenantId far{1};
  core::TenantId near{1};

  TwoRouters() : Fixture(for_all(with(100, 60, {shorter}))) {
    core::Report& r = reports[other];
    r.node = other;
    r.name = "o";
    r.roles = 1;
    core.on_peer_up(other, {1}, now, out);
    report(other);
    while (home_rank(far, other) < home_rank(far, router_id)) ++far.value;
    while (home_rank(near, other) > home_rank(near, router_id)) ++near.value;
    out.clear();
  }
  static RouterLimits for_all(RouterLimits limits) {
    for (std::uint64_t id = 1; id < 100; ++id) limits.tenants[{id}] = limits.tenants[tenant];
    return limits;
  }
  RouterCore::Admit of(core::TenantId whose, std::uint64_t id) const {
    auto admit = request(id);
    admit.request->key.tenant = whose;
    return admit;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(router_admission)

BOOST_AUTO_TEST_CASE(a_tenant_that_has_used_its_tokens_is_told_when_to_come_again) {
  Fixture f(with(100, 120, {}));
  f.admit(f.request(1));
  f.admit(f.request(2));
  BOOST_TEST(f.core.streams() == 2U);
  f.admit(f.request(3));
  const auto failed = f.told<core::Failed>(3);
  BOOST_REQUIRE(failed.size() == 1U);
  BOOST_TEST((failed[0].code == Errc::queue_full));
  BOOST_TEST((failed[0].retry_after == milliseconds(600)));
  BOOST_TEST(failed[0].reason.find("costs 60") != std::string::npos, failed[0].reason);
  BOOST_TEST(f.core.counters().refused_quota == 1U);
  auto other = f.request(4);
  other.request->key.tenant = core::tenant_id("u");
  f.admit(other);
  BOOST_TEST(f.core.streams() == 3U);  // each tenant its own
  f.now += milliseconds(600);
  for (const auto node : {a, b}) f.report(node);
  f.admit(f.request(3));
  BOOST_TEST(f.core.streams() == 4U);
}

BOOST_AUTO_TEST_CASE(a_request_that_no_bucket_holds_is_refused_with_both_numbers) {
  Fixture f(with(100, 59, {}));
  f.admit(f.request(1));
  const auto failed = f.told<core::Failed>(1);
  BOOST_REQUIRE(failed.size() == 1U);
  BOOST_TEST((failed[0].code == Errc::bad_argument));
  BOOST_TEST(failed[0].reason.find("costs 60") != std::string::npos, failed[0].reason);
  BOOST_TEST(failed[0].reason.find("59") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(an_empty_bucket_shortens_answers_and_the_client_is_told) {
  Fixture f(with(100, 110, {shorter}));
  f.admit(f.request(1));
  f.admit(f.request(2));
  const auto plain = f.told<core::Accepted>(1);
  BOOST_REQUIRE(plain.size() == 1U);
  BOOST_TEST(plain[0].rungs.empty());
  BOOST_TEST((plain[0].pressure == core::Pressure::none));
  const auto cut = f.told<core::Accepted>(2);
  BOOST_REQUIRE(cut.size() == 1U);
  BOOST_TEST((cut[0].rungs == std::vector<std::string>{"shorter:5"}));
  BOOST_TEST((cut[0].pressure == core::Pressure::quota));
  BOOST_TEST(cut[0].tokens_max == 5U);
  BOOST_TEST(cut[0].model.empty());
  BOOST_TEST(f.core.counters().rungs_shorter == 1U);
  BOOST_TEST(f.sent<core::Run>(b)->request->tokens_max == 5U);
}

BOOST_AUTO_TEST_CASE(a_deadline_that_the_large_model_misses_is_met_by_the_small_one) {
  TwoModels f(with(0, 0, {smaller}));
  f.replica(a).prefill_tokens = 1000;
  f.report(a);
  auto request = f.two_tongues(1);
  request.deadline = milliseconds(500);
  f.admit(request);
  const auto* run = f.sent<core::Run>(b);
  BOOST_REQUIRE(run != nullptr);
  BOOST_TEST((run->request->model == small));
  BOOST_TEST((run->request->prompt == std::vector<core::TokenId>(30, 6)));
  BOOST_TEST((run->prompt_names == StreamNames(secret, 0, run->request->prompt, 1).prompt()));
  const auto accepted = f.told<core::Accepted>(1);
  BOOST_REQUIRE(accepted.size() == 1U);
  BOOST_TEST(accepted[0].model == "small");
  BOOST_TEST((accepted[0].pressure == core::Pressure::deadline));
  BOOST_TEST(accepted[0].prompt.size() == 30U);
  BOOST_TEST(f.core.counters().rungs_model == 1U);
  // Who has not heard so asks for the large one again: it is the same request.
  auto again = f.two_tongues(1);
  again.client = {7};
  f.admit(again);
  BOOST_TEST(f.told<core::Failed>(7).empty());
  BOOST_TEST(f.told<core::Accepted>(7).at(0).model == "small");
  // Who has asks for the small one, and brings its tokens along.
  again = f.request(1);
  again.client = {8};
  again.request->model = small;
  again.request->prompt = std::vector<core::TokenId>(30, 6);
  f.admit(again);
  BOOST_TEST(f.told<core::Failed>(8).empty());
  // Without a prompt in its tongue there is no rung to it.
  auto one_tongue = f.request(2);
  one_tongue.deadline = milliseconds(500);
  f.admit(one_tongue);
  BOOST_TEST((f.told<core::Failed>(2).at(0).code == Errc::deadline_infeasible));
  BOOST_TEST((f.told<core::Failed>(2).at(0).retry_after > core::Duration{0}));
  BOOST_TEST(f.core.counters().refused_deadline == 1U);
}

BOOST_AUTO_TEST_CASE(a_deadline_counts_the_allowed_answer_too) {
  Fixture f;
  auto request = f.request(1);
  request.deadline = milliseconds(269);  // 50 ms of prefill, 20 steps of 11 ms
  f.admit(request);
  BOOST_TEST((f.told<core::Failed>(1).at(0).code == Errc::deadline_infeasible));
  request = f.request(2);
  request.deadline = milliseconds(270);
  f.admit(request);
  BOOST_TEST(f.told<core::Failed>(2).empty());
  request = f.request(3);
  request.deadline = milliseconds(200);
  request.request->tokens_max = 0;  // it may end at once
  f.admit(request);
  BOOST_TEST(f.told<core::Failed>(3).empty());
}

BOOST_AUTO_TEST_CASE(who_does_not_know_its_pace_refuses_nothing) {
  Fixture f;
  f.replica(b).step_base = f.replica(b).step_row = core::Duration{0};
  for (const auto node : {a, b}) f.replica(node).prefill_tokens = 90000, f.report(node);
  auto request = f.request(1);
  request.deadline = milliseconds(500);
  f.admit(request);
  BOOST_TEST(f.told<core::Failed>(1).empty());
}

BOOST_AUTO_TEST_CASE(a_deferred_request_begins_when_the_bucket_has_enough_for_it) {
  Fixture f(with(100, 60, {later}));
  f.admit(f.request(1));
  f.out.clear();
  f.admit(f.request(2));
  BOOST_TEST(f.core.streams() == 2U);
  f.pass(milliseconds(590));
  for (const auto node : {a, b}) f.report(node);
  BOOST_TEST(f.told<core::Accepted>(2).empty());
  f.pass(milliseconds(20));
  const auto accepted = f.told<core::Accepted>(2);
  BOOST_REQUIRE(accepted.size() == 1U);
  BOOST_TEST((accepted[0].rungs == std::vector<std::string>{"defer:2s"}));
  BOOST_TEST(f.core.counters().rungs_defer == 1U);
  // Two more wait their turn; the next would wait for more than its two seconds.
  f.admit(f.request(3));
  f.admit(f.request(4));
  f.admit(f.request(5));
  f.admit(f.request(6));
  BOOST_TEST(f.told<core::Failed>(5).empty());
  BOOST_TEST((f.told<core::Failed>(6).at(0).code == Errc::queue_full));
}

BOOST_AUTO_TEST_CASE(a_deferred_request_can_be_cancelled_and_missed_by_its_deadline) {
  Fixture f(with(100, 60, {later}));
  f.admit(f.request(1));
  f.admit(f.request(2));
  f.core.on_cancel({2}, f.request(2).request->key, f.now, f.out);
  f.core.check();
  BOOST_TEST(f.core.streams() == 1U);
  BOOST_TEST((f.told<core::Delta>(2).at(0).finish == core::FinishReason::cancelled));
  auto late = f.request(3);
  late.deadline = seconds(1);  // the bucket is ready for it in 1.2 s
  f.admit(late);
  BOOST_TEST((f.told<core::Failed>(3).at(0).code == Errc::queue_full));
}

BOOST_AUTO_TEST_CASE(a_high_load_takes_rungs_from_those_who_have_a_ladder_and_refuses_nobody) {
  Fixture f(with(0, 0, {shorter, later}));
  for (const auto node : {a, b}) f.replica(node).queued = 5, f.report(node);  // a load of 1.0
  f.admit(f.request(1));
  BOOST_REQUIRE(f.told<core::Accepted>(1).size() == 1U);
  BOOST_TEST((f.told<core::Accepted>(1)[0].rungs == std::vector<std::string>{"shorter:5"}));
  BOOST_TEST((f.told<core::Accepted>(1)[0].pressure == core::Pressure::saturation));
  auto other = f.request(2);
  other.request->key.tenant = core::tenant_id("u");
  f.admit(other);
  BOOST_TEST(f.told<core::Accepted>(2).at(0).rungs.empty());
  for (const auto node : {a, b}) f.replica(node).queued = 7, f.report(node);
  f.admit(f.request(3));
  BOOST_TEST(f.told<core::Accepted>(3).empty());
  f.pass(milliseconds(1900));
  for (const auto node : {a, b}) f.report(node);
  BOOST_TEST(f.told<core::Accepted>(3).empty());
  f.pass(milliseconds(200));
  BOOST_TEST(f.told<core::Accepted>(3).at(0).rungs.size() == 2U);
}

BOOST_AUTO_TEST_CASE(a_resumed_stream_has_paid) {
  Fixture f(with(100, 60, {}));
  f.admit(f.request(1));
  auto resumed = f.request(2);
  resumed.resumed = true;
  resumed.resume.weights_digest = {4, 4};
  resumed.resume.numerics_id = 1;
  resumed.resume.choices.resize(1);
  f.admit(resumed);
  BOOST_TEST(f.told<core::Failed>(2).empty());
  BOOST_TEST(f.core.streams() == 2U);
}

BOOST_AUTO_TEST_CASE(the_home_router_keeps_the_bucket_and_the_others_ask_it) {
  TwoRouters f;
  f.admit(f.of(f.near, 1));
  BOOST_TEST(f.core.streams() == 1U);
  BOOST_TEST(f.sent<core::QuotaAsk>(f.other) == nullptr);
  f.admit(f.of(f.far, 2));
  BOOST_TEST(f.core.streams() == 1U);
  const auto* asked = f.sent<core::QuotaAsk>(f.other);
  BOOST_REQUIRE(asked != nullptr);
  BOOST_TEST((asked->tenant == f.far));
  BOOST_REQUIRE(asked->options.size() == 2U);
  BOOST_TEST(asked->options[0].cost == 60U);
  BOOST_TEST(asked->options[1].cost == 45U);
  const std::uint64_t number = asked->number;
  f.give(a, core::QuotaReply{number, true, 0, {}});  // not the one that was asked
  BOOST_TEST(f.core.streams() == 1U);
  f.give(f.other, core::QuotaReply{number, true, 1, {}});
  BOOST_TEST(f.core.streams() == 2U);
  BOOST_TEST((f.told<core::Accepted>(2).at(0).pressure == core::Pressure::quota));
  f.give(f.other, core::QuotaReply{number, true, 1, {}});  // said again
  BOOST_TEST(f.core.streams() == 2U);
  f.admit(f.of(f.far, 3));
  f.give(f.other, core::QuotaReply{f.sent<core::QuotaAsk>(f.other)->number, false, 0, milliseconds(70)});
  BOOST_TEST((f.told<core::Failed>(3).at(0).retry_after == milliseconds(70)));
}

BOOST_AUTO_TEST_CASE(a_home_takes_for_those_who_ask) {
  TwoRouters f;
  f.give(f.other, core::QuotaAsk{5, f.near, {{45, {}, {}}, {30, {}, {}}}});
  f.give(f.other, core::QuotaAsk{6, f.near, {{45, {}, {}}, {10, {}, {}}}});
  f.give(f.other, core::QuotaAsk{7, f.near, {{45, {}, {}}}});
  std::vector<core::QuotaReply> replies;
  for (const auto& action : f.out) {
    const auto* post = std::get_if<RouterCore::Post>(&action);
    if (post != nullptr && std::holds_alternative<core::QuotaReply>(*post->message))
      replies.push_back(std::get<core::QuotaReply>(*post->message));
  }
  BOOST_REQUIRE(replies.size() == 3U);
  BOOST_TEST((replies[0].granted && replies[0].number == 5 && replies[0].option == 0));
  BOOST_TEST((replies[1].granted && replies[1].number == 6 && replies[1].option == 1));
  BOOST_TEST((!replies[2].granted && replies[2].wait == milliseconds(400)));
  f.give(f.other, core::QuotaAsk{8, {5000}, {{45, {}, {}}}});  // a tenant without a bucket
  BOOST_TEST(f.sent<core::QuotaReply>(f.other)->granted);
}

BOOST_AUTO_TEST_CASE(a_silent_home_is_asked_again_and_a_dead_one_followed_by_the_next) {
  TwoRouters f;
  f.admit(f.of(f.far, 1));
  f.pass(milliseconds(1100));
  BOOST_TEST(f.told<core::Failed>(1).empty());
  f.report(f.other);
  f.pass(milliseconds(1100));
  BOOST_REQUIRE(f.told<core::Failed>(1).size() == 1U);
  BOOST_TEST((f.told<core::Failed>(1)[0].code == Errc::unavailable));
  for (const auto node : {a, b}) f.report(node);
  f.admit(f.of(f.far, 2));
  BOOST_TEST(f.core.streams() == 0U);
  f.core.on_peer_down(f.other, {1}, f.now, f.out);
  f.core.check();
  BOOST_TEST(f.core.streams() == 1U);
}

BOOST_AUTO_TEST_CASE(what_waits_for_tokens_can_be_cancelled_lost_with_its_client_and_sent_elsewhere) {
  TwoRouters f;
  f.admit(f.of(f.far, 1));
  f.core.on_cancel({9}, f.of(f.far, 1).request->key, f.now, f.out);  // not its client
  BOOST_TEST(f.told<core::Failed>(1).empty());
  auto again = f.of(f.far, 1);
  again.client = {4};
  f.admit(again);  // said again from another connection
  f.core.on_cancel({4}, again.request->key, f.now, f.out);
  BOOST_TEST((f.told<core::Failed>(4).at(0).code == Errc::cancelled));
  f.admit(f.of(f.far, 2));
  f.core.on_client_gone({2}, f.now, f.out);
  f.core.check();
  f.admit(f.of(f.far, 3));
  f.core.set_draining(true, true, f.now, f.out);
  f.core.check();
  BOOST_TEST((f.told<core::Failed>(3).at(0).code == Errc::draining));
  BOOST_TEST((f.core.next_tick() == core::never));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
