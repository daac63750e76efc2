#include "sim/replica.h"

#include <boost/test/unit_test.hpp>
#include <numeric>

#include "tests/sim/tiny_profile.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
using namespace std::chrono_literals;

namespace {

ReplicaOutcome run(const EngineSettings& settings, const CostModel& costs, std::vector<ServedItem> items,
                   std::vector<core::Duration> arrivals) {
  Replica replica(settings, costs);
  const auto workload = workload_of(std::move(items));
  auto outcome = replica.run(workload, arrivals);
  BOOST_REQUIRE_MESSAGE(outcome.has_value(), (outcome ? "" : outcome.error().message));
  return *outcome;
}

ServedItem request(std::uint32_t input, std::uint32_t output, std::vector<std::uint64_t> ids = {}) {
  return {.line = 0, .input_tokens = input, .output_tokens = output, .hash_ids = std::move(ids)};
}

std::vector<std::uint64_t> ids(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> made(count);
  std::iota(made.begin(), made.end(), first);
  return made;
}

constexpr EngineSettings roomy{.kv_blocks = 1000, .sequences_max = 256, .step_tokens_max = 2048, .prefix_cache = true};

/// Requests of many sizes under pressure, the same for every call.
struct Crowd {
  std::vector<ServedItem> items;
  std::vector<core::Duration> arrivals;
};
Crowd crowd(std::uint64_t seed, std::size_t count) {
  Crowd made;
  std::uint64_t x = seed * 2 + 1;
  const auto below = [&x](std::uint64_t n) {
    x = x * 6364136223846793005ULL + 1442695040888963407ULL;
    return (x >> 33U) % n;
  };
  core::Duration at{0};
  for (std::size_t i = 0; i < count; ++i) {
    const auto input = static_cast<std::uint32_t>(1 + below(300));
    made.items.push_back(request(input, static_cast<std::uint32_t>(1 + below(120)), ids(below(8) * 100, input / 16)));
    made.arrivals.push_back(at);
    at += std::chrono::microseconds(below(4000));
  }
  return made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(replica)

BOOST_AUTO_TEST_CASE(one_request_takes_the_time_of_its_steps) {
  // Prefill of 32 rows: 18 x 42 + 2 x 34 + 115 us; then decodes at contexts 33 and 34: 18 x 11 + 2 x (5 + context / 4) + 115 us.
  const auto done = run(roomy, tiny_costs(), {request(32, 3)}, {5ms});
  BOOST_TEST((done.requests[0].first == 5ms + 939us));
  BOOST_TEST((done.requests[0].last == 5ms + 939us + 339500ns + 340us));
  BOOST_TEST(done.steps == 3U);
  BOOST_TEST(done.preemptions == 0U);
}

BOOST_AUTO_TEST_CASE(a_prompt_is_cut_to_the_budget_of_a_step) {
  auto settings = roomy;
  settings.step_tokens_max = 20;
  const auto done = run(settings, tiny_costs(), {request(32, 1)}, {0ms});
  // 20 rows, then 12 behind 20: below the grid's first chunk of 16 it costs attention as 16 do.
  BOOST_TEST((done.requests[0].first == (18 * 30 + 2 * 22 + 115) * 1us + (18 * 22 + 2 * (18 + 10) + 115) * 1us));
  BOOST_TEST(done.steps == 2U);
}

BOOST_AUTO_TEST_CASE(who_arrives_during_a_step_waits_for_its_end) {
  const auto done = run(roomy, tiny_costs(), {request(32, 2), request(32, 1)}, {0ms, 100us});
  BOOST_TEST((done.requests[0].first == 939us));
  // Then one decode at context 33 and the other prompt in one step: 18 x 43 + 2 x (2 + 32 + 3 + 8.25) + 125 us.
  BOOST_TEST((done.requests[1].first == 939us + 989500ns));
  BOOST_TEST((done.requests[0].last == done.requests[1].first));
  // Who arrives as it ends does not.
  const auto exact = run(roomy, tiny_costs(), {request(32, 2), request(32, 1)}, {0ms, 939us});
  BOOST_TEST((exact.requests[1].first == 939us + 989500ns));
}

BOOST_AUTO_TEST_CASE(the_clock_jumps_to_the_next_arrival) {
  const auto done = run(roomy, tiny_costs(), {request(32, 1), request(32, 1)}, {0ms, 1h});
  BOOST_TEST((done.requests[1].first == 1h + 939us));
}

BOOST_AUTO_TEST_CASE(equal_ids_behind_equal_ids_are_computed_once) {
  const std::vector<ServedItem> items = {request(70, 1, {1, 2, 3, 4}), request(70, 1, {1, 2, 9, 4}), request(70, 1, {7, 2, 3, 4})};
  const std::vector<core::Duration> arrivals = {0ms, 1s, 2s};
  const auto shared = run(roomy, tiny_costs(), items, arrivals);
  BOOST_TEST(shared.prefix_hit_tokens == 32U);  // of the second: its third id is another, and no later block is the same then
  auto settings = roomy;
  settings.prefix_cache = false;
  const auto alone = run(settings, tiny_costs(), items, arrivals);
  BOOST_TEST(alone.prefix_hit_tokens == 0U);
  BOOST_TEST((alone.requests[1].first - shared.requests[1].first > 0ns));
  BOOST_TEST((alone.requests[0].first == shared.requests[0].first));
  BOOST_TEST((alone.requests[2].first == shared.requests[2].first));
}

BOOST_AUTO_TEST_CASE(blocks_without_an_id_are_shared_with_nobody) {
  const auto done = run(roomy, tiny_costs(), {request(70, 1), request(70, 1), request(70, 1, {1})}, {0ms, 1s, 2s});
  BOOST_TEST(done.prefix_hit_tokens == 0U);
}

BOOST_AUTO_TEST_CASE(a_preempted_request_goes_on_before_those_that_came_later) {
  // 10 blocks. Two prompts of 4 blocks fill up to 10 and grow: the second is preempted. A third, small one came later.
  EngineSettings settings = roomy;
  settings.kv_blocks = 10;
  const auto done = run(settings, tiny_costs(), {request(64, 60), request(64, 40), request(16, 2)}, {0ms, 0ms, 1ms});
  BOOST_TEST(done.preemptions >= 1U);
  BOOST_TEST((done.requests[1].first < done.requests[2].first));
  // The third would fit into what the second gave up; it does not overtake.
  BOOST_TEST((done.requests[2].first > done.requests[0].last));
}

BOOST_AUTO_TEST_CASE(a_preempted_request_finds_its_own_blocks_again) {
  EngineSettings settings = roomy;
  settings.kv_blocks = 10;
  const std::vector<ServedItem> items = {request(64, 60), request(64, 40)};
  const auto cached = run(settings, tiny_costs(), items, {0ms, 0ms});
  BOOST_TEST(cached.preemptions >= 1U);
  BOOST_TEST(cached.prefix_hit_tokens > 0U);
  settings.prefix_cache = false;
  const auto recomputed = run(settings, tiny_costs(), items, {0ms, 0ms});
  BOOST_TEST(recomputed.preemptions >= 1U);
  BOOST_TEST(recomputed.prefix_hit_tokens == 0U);
  BOOST_TEST((recomputed.requests[1].last > cached.requests[1].last));
}

BOOST_AUTO_TEST_CASE(a_prompt_that_just_fits_is_admitted_beside_another) {
  EngineSettings settings = roomy;
  settings.kv_blocks = 8;
  const auto done = run(settings, tiny_costs(), {request(63, 1), request(63, 1)}, {0ms, 0ms});
  BOOST_TEST((done.requests[0].first == done.requests[1].first));
}

BOOST_AUTO_TEST_CASE(sequences_have_a_limit) {
  EngineSettings settings = roomy;
  settings.sequences_max = 1;
  const auto done = run(settings, tiny_costs(), {request(32, 3), request(32, 1)}, {0ms, 0ms});
  BOOST_TEST((done.requests[1].first > done.requests[0].last));
}

BOOST_AUTO_TEST_CASE(a_request_larger_than_the_replica_is_refused_before_anything_runs) {
  EngineSettings settings = roomy;
  settings.kv_blocks = 4;
  const auto costs = tiny_costs();
  Replica replica(settings, costs);
  const auto fits = workload_of({request(60, 5), request(64, 1)});
  BOOST_TEST(replica.run(fits, std::vector<core::Duration>{0ms, 0ms}).has_value());
  const auto larger = workload_of({request(60, 5), request(60, 6)});
  const auto refused = replica.run(larger, std::vector<core::Duration>{0ms, 0ms});
  BOOST_REQUIRE(!refused.has_value());
  BOOST_TEST(says(refused.error(), "workload.jsonl:2:", "60 + 6 tokens need 5 KV blocks: want at most 4"));
}

BOOST_AUTO_TEST_CASE(a_request_decades_later_is_of_another_run) {
  const auto costs = tiny_costs();
  Replica replica(roomy, costs);
  const auto workload = workload_of({request(32, 1), request(32, 1)});
  BOOST_TEST(replica.run(workload, std::vector<core::Duration>{0ms, Replica::time_max}).has_value());
  const auto later = replica.run(workload, std::vector<core::Duration>{0ms, Replica::time_max + 1ns});
  BOOST_REQUIRE(!later.has_value());
  BOOST_TEST(says(later.error(), "workload.jsonl:2:", "decades"));
}

BOOST_AUTO_TEST_CASE(crowds_are_served_in_order_of_arrival_and_alike_each_time) {
  const auto costs = tiny_costs();
  EngineSettings settings{.kv_blocks = 60, .sequences_max = 12, .step_tokens_max = 128, .prefix_cache = true};
  std::uint64_t preemptions = 0;
  std::uint64_t hits = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto made = crowd(seed, 60);
    const auto done = run(settings, costs, made.items, made.arrivals);
    for (std::size_t i = 0; i < made.items.size(); ++i) {
      const auto& r = done.requests[i];
      BOOST_TEST_INFO("seed " << seed << " request " << i);
      BOOST_TEST((made.arrivals[i] < r.first && r.first <= r.last && (made.items[i].output_tokens > 1) == (r.first < r.last)));
      if (i > 0) BOOST_TEST((done.requests[i - 1].first <= r.first));
    }
    preemptions += done.preemptions;
    hits += done.prefix_hit_tokens;
    const auto again = run(settings, costs, made.items, made.arrivals);
    BOOST_TEST((again.end == done.end && again.steps == done.steps && again.preemptions == done.preemptions));
  }
  BOOST_TEST_MESSAGE("20 crowds: " << preemptions << " preemptions, " << hits << " tokens found");
  BOOST_TEST(preemptions > 200U);
  BOOST_TEST(hits > 10000U);
}

BOOST_AUTO_TEST_CASE(a_step_that_costs_nobody_knows_what_ends_the_run) {
  auto costs = tiny_costs();
  costs.decode_attention = {};
  Replica replica(roomy, costs);
  const auto workload = workload_of({request(32, 2)});
  BOOST_TEST(says(replica.run(workload, std::vector<core::Duration>{0ms}).error(), "attention.csv", "1 decodes of 33 tokens"));
}

BOOST_AUTO_TEST_SUITE_END()
