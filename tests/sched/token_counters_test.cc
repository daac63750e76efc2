#include "sched/token_counters.h"

#include <boost/test/unit_test.hpp>

using namespace spillway;
using sched::TokenCounters;

namespace {
constexpr core::TenantId a{1}, b{2}, c{3};
constexpr std::uint64_t unit = 1ULL << 20;
}  // namespace

BOOST_AUTO_TEST_SUITE(token_counters)

BOOST_AUTO_TEST_CASE(a_prompt_token_costs_one_and_a_generated_one_two_by_weight) {
  TokenCounters t({}, {{a, 1}, {b, 4}});
  t.charge_input(a, 10);
  t.charge_output(a, 5);
  t.charge_input(b, 10);
  t.charge_output(b, 5);
  BOOST_TEST(t.counter(a) == 20 * unit);
  BOOST_TEST(t.counter(b) == 5 * unit);
}

BOOST_AUTO_TEST_CASE(the_least_counter_is_next_and_ties_go_to_the_lower_id) {
  TokenCounters t;
  BOOST_TEST(!t.least().has_value());
  for (const auto tenant : {c, b, a}) t.activate(tenant);
  BOOST_TEST((t.least() == a));
  t.charge_input(a, 1);
  BOOST_TEST((t.least() == b));
  t.deactivate(b);
  BOOST_TEST((t.least() == c));
}

BOOST_AUTO_TEST_CASE(who_comes_back_is_lifted_to_the_least_of_those_that_wait) {
  TokenCounters t;
  t.activate(a);
  t.activate(b);
  t.charge_input(a, 100);
  t.charge_input(b, 70);
  t.activate(c);
  BOOST_TEST(t.counter(c) == 70 * unit);
}

BOOST_AUTO_TEST_CASE(who_comes_back_is_not_lifted_below_its_own) {
  TokenCounters t;
  t.activate(a);
  t.activate(b);
  t.charge_input(a, 100);
  t.deactivate(a);
  t.charge_input(b, 1);
  t.activate(a);
  BOOST_TEST(t.counter(a) == 100 * unit);
}

BOOST_AUTO_TEST_CASE(with_nobody_waiting_the_lift_is_to_the_one_that_left_last) {
  TokenCounters t;
  t.activate(a);
  t.charge_input(a, 100);
  t.deactivate(a);
  t.activate(b);
  BOOST_TEST(t.counter(b) == 100 * unit);
}

BOOST_AUTO_TEST_CASE(what_runs_is_charged_while_its_tenant_waits_for_nothing) {
  TokenCounters t;
  t.activate(a);
  t.deactivate(a);
  t.charge_output(a, 3);
  BOOST_TEST(t.counter(a) == 6 * unit);
}

BOOST_AUTO_TEST_CASE(k_tokens_at_once_cost_what_they_cost_one_by_one) {
  TokenCounters one({}, {{a, 7}});
  TokenCounters all({}, {{a, 7}});
  for (int i = 0; i < 1000; ++i) one.charge_output(a, 1);
  all.charge_output(a, 1000);
  BOOST_TEST(one.counter(a) == all.counter(a));
}

BOOST_AUTO_TEST_CASE(tenants_that_would_be_lifted_anyway_are_forgotten) {
  TokenCounters t;
  t.activate(a);
  for (std::uint64_t id = 10; id < 5010; ++id) {
    t.charge_input(a, 2);
    t.activate({id});
    t.charge_input({id}, 1);
    t.deactivate({id});
  }
  BOOST_TEST(t.size() < 400U);
  BOOST_TEST(t.counter(a) == 10000 * unit);
}

BOOST_AUTO_TEST_SUITE_END()
