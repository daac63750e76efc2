#include "sched/router_core.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <ostream>

#include "tests/sched/router_fixture.h"

/// Admission, attachment, epochs, ends. Moves and operators: router_moves_test; whole clusters: cluster_sim_test.
namespace spillway::sched::test {

namespace bdata = boost::unit_test::data;

namespace {

struct RefusalCase {
  const char* rule;
  Errc code;
  const char* says;
  std::function<void(Fixture&, RouterCore::Admit&)> change;
  friend std::ostream& operator<<(std::ostream& out, const RefusalCase& c) { return out << c.rule; }
};

const RefusalCase refusals[] = {
    {"a draining router", Errc::draining, "another router", [](Fixture& f, auto&) { f.core.set_draining(true, false, f.now, f.out); }},
    {"an unknown model", Errc::unknown_model, "no replica", [](auto&, auto& r) { r.request->model = core::model_id("x"); }},
    {"a prompt over the context, with both numbers", Errc::bad_argument, "300 tokens, the context of the model 200",
     [](auto&, auto& r) { r.request->prompt = std::vector<core::TokenId>(300, 1); }},
    {"more blocks than any node has", Errc::no_capacity, "the largest replica has 50",
     [](auto&, auto& r) { r.request->choices = 9, r.request->tokens_max = 100; }},
    {"a feature no replica has, by name", Errc::unsupported, "stop_strings",
     [](Fixture& f, auto& r) {
       for (const auto node : {a, b}) f.replica(node).features = 3, f.report(node);
       r.request->required = 4;
     }},
    {"a feature no build has", Errc::unsupported, "feature bit 60", [](auto&, auto& r) { r.request->required = 1ULL << 60; }},
    {"a deadline that nobody can meet", Errc::deadline_infeasible, "the deadline is in 50 ms",
     [](Fixture& f, auto& r) {
       for (const auto node : {a, b}) f.replica(node).prefill_tokens = 500, f.report(node);
       r.deadline = milliseconds(50);
     }},
    {"other weights than it began with", Errc::incompatible, "weights",
     [](auto&, auto& r) {
       r.resumed = true;
       r.resume.weights_digest = {9, 9};
       r.resume.numerics_id = 1;
       r.resume.choices.resize(1);
     }},
    {"other numerics than it began with", Errc::incompatible, "numerics id 7",
     [](auto&, auto& r) {
       r.resumed = true;
       r.resume.weights_digest = {4, 4};
       r.resume.numerics_id = 7;
       r.resume.choices.resize(1);
     }},
    {"another number of choices than it began with", Errc::bad_argument, "choices brought along",
     [](auto&, auto& r) { r.resumed = true, r.resume.choices.resize(3); }},
    {"no output, but tokens asked for", Errc::bad_argument, "without output", [](auto&, auto& r) { r.request->prompt_only = true; }},
    {"no output for a prompt beyond every pool", Errc::no_capacity, "the largest replica has 9",
     [](Fixture& f, auto& r) {
       for (const auto node : {a, b}) f.replica(node).blocks_total = 9, f.report(node);
       r.request->prompt_only = true, r.request->tokens_max = 0, r.request->prompt = std::vector<core::TokenId>(145, 5);
     }},
    {"an adapter that nobody has", Errc::unsupported, "no replica of the model serves the adapter 'sport'",
     [](Fixture& f, auto& r) {
       f.replica(a).adapters = {{"news", {1, 1}}}, f.report(a);
       r.request->adapter = "sport";
     }},
    {"another content of the adapter than it began with", Errc::incompatible, "weights",
     [](Fixture& f, auto& r) {
       f.replica(a).adapters = {{"sport", {1, 1}}}, f.report(a);
       r.request->adapter = "sport";
       r.resumed = true;
       r.resume.weights_digest = {4, 4};
       r.resume.numerics_id = 1;
       r.resume.choices.resize(1);
     }},
    {"an empty prompt", Errc::bad_argument, "empty", [](auto&, auto& r) { r.request->prompt = {}; }},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(router_core_test)

BOOST_DATA_TEST_CASE(admission_refuses, bdata::make(refusals), c) {
  Fixture f;
  auto request = f.request();
  c.change(f, request);
  f.out.clear();
  f.admit(request);
  const auto failed = f.told<core::Failed>(1);
  BOOST_REQUIRE(failed.size() == 1U);
  BOOST_TEST((failed[0].code == c.code));
  BOOST_TEST(failed[0].reason.find(c.says) != std::string::npos, failed[0].reason);
  BOOST_TEST(f.core.streams() == 0U);
  if (c.code == Errc::deadline_infeasible) BOOST_TEST((failed[0].retry_after > core::Duration{0}));
}

BOOST_AUTO_TEST_CASE(tokens_max_is_fitted_to_the_context_and_the_pool) {
  const auto fitted = [](std::uint32_t prompt, std::uint32_t tokens_max, std::uint32_t choices) {
    Fixture f;
    auto request = f.request(1, prompt);
    request.request->tokens_max = tokens_max;
    request.request->choices = choices;
    f.admit(request);
    const auto* run = f.sent<core::Run>(a);
    BOOST_REQUIRE(run != nullptr);
    BOOST_REQUIRE(f.told<core::Accepted>(1).size() == 1U);
    BOOST_TEST(f.told<core::Accepted>(1)[0].tokens_max == run->request->tokens_max);
    return run->request->tokens_max;
  };
  BOOST_TEST(fitted(40, 20, 1) == 20U);
  BOOST_TEST(fitted(40, 9999, 1) == 160U);
  BOOST_TEST(fitted(40, 0, 1) == 160U);
  BOOST_TEST(fitted(40, 0, 8) == 8U * 16 + 1 - 40);  // (50 - 2) / 8 = 6 blocks each after the two shared
}

BOOST_AUTO_TEST_CASE(a_request_under_an_adapter_goes_where_that_is_and_is_bound_to_its_content) {
  Fixture f;
  f.replica(b).adapters = {{"news", {1, 1}}, {"sport", {1, 2}}};
  f.report(b);
  auto request = f.request();
  request.request->adapter = "sport";
  const core::Run run = f.start(request, b);
  BOOST_TEST(run.request->adapter == "sport");
  BOOST_TEST((run.prompt_names != StreamNames(secret, 0, run.request->prompt, 1).prompt()));
  BOOST_TEST((run.prompt_names == StreamNames(secret, 0, run.request->prompt, 1, "sport").prompt()));
  const auto told = f.told<core::Accepted>(1);
  BOOST_REQUIRE(told.size() == 1U);
  const auto bound = core::under_adapter(core::U128{4, 4}, f.replica(b).adapters, "sport");
  BOOST_TEST((told[0].weights_digest == *bound));
  // Submitted again elsewhere it is taken, for the content is the same; another request under its id is another one.
  request.request = std::make_shared<core::Request>(*request.request);
  request.request->adapter = "news";
  request.client = {2};
  f.admit(request);
  BOOST_REQUIRE(f.told<core::Failed>(2).size() == 1U);
  BOOST_TEST((f.told<core::Failed>(2)[0].code == Errc::already_exists));
}

BOOST_AUTO_TEST_CASE(a_request_without_output_ends_with_its_usage) {
  Fixture f;
  auto request = f.request();
  request.request->tokens_max = 0;
  request.request->prompt_only = true;
  const auto run = f.start(request);
  BOOST_TEST(run.request->tokens_max == 0U);
  core::TokenRun end{run.key, run.epoch, 0, 0, {}};
  end.tokens.emplace_back().is_end = true;
  end.tokens.back().finish = core::FinishReason::length;
  f.give(a, core::Tokens{{a, 0}, {end}});
  const auto finished = f.told<core::Finished>(1);
  BOOST_REQUIRE(finished.size() == 1U);
  BOOST_TEST(finished[0].prompt_tokens == 40U);
  BOOST_TEST(finished[0].completion_tokens == 0U);
  BOOST_TEST((f.told<core::Delta>(1)[0].finish == core::FinishReason::length));
}

/// The fixture's cluster right after its nodes came back: both answer, neither has loaded the model.
struct Loading : Fixture {
  explicit Loading(const RouterLimits& router_limits = {}) : Fixture(router_limits) {
    for (const auto node : {a, b}) {
      loaded[node] = replica(node);
      replica(node) = {};
      replica(node).model = model;
      report(node);
    }
    out.clear();
  }
  void load(core::NodeId node) {
    replica(node) = loaded[node];
    report(node);
  }
  std::map<core::NodeId, core::ReplicaReport> loaded;
};

struct WaitCase {
  const char* rule;
  std::function<void(RouterCore::Admit&)> change;
  std::uint32_t tokens_max;  // of the Run
  friend std::ostream& operator<<(std::ostream& out, const WaitCase& c) { return out << c.rule; }
};

const auto brought_along = [](RouterCore::Admit& r, std::size_t tokens) {
  r.resumed = true;
  r.resume.weights_digest = {4, 4};
  r.resume.numerics_id = 1;
  r.resume.choices.resize(1);
  r.resume.choices[0].tokens.assign(tokens, 1);
};

const WaitCase waits[] = {
    {"a plain request", [](auto&) {}, 20},
    {"one that needs features", [](auto& r) { r.request->required = 7; }, 20},
    {"one over the context is fitted when it is known", [](auto& r) { r.request->tokens_max = 9999; }, 160},
    {"one with an open limit", [](auto& r) { r.request->tokens_max = 0; }, 160},
    {"one that began with these weights", [](auto& r) { brought_along(r, 5); }, 20},
    {"one that began with an open limit and has many tokens", [](auto& r) { brought_along(r, 100), r.request->tokens_max = 0; }, 160},
};

BOOST_DATA_TEST_CASE(a_stream_waits_for_a_model_that_loads, bdata::make(waits), c) {
  Loading f;
  auto request = f.request();
  c.change(request);
  f.admit(request);
  BOOST_TEST(f.told<core::Failed>(1).empty());
  BOOST_TEST(f.sent<core::Run>(a) == nullptr);
  f.pass(milliseconds(500));
  BOOST_TEST(f.core.streams() == 1U);
  f.load(a);
  f.pass(milliseconds(200));
  const auto* run = f.sent<core::Run>(a);
  BOOST_REQUIRE(run != nullptr);
  BOOST_TEST(run->request->tokens_max == c.tokens_max);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_is_said_once_the_model_has_loaded) {
  const auto says = [](const std::function<void(RouterCore::Admit&)>& change) {
    Loading f;
    auto request = f.request();
    change(request);
    f.admit(request);
    BOOST_TEST(f.told<core::Failed>(1).empty());
    f.load(a);
    f.load(b);
    f.pass(milliseconds(200));
    const auto failed = f.told<core::Failed>(1);
    BOOST_TEST(f.core.streams() == 0U);
    return failed.empty() ? std::string() : failed[0].reason;
  };
  BOOST_TEST(says([](auto& r) { r.request->prompt = std::vector<core::TokenId>(300, 1); }).find("300 tokens") != std::string::npos);
  BOOST_TEST(says([](auto& r) { brought_along(r, 30); }).find("30 tokens brought along") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_refused_stream_hopes_for_a_replica_that_loads) {
  Fixture f;
  const auto loaded = f.replica(b);
  f.replica(b) = {};
  f.replica(b).model = model;
  f.report(b);
  f.admit(f.request());
  const auto* run = f.sent<core::Run>(a);
  BOOST_REQUIRE(run != nullptr);
  f.give(a, core::RunRefused{run->key, run->epoch, run->replica, Errc::no_capacity, "too long for this pool", {}});
  BOOST_TEST(f.told<core::Failed>(1).empty());
  f.replica(b) = loaded;
  f.report(b);
  f.pass(milliseconds(200));
  BOOST_TEST(f.sent<core::Run>(b) != nullptr);
}

BOOST_AUTO_TEST_CASE(another_sampling_is_another_request) {
  Fixture f;
  f.start(f.request());
  auto again = f.request();
  again.client = {2};
  again.request->sampling.temperature = 0.5F;
  f.admit(again);
  const auto failed = f.told<core::Failed>(2);
  BOOST_REQUIRE(failed.size() == 1U);
  BOOST_TEST((failed[0].code == Errc::already_exists));
}

BOOST_AUTO_TEST_CASE(queues_are_bounded) {
  RouterLimits limits;
  limits.streams_max = 3;
  limits.tenant_streams_max = 2;
  Fixture f(limits);
  for (std::uint64_t id = 1; id <= 3; ++id) f.admit(f.request(id));
  BOOST_REQUIRE(f.told<core::Failed>(3).size() == 1U);
  BOOST_TEST((f.told<core::Failed>(3)[0].code == Errc::queue_full));
  BOOST_TEST((f.told<core::Failed>(3)[0].retry_after > core::Duration{0}));
  auto other = f.request(4);
  other.request->key.tenant = core::tenant_id("u");
  f.admit(other);
  BOOST_TEST(f.core.streams() == 3U);
  other = f.request(5);
  other.request->key.tenant = core::tenant_id("v");
  f.admit(other);
  BOOST_TEST((f.told<core::Failed>(5).at(0).code == Errc::queue_full));
}

BOOST_AUTO_TEST_CASE(a_stream_from_first_to_last) {
  Fixture f;
  const core::Run run = f.start(f.request());
  const auto accepted = f.told<core::Accepted>(1);
  BOOST_REQUIRE(accepted.size() == 1U);
  BOOST_TEST((accepted[0].weights_digest == core::U128{4, 4}));
  BOOST_TEST((run.prompt_names == StreamNames(secret, 0, run.request->prompt, 1).prompt()));
  f.now += milliseconds(30);
  f.tokens(a, run.key, run.epoch, 0, {1, 2, 3});
  f.tokens(a, run.key, run.epoch, 1, {2, 3, 4, 5});  // said again, and two more
  f.tokens(a, run.key, run.epoch, 5, {6, 7, 8, 9});
  const auto* names = f.sent<core::BlockNames>(a);
  BOOST_REQUIRE(names != nullptr);
  BOOST_TEST(names->first_block == 2U);
  BOOST_TEST(names->names.size() == 1U);
  f.now += milliseconds(30);
  f.tokens(a, run.key, run.epoch, 9, {10}, core::FinishReason::stop);
  BOOST_TEST((f.received(1) == std::vector<core::TokenId>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}));
  const auto finished = f.told<core::Finished>(1);
  BOOST_REQUIRE(finished.size() == 1U);
  BOOST_TEST(finished[0].prompt_tokens == 40U);
  BOOST_TEST(finished[0].completion_tokens == 10U);
  BOOST_TEST(finished[0].cached_tokens == 16U);
  BOOST_TEST((finished[0].ttft == milliseconds(30)));
  BOOST_TEST((finished[0].total == milliseconds(60)));
  BOOST_TEST(f.core.streams() == 0U);
  BOOST_TEST(f.core.counters().streams_finished == 1U);
}

BOOST_AUTO_TEST_CASE(the_end_token_is_neither_told_nor_counted) {
  Fixture f;
  const core::Run run = f.start(f.request());
  core::TokenRun end{run.key, run.epoch, 0, 1, {{9, true, core::FinishReason::stop, 0, {}}}};
  f.tokens(a, run.key, run.epoch, 0, {1});
  f.give(a, core::Tokens{{a, 0}, {end}});
  BOOST_TEST((f.received(1) == std::vector<core::TokenId>{1}));
  BOOST_TEST((f.told<core::Delta>(1).back().finish == core::FinishReason::stop));
  BOOST_TEST(f.told<core::Finished>(1).at(0).completion_tokens == 1U);
}

BOOST_AUTO_TEST_CASE(tokens_of_other_epochs_and_nodes_are_dropped_and_cancelled) {
  Fixture f;
  const core::Run run = f.start(f.request());
  f.out.clear();
  f.tokens(a, run.key, {life, 999}, 0, {7});
  BOOST_TEST((f.sent<core::CancelRun>(a)->epoch == Epoch{life, 999}));
  f.out.clear();
  f.tokens(a, run.key, {life, 999}, 1, {7});  // at once again: said before
  BOOST_TEST(f.sent<core::CancelRun>(a) == nullptr);
  f.tokens(b, run.key, run.epoch, 0, {7});
  BOOST_TEST(f.sent<core::CancelRun>(b) != nullptr);
  f.tokens(a, {{3}, {{3, 3}}}, {{5}, 1}, 0, {7});
  BOOST_TEST(f.received(1).empty());
}

BOOST_AUTO_TEST_CASE(a_gap_is_filled_or_restarts_the_stream) {
  Fixture f;
  const core::Run run = f.start(f.request());
  f.tokens(a, run.key, run.epoch, 0, {1});
  f.tokens(a, run.key, run.epoch, 2, {3, 4});
  BOOST_TEST((f.received(1) == std::vector<core::TokenId>{1}));
  f.tokens(a, run.key, run.epoch, 1, {2});
  BOOST_TEST((f.received(1) == std::vector<core::TokenId>{1, 2, 3, 4}));
  f.tokens(a, run.key, run.epoch, 6, {7});
  f.out.clear();
  for (int i = 0; i < 6; ++i) f.pass(milliseconds(100)), f.report(a), f.report(b);
  const auto* again = f.sent<core::Run>(b) != nullptr ? f.sent<core::Run>(b) : f.sent<core::Run>(a);
  BOOST_REQUIRE(again != nullptr);
  BOOST_TEST((again->choices[0].tokens == std::vector<core::TokenId>{1, 2, 3, 4}));
  BOOST_TEST((again->epoch > run.epoch));
  BOOST_TEST(f.core.counters().streams_restarted == 1U);
}

BOOST_AUTO_TEST_CASE(a_run_nobody_answers_is_sent_again_then_placed_anew) {
  Fixture f;
  f.admit(f.request());
  const Epoch first = f.sent<core::Run>(a)->epoch;
  f.out.clear();
  f.pass(milliseconds(300));
  BOOST_TEST((f.sent<core::Run>(a)->epoch == first));
  for (int i = 0; i < 8; ++i) f.report(a), f.report(b), f.pass(milliseconds(100));
  BOOST_REQUIRE(f.sent<core::Run>(b) != nullptr);
  BOOST_TEST((f.sent<core::Run>(b)->epoch > first));
  BOOST_TEST((f.sent<core::CancelRun>(a)->epoch == first));
}

BOOST_AUTO_TEST_CASE(a_refused_run_goes_elsewhere_and_one_that_all_refuse_fails_with_their_reason) {
  Fixture f;
  f.admit(f.request());
  core::Run run = *f.sent<core::Run>(a);
  f.give(a, core::RunRefused{run.key, run.epoch, run.replica, Errc::queue_full, "full", milliseconds(50)});
  BOOST_REQUIRE(f.sent<core::Run>(b) != nullptr);
  run = *f.sent<core::Run>(b);
  f.give(b, core::RunRefused{run.key, run.epoch, run.replica, Errc::unsupported, "lacks it", {}});
  f.out.clear();
  f.pass(milliseconds(120));
  f.report(a);
  BOOST_REQUIRE(f.sent<core::Run>(a) != nullptr);
  run = *f.sent<core::Run>(a);
  f.give(a, core::RunRefused{run.key, run.epoch, run.replica, Errc::unsupported, "lacks it too", {}});
  BOOST_REQUIRE(f.told<core::Failed>(1).size() == 1U);
  BOOST_TEST(f.told<core::Failed>(1)[0].reason == "lacks it too");
}

BOOST_AUTO_TEST_CASE(who_finds_no_room_waits_by_class_and_deadline_and_not_for_ever) {
  RouterLimits limits;
  limits.waiting_max_time = seconds(2);
  Fixture f(limits);
  for (const auto node : {a, b}) f.replica(node).blocks_free = 0, f.report(node);
  for (std::uint64_t id = 1; id <= 3; ++id) {
    auto request = f.request(id);
    request.request->service_class = id == 3 ? core::ServiceClass::live : core::ServiceClass::batch;
    if (id == 2) request.deadline = seconds(60);
    f.admit(request);
  }
  BOOST_TEST(f.sent<core::Run>(a) == nullptr);
  f.replica(a).blocks_free = 4;  // room for one
  f.report(a);
  BOOST_REQUIRE(f.sent<core::Run>(a) != nullptr);
  BOOST_TEST(f.sent<core::Run>(a)->key.request.lo == 3U);
  f.replica(b).blocks_free = 4;
  f.report(b);
  BOOST_TEST(f.sent<core::Run>(b)->key.request.lo == 2U);
  f.pass(seconds(3));
  BOOST_REQUIRE(f.told<core::Failed>(1).size() == 1U);
  BOOST_TEST((f.told<core::Failed>(1)[0].code == Errc::unavailable));
}

BOOST_AUTO_TEST_CASE(dispatches_in_flight_spread_a_burst) {
  Fixture f;
  std::map<core::NodeId, int> runs;
  for (std::uint64_t id = 1; id <= 8; ++id) f.admit(f.request(id));
  for (const auto& action : f.out) {
    const auto* post = std::get_if<RouterCore::Post>(&action);
    if (post != nullptr && std::holds_alternative<core::Run>(*post->message)) ++runs[post->to];
  }
  BOOST_TEST(runs[a] == 4);
  BOOST_TEST(runs[b] == 4);
}

BOOST_AUTO_TEST_CASE(a_known_prefix_decides_where_it_runs) {
  Fixture f;
  core::Announce announce{{b, 0}, {}, true, StreamNames(secret, 0, f.request().request->prompt, 1).prompt(), {}};
  f.give(b, announce);
  f.admit(f.request());
  BOOST_TEST(f.sent<core::Run>(b) != nullptr);
}

BOOST_AUTO_TEST_CASE(a_second_submission_attaches_and_goes_on_after_what_it_has) {
  Fixture f;
  const core::Run run = f.start(f.request());
  f.tokens(a, run.key, run.epoch, 0, {1, 2, 3});
  auto again = f.request();
  again.client = {2};
  again.resumed = true;
  again.resume.choices.resize(1);
  again.resume.choices[0].tokens = {1};
  f.admit(again);
  BOOST_TEST(f.told<core::Accepted>(2).size() == 1U);
  const auto deltas = f.told<core::Delta>(2);
  BOOST_REQUIRE(deltas.size() == 1U);
  BOOST_TEST(deltas[0].first_index == 1U);
  BOOST_TEST(deltas[0].tokens.size() == 2U);
  f.core.on_client_gone({1}, f.now, f.out);  // it was not its stream any more
  f.tokens(a, run.key, run.epoch, 3, {4});
  BOOST_TEST(f.told<core::Delta>(2).back().first_index == 3U);
  BOOST_TEST(f.received(1).size() == 3U);
  auto other = f.request();
  other.client = {3};
  other.request->prompt = std::vector<core::TokenId>(40, 6);
  f.admit(other);
  BOOST_TEST((f.told<core::Failed>(3).at(0).code == Errc::already_exists));
}

BOOST_AUTO_TEST_CASE(a_resumed_stream_starts_with_its_tokens_and_a_finished_one_ends_at_once) {
  Fixture f;
  auto resumed = f.request();
  resumed.resumed = true;
  resumed.resume.seed = 55;
  resumed.resume.weights_digest = {4, 4};
  resumed.resume.numerics_id = 1;
  resumed.resume.choices.resize(1);
  resumed.resume.choices[0].tokens = {1, 2, 3};
  f.admit(resumed);
  const auto* run = f.sent<core::Run>(a);
  BOOST_REQUIRE(run != nullptr);
  BOOST_TEST((run->choices[0].tokens == std::vector<core::TokenId>{1, 2, 3}));
  BOOST_TEST(run->request->sampling.seed == 55U);
  f.tokens(a, run->key, run->epoch, 3, {4});
  BOOST_TEST(f.told<core::Delta>(1).at(0).first_index == 3U);
  auto over = resumed;
  over.client = {2};
  over.request = std::make_shared<core::Request>(*f.request(2).request);
  over.resume.choices[0].finish = core::FinishReason::stop;
  f.admit(over);
  BOOST_TEST(f.told<core::Finished>(2).size() == 1U);
  BOOST_TEST(f.told<core::Delta>(2).empty());
  over.client = {3};
  over.request = std::make_shared<core::Request>(*f.request(3).request);
  over.resume.choices[0].finish = core::FinishReason::none;
  over.resume.choices[0].tokens.assign(20, 1);  // all of tokens_max, the word that it is over was lost
  f.admit(over);
  BOOST_TEST((f.told<core::Delta>(3).at(0).finish == core::FinishReason::length));
  BOOST_TEST(f.told<core::Finished>(3).size() == 1U);
}

BOOST_AUTO_TEST_CASE(cancel_and_a_client_that_is_gone) {
  Fixture f;
  const core::Run run = f.start(f.request());
  f.core.on_cancel({9}, run.key, f.now, f.out);  // not its client
  BOOST_TEST(f.core.streams() == 1U);
  f.core.on_cancel({1}, run.key, f.now, f.out);
  BOOST_TEST((f.sent<core::CancelRun>(a)->epoch == run.epoch));
  BOOST_TEST((f.told<core::Delta>(1).back().finish == core::FinishReason::cancelled));
  BOOST_TEST(f.core.streams() == 0U);
  const core::Run second = f.start(f.request(2));
  f.core.on_client_gone({2}, f.now, f.out);
  BOOST_TEST((f.sent<core::CancelRun>(second.replica.node)->epoch == second.epoch));
  BOOST_TEST(f.core.streams() == 0U);
}

BOOST_AUTO_TEST_CASE(a_deadline_ends_a_stream_by_the_replica_or_by_the_owner) {
  Fixture f;
  auto request = f.request();
  request.deadline = milliseconds(500);
  core::Run run = f.start(request);
  BOOST_TEST((run.deadline_left == milliseconds(500)));
  f.now += milliseconds(500);
  f.give(a, core::RunReturned{run.key, run.epoch, run.replica, Errc::timeout, "the deadline has passed"});
  BOOST_TEST((f.told<core::Delta>(1).back().finish == core::FinishReason::deadline));
  f.report(a);
  f.report(b);
  request = f.request(2);
  request.deadline = milliseconds(500);
  f.start(request, a);
  f.pass(milliseconds(800));
  BOOST_TEST((f.told<core::Delta>(2).back().finish == core::FinishReason::deadline));
  BOOST_TEST(f.core.streams() == 0U);
}

BOOST_AUTO_TEST_CASE(a_dead_node_s_streams_run_elsewhere_at_once) {
  Fixture f;
  const core::Run run = f.start(f.request());
  f.tokens(a, run.key, run.epoch, 0, {1, 2});
  f.core.on_peer_down(a, {2}, f.now, f.out);  // another life of it
  BOOST_TEST(f.sent<core::Run>(b) == nullptr);
  f.core.on_peer_down(a, {1}, f.now, f.out);
  f.core.check();
  BOOST_REQUIRE(f.sent<core::Run>(b) != nullptr);
  BOOST_TEST((f.sent<core::Run>(b)->choices[0].tokens == std::vector<core::TokenId>{1, 2}));
  BOOST_TEST(f.core.counters().streams_restarted == 1U);
  // A new incarnation under the same name is the death of the old one.
  const Epoch there = f.sent<core::Run>(b)->epoch;
  f.core.on_peer_up(a, {3}, f.now, f.out);
  f.report(a);
  f.core.on_peer_up(b, {4}, f.now, f.out);
  f.core.check();
  BOOST_TEST((f.sent<core::Run>(a)->epoch > there));
}

BOOST_AUTO_TEST_CASE(silence_of_a_running_stream_is_looked_into) {
  Fixture f;
  const core::Run run = f.start(f.request());
  f.out.clear();
  for (int i = 0; i < 21; ++i) f.pass(milliseconds(100)), f.report(a), f.report(b);
  BOOST_REQUIRE(f.sent<core::Run>(a) != nullptr);
  BOOST_TEST((f.sent<core::Run>(a)->epoch == run.epoch));
  f.give(a, core::RunAccepted{run.key, run.epoch, run.replica, 30, 0, false, 0, 0});
  f.out.clear();
  for (int i = 0; i < 15; ++i) f.pass(milliseconds(100)), f.report(a), f.report(b);
  BOOST_TEST(f.sent<core::Run>(b) == nullptr);  // it was in a queue
  for (int i = 0; i < 20; ++i) f.pass(milliseconds(100)), f.report(a), f.report(b);
  BOOST_TEST(f.sent<core::Run>(b) != nullptr);  // and now nobody answers
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
