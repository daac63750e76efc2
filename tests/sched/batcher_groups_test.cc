#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "sched/batcher_core.h"
#include "tests/sched/batcher_bench.h"

/// Models with sliding windows and states of fixed size beside full attention.
using namespace spillway;
using namespace spillway::sched;
using namespace spillway::sched::test;
namespace bdata = boost::unit_test::data;

namespace {

const core::KvGroup full{};
const core::KvGroup window{core::KvGroupKind::window, 20, 0};
const core::KvGroup state{core::KvGroupKind::state, 0, 2};

Bench bench(std::vector<core::KvGroup> groups, std::uint32_t blocks = 64, const BatcherLimits& limits = {}) {
  auto info = Bench::make_info(blocks);
  info.kv_groups = std::move(groups);
  return Bench(limits, info);
}

struct GroupCase {
  const char* rule;
  std::vector<core::KvGroup> groups;
  std::uint32_t most;  ///< blocks that a stream of 20 + 100 tokens ever uses, a step of 16 rows at a time
  friend std::ostream& operator<<(std::ostream& out, const GroupCase& c) { return out << c.rule; }
};
const GroupCase group_cases[] = {
    {"full attention keeps all", {full}, 8},
    {"a window lets go of what lies before it", {window}, 4},
    {"a state is all there is", {state}, 2},
    {"groups add up", {full, window, state}, 14},
    {"two of full attention take twice as much", {full, full}, 16},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(batcher_groups)

BOOST_DATA_TEST_CASE(a_stream_holds_what_its_groups_need, bdata::make(group_cases), c) {
  auto b = bench(c.groups, 64, {.step_tokens_max = 16});
  const auto run = make_run(1, 1, {.prompt = 20, .tokens_max = 100});
  b.give(run);
  std::uint32_t most = 0;
  for (int i = 0; b.step(); ++i) {
    BOOST_REQUIRE(i < 1000);
    most = std::max(most, b.core.report(b.now).blocks_used);
  }
  BOOST_TEST(most <= c.most);
  BOOST_TEST((b.heard(run) == undisturbed(*run.request, 0)));
  BOOST_TEST(b.core.idle());
  BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
  BOOST_TEST((b.core.report(b.now).kv_groups == c.groups));
}

BOOST_AUTO_TEST_CASE(a_pool_too_small_for_full_attention_is_enough_for_a_window) {
  const auto run = make_run(1, 1, {.prompt = 100, .tokens_max = 200});
  auto refuses = bench({full}, 6, {.step_tokens_max = 16});
  refuses.give(run);
  BOOST_TEST(refuses.posted<core::RunRefused>().size() == 1U);
  auto runs = bench({window}, 6, {.step_tokens_max = 16});
  runs.give(run);
  runs.run_dry();
  BOOST_TEST((runs.heard(run) == undisturbed(*run.request, 0)));
}

BOOST_AUTO_TEST_CASE(forks_share_the_prompt_and_part_in_every_group) {
  for (const auto& groups : {std::vector{full, window}, std::vector{full, state}, std::vector{state}, std::vector{window, full, state}}) {
    for (const std::uint32_t prompt : {16U, 30U, 70U}) {
      auto b = bench(groups, 128);
      const auto run = make_run(1, 1, {.prompt = prompt, .choices = 3, .tokens_max = 40});
      b.give(run);
      b.run_dry();
      for (std::uint32_t choice = 0; choice < 3; ++choice) BOOST_TEST((b.heard(run, choice) == undisturbed(*run.request, choice)));
      BOOST_TEST(b.worker.rows < 3U * prompt + 3U * 40U);  // the prompt once
      BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_prefix_is_found_where_its_last_window_is_and_never_where_there_is_a_state) {
  const auto hits = [](const std::vector<core::KvGroup>& groups) {
    auto b = bench(groups);
    b.give(make_run(1, 1, {.prompt = 80, .tokens_max = 2}));
    b.run_dry();
    const auto run = make_run(2, 1, {.prompt = 100, .tokens_max = 2});  // begins alike
    b.give(run);
    b.run_dry();
    BOOST_TEST((b.heard(run) == undisturbed(*run.request, 0)));
    return b.core.counters().prefix_hit_tokens;
  };
  BOOST_TEST(hits({full}) == 80U);
  BOOST_TEST(hits({full, window}) == 80U);
  BOOST_TEST(hits({window}) == 80U);
  BOOST_TEST(hits({full, state}) == 0U);
}

BOOST_AUTO_TEST_CASE(a_frozen_stream_says_what_each_group_holds) {
  auto b = bench({full, window, state});
  const auto run = make_run(1, 1, {.prompt = 70, .tokens_max = 40});
  b.give(run);
  for (int i = 0; i < 5; ++i) b.step();
  b.give(ExportBegin{.transfer = {5}, .key = run.key, .epoch = run.epoch});
  const auto grown = b.told<ExportGrown>();
  BOOST_REQUIRE(grown.size() == 1U);
  b.give(ExportFreeze{.transfer = {5}});
  const auto frozen = b.told<ExportFrozen>();
  BOOST_REQUIRE(frozen.size() == 1U);
  BOOST_REQUIRE(frozen[0].tables.size() == 3U);
  const std::uint32_t rows = frozen[0].rows[0];
  BOOST_TEST(frozen[0].tables[0].size() == core::held_blocks(full, rows));
  BOOST_TEST(frozen[0].tables[1].size() == core::held_blocks(window, rows));
  BOOST_TEST(frozen[0].tables[2].size() == 2U);
  std::uint32_t by_group[3] = {};
  for (const auto& block : frozen[0].blocks) {
    ++by_group[block.group];
    if (block.group == 2) BOOST_TEST(block.rows == 16U);  // whole, now that it changes no more
  }
  for (std::size_t g = 0; g < 3; ++g) BOOST_TEST(by_group[g] == frozen[0].tables[g].size());
  for (const auto& block : grown[0].blocks) {
    if (block.group == 2) BOOST_TEST(block.rows == 0U);  // it has room, and is not sent yet
  }
  b.give(ExportRelease{.transfer = {5}});
  BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
}

BOOST_AUTO_TEST_CASE(a_table_that_does_not_fit_its_group_is_refused) {
  auto b = bench({full, window});
  const auto run = make_run(1, 1, {.prompt = 70, .tokens_max = 40});
  ImportReserve reserve{.transfer = {5}, .key = run.key, .epoch = run.epoch, .choices = 1, .blocks = {}};
  for (std::uint32_t i = 0; i < 6; ++i) reserve.blocks.push_back({.ordinal = i, .name = {}, .first_token = i * 16, .rows = 16});
  b.give(reserve);
  b.give(ImportCommit{.transfer = {5}, .run = run, .tables = {{0, 1, 2, 3}, {0, 1, 2, 3}}, .rows = {64}, .blocks = {}});
  const auto committed = b.told<ImportCommitted>();
  BOOST_REQUIRE(committed.size() == 1U);
  BOOST_TEST(!committed[0].accepted);
  BOOST_TEST(committed[0].reason.find("does not cover its rows") != std::string::npos, committed[0].reason);
  BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
