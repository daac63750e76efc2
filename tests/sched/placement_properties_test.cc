#include <boost/test/unit_test.hpp>
#include <map>
#include <set>

#include "sched/placement.h"
#include "sched/placement_draw.h"

/// What holds for every policy, over random replicas from seeds.
namespace spillway::sched {

namespace {

/// SplitMix64.
struct Random {
  std::uint64_t state;
  std::uint64_t next() {
    state += 0x9e3779b97f4a7c15ULL;
    std::uint64_t z = state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
  }
  std::uint64_t below(std::uint64_t n) { return next() % n; }
};

PlacementView random_view(std::uint64_t node, Random& random) {
  PlacementView view;
  view.replica = {{node}, static_cast<std::uint32_t>(random.below(2))};
  view.eligible = random.below(4) != 0;
  view.blocks_total = random.below(10) == 0 ? 0 : 100;
  view.blocks_free = static_cast<std::uint32_t>(random.below(101));
  view.blocks_used = static_cast<std::uint32_t>(random.below(101));
  view.blocks_in_flight = static_cast<std::uint32_t>(random.below(3) == 0 ? random.below(60) : 0);
  view.prefill_tokens = random.below(3) == 0 ? random.below(4000) : 0;
  view.tokens_in_flight = random.below(3) == 0 ? random.below(4000) : 0;
  view.progress_tokens = random.below(3) == 0 ? random.below(4000) : 0;
  view.streams = static_cast<std::uint32_t>(random.below(60));
  view.queued = static_cast<std::uint32_t>(random.below(5));
  view.dispatches = static_cast<std::uint32_t>(random.below(5));
  view.decode_tokens = random.below(20000);
  view.cached_tokens = random.below(3) == 0 ? random.below(2000) : 0;
  view.names = random.below(300);
  if (random.below(4) != 0) {
    view.step = {core::Duration(random.below(50'000'000)), core::Duration(random.below(2'000'000))};
  }
  return view;
}

struct Trial {
  std::vector<PlacementView> views;
  PlacementRequest request;
  PlacementRules rules;
  PlacementState state;
};

Trial random_trial(core::PlacementPolicy policy, Random& random) {
  Trial trial;
  const std::uint64_t count = 1 + random.below(12);
  for (std::uint64_t i = 0; i < count; ++i) trial.views.push_back(random_view(i + 1, random));
  for (std::size_t i = trial.views.size(); i > 1; --i) std::swap(trial.views[i - 1], trial.views[random.below(i)]);
  trial.request = {1 + random.below(2000),
                   static_cast<std::uint32_t>(1 + random.below(70)),
                   random.below(500),
                   {{1}, {{random.next(), random.next()}}},
                   {1},
                   core::Instant{core::Duration(random.below(1'000'000'000'000))}};
  trial.rules.policy = policy;
  trial.rules.imbalance_requests = static_cast<std::uint32_t>(random.below(64));
  trial.rules.decay_permille = static_cast<std::uint32_t>(random.below(2000));
  trial.rules.kv_use_permille = static_cast<std::uint32_t>(500 + random.below(600));
  trial.state.draws = random.below(1000);
  if (random.below(2) == 0) trial.state.turns[{1}] = {{random.below(12)}, 0};
  for (int i = 0; i < 4; ++i) {
    PlacementRequest before = trial.request;
    before.now -= core::Duration(random.below(400'000'000'000));
    if (before.now >= core::Instant{}) remember(trial.state, trial.views[random.below(count)], before, trial.rules);
  }
  return trial;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(placement_properties)

BOOST_AUTO_TEST_CASE(the_unfit_and_the_full_are_never_chosen_and_somebody_is_while_anybody_may_be) {
  std::map<std::string_view, int> chosen;
  std::map<std::string_view, int> reasons;
  int nobody = 0;
  for (std::uint64_t seed = 1; seed <= 3000; ++seed) {
    for (std::size_t p = 0; p < core::placement_policy_names().size(); ++p) {
      Random random{seed * 100 + p};
      const auto policy = static_cast<core::PlacementPolicy>(p);
      Trial trial = random_trial(policy, random);
      std::set<core::ReplicaRef> may;
      for (const PlacementView& view : trial.views) {
        if (view.eligible && view.blocks_free >= view.blocks_in_flight + trial.request.blocks) may.insert(view.replica);
      }
      std::vector<std::int64_t> scores(trial.views.size());
      std::size_t usable_count = 0;
      const auto pick = choose(trial.views, trial.request, trial.rules, trial.state, scores, usable_count);
      BOOST_TEST_CONTEXT("seed " << seed << ", " << to_string(policy)) {
        BOOST_REQUIRE(usable_count == may.size());
        BOOST_REQUIRE(pick.has_value() == !may.empty());
        if (!pick) {
          ++nobody;
          continue;
        }
        BOOST_REQUIRE(may.contains(trial.views[pick->index].replica));
        // The scores explain the choice: nobody had a lower one, and those that could not be chosen are told apart.
        for (std::size_t i = 0; i < scores.size(); ++i) {
          BOOST_REQUIRE(scores[pick->index] <= scores[i]);
          if (i >= usable_count) BOOST_REQUIRE(scores[i] == worst_score);
          if (i < usable_count) BOOST_REQUIRE(may.contains(trial.views[i].replica));
          const bool equal = scores[i] == scores[pick->index] && policy != core::PlacementPolicy::dynamo;
          if (equal && i < usable_count) BOOST_REQUIRE((trial.views[pick->index].replica <= trial.views[i].replica));
        }
        ++chosen[to_string(policy)];
        ++reasons[to_string(pick->reason)];
      }
    }
  }
  for (const auto name : core::placement_policy_names()) BOOST_TEST(chosen[name] > 1500, name);
  for (std::uint8_t r = 0; r <= static_cast<std::uint8_t>(PlacementReason::rebalanced); ++r) {
    BOOST_TEST(reasons[to_string(static_cast<PlacementReason>(r))] > 10, to_string(static_cast<PlacementReason>(r)));
  }
  BOOST_TEST(nobody > 100);
}

BOOST_AUTO_TEST_CASE(a_choice_does_not_depend_on_the_order_in_which_replicas_are_looked_at) {
  // But for the policies that draw.
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    for (const auto policy : {core::PlacementPolicy::additive, core::PlacementPolicy::round_robin, core::PlacementPolicy::least_requests,
                              core::PlacementPolicy::cache_aware, core::PlacementPolicy::preble}) {
      Random random{seed};
      Trial trial = random_trial(policy, random);
      Trial turned = trial;
      std::reverse(turned.views.begin(), turned.views.end());
      std::vector<std::int64_t> scores(trial.views.size());
      std::size_t usable_count = 0;
      const auto a = choose(trial.views, trial.request, trial.rules, trial.state, scores, usable_count);
      const auto b = choose(turned.views, turned.request, turned.rules, turned.state, scores, usable_count);
      BOOST_REQUIRE(a.has_value() == b.has_value());
      if (a) BOOST_REQUIRE((trial.views[a->index].replica == turned.views[b->index].replica));
    }
  }
}

BOOST_AUTO_TEST_CASE(additive_cost_grows_with_every_load_and_falls_with_every_hit) {
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Random random{seed};
    const Trial trial = random_trial(core::PlacementPolicy::additive, random);
    const StepCoefficients unknown = mean_coefficients(trial.views);
    for (const PlacementView& view : trial.views) {
      const auto cost = [&](const PlacementView& v) { return additive_cost(v, trial.request, trial.rules, unknown); };
      const auto with = [&](auto change) {
        PlacementView other = view;
        change(other);
        return cost(other);
      };
      const core::Duration as_is = cost(view);
      const std::uint64_t more = 1 + random.below(500);
      BOOST_REQUIRE((with([&](auto& v) { v.prefill_tokens += more; }) >= as_is));
      BOOST_REQUIRE((with([&](auto& v) { v.tokens_in_flight += more; }) >= as_is));
      BOOST_REQUIRE((with([&](auto& v) { v.streams += static_cast<std::uint32_t>(more); }) >= as_is));
      BOOST_REQUIRE((with([&](auto& v) { v.dispatches += static_cast<std::uint32_t>(more); }) >= as_is));
      BOOST_REQUIRE((with([&](auto& v) { v.decode_tokens += more; }) >= as_is));
      BOOST_REQUIRE((with([&](auto& v) { v.cached_tokens += more; }) <= as_is));
      BOOST_REQUIRE((with([&](auto& v) { v.progress_tokens += more; }) <= as_is));
      if (view.step.known()) BOOST_REQUIRE((with([&](auto& v) { v.step.row += core::Duration(more); }) >= as_is));
    }
  }
}

BOOST_AUTO_TEST_CASE(draws_are_distinct_even_and_repeatable) {
  std::map<std::uint32_t, int> drawn;
  for (std::uint64_t i = 0; i < 2000; ++i) {
    const core::StreamKey key{{1}, {{i / 100, i}}};
    std::uint32_t first[8];
    std::uint32_t again[8];
    const std::size_t count = PlacementDraw(key, i).distinct(100, first);
    BOOST_REQUIRE(count == 8U);
    BOOST_REQUIRE(PlacementDraw(key, i).distinct(100, again) == 8U);
    BOOST_REQUIRE(std::equal(first, first + 8, again));
    BOOST_REQUIRE((std::set<std::uint32_t>(first, first + 8).size() == 8U));
    for (const std::uint32_t index : first) ++drawn[index];
  }
  BOOST_TEST(drawn.size() == 100U);  // 160 times each
  for (const auto& [index, times] : drawn) BOOST_TEST((times > 110 && times < 220), index << ": " << times);
  std::uint32_t all[8];
  BOOST_TEST(PlacementDraw({}, 1).distinct(3, all) == 3U);
  BOOST_TEST(PlacementDraw({}, 1).distinct(1, all) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
