#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/sched/batcher_bench.h"

using namespace spillway;
using namespace spillway::sched;
using namespace spillway::sched::test;

namespace {
const core::TransferId transfer{31};
ExportBegin begin(const core::Run& run) {
  return {.transfer = transfer, .key = run.key, .epoch = run.epoch};
}
}  // namespace

BOOST_AUTO_TEST_SUITE(batcher_export)

BOOST_AUTO_TEST_CASE(what_is_not_here_under_that_epoch_cannot_be_exported) {
  Bench b;
  b.give(begin(make_run(1)));
  b.give(make_run(1, 2));
  b.give(begin(make_run(1, 1)));
  b.give(begin(make_run(1, 3)));
  const auto ended = b.told<ExportEnded>();
  BOOST_REQUIRE(ended.size() == 3U);
  for (const auto& e : ended) BOOST_TEST((e.code == core::Errc::unknown_request));
}

BOOST_AUTO_TEST_CASE(one_export_a_stream) {
  Bench b;
  b.give(make_run(1));
  b.give(begin(make_run(1)));
  b.give(ExportBegin{.transfer = {32}, .key = make_run(1).key, .epoch = make_run(1).epoch});
  BOOST_REQUIRE(b.told<ExportEnded>().size() == 1U);
  BOOST_TEST((b.told<ExportEnded>()[0].transfer == core::TransferId{32}));
  BOOST_TEST((b.told<ExportEnded>()[0].code == core::Errc::already_exists));
}

BOOST_AUTO_TEST_CASE(a_queued_stream_holds_nothing_and_grows_with_each_step) {
  Bench b({.step_tokens_max = 20});
  const auto run = make_run(1, 1, {.prompt = 50});
  b.give(run);
  b.give(begin(run));
  BOOST_REQUIRE(b.told<ExportGrown>().size() == 1U);
  BOOST_TEST(b.told<ExportGrown>()[0].blocks.empty());
  BOOST_TEST(b.told<ExportGrown>()[0].choices == 1U);
  BOOST_TEST(b.told<ExportGrown>()[0].rows_to_compute == 50U);
  for (int i = 0; i < 4; ++i) b.step();
  const auto grown = b.told<ExportGrown>();
  BOOST_REQUIRE(grown.size() == 5U);
  BOOST_REQUIRE(grown[1].blocks.size() == 2U);
  BOOST_TEST(grown[1].blocks[0].rows == 16U);
  BOOST_TEST((grown[1].blocks[0].name == run.prompt_names[0]));
  BOOST_TEST(grown[1].blocks[1].rows == 4U);
  BOOST_TEST(!static_cast<bool>(grown[1].blocks[1].name));
  BOOST_REQUIRE(grown[2].blocks.size() == 2U);
  BOOST_TEST(grown[2].blocks[0].ordinal == 1U);  // grown
  BOOST_TEST(grown[2].blocks[0].rows == 16U);
  BOOST_TEST(grown[2].blocks[1].first_token == 32U);
  BOOST_TEST(grown[2].decode_steps == 0U);
  BOOST_TEST(grown[3].decode_steps == 1U);  // the step that ends the prompt draws a token
  BOOST_TEST(grown[4].decode_steps == 2U);
  BOOST_TEST(grown[4].rows_to_compute == 1U);
}

BOOST_AUTO_TEST_CASE(a_freeze_waits_for_the_step_in_flight) {
  Bench b;
  const auto run = make_run(1);
  b.give(run);
  b.step();
  b.give(begin(run));
  const auto plan = b.plan();
  b.give(ExportFreeze{.transfer = transfer});
  BOOST_TEST(b.told<ExportFrozen>().empty());
  b.out.clear();
  b.finish(*plan);
  const auto frozen = b.told<ExportFrozen>();
  BOOST_REQUIRE(frozen.size() == 1U);
  BOOST_TEST(std::holds_alternative<BatcherCore::Post>(b.out[0]));  // the tokens left before
  BOOST_TEST(frozen[0].run.choices[0].tokens.size() == 2U);
  BOOST_TEST((frozen[0].run.epoch == run.epoch));
  BOOST_TEST(frozen[0].rows[0] == 21U);
  BOOST_TEST((frozen[0].tables[0] == std::vector<std::uint32_t>{0, 1}));
  BOOST_TEST(frozen[0].blocks.size() == 2U);
  BOOST_TEST(!b.plan().has_value());  // frozen streams are never planned
}

