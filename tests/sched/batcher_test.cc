#include <boost/test/unit_test.hpp>

#include "tests/sched/batcher_world.h"

/// Property tests of the batcher: random lives of many streams on two batchers. After each event the ledgers are checked
/// (BatcherCore::check), the worker checks each plan and each row, the owners check each token.
using namespace spillway::sched::test;

namespace {

WorldCounts play(WorldOptions options, std::uint64_t seeds) {
  WorldCounts sum;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      options.seed = seed;
      sum += World(options).play();
    }
  }
  BOOST_TEST_MESSAGE("streams: finished " << sum.finished << ", cancelled " << sum.cancelled << ", expired " << sum.expired << ", refused "
                                          << sum.refused << ", returned " << sum.returned << ", orphaned " << sum.orphaned << ", replaced "
                                          << sum.replaced << ", replays " << sum.replays);
  BOOST_TEST_MESSAGE("blocks: preemptions " << sum.preemptions << ", copies " << sum.copies << ", forks " << sum.forks
                                            << ", prefix hit tokens " << sum.prefix_hit_tokens << ", names told " << sum.names_told
                                            << ", gone " << sum.names_gone << ", mixed steps " << sum.mixed_steps << ", tokens guessed "
                                            << sum.guessed);
  BOOST_TEST_MESSAGE("moves: exports " << sum.exports << ", committed " << sum.moves << ", thawed " << sum.thaws << ", ended "
                                       << sum.exports_ended << ", imports refused " << sum.imports_refused << ", blocks held "
                                       << sum.blocks_held << "; faults: workers " << sum.worker_failures << ", owners " << sum.owner_deaths
                                       << ", cancels in a step " << sum.dropped_results << "; held " << sum.held << ", of them moved "
                                       << sum.held_moved);
  return sum;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(batcher_world)

BOOST_AUTO_TEST_CASE(undisturbed_text_whatever_happens) {
  const auto sum = play({}, 150);
  // What was claimed must have happened.
  BOOST_TEST(sum.finished > 5000U);
  BOOST_TEST(sum.cancelled > 200U);
  BOOST_TEST(sum.expired > 150U);
  BOOST_TEST(sum.replaced > 300U);
  BOOST_TEST(sum.replays > 2000U);
  BOOST_TEST(sum.preemptions > 600U);
  BOOST_TEST(sum.copies > 3000U);
  BOOST_TEST(sum.forks > 1500U);
  BOOST_TEST(sum.prefix_hit_tokens > 80000U);
  BOOST_TEST(sum.names_gone > 10000U);
  BOOST_TEST(sum.mixed_steps > 10000U);
  BOOST_TEST(sum.guessed > 10000U);
  BOOST_TEST(sum.held > 100U);
  BOOST_TEST(sum.held_moved > 20U);
  BOOST_TEST(sum.moves > 2000U);
  BOOST_TEST(sum.thaws > 1000U);
  BOOST_TEST(sum.exports_ended > 300U);
  BOOST_TEST(sum.imports_refused > 20U);
  BOOST_TEST(sum.blocks_held > 3000U);
  BOOST_TEST(sum.worker_failures > 100U);
  BOOST_TEST(sum.owner_deaths > 100U);
  BOOST_TEST(sum.dropped_results > 100U);
}

BOOST_AUTO_TEST_CASE(pools_too_small_for_all_preempt_and_lose_nothing) {
  const auto sum = play({.blocks = 14, .sequences_max = 10, .streams = 40, .prompt_max = 90, .tokens_max = 90}, 60);
  BOOST_TEST(sum.preemptions > 500U);
  BOOST_TEST(sum.held > 100U);
  BOOST_TEST(sum.held_moved > 8U);
  BOOST_TEST(sum.finished > 1000U);
}

BOOST_AUTO_TEST_CASE(windows_and_states_lose_nothing_either) {
  const auto sum = play({.blocks = 90, .streams = 40, .groups = true}, 120);
  BOOST_TEST(sum.finished > 2000U);
  BOOST_TEST(sum.preemptions > 100U);
  BOOST_TEST(sum.copies > 1000U);
  BOOST_TEST(sum.forks > 500U);
  BOOST_TEST(sum.moves > 1000U);
  BOOST_TEST(sum.thaws > 500U);
  BOOST_TEST(sum.prefix_hit_tokens > 10000U);
}

BOOST_AUTO_TEST_CASE(without_faults_every_stream_finishes) {
  const auto sum = play({.blocks = 64, .streams = 50, .faults = false}, 30);
  BOOST_TEST(sum.finished == 30U * 50U);
}

BOOST_AUTO_TEST_CASE(a_budget_below_the_number_of_decodes_starves_nobody) {
  const auto sum =
      play({.blocks = 60, .step_tokens_max = 3, .sequences_max = 16, .streams = 30, .prompt_max = 40, .faults = false, .moves = false}, 20);
  BOOST_TEST(sum.finished == 20U * 30U);
}

BOOST_AUTO_TEST_SUITE_END()
