#include <boost/test/unit_test.hpp>
#include <cstdlib>

#include "tests/sched/batcher_bench.h"
#include "tests/sched/policy_world.h"

/// Policies of the batcher: one rule each by hand, then properties over seeds.
using namespace spillway;
using namespace spillway::sched;
using namespace spillway::sched::test;
using core::ServiceClass;

namespace {

std::uint64_t seeds(std::uint64_t quick) {
  const char* value = std::getenv("SPILLWAY_TEST_LONG");
  return value != nullptr && std::string_view(value) == "1" ? quick * 25 : quick;
}

PolicyCounts play(PolicyOptions options, std::uint64_t count) {
  PolicyCounts sum;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      options.seed = seed;
      sum += PolicyWorld(options).play();
    }
  }
  BOOST_TEST_MESSAGE(count << " seeds: finished " << sum.finished << ", cancelled " << sum.cancelled << ", preemptions " << sum.preemptions
                           << ", given back for a place " << sum.returned_full << ", refused " << sum.refused << ", steps " << sum.steps
                           << ", tokens " << sum.tokens << ", admissions " << sum.admissions << ", of these overdue " << sum.overdue
                           << ", before an earlier arrival " << sum.by_deadline << ", most overtaken " << sum.overtaken_max
                           << ", steps with a target " << sum.step_with_target << ", over it " << sum.step_over_target << ", tokens/s "
                           << static_cast<double>(sum.tokens) * 1e9 / static_cast<double>(sum.time.count()));
  return sum;
}

core::Run of_tenant(std::uint64_t id, std::uint64_t tenant, const RunOptions& options = {}) {
  auto run = make_run(id, 1, options);
  auto request = std::make_shared<core::Request>(*run.request);
  request->key.tenant = {tenant};
  run.key = request->key;
  run.prompt_names.clear();
  run.request = std::move(request);
  return run;
}

std::vector<std::uint64_t> opened(const core::StepPlan& plan) {
  std::vector<std::uint64_t> ids;
  for (const auto& open : plan.opens) ids.push_back(open.request->key.request.lo);
  return ids;
}
using Ids = std::vector<std::uint64_t>;

