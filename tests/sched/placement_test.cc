#include "sched/placement.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <ostream>

/// What each policy chooses and why, one rule a row. That nobody chooses the unfit: placement_properties_test.
namespace spillway::sched {

namespace bdata = boost::unit_test::data;

namespace {

using core::PlacementPolicy;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::minutes;

/// Replicas 1, 2, 3 ... of one model with room, and a request of 500 tokens.
struct World {
  std::vector<PlacementView> views;
  PlacementRequest request{500, 32, 100, {{1}, {{7, 9}}}, {5}, core::Instant{minutes(10)}};
  PlacementRules rules;
  PlacementState state;
  std::vector<std::int64_t> scores;
  std::optional<PlacementPick> pick;

  explicit World(std::size_t count = 2) {
    for (std::size_t i = 0; i < count; ++i) {
      PlacementView& view = views.emplace_back();
      view.replica = {{i + 1}, 0};
      view.blocks_free = view.blocks_total = 1000;
    }
  }
  PlacementView& operator[](std::size_t i) { return views[i - 1]; }
  /// The node chosen, 0 when none is.
  std::uint64_t choose() {
    scores.resize(views.size());
    std::size_t usable_count = 0;
    pick = sched::choose(views, request, rules, state, scores, usable_count);
    if (!pick) return 0;
    remember(state, views[pick->index], request, rules);
    return views[pick->index].replica.node.value;
  }
};

struct Case {
  const char* rule;
  PlacementPolicy policy;
  std::uint64_t want;
  PlacementReason reason;
  std::function<void(World&)> make;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << to_string(c.policy) << ": " << c.rule; }
};

constexpr auto additive = PlacementPolicy::additive;
constexpr auto round_robin = PlacementPolicy::round_robin;
constexpr auto least_requests = PlacementPolicy::least_requests;
constexpr auto power_of_two = PlacementPolicy::power_of_two;
constexpr auto cache_aware = PlacementPolicy::cache_aware;
constexpr auto dynamo = PlacementPolicy::dynamo;
constexpr auto preble = PlacementPolicy::preble;
using R = PlacementReason;

/// A node that computes nothing but takes everything: no prefix there, nothing runs, its queue grows.
void stuck(World& w) {
  w[1].queued = 30, w[1].prefill_tokens = 15000;
  w[2].names = 5000, w[2].streams = 20;
  w.rules.imbalance_requests = 64;
}

const Case additive_cases[] = {
    {"equals go to the lowest id", additive, 1, R::least_cost, [](World& w) { std::swap(w[1], w[2]); }},
    {"a prefix hit beats a shorter queue", additive, 1, R::least_cost,
     [](World& w) { w[1].cached_tokens = 480, w[1].prefill_tokens = 300, w[2].prefill_tokens = 100; }},
    {"a long queue beats a prefix hit", additive, 2, R::least_cost,
     [](World& w) { w[1].cached_tokens = 480, w[1].prefill_tokens = 700, w[2].prefill_tokens = 100; }},
    {"dispatches in flight count like reported prefill", additive, 2, R::least_cost,
     [](World& w) { w[1].tokens_in_flight = 400, w[2].prefill_tokens = 300; }},
    {"what the replica has computed since it reported counts no more", additive, 1, R::least_cost,
     [](World& w) { w[1].prefill_tokens = 400, w[1].progress_tokens = 150, w[2].prefill_tokens = 300; }},
    {"a progress beyond the work is no credit", additive, 1, R::least_cost,
     [](World& w) { w[2].prefill_tokens = 10, w[2].progress_tokens = 9000; }},
    {"running streams weigh", additive, 2, R::least_cost, [](World& w) { w[1].streams = 4, w[2].streams = 3; }},
    {"requests on the way weigh before anybody confirms them", additive, 2, R::least_cost,
     [](World& w) { w[1].cached_tokens = w[2].cached_tokens = 500, w[1].dispatches = 1; }},
    {"streams weigh where a step takes as long for few as for many", additive, 2, R::least_cost,
     [](World& w) {
       w[1].step = {milliseconds(8), microseconds(0)}, w[1].streams = 4;
       w[2].step = {milliseconds(9), microseconds(0)}, w[2].streams = 1;
     }},
    {"long contexts weigh", additive, 2, R::least_cost, [](World& w) { w[1].decode_tokens = 6400, w[2].decode_tokens = 3200; }},
    {"prefixes may be worth nothing", additive, 2, R::least_cost,
     [](World& w) { w[1].cached_tokens = 480, w[1].streams = 1, w.rules.prefix_weight_permille = 0; }},
    {"a hit longer than the request counts no more than it", additive, 2, R::least_cost,
     [](World& w) { w[1].cached_tokens = 5000, w[1].streams = 1, w[2].cached_tokens = 500; }},
    {"tokens of a fast replica cost less", additive, 2, R::least_cost,
     [](World& w) {
       w[1].step = {milliseconds(5), microseconds(400)}, w[1].prefill_tokens = 500;
       w[2].step = {milliseconds(5), microseconds(100)}, w[2].prefill_tokens = 2000;
     }},
    {"a prefix hit on a slow replica loses to a fast one", additive, 2, R::least_cost,
     [](World& w) {
       w[1].step = {milliseconds(50), milliseconds(2)}, w[1].cached_tokens = 250;
       w[2].step = {milliseconds(10), microseconds(100)};
     }},
    {"a slow step costs even where nothing waits", additive, 1, R::least_cost,
     [](World& w) {
       w[1].step = {milliseconds(10), microseconds(100)}, w[1].streams = 3;
       w[2].step = {milliseconds(30), microseconds(100)};
     }},
    {"who has not learnt its pace is taken for the mean of the others", additive, 3, R::least_cost,
     [](World& w) {
       w = World(3);
       w[1].step = {milliseconds(10), milliseconds(1)}, w[2].step = {milliseconds(30), milliseconds(1)};
       w[1].prefill_tokens = 900;  // 1: 1.4 s, 2: 0.5 s and long steps, 3: 0.5 s and middling ones
     }},
    // What goes wrong with the others (below) must not here.
    {"a stuck replica that holds no prefix is not fed", additive, 2, R::least_cost, stuck},
    {"affinity outlives an imbalance that costs less than it saves", additive, 1, R::least_cost,
     [](World& w) { w.request.tokens = 4000, w[1].cached_tokens = 3900, w[1].streams = 40; }},
    {"affinity ends where the imbalance costs more", additive, 2, R::least_cost,
     [](World& w) { w.request.tokens = 4000, w[1].cached_tokens = 3900, w[1].streams = 300; }},
};

const Case simple_cases[] = {
    {"the first turn is the lowest id's", round_robin, 1, R::in_turn, [](World& w) { std::swap(w[1], w[2]); }},
    {"then comes the next id, whatever its load", round_robin, 2, R::in_turn,
     [](World& w) {
       w.state.turns[{5}] = {{1}, 0}, w[2].streams = 900;
     }},
    {"behind the last comes the first", round_robin, 1, R::in_turn,
     [](World& w) {
       w.state.turns[{5}] = {{2}, 0};
     }},
    {"one that is gone since keeps its place in the order", round_robin, 3, R::in_turn,
     [](World& w) {
       w = World(3), w.state.turns[{5}] = {{2}, 7};
     }},
    {"another model's turns are another's", round_robin, 1, R::in_turn,
     [](World& w) {
       w.state.turns[{6}] = {{1}, 0};
     }},
    {"a full one loses its turn", round_robin, 3, R::in_turn,
     [](World& w) {
       w = World(3), w.state.turns[{5}] = {{1}, 0}, w[2].blocks_free = 0;
     }},
    {"running, queued and dispatched requests are one load", least_requests, 1, R::fewest_requests,
     [](World& w) { w[1].streams = 5, w[2].streams = 2, w[2].queued = 2, w[2].dispatches = 2; }},
    {"prefixes do not matter", least_requests, 1, R::fewest_requests, [](World& w) { w[2].cached_tokens = 500; }},
    {"equals go to the lowest id", least_requests, 1, R::fewest_requests, [](World& w) { std::swap(w[1], w[2]); }},
    {"the lower use of KV blocks wins", power_of_two, 2, R::less_of_two, [](World& w) { w[1].blocks_free = 400, w[2].blocks_free = 500; }},
    {"use is a share, not a number of blocks", power_of_two, 2, R::less_of_two,
     [](World& w) { w[1].blocks_total = 500, w[1].blocks_free = 250, w[2].blocks_free = 600; }},
    {"blocks on the way are used", power_of_two, 2, R::less_of_two, [](World& w) { w[1].blocks_in_flight = 200, w[2].blocks_free = 900; }},
    {"where one has not told its blocks requests are counted for both", power_of_two, 1, R::less_of_two,
     [](World& w) { w[1].blocks_free = 100, w[2].blocks_total = 0, w[2].streams = 1; }},
};

const Case cache_aware_cases[] = {
    {"the longest match wins when loads are even", cache_aware, 2, R::longest_match,
     [](World& w) { w[1].cached_tokens = 300, w[2].cached_tokens = 400, w[2].streams = 30; }},
    {"half the request is no match", cache_aware, 2, R::smallest_tree, [](World& w) { w[1].cached_tokens = 250, w[1].names = 9; }},
    {"without a match the smallest tree wins", cache_aware, 2, R::smallest_tree, [](World& w) { w[1].names = 10, w[2].names = 9; }},
    {"an imbalance drops affinity", cache_aware, 2, R::shortest_queue, [](World& w) { w[1].cached_tokens = 500, w[1].streams = 33; }},
    {"a difference that is no multiple is no imbalance", cache_aware, 1, R::longest_match,
     [](World& w) { w[1].cached_tokens = 500, w[1].streams = 1040, w[2].streams = 1000; }},
    {"a multiple that is no difference is no imbalance", cache_aware, 1, R::longest_match,
     [](World& w) { w[1].cached_tokens = 500, w[1].streams = 32; }},
    {"a spread of KV use is an imbalance where it is switched on", cache_aware, 2, R::shortest_queue,
     [](World& w) { w[1].cached_tokens = 500, w[1].blocks_free = 500, w[1].streams = 1, w.rules.kv_spread_permille = 400; }},
    {"a KV use too high is one too", cache_aware, 2, R::shortest_queue,
     [](World& w) { w[1].cached_tokens = 500, w[1].blocks_free = 200, w[1].streams = 1, w.rules.kv_use_permille = 700; }},
    {"its known failure: a stuck replica has the smallest tree and is fed", cache_aware, 1, R::smallest_tree, stuck},
};

const Case dynamo_cases[] = {
    {"blocks held are credit against prefill", dynamo, 2, R::least_cost,
     [](World& w) { w[2].cached_tokens = 320, w[2].decode_tokens = 16 * 19; }},
    {"more decode blocks than credit lose", dynamo, 1, R::least_cost,
     [](World& w) { w[2].cached_tokens = 320, w[2].decode_tokens = 16 * 21; }},
    {"prefill under way counts as much as the own", dynamo, 1, R::least_cost,
     [](World& w) { w[1].decode_tokens = 16 * 9, w[2].prefill_tokens = 16 * 5, w[2].tokens_in_flight = 16 * 5; }},
    {"an overlap weight below one favours the light batch", dynamo, 1, R::least_cost,
     [](World& w) { w[2].cached_tokens = 320, w[2].decode_tokens = 16 * 15, w.rules.overlap_permille = 500; }},
    {"requests weigh where q is set", dynamo, 2, R::least_cost,
     [](World& w) { w[1].streams = 3, w[2].decode_tokens = 16 * 2, w.rules.request_blocks_permille = 1000; }},
    {"credit fades with the prefill in excess", dynamo, 1, R::least_cost,
     [](World& w) { w[2].cached_tokens = 480, w[2].prefill_tokens = 16 * 20, w.rules.decay_permille = 1000; }},
    {"without decay it does not", dynamo, 2, R::least_cost, [](World& w) { w[2].cached_tokens = 480, w[2].prefill_tokens = 16 * 20; }},
};

const Case preble_cases[] = {
    {"more cached than new is exploited", preble, 2, R::exploited, [](World& w) { w[2].cached_tokens = 272; }},
    {"less cached than new is explored", preble, 1, R::explored, [](World& w) { w[2].cached_tokens = 240, w[2].streams = 3; }},
    {"of two that hold as much the less loaded is exploited", preble, 2, R::exploited,
     [](World& w) {
       w = World(3);
       w[1].cached_tokens = w[2].cached_tokens = 400, w[1].streams = 1;
     }},
    {"what was sent there within the window is load", preble, 2, R::explored,
     [](World& w) { remember(w.state, w[1], w.request, w.rules); }},
    {"what was sent before the window is none", preble, 1, R::explored,
     [](World& w) {
       remember(w.state, w[1], w.request, w.rules);
       w[2].streams = 1;
       w.request.now += minutes(4);
     }},
    {"a holder loaded beyond the others and its worth is passed over", preble, 2, R::rebalanced,
     [](World& w) { w[1].cached_tokens = 400, w[1].streams = 40; }},
    {"a holder loaded beyond its worth alone is not", preble, 1, R::exploited,
     [](World& w) { w[1].cached_tokens = 400, w[1].streams = 40, w[2].streams = 39; }},
    {"evicting what is used again costs", preble, 2, R::explored,
     [](World& w) {
       auto hit = w.request;
       w[1].cached_tokens = 500;
       remember(w.state, w[1], hit, w.rules);
       w[1].cached_tokens = 0;
       w[1].names = 1000;  // all its blocks are cached ones
     }},
};

void chooses(const Case& c) {
  World w;
  w.rules.policy = c.policy;
  c.make(w);
  w.rules.policy = c.policy;
  BOOST_TEST(w.choose() == c.want);
  BOOST_REQUIRE(w.pick.has_value());
  BOOST_TEST(to_string(w.pick->reason) == to_string(c.reason));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(placement_test)

BOOST_DATA_TEST_CASE(additive_chooses, bdata::make(additive_cases), c) {
  chooses(c);
}
BOOST_DATA_TEST_CASE(simple_policies_choose, bdata::make(simple_cases), c) {
  chooses(c);
}
BOOST_DATA_TEST_CASE(cache_aware_chooses, bdata::make(cache_aware_cases), c) {
  chooses(c);
}
BOOST_DATA_TEST_CASE(dynamo_chooses, bdata::make(dynamo_cases), c) {
  chooses(c);
}
BOOST_DATA_TEST_CASE(preble_chooses, bdata::make(preble_cases), c) {
  chooses(c);
}

BOOST_AUTO_TEST_CASE(room_is_what_is_free_and_not_on_the_way) {
  World w;
  w[1].blocks_free = 60, w[1].blocks_in_flight = 29;
  w[2].prefill_tokens = 9000;
  BOOST_TEST(w.choose() == 2U);
  w = World();
  w[1].blocks_free = 31, w[2].blocks_free = 32;
  BOOST_TEST(w.choose() == 2U);
  w = World();
  w[1].blocks_free = 32, w[2].blocks_free = 32;
  BOOST_TEST(w.choose() == 1U);
  for (auto& view : w.views) view.blocks_free = 31;
  BOOST_TEST(w.choose() == 0U);
  w.views.clear();
  BOOST_TEST(w.choose() == 0U);
}

BOOST_AUTO_TEST_CASE(place_is_additive_over_views_that_stay_where_they_are) {
  World w(3);
  w[1].eligible = false;
  w[2].prefill_tokens = 100;
  const auto best = place(w.views, w.request);
  BOOST_REQUIRE(best.has_value());
  BOOST_TEST(*best == 2U);
  BOOST_TEST(w.views[0].replica.node.value == 1U);
  BOOST_TEST(!place({}, w.request).has_value());
}

/// A burst that arrives between two reports: each choice is a dispatch that the next one sees.
std::map<std::uint64_t, int> burst(PlacementPolicy policy, std::size_t replicas, int requests, std::uint64_t cached_at_first) {
  World w(replicas);
  w.rules.policy = policy;
  std::map<std::uint64_t, int> sent;
  for (int i = 0; i < requests; ++i) {
    for (PlacementView& view : w.views) view.cached_tokens = view.replica.node.value == 1 ? cached_at_first : 0;
    w.request.key.request.lo = static_cast<std::uint64_t>(i);
    const std::uint64_t node = w.choose();
    PlacementView& view = w.views[w.pick->index];
    ++view.dispatches;
    view.tokens_in_flight += w.request.tokens - view.cached_tokens;
    ++sent[node];
  }
  return sent;
}

BOOST_AUTO_TEST_CASE(a_burst_between_two_reports_is_spread_and_not_pinned_to_one_replica) {
  const auto plain = burst(additive, 4, 40, 0);
  for (const auto& [node, count] : plain) BOOST_TEST(count == 10, "node " << node << ": " << count);
  BOOST_TEST(plain.size() == 4U);
  // All of it cached at one: it gets the most, and not all.
  const auto cached = burst(additive, 4, 200, 500);
  BOOST_TEST(cached.at(1) > 100);
  BOOST_TEST(cached.at(1) < 195);
  BOOST_TEST(cached.size() == 4U);
  for (const auto policy : {round_robin, least_requests}) BOOST_TEST(burst(policy, 4, 40, 500).at(1) == 10);
}

BOOST_AUTO_TEST_CASE(ties_of_dynamo_are_drawn_and_fall_on_all) {
  World w(5);
  w.rules.policy = dynamo;
  std::map<std::uint64_t, int> chosen;
  for (int i = 0; i < 200; ++i) ++chosen[w.choose()];
  BOOST_TEST(chosen.size() == 5U);
}

BOOST_AUTO_TEST_CASE(two_are_drawn_from_all) {
  World w(9);
  w.rules.policy = power_of_two;
  std::map<std::uint64_t, int> chosen;
  for (int i = 0; i < 300; ++i) ++chosen[w.choose()];
  BOOST_TEST(chosen.size() == 8U);  // equals go to the lower id, so the highest never wins
  w[9].blocks_total = 2000, w[9].blocks_free = 2000;
  int compared = 0;
  for (int i = 0; i < 50; ++i) {
    w.choose();
    compared = 0;
    for (const std::int64_t score : w.scores) compared += score != worst_score ? 1 : 0;
    BOOST_TEST(compared == 2);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
