#include "sim/cost_model.h"

#include <boost/test/unit_test.hpp>
#include <cmath>

#include "sim/profile.h"
#include "tests/sim/tiny_profile.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
using namespace std::chrono_literals;

namespace {

core::StepItem item(std::uint32_t first, std::uint32_t rows) {
  core::StepItem made;
  made.first_position = first;
  made.tokens.assign(rows, 0);
  return made;
}

core::StepPlan plan_of(std::vector<core::StepItem> items) {
  core::StepPlan plan;
  plan.items = std::move(items);
  return plan;
}

core::Duration time_of(const CostModel& costs, std::vector<core::StepItem> items) {
  const auto time = costs.time_of(shape_of(plan_of(std::move(items))));
  BOOST_REQUIRE_MESSAGE(time.has_value(), (time ? "" : time.error().message));
  return *time;
}

/// The formula of TinyProfile, in nanoseconds.
core::Duration by_hand(double rows, double sequences, double attention) {
  return core::Duration(std::llround((18 * (10 + rows) + 2 * attention + 105 + 10 * sequences) * 1000));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cost_model)

BOOST_AUTO_TEST_CASE(the_shape_of_a_plan_counts_rows_chunks_and_decodes) {
  const auto shape = shape_of(plan_of({item(99, 1), item(0, 30), item(15, 1), item(64, 10)}));
  BOOST_TEST(shape.rows == 42);
  BOOST_TEST(shape.sequences == 4);
  BOOST_TEST(shape.attention.chunk == 40);
  BOOST_TEST(shape.attention.history == to_fixed(16));  // (30 x 0 + 10 x 64) / 40
  BOOST_TEST(shape.attention.decodes == 2);
  BOOST_TEST(shape.attention.context_mean == to_fixed(58));  // the decoded row included
  BOOST_TEST(shape.attention.context_min == 16);
  BOOST_TEST(shape.attention.context_max == 100);
}

BOOST_AUTO_TEST_CASE(steps_cost_the_sum_of_their_ops) {
  const auto costs = tiny_costs();
  // Prefill alone, from the start and behind 48 rows.
  BOOST_TEST((time_of(costs, {item(0, 32)}) == by_hand(32, 1, 2 + 32)));
  BOOST_TEST((time_of(costs, {item(48, 80)}) == by_hand(80, 1, 2 + 80 + 24)));
  // Decodes alone: their mean context.
  BOOST_TEST((time_of(costs, {item(19, 1)}) == by_hand(1, 1, 2 + 3 + 5)));
  BOOST_TEST((time_of(costs, {item(19, 1), item(59, 1)}) == by_hand(2, 2, 2 + 6 + 10)));
  // Both in one step, and two chunks as one.
  BOOST_TEST((time_of(costs, {item(19, 1), item(0, 20), item(40, 20)}) == by_hand(41, 3, 2 + 40 + 10 + 3 + 5)));
}

BOOST_AUTO_TEST_CASE(layers_and_overhead_are_counted) {
  auto costs = tiny_costs();
  const auto two = time_of(costs, {item(0, 32)});
  costs.layers = 3;
  BOOST_TEST((time_of(costs, {item(0, 32)}) - two == 8 * 42us + 34us));
  costs.step_overhead = 7'000'000;
  BOOST_TEST((time_of(costs, {item(0, 32)}) - two == 8 * 42us + 34us + 7us));
}

BOOST_AUTO_TEST_CASE(a_step_takes_at_least_a_nanosecond) {
  CostModel costs;
  BOOST_TEST((costs.time_of({}).value() == 1ns));
}

BOOST_AUTO_TEST_CASE(skew_adds_its_share_of_the_way_to_the_longest_context) {
  const TinyProfile folder;
  folder.replace("meta.yaml", "skew_fit:\n  enabled: false\n", "skew_fit:\n  enabled: true\n  per_tp:\n    1:\n      alpha_default: 0.5\n");
  const auto profile = read_profile(folder.path(), 2);
  BOOST_REQUIRE(profile.has_value());
  const auto& costs = profile->costs;
  // t(mean 40) + 0.5 (t(max 60) - t(mean 40)) = t(50)
  BOOST_TEST((time_of(costs, {item(19, 1), item(59, 1)}) == by_hand(2, 2, 2 + 6 + 12.5)));
  // In a step with a prompt as well.
  BOOST_TEST((time_of(costs, {item(19, 1), item(59, 1), item(0, 20)}) == by_hand(22, 3, 2 + 20 + 6 + 12.5)));
  // One decode is not skewed, nor are equal ones.
  BOOST_TEST((time_of(costs, {item(19, 1)}) == by_hand(1, 1, 2 + 3 + 5)));
  BOOST_TEST((time_of(costs, {item(59, 1), item(59, 1)}) == by_hand(2, 2, 2 + 6 + 15)));
}

BOOST_AUTO_TEST_CASE(skew_takes_the_alpha_of_the_bucket_and_none_when_disabled) {
  const std::string fit = R"(skew_fit:
  enabled: true
  bucket_axes:
    n_bins: [0, 2, 1000000]
    n_labels: [n<=2, n>2]
    skew_rate_bins: [-0.01, 1.01]
    skew_rate_labels: [any]
    kv_big_bins: [0, 1000000000]
    kv_big_labels: [any]
    kp_bins: [-1, 1000000000]
    kp_labels: [any]
  per_tp:
    1:
      alpha_default: 0.5
      bucket_table: tp1/skew_fit.csv
)";
  for (const bool enabled : {true, false}) {
    const TinyProfile folder;
    folder.write("tp1/skew_fit.csv", "pc,n_label,skew_rate_label,kv_big_label,kp_label,alpha\n0,n<=2,any,any,any,1\n");
    folder.replace("meta.yaml", "skew_fit:\n  enabled: false\n", fit);
    if (!enabled) folder.replace("meta.yaml", "enabled: true", "enabled: false");
    const auto profile = read_profile(folder.path(), 2);
    BOOST_REQUIRE_MESSAGE(profile.has_value(), (profile ? "" : profile.error().message));
    const auto& costs = profile->costs;
    // Two decodes of mean 40 and at most 60: the table's alpha is 1. Three of mean 40: the default. A chunk beside: the default.
    const double two = enabled ? 15 : 10;
    const double more = enabled ? 12.5 : 10;
    BOOST_TEST((time_of(costs, {item(19, 1), item(59, 1)}) == by_hand(2, 2, 2 + 6 + two)));
    BOOST_TEST((time_of(costs, {item(19, 1), item(39, 1), item(59, 1)}) == by_hand(3, 3, 2 + 9 + more)));
    BOOST_TEST((time_of(costs, {item(19, 1), item(59, 1), item(0, 20)}) == by_hand(22, 3, 2 + 20 + 6 + more)));
  }
}

BOOST_AUTO_TEST_CASE(a_step_of_a_kind_that_was_not_measured_is_an_error) {
  auto costs = tiny_costs();
  costs.mixed_attention = {};
  const auto time = costs.time_of(shape_of(plan_of({item(19, 1), item(0, 20)})));
  BOOST_REQUIRE(!time.has_value());
  BOOST_TEST(says(time.error(), "attention.csv", "a chunk of 20 rows"));
}

BOOST_AUTO_TEST_SUITE_END()