std::uint32_t rows_of(const core::StepPlan& plan) {
  std::uint32_t rows = 0;
  for (const auto& item : plan.items) rows += static_cast<std::uint32_t>(item.tokens.size());
  return rows;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(batcher_policies)

BOOST_AUTO_TEST_CASE(tenants_take_turns_by_what_they_were_served) {
  Bench b;
  for (std::uint64_t id = 1; id <= 4; ++id) b.give(of_tenant(id, 1, {.prompt = 30}));
  b.give(of_tenant(5, 2, {.prompt = 40}));
  b.give(of_tenant(6, 2, {.prompt = 40}));
  // 30 / 40 / 30 makes 60 against 40, then 40 more makes 80.
  BOOST_TEST((opened(*b.plan()) == Ids{1, 5, 2, 6, 3, 4}));
}

BOOST_AUTO_TEST_CASE(a_tenant_of_twice_the_weight_is_served_twice_as_much) {
  Bench b({.tenant_weights = {{{1}, 2}}});
  for (std::uint64_t id = 1; id <= 4; ++id) b.give(of_tenant(id, 1, {.prompt = 30}));
  for (std::uint64_t id = 5; id <= 8; ++id) b.give(of_tenant(id, 2, {.prompt = 30}));
  BOOST_TEST((opened(*b.plan()) == Ids{1, 5, 2, 3, 6, 4, 7, 8}));
}

BOOST_AUTO_TEST_CASE(what_a_tenant_generates_counts_against_it) {
  Bench b({.sequences_max = 1});
  b.give(of_tenant(1, 1, {.prompt = 20, .tokens_max = 30}));
  b.give(of_tenant(2, 2, {.prompt = 40, .tokens_max = 1}));
  b.give(of_tenant(3, 1, {.prompt = 20, .tokens_max = 1}));
  b.give(of_tenant(4, 2, {.prompt = 20, .tokens_max = 1}));
  Ids order;
  while (const auto plan = b.plan()) {
    for (const auto id : opened(*plan)) order.push_back(id);
    b.finish(*plan);
  }
  BOOST_TEST((order == Ids{1, 2, 4, 3}));  // 20 + 2 x 30 against 40 + 2
}

BOOST_AUTO_TEST_CASE(work_in_one_class_does_not_count_in_another) {
  Bench b({.sequences_max = 1});
  b.give(of_tenant(1, 1, {.prompt = 100, .tokens_max = 20, .service_class = ServiceClass::batch}));
  b.run_dry();
  b.give(of_tenant(9, 2, {.prompt = 10, .tokens_max = 2, .service_class = ServiceClass::live}));
  b.step();
  b.give(of_tenant(2, 1, {.prompt = 10, .tokens_max = 1, .service_class = ServiceClass::live, .deadline = 5s}));
  b.give(of_tenant(3, 2, {.prompt = 10, .tokens_max = 1, .service_class = ServiceClass::live, .deadline = 9s}));
  b.step();
  BOOST_TEST((opened(*b.plan()) == Ids{2}));  // tenant 1 was served most, but in another class
}

BOOST_AUTO_TEST_CASE(a_stream_that_brings_its_tokens_along_is_not_charged_for_its_prompt_again) {
  Bench b;
  auto again = continued(make_run(1, 1, {.prompt = 100, .tokens_max = 30}), 2, 10);
  b.give(again);
  auto own = make_run(2, 1, {.prompt = 20});
  b.give(own);
  b.give(of_tenant(3, 2, {.prompt = 30}));
  b.give(of_tenant(4, 2, {.prompt = 30}));
  BOOST_TEST((opened(*b.plan()) == Ids{1, 2, 3, 4}));  // tenant 1: 0, then 20; tenant 2: 30
}

BOOST_AUTO_TEST_CASE(a_tenant_that_fills_the_queue_gives_a_place_to_another) {
  Bench b({.sequences_max = 1, .queue_max = 4});
  for (std::uint64_t id = 1; id <= 4; ++id) b.give(of_tenant(id, 1));
  b.give(of_tenant(5, 2));
  b.give(of_tenant(6, 2));
  const auto returned = b.posted<core::RunReturned>();
  BOOST_REQUIRE(returned.size() == 2U);
  BOOST_TEST(returned[0].key.request.lo == 4U);
  BOOST_TEST(returned[1].key.request.lo == 3U);
  BOOST_TEST((returned[0].code == core::Errc::queue_full));
  b.give(of_tenant(7, 2));
  b.give(of_tenant(8, 1));
  BOOST_TEST(b.posted<core::RunRefused>().size() == 2U);  // two against two
}

BOOST_AUTO_TEST_CASE(in_the_first_class_an_old_request_goes_before_deadlines) {
  for (const auto waited : {9s, 10s}) {
    Bench b({.sequences_max = 1, .ageing = 10s});
    b.give(make_run(9, 1, {.tokens_max = 2, .service_class = ServiceClass::live}));
    b.step();
    b.give(make_run(1, 1, {.service_class = ServiceClass::live}));
    b.now += waited;
    b.give(make_run(2, 1, {.service_class = ServiceClass::live, .deadline = 5s}));
    b.step();
    BOOST_TEST((opened(*b.plan()) == (waited == 10s ? Ids{1} : Ids{2})));
  }
}

BOOST_AUTO_TEST_CASE(without_ageing_nothing_climbs) {
  Bench b({.sequences_max = 1, .ageing = {}});
  b.give(make_run(9, 1, {.tokens_max = 2}));
  b.step();
  b.give(make_run(1, 1, {.service_class = ServiceClass::batch}));
  b.now += 1000s;
  b.give(make_run(2, 1, {.service_class = ServiceClass::interactive}));
  b.step();
  BOOST_TEST((opened(*b.plan()) == Ids{2}));
}

BOOST_AUTO_TEST_CASE(a_target_cuts_the_prompts_of_a_step_that_decodes) {
  // The fake worker takes 200 us and 10 us a row.
  for (const bool target : {false, true}) {
    BatcherLimits limits{.step_tokens_max = 256};
    if (target) limits.tpot[1] = 1ms;
    Bench b(limits, 200);
    b.give(make_run(1, 1, {.prompt = 100, .tokens_max = 200, .family = 1}));
    for (int i = 0; i < 20; ++i) b.step();
    b.give(make_run(2, 1, {.prompt = 60, .tokens_max = 4, .family = 2}));
    b.step();  // steps of two sizes are known now
    b.give(make_run(3, 1, {.prompt = 800, .tokens_max = 4, .family = 3}));
    const auto plan = b.plan();
    const auto learnt = b.core.report(b.now);
    BOOST_TEST((learnt.step_row > 0ns));
    const auto rows = rows_of(*plan);
    if (target) {
      BOOST_TEST((learnt.step_base + learnt.step_row * rows <= 1ms));
      BOOST_TEST((learnt.step_base + learnt.step_row * (rows + 2) > 1ms));
    } else {
      BOOST_TEST(rows == 256U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_target_of_a_class_that_does_not_decode_cuts_nothing) {
  BatcherLimits limits{.step_tokens_max = 256};
  limits.tpot[0] = 1ns;
  Bench b(limits, 200);
  b.give(make_run(1, 1, {.prompt = 100, .tokens_max = 200, .family = 1}));
  for (int i = 0; i < 20; ++i) b.step();
  b.give(make_run(3, 1, {.prompt = 800, .tokens_max = 4, .family = 3}));
  BOOST_TEST(rows_of(*b.plan()) == 256U);
}

BOOST_AUTO_TEST_CASE(a_target_that_cannot_be_met_leaves_an_eighth_to_prompts) {
  BatcherLimits limits{.step_tokens_max = 256};
  limits.tpot[1] = 1ns;
  Bench b(limits, 200);
  b.give(make_run(1, 1, {.prompt = 100, .tokens_max = 200, .family = 1}));
  for (int i = 0; i < 20; ++i) b.step();
  b.give(make_run(3, 1, {.prompt = 800, .tokens_max = 4, .family = 3}));
  BOOST_TEST(rows_of(*b.plan()) == 1U + 32U);
}

BOOST_AUTO_TEST_CASE(past_future_lets_nobody_begin_whom_those_that_run_will_crowd_out) {
  // 40 answers of 60 tokens were seen. 16 blocks; what runs has a prompt of 2 blocks and will hold 6; a newcomer with the same needs
  // fits as long as two of them end below the pool: 32 + 60 tokens each, 184 of 256; a third would make 276.
  Bench b({.admission = AdmissionPolicy::past_future}, 16);
  for (std::uint64_t id = 100; id < 140; ++id) {
    b.give(make_run(id, 1, {.prompt = 20, .tokens_max = 60, .names = false}));
    b.run_dry();
  }
  const auto before = b.core.counters().preemptions;
  for (std::uint64_t id = 1; id <= 3; ++id) b.give(make_run(id, 1, {.prompt = 20, .tokens_max = 60, .names = false}));
  BOOST_TEST((opened(*b.plan()) == Ids{1, 2}));
  BOOST_TEST(b.core.report(b.now).queued == 1U);
  BOOST_TEST(before == b.core.counters().preemptions);
}

BOOST_AUTO_TEST_CASE(the_order_of_the_queue_holds_at_every_admission) {
  PolicyOptions options;
  options.tenants = 3;
  options.cancels = true;
  options.limits.ageing = 100ms;
  options.limits.step_tokens_max = 128;
  options.limits.sequences_max = 24;
  const auto sum = play(options, seeds(20));
  BOOST_TEST(sum.finished > 20U * 200U);
  BOOST_TEST(sum.cancelled > 20U * 5U);
  BOOST_TEST(sum.overdue > 20U * 5U);
  BOOST_TEST(sum.by_deadline > 20U * 10U);
}

BOOST_AUTO_TEST_CASE(an_overdue_request_is_overtaken_by_older_ones_alone) {
  // One tenant: once overdue, only those that were overdue before it go first, and they waited when it came: fewer than the queue holds.
  PolicyOptions options;
  options.limits.ageing = 50ms;
  options.limits.queue_max = 40;
  options.limits.sequences_max = 16;
  options.gap = 2ms;
  const auto sum = play(options, seeds(10));
  BOOST_TEST(sum.overdue > 10U * 50U);
  BOOST_TEST(sum.overtaken_max < 40U);
}

namespace {

/// Largest difference of what two tenants were served over any span in which both waited, in thousandths of a cost.
std::uint64_t largest_gap(const ServiceHistory& history, std::size_t moments, std::size_t a, std::size_t b) {
  std::int64_t low = 0;
  std::int64_t high = 0;
  for (std::size_t i = 0; i < moments; ++i) {
    const auto difference = static_cast<std::int64_t>(history[i][a]) - static_cast<std::int64_t>(history[i][b]);
    low = std::min(low, difference);
    high = std::max(high, difference);
  }
  return static_cast<std::uint64_t>(high - low);
}

struct Fairness {
  std::uint64_t worst_percent = 0;  ///< of the bound
  std::uint64_t served = 0;
};

Fairness backlogged(const TokenCosts& costs, std::uint64_t count) {
  Fairness result;
  for (std::uint64_t seed = 1; seed <= count; ++seed) {
    PolicyOptions options;
    options.seed = seed;
    options.tenants = 4;
    options.backlog = 30;
    options.blocks = 60;
    options.streams = 1200;
    options.one_class = true;
    options.prompt_max = 20 + static_cast<std::uint32_t>(seed * 37 % 400);
    options.limits.ageing = {};
    options.limits.token_costs = costs;
    if (seed % 2 == 0) options.limits.tenant_weights = {{{1}, 3}, {{3}, 2}};
    PolicyWorld world(options);
    world.play();
    // While all of them wait: as long as there are more to come.
    const auto& history = world.service();
    const auto moments = history.size() * 3 / 4;
    const std::uint64_t bound = 2000 * std::max<std::uint64_t>(options.prompt_max, 2ULL * options.blocks * core::block_tokens);
    for (std::size_t a = 0; a < 4; ++a) {
      for (std::size_t b = a + 1; b < 4; ++b)
        result.worst_percent = std::max(result.worst_percent, largest_gap(history, moments, a, b) * 100 / bound);
    }
    for (const auto served : history[moments - 1]) result.served += served / 1000;
  }
  BOOST_TEST_MESSAGE("costs " << costs.input << ", " << costs.output << ": the largest gap is " << result.worst_percent
                              << " % of the bound, " << result.served << " served");
  return result;
}

}  // namespace

BOOST_AUTO_TEST_CASE(between_tenants_that_wait_all_the_time_the_service_differs_by_no_more_than_the_bound) {
  BOOST_TEST(backlogged({1, 2}, seeds(12)).worst_percent <= 100U);
  // Counters that do not count show that the bound is not kept by itself.
  BOOST_TEST(backlogged({0, 0}, 2).worst_percent > 500U);
}

BOOST_AUTO_TEST_CASE(a_flood_of_one_tenant_does_not_lock_the_others_out) {
  PolicyOptions options;
  options.tenants = 4;
  options.skew = 10;
  options.gap = 1ms;
  options.one_class = true;
  options.streams = 600;
  options.limits.queue_max = 30;
  options.limits.sequences_max = 16;
  const auto sum = play(options, seeds(6));
  BOOST_TEST(sum.returned_full > 6U * 20U);
}

BOOST_AUTO_TEST_CASE(steps_keep_the_tightest_target_of_who_decodes) {
  PolicyOptions options;
  options.blocks = 400;
  options.prompt_max = 1500;
  options.gap = 60ms;
  options.streams = 150;
  options.limits.step_tokens_max = 1024;
  options.limits.tpot = {20ms, 40ms, core::Duration{0}};
  const auto sum = play(options, seeds(8));
  BOOST_TEST(sum.step_with_target > 8U * 300U);
  BOOST_TEST(sum.step_over_target * 100 < sum.step_with_target);  // while it still learns
}

BOOST_AUTO_TEST_CASE(past_future_preempts_less_than_the_prompt_rule_under_overload) {
  PolicyOptions options;
  options.blocks = 120;
  options.answer_max = 400;
  options.gap = 4ms;
  options.streams = 400;
  options.one_class = true;
  options.limits.queue_max = 1000;
  options.limits.sequences_max = 64;
  PolicyCounts by[3];
  for (const auto policy : {AdmissionPolicy::prompt, AdmissionPolicy::growth, AdmissionPolicy::past_future}) {
    options.limits.admission = policy;
    by[static_cast<int>(policy)] = play(options, seeds(6));
  }
  BOOST_TEST(by[0].preemptions > 6U * 50U);
  BOOST_TEST(by[2].preemptions * 2 < by[0].preemptions);
  BOOST_TEST(by[2].preemptions < by[1].preemptions);
  BOOST_TEST(by[2].finished == by[0].finished);
}

BOOST_AUTO_TEST_SUITE_END()