BOOST_AUTO_TEST_CASE(a_freeze_that_comes_too_late_is_void) {
  Bench b;
  const auto run = make_run(1);
  b.give(run);
  b.give(begin(run));
  b.step();
  const auto plan = b.plan();
  b.give(ExportFreeze{.transfer = transfer, .decode_steps_max = 1});
  b.finish(*plan);
  BOOST_TEST(b.told<ExportFrozen>().empty());
  BOOST_TEST(b.step());
  b.give(ExportFreeze{.transfer = transfer, .decode_steps_max = 3});
  BOOST_TEST(b.told<ExportFrozen>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(forks_that_are_about_to_part_are_left_out_until_they_have) {
  Bench b;
  const auto run = make_run(1, 1, {.prompt = 20, .choices = 3});
  b.give(run);
  b.give(begin(run));
  b.step();
  b.give(ExportFreeze{.transfer = transfer});
  BOOST_TEST(b.told<ExportFrozen>().empty());
  BOOST_TEST(b.told<ExportGrown>().back().blocks.size() == 1U);  // the full one that all share
  b.step();
  // The three new blocks hold rows that nobody has sent: the freeze was void, and is asked for again.
  BOOST_TEST(b.told<ExportFrozen>().empty());
  BOOST_TEST(b.told<ExportGrown>().back().blocks.size() == 3U);
  b.give(ExportFreeze{.transfer = transfer});
  const auto frozen = b.told<ExportFrozen>();
  BOOST_REQUIRE(frozen.size() == 1U);
  BOOST_TEST(frozen[0].blocks.size() == 4U);
  BOOST_TEST(frozen[0].tables.size() == 3U);
  for (const auto& table : frozen[0].tables) BOOST_TEST(table[0] == 0U);
}

BOOST_AUTO_TEST_CASE(a_new_block_of_a_fork_is_not_told_before_its_copy_was_made) {
  Bench b;
  const auto run = make_run(1, 1, {.prompt = 20, .choices = 2});
  b.give(run);
  b.step();
  const auto plan = b.plan();  // copies
  b.give(begin(run));
  const auto grown = b.told<ExportGrown>();
  for (const auto& block : grown[0].blocks)
    BOOST_TEST(std::none_of(plan->copies.begin(), plan->copies.end(), [&](const auto& c) { return c.to == block.block; }));
  b.finish(*plan);
}

BOOST_AUTO_TEST_CASE(a_thawed_stream_goes_on_under_the_epoch_granted) {
  Bench b;
  const auto run = make_run(1);
  b.give(run);
  b.step();
  b.give(begin(run));
  b.give(ExportFreeze{.transfer = transfer});
  b.give(ExportThaw{.transfer = transfer, .epoch = {{500}, 4}});
  b.run_dry();
  BOOST_TEST((b.heard(run) == undisturbed(*run.request, 0)));
  BOOST_TEST((b.posted<core::Tokens>().back().runs[0].epoch == core::Epoch{{500}, 4}));
}

BOOST_AUTO_TEST_CASE(a_frozen_stream_that_was_queued_thaws_into_the_queue) {
  Bench b;
  const auto run = make_run(1);
  b.give(run);
  b.give(begin(run));
  b.give(ExportFreeze{.transfer = transfer});
  BOOST_REQUIRE(b.told<ExportFrozen>().size() == 1U);
  BOOST_TEST(b.told<ExportFrozen>()[0].blocks.empty());
  BOOST_TEST(!b.plan().has_value());
  b.give(ExportThaw{.transfer = transfer, .epoch = run.epoch});
  b.run_dry();
  BOOST_TEST((b.heard(run) == undisturbed(*run.request, 0)));
}

BOOST_AUTO_TEST_CASE(a_released_stream_leaves_its_named_blocks_cached) {
  Bench b;
  const auto run = make_run(1, 1, {.prompt = 40});
  b.give(run);
  b.step();
  b.give(begin(run));
  b.give(ExportFreeze{.transfer = transfer});
  b.give(ExportRelease{transfer});
  BOOST_TEST(b.core.idle());
  BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
  BOOST_TEST(b.core.cached_names().size() == 2U);
  b.out.clear();
  b.give(run);
  BOOST_TEST(b.out.empty());  // its epoch is over here
  b.run_dry();
  BOOST_TEST(b.worker.open_sequences() == 0U);
}

BOOST_AUTO_TEST_CASE(whatever_ends_the_stream_ends_the_export) {
  for (const int how : {0, 1, 2, 3}) {
    Bench b;
    const auto run = make_run(1, 1, {.tokens_max = 3});
    b.give(run);
    b.step();
    b.give(begin(run));
    if (how > 0) b.give(ExportFreeze{.transfer = transfer});
    if (how == 0) b.run_dry();
    if (how == 1) b.give(core::CancelRun{.key = run.key, .epoch = run.epoch});
    if (how == 2) b.core.on_owner_gone(run.owner, {}, b.now, b.out);
    if (how == 3) b.core.on_worker_failed("x", b.now, b.out);
    b.core.check();
    BOOST_REQUIRE(b.told<ExportEnded>().size() == 1U);
    BOOST_TEST(b.core.idle());
    b.give(ExportThaw{.transfer = transfer, .epoch = run.epoch});  // crossed on the way: nothing happens
    b.give(ExportRelease{transfer});
    b.give(ExportFreeze{.transfer = transfer});
    BOOST_TEST(b.told<ExportEnded>().size() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_deadline_does_not_end_a_frozen_stream_but_one_that_thaws) {
  Bench b;
  const auto run = make_run(1, 1, {.deadline = 100ms});
  b.give(run);
  b.step();
  b.give(begin(run));
  b.give(ExportFreeze{.transfer = transfer});
  BOOST_TEST((b.told<ExportFrozen>()[0].run.deadline_left == 100ms));
  b.now += 200ms;
  b.core.on_tick(b.now, b.out);
  b.core.check();
  BOOST_TEST(b.posted<core::RunReturned>().empty());
  b.give(ExportThaw{.transfer = transfer, .epoch = run.epoch});
  b.core.on_tick(b.now, b.out);
  BOOST_TEST(b.posted<core::RunReturned>().size() == 1U);
}

BOOST_AUTO_TEST_CASE(pins_hold_the_blocks_of_a_choice_that_ended) {
  Bench b;
  const auto run = make_run(1, 1, {.prompt = 20, .choices = 2, .tokens_max = 30});
  auto again = continued(run, 2, 1, false);
  while (again.choices[0].tokens.size() < 28)
    again.choices[0].tokens.push_back(undisturbed(*run.request, 0)[again.choices[0].tokens.size()].token);
  b.give(again);
  b.give(begin(again));
  while (b.heard(again, 0).size() < 2) BOOST_REQUIRE(b.step());
  BOOST_TEST(b.core.report(b.now).blocks_used > 3U);
  b.give(ExportFreeze{.transfer = transfer});
  const auto frozen = b.told<ExportFrozen>();
  BOOST_REQUIRE(frozen.size() == 1U);
  BOOST_TEST(frozen[0].tables[0].empty());
  BOOST_TEST((frozen[0].run.choices[0].finish == core::FinishReason::length));
  BOOST_TEST(frozen[0].blocks.size() == frozen[0].tables[1].size());
}

BOOST_AUTO_TEST_SUITE_END()
