#include <boost/test/unit_test.hpp>

#include "sched/batcher_core.h"
#include "tests/sched/batcher_bench.h"

/// Preemption by moving away: the victim is held, and its owner decides.
using namespace spillway;
using namespace spillway::sched;
using namespace spillway::sched::test;
using core::Errc;
using std::chrono::milliseconds;

namespace {

constexpr std::uint32_t pool = 8;

/// Two streams that grow into each other: the second one has to make room when both need a fifth block.
struct Pressed : Bench {
  core::Run first = make_run(1, 1, {.prompt = 40, .tokens_max = 80});
  core::Run second = make_run(2, 1, {.prompt = 40, .tokens_max = 80, .family = 1});

  explicit Pressed(core::Duration hold_max = milliseconds(300)) : Bench({.hold_max = hold_max}, pool) {
    give(first);
    give(second);
    for (int i = 0; i < 200 && posted<core::RunHeld>().empty() && posted<core::RunReturned>().empty(); ++i) step();
  }
  std::size_t tokens(const core::Run& run) const { return heard(run).size(); }
  void pass(core::Duration time) {
    now += time;
    core.on_tick(now, out);
    core.check();
  }
  /// The owner has it moved away; all but the release.
  TransferId begin_move() {
    const TransferId transfer{5};
    give(ExportBegin{.transfer = transfer, .key = second.key, .epoch = second.epoch});
    return transfer;
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(batcher_hold)

BOOST_AUTO_TEST_CASE(the_victim_is_held_behind_its_last_token_and_its_owner_is_asked) {
  Pressed p;
  const auto held = p.posted<core::RunHeld>();
  BOOST_REQUIRE(held.size() == 1U);
  BOOST_TEST((held[0].key == p.second.key && held[0].epoch == p.second.epoch));
  BOOST_TEST((held[0].patience > core::Duration{0} && held[0].patience <= milliseconds(300)));
  BOOST_TEST((held[0].recompute >= held[0].patience));
  BOOST_TEST(p.posted<core::RunReturned>().empty());
  BOOST_TEST(p.core.counters().preemptions == 0U);
  const auto before = p.tokens(p.second);
  for (int i = 0; i < 40; ++i) p.step();
  BOOST_TEST(p.tokens(p.second) == before);            // it is not run
  BOOST_TEST(p.core.report(p.now).blocks_free == 0U);  // and keeps what it has
  BOOST_TEST(!p.plan().has_value());                   // the first one waits for a block
  BOOST_TEST((p.core.next_tick() <= p.now + held[0].patience));
}

BOOST_AUTO_TEST_CASE(without_patience_it_is_returned_at_once) {
  Pressed p(core::Duration{0});
  BOOST_TEST(p.posted<core::RunHeld>().empty());
  BOOST_REQUIRE(p.posted<core::RunReturned>().size() == 1U);
  BOOST_TEST(p.core.counters().preemptions == 1U);
}

BOOST_AUTO_TEST_CASE(moved_away_its_blocks_go_to_those_who_wait) {
  Pressed p;
  const auto transfer = p.begin_move();
  BOOST_TEST(p.told<ExportGrown>().size() == 1U);
  p.give(ExportFreeze{.transfer = transfer});
  BOOST_REQUIRE(p.told<ExportFrozen>().size() == 1U);
  BOOST_TEST(!p.plan().has_value());  // they still wait: it is about to go
  p.give(ExportRelease{.transfer = transfer});
  p.run_dry();
  BOOST_TEST((p.heard(p.first) == undisturbed(*p.first.request, 0)));
  BOOST_TEST(p.core.counters().preemptions == 0U);
  BOOST_TEST(p.core.counters().preemptions_moved == 1U);
  BOOST_TEST(p.core.idle());
  BOOST_TEST(p.core.report(p.now).blocks_used == 0U);
}

BOOST_AUTO_TEST_CASE(who_is_not_moved_is_returned_when_the_owner_says_so_or_the_patience_ends_or_the_move_fails) {
  for (int way = 0; way < 3; ++way) {
    Pressed p;
    const auto patience = p.posted<core::RunHeld>()[0].patience;
    if (way == 0) p.give(core::CancelRun{.key = p.second.key, .epoch = p.second.epoch, .give_back = true});
    if (way == 1) {
      p.pass(patience - core::Duration(1));
      BOOST_TEST(p.posted<core::RunReturned>().empty());
      p.pass(core::Duration(1));
    }
    if (way == 2) {
      const auto transfer = p.begin_move();
      p.give(core::CancelRun{.key = p.second.key, .epoch = p.second.epoch, .give_back = true});
      BOOST_TEST(p.posted<core::RunReturned>().empty());  // on its way, it is not given back
      p.give(ExportThaw{.transfer = transfer, .epoch = p.second.epoch});
    }
    const auto returned = p.posted<core::RunReturned>();
    BOOST_REQUIRE(returned.size() == 1U);
    BOOST_TEST((returned[0].code == Errc::no_capacity && returned[0].epoch == p.second.epoch));
    BOOST_TEST(p.core.counters().preemptions == 1U);
    BOOST_TEST(p.core.counters().preemptions_moved == 0U);
    p.run_dry();
    BOOST_TEST((p.heard(p.first) == undisturbed(*p.first.request, 0)));
    BOOST_TEST(p.core.report(p.now).blocks_used == 0U);
  }
}

BOOST_AUTO_TEST_CASE(frozen_beyond_the_patience_it_keeps_its_blocks_and_the_next_victim_goes) {
  Pressed p;
  const auto transfer = p.begin_move();
  p.give(ExportFreeze{.transfer = transfer});
  p.pass(milliseconds(300));
  BOOST_TEST(p.posted<core::RunReturned>().empty());
  BOOST_TEST(!p.plan().has_value());  // the first one is the only one left to make room: held in its turn
  BOOST_REQUIRE(p.posted<core::RunHeld>().size() == 2U);
  BOOST_TEST((p.posted<core::RunHeld>()[1].key == p.first.key));
  p.give(ExportRelease{.transfer = transfer});
  p.give(core::CancelRun{.key = p.first.key, .epoch = p.first.epoch, .give_back = true});
  BOOST_TEST(p.core.idle());
  BOOST_TEST(p.core.counters().preemptions == 1U);
  BOOST_TEST(p.core.counters().preemptions_moved == 1U);
}

BOOST_AUTO_TEST_CASE(one_on_its_way_already_is_held_without_asking) {
  Bench b({.hold_max = milliseconds(300)}, pool);
  const auto first = make_run(1, 1, {.prompt = 40, .tokens_max = 80});
  const auto second = make_run(2, 1, {.prompt = 40, .tokens_max = 80, .family = 1});
  b.give(first);
  b.give(second);
  for (int i = 0; i < 5; ++i) b.step();
  b.give(ExportBegin{.transfer = {5}, .key = second.key, .epoch = second.epoch});
  b.run_dry();  // until nobody can go on
  BOOST_TEST(b.posted<core::RunHeld>().empty());
  BOOST_TEST(b.posted<core::RunReturned>().empty());
  b.give(ExportFreeze{.transfer = {5}});
  b.give(ExportRelease{.transfer = {5}});
  b.run_dry();
  BOOST_TEST((b.heard(first) == undisturbed(*first.request, 0)));
  BOOST_TEST(b.core.counters().preemptions_moved == 1U);
}

BOOST_AUTO_TEST_CASE(the_end_of_a_held_stream_ends_the_wait) {
  for (int way = 0; way < 3; ++way) {
    Pressed p;
    if (way == 0) p.give(core::CancelRun{.key = p.second.key, .epoch = p.second.epoch});
    if (way == 1) p.core.on_owner_gone(p.second.owner, {}, p.now, p.out);
    if (way == 2) p.core.on_worker_failed("bad luck", p.now, p.out);
    p.core.check();
    p.run_dry();
    BOOST_TEST(p.core.idle());
    BOOST_TEST(p.core.report(p.now).blocks_used == 0U);
  }
}

BOOST_AUTO_TEST_CASE(an_unfinished_prompt_is_returned) {
  // The prompt of the second is chunked: it can be no victim that is carried.
  Bench b({.step_tokens_max = 17, .admission = AdmissionPolicy::prompt, .hold_max = milliseconds(300)}, 9);
  b.give(make_run(1, 1, {.prompt = 31, .tokens_max = 60}));
  b.step();
  b.step();
  b.give(make_run(2, 1, {.prompt = 100, .tokens_max = 10, .family = 1}));
  for (int i = 0; i < 60 && b.posted<core::RunReturned>().empty() && b.posted<core::RunHeld>().empty(); ++i) b.step();
  BOOST_TEST(b.posted<core::RunHeld>().empty());
  BOOST_TEST(b.posted<core::RunReturned>().size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
