#include "sched/admission.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <map>
#include <ostream>

namespace spillway::sched {

namespace bdata = boost::unit_test::data;

namespace {

using core::Pressure;
using std::chrono::milliseconds;
using std::chrono::seconds;

const core::Instant t0{seconds(50)};

/// As asked (100 tokens, 400 ms), shorter (40 tokens, 200 ms), smaller (40 tokens, 100 ms), deferred by up to 5 s.
std::vector<AdmissionEstimate> estimates() {
  std::vector<AdmissionEstimate> list(4);
  for (std::uint32_t i = 0; i < 4; ++i) list[i].step.rungs = i, list[i].step.changed = (1U << i) - 1;
  list[0].cost = 150, list[1].cost = list[2].cost = list[3].cost = 90;
  list[0].time = milliseconds(400), list[1].time = milliseconds(200), list[2].time = list[3].time = milliseconds(100);
  list[3].step.wait = seconds(5);
  return list;
}

struct Case {
  const char* rule;
  std::uint32_t rungs_wanted;
  core::Duration deadline;
  std::uint64_t level;  ///< of the bucket of 200 tokens and 100 a second
  int want;             ///< rungs taken, -1: refused
  Pressure pressure;
  core::Duration wait;  ///< until it begins, or for the next try
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.rule; }
};

const Case cases[] = {
    {"what can be run is run as it was asked", 0, {}, 200, 0, Pressure::none, {}},
    {"an empty bucket shortens", 0, {}, 100, 1, Pressure::quota, {}},
    {"an emptier one defers until it has enough", 0, {}, 40, 3, Pressure::quota, milliseconds(500)},
    {"a deadline too near shortens", 0, milliseconds(399), 200, 1, Pressure::deadline, {}},
    {"a nearer one takes the smaller model", 0, milliseconds(100), 200, 2, Pressure::deadline, {}},
    {"one that nothing can meet is refused with a time", 0, milliseconds(99), 200, -1, Pressure::deadline, milliseconds(1)},
    {"a deadline that is just met is met", 0, milliseconds(400), 200, 0, Pressure::none, {}},
    {"load takes a rung", 1, {}, 200, 1, Pressure::saturation, {}},
    {"more load takes more and begins later", 3, {}, 200, 3, Pressure::saturation, seconds(5)},
    {"load that wants more rungs than there are takes the last", 9, {}, 200, 3, Pressure::saturation, seconds(5)},
    {"a deadline bounds how much later", 3, milliseconds(1100), 200, 3, Pressure::saturation, seconds(1)},
    {"a bucket that fills too late for the deadline refuses", 0, milliseconds(300), 40, -1, Pressure::quota, milliseconds(300)},
    {"load and an empty bucket: the longer wait", 3, {}, 40, 3, Pressure::saturation, seconds(5)},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(admission)

BOOST_DATA_TEST_CASE(a_request_is_taken_at_the_first_rung_that_time_load_and_bucket_allow, bdata::make(cases), c) {
  const auto list = estimates();
  const AdmissionPlan plan = plan_admission(list, c.rungs_wanted, c.deadline);
  if (plan.options.empty()) {
    BOOST_TEST(c.want == -1);
    BOOST_TEST((plan.pressure == c.pressure));
    BOOST_REQUIRE(plan.too_late.has_value());
    BOOST_TEST((*plan.too_late == c.wait));
    return;
  }
  const BucketRules rules{100, 200};
  TokenBucket bucket;
  bucket.take(rules, 200 - c.level, t0);
  std::vector<core::QuotaOption> options;
  for (const auto& option : plan.options) options.push_back({option.cost, option.wait, option.wait_min});
  const QuotaVerdict verdict = take_quota(bucket, rules, options, t0);
  BOOST_TEST(verdict.granted == (c.want >= 0));
  BOOST_TEST((verdict.wait == c.wait), verdict.wait.count());
  if (!verdict.granted) return;
  BOOST_TEST(static_cast<int>(plan.options[verdict.option].step.rungs) == c.want);
  BOOST_TEST(((verdict.option > 0 ? Pressure::quota : plan.pressure) == c.pressure));
  BOOST_TEST(bucket.level(rules, t0 + verdict.wait) <= 200 - plan.options[verdict.option].cost);
}

BOOST_AUTO_TEST_CASE(unknown_paces_refuse_nothing) {
  auto list = estimates();
  for (auto& estimate : list) estimate.time.reset();
  const AdmissionPlan plan = plan_admission(list, 0, milliseconds(1));
  BOOST_REQUIRE(plan.options.size() == 4U);
  BOOST_TEST((plan.pressure == Pressure::none));
}

BOOST_AUTO_TEST_CASE(without_a_ladder_there_is_one_way_or_none) {
  auto list = estimates();
  list.resize(1);
  BOOST_TEST(plan_admission(list, 9, {}).options.size() == 1U);
  BOOST_TEST(plan_admission(list, 0, milliseconds(300)).options.empty());
  BOOST_TEST(plan_admission({}, 0, {}).options.empty());
}

BOOST_AUTO_TEST_CASE(more_than_the_burst_is_refused_for_good) {
  TokenBucket bucket;
  const core::QuotaOption option{201, {}, {}};
  const QuotaVerdict verdict = take_quota(bucket, {100, 200}, {&option, 1}, t0);
  BOOST_TEST(!verdict.granted);
  BOOST_TEST((verdict.wait == milliseconds(0)));
  BOOST_TEST(bucket.level({100, 200}, t0) == 200U);
}

BOOST_AUTO_TEST_CASE(under_more_pressure_never_fewer_rungs_are_taken) {
  // Rungs taken; refused counts as one more than all.
  const auto taken = [](std::uint32_t rungs_wanted, core::Duration deadline, std::uint64_t level) {
    const auto list = estimates();
    const AdmissionPlan plan = plan_admission(list, rungs_wanted, deadline);
    const BucketRules rules{100, 200};
    TokenBucket bucket;
    bucket.take(rules, 200 - level, t0);
    std::vector<core::QuotaOption> options;
    for (const auto& option : plan.options) options.push_back({option.cost, option.wait, option.wait_min});
    const QuotaVerdict verdict = take_quota(bucket, rules, options, t0);
    return verdict.granted ? plan.options[verdict.option].step.rungs : 4U;
  };
  std::map<std::uint32_t, int> seen;
  for (std::uint32_t wanted = 0; wanted <= 4; ++wanted) {
    for (int deadline = 50; deadline <= 600; deadline += 50) {
      for (std::uint64_t level = 0; level <= 200; level += 10) {
        const std::uint32_t rungs = taken(wanted, milliseconds(deadline), level);
        ++seen[rungs];
        BOOST_REQUIRE(taken(wanted + 1, milliseconds(deadline), level) >= rungs);
        if (deadline > 50) BOOST_REQUIRE(taken(wanted, milliseconds(deadline - 50), level) >= rungs);  // 0 would be none
        if (level >= 10) BOOST_REQUIRE(taken(wanted, milliseconds(deadline), level - 10) >= rungs);
      }
    }
  }
  for (std::uint32_t rungs = 0; rungs <= 4; ++rungs) BOOST_TEST(seen[rungs] > 0, rungs);
}

BOOST_AUTO_TEST_CASE(the_time_of_the_last_token_is_queue_prefill_and_a_step_a_token) {
  PlacementView view;
  PlacementRequest request;
  request.tokens = 100, request.output_tokens = 20;
  PlacementRules rules;
  BOOST_TEST(!completion_time(view, request, rules).has_value());
  view.step = {milliseconds(10), milliseconds(1)};
  BOOST_TEST((*completion_time(view, request, rules) == milliseconds(10 + 100 + 20 * 11)));
  view.cached_tokens = 100;
  BOOST_TEST((*completion_time(view, request, rules) == milliseconds(10 + 1 + 20 * 11)));
  view.prefill_tokens = 50, view.streams = 2;
  BOOST_TEST((*completion_time(view, request, rules) == milliseconds(10 + 51 + 2 + 20 * 13)));
}

BOOST_AUTO_TEST_CASE(tenants_spread_over_routers_and_move_only_with_their_own) {
  const auto home = [](std::uint64_t tenant, std::uint64_t without) {
    std::uint64_t best = 0;
    for (std::uint64_t router = 1; router <= 5; ++router) {
      if (router != without && (best == 0 || home_rank({tenant}, {router}) > home_rank({tenant}, {best}))) best = router;
    }
    return best;
  };
  std::map<std::uint64_t, int> tenants;
  for (std::uint64_t tenant = 1; tenant <= 500; ++tenant) {
    ++tenants[home(tenant, 0)];
    if (home(tenant, 0) != 3) BOOST_TEST(home(tenant, 3) == home(tenant, 0));
    if (home(tenant, 0) == 3) BOOST_TEST(home(tenant, 3) != 3U);
  }
  BOOST_TEST(tenants.size() == 5U);
  for (const auto& [router, count] : tenants) BOOST_TEST((count > 60 && count < 140), count);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
