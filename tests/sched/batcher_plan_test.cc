#include <algorithm>
#include <boost/test/unit_test.hpp>

#include "tests/sched/batcher_bench.h"

using namespace spillway;
using namespace spillway::sched;
using namespace spillway::sched::test;
using core::ServiceClass;

namespace {

std::uint32_t rows_of(const core::StepPlan& plan) {
  std::uint32_t rows = 0;
  for (const auto& item : plan.items) rows += static_cast<std::uint32_t>(item.tokens.size());
  return rows;
}

/// Ids of the requests opened by a plan, in order.
std::vector<std::uint64_t> opened(const core::StepPlan& plan) {
  std::vector<std::uint64_t> ids;
  for (const auto& open : plan.opens) ids.push_back(open.request->key.request.lo);
  return ids;
}
using Ids = std::vector<std::uint64_t>;

}  // namespace

BOOST_AUTO_TEST_SUITE(batcher_plan)

BOOST_AUTO_TEST_CASE(no_work_no_step_and_one_step_at_a_time) {
  Bench b;
  BOOST_TEST(!b.plan().has_value());
  b.give(make_run(1));
  const auto first = b.plan();
  BOOST_REQUIRE(first.has_value());
  BOOST_TEST(!b.plan().has_value());
  b.finish(*first);
  const auto second = b.plan();
  BOOST_REQUIRE(second.has_value());
  BOOST_TEST(second->step == first->step + 1);
}

BOOST_AUTO_TEST_CASE(a_prompt_is_cut_to_the_budget_and_sampled_at_its_end_alone) {
  Bench b({.step_tokens_max = 30});
  b.give(make_run(1, 1, {.prompt = 70}));
  const std::uint32_t rows[] = {30, 30, 10, 1};
  const std::size_t samples[] = {0, 0, 1, 1};
  for (int i = 0; i < 4; ++i) {
    const auto plan = b.plan();
    BOOST_REQUIRE(plan.has_value());
    BOOST_TEST(rows_of(*plan) == rows[i]);
    BOOST_TEST(plan->items[0].samples.size() == samples[i]);
    b.finish(*plan);
  }
}

BOOST_AUTO_TEST_CASE(decodes_take_one_each_before_prompts_share_the_rest) {
  Bench b({.step_tokens_max = 16});
  b.give(make_run(1, 1, {.prompt = 4, .family = 1}));
  b.give(make_run(2, 1, {.prompt = 5, .family = 2}));
  b.step();
  b.give(make_run(3, 1, {.prompt = 40, .family = 3}));
  const auto plan = b.plan();
  BOOST_REQUIRE(plan->items.size() == 3U);
  BOOST_TEST(plan->items[0].tokens.size() == 1U);
  BOOST_TEST(plan->items[1].tokens.size() == 1U);
  BOOST_TEST(plan->items[2].tokens.size() == 14U);
}

BOOST_AUTO_TEST_CASE(an_unfinished_prompt_goes_before_a_queued_one) {
  Bench b({.step_tokens_max = 16});
  b.give(make_run(1, 1, {.prompt = 20, .family = 1}));
  b.step();
  b.give(make_run(2, 1, {.prompt = 20, .family = 2}));
  const auto plan = b.plan();
  BOOST_REQUIRE(plan->items.size() == 2U);
  BOOST_TEST(plan->items[0].first_position == 16U);
  BOOST_TEST(plan->items[1].tokens.size() == 12U);
}

BOOST_AUTO_TEST_CASE(a_queued_run_of_a_higher_class_goes_before_an_unfinished_prompt_of_a_lower) {
  Bench b({.step_tokens_max = 16});
  b.give(make_run(1, 1, {.prompt = 60, .service_class = ServiceClass::batch, .family = 1}));
  b.step();
  b.give(make_run(2, 1, {.prompt = 10, .service_class = ServiceClass::live, .family = 2}));
  const auto plan = b.plan();
  BOOST_REQUIRE(plan->items.size() == 2U);
  BOOST_TEST((opened(*plan) == Ids{2}));
  BOOST_TEST(plan->items[0].tokens.size() == 10U);
  BOOST_TEST(plan->items[1].tokens.size() == 6U);
}

BOOST_AUTO_TEST_CASE(admitted_by_class_then_deadline_then_arrival) {
  Bench b;
  b.give(make_run(1, 1, {.service_class = ServiceClass::batch, .deadline = 1s}));
  b.give(make_run(2));
  b.give(make_run(3, 1, {.deadline = 5s}));
  b.give(make_run(4, 1, {.deadline = 3s}));
  b.give(make_run(5));
  b.give(make_run(6, 1, {.service_class = ServiceClass::live}));
  BOOST_TEST((opened(*b.plan()) == Ids{6, 4, 3, 2, 5, 1}));
}

BOOST_AUTO_TEST_CASE(a_queued_run_climbs_one_class_per_ageing) {
  Bench b({.sequences_max = 1, .ageing = 10s});
  b.give(make_run(9, 1, {.tokens_max = 2}));
  b.step();  // runs, so the others wait
  b.give(make_run(1, 1, {.service_class = ServiceClass::batch}));
  b.now += 10s;
  b.give(make_run(2, 1, {.service_class = ServiceClass::interactive}));
  b.step();
  BOOST_TEST((opened(*b.plan()) == Ids{1}));  // interactive by now, and it came first
}

BOOST_AUTO_TEST_CASE(without_ageing_the_higher_class_wins) {
  Bench b({.sequences_max = 1, .ageing = 10s});
  b.give(make_run(9, 1, {.tokens_max = 2}));
  b.step();
  b.give(make_run(1, 1, {.service_class = ServiceClass::batch}));
  b.now += 9s;
  b.give(make_run(2, 1, {.service_class = ServiceClass::interactive}));
  b.step();
  BOOST_TEST((opened(*b.plan()) == Ids{2}));
}

BOOST_AUTO_TEST_CASE(admission_keeps_a_sequence_slot_for_every_choice) {
  Bench b({.sequences_max = 4});
  b.give(make_run(1, 1, {.choices = 3}));
  b.give(make_run(2, 1, {.choices = 2}));
  b.give(make_run(3, 1, {.choices = 1}));
  BOOST_TEST(opened(*b.plan()).size() == 3U);  // the second does not fit, and nobody overtakes it
}

BOOST_AUTO_TEST_CASE(admission_keeps_room_to_grow_and_the_reserve) {
  // 10 blocks. The first takes 3 of them; the second wants 4, one to grow and the reserve.
  for (const std::uint32_t reserve : {2U, 3U}) {
    Bench b({.reserve_blocks = reserve}, 10);
    b.give(make_run(1, 1, {.prompt = 40, .family = 1}));
    b.step();
    b.give(make_run(2, 1, {.prompt = 60, .family = 2}));
    BOOST_TEST(opened(*b.plan()).size() == (reserve == 2 ? 1U : 0U));
  }
}

BOOST_AUTO_TEST_CASE(without_room_to_grow_a_prompt_is_admitted_when_it_just_fits) {
  // 7 blocks. The first takes 3 of them; the second wants 4 and by default one more to grow.
  for (const std::uint32_t growth : {0U, 1U}) {
    Bench b({.growth_blocks = growth}, 7);
    b.give(make_run(1, 1, {.prompt = 40, .family = 1}));
    b.step();
    b.give(make_run(2, 1, {.prompt = 60, .family = 2}));
    BOOST_TEST(opened(*b.plan()).size() == (growth == 0 ? 1U : 0U));
  }
}

BOOST_AUTO_TEST_CASE(the_reserve_is_no_bar_when_nothing_runs) {
  Bench b({.reserve_blocks = 9}, 10);
  b.give(make_run(1, 1, {.prompt = 120}));
  BOOST_TEST(b.plan().has_value());
}

BOOST_AUTO_TEST_CASE(a_prompt_computed_before_is_found_but_for_its_last_row) {
  Bench b;
  b.give(make_run(1, 1, {.prompt = 48}));
  b.run_dry();
  for (const auto& [prompt, rows] : {std::pair{48U, 16U}, std::pair{50U, 2U}, std::pair{20U, 4U}, std::pair{16U, 16U}}) {
    const auto before = b.worker.rows;
    b.out.clear();
    const auto run = make_run(100 + prompt, 1, {.prompt = prompt, .tokens_max = 1});
    b.give(run);
    BOOST_TEST(b.posted<core::RunAccepted>()[0].cached_tokens == std::min(prompt / 16 * 16, prompt - 1));
    b.run_dry();
    BOOST_TEST(b.worker.rows - before == rows);
    BOOST_TEST((b.heard(run) == undisturbed(*run.request, 0)));
  }
}

BOOST_AUTO_TEST_CASE(the_tail_of_a_cached_prompt_is_evicted_before_its_head) {
  Bench b({}, 10);
  b.give(make_run(1, 1, {.prompt = 64, .family = 1}));
  b.run_dry();
  b.give(make_run(2, 1, {.prompt = 127, .tokens_max = 1, .family = 2}));  // eight blocks, of which six are free
  b.run_dry();
  b.give(make_run(3, 1, {.prompt = 64, .family = 1}));
  BOOST_TEST(b.posted<core::RunAccepted>().back().cached_tokens == 32U);
}

BOOST_AUTO_TEST_CASE(what_a_neighbour_computed_since_is_adopted) {
  Bench b({.step_tokens_max = 64});
  b.give(make_run(1, 1, {.prompt = 60}));
  b.give(make_run(2, 1, {.prompt = 60}));  // admitted together; its turn comes when the first is done
  b.run_dry();
  BOOST_TEST(b.worker.rows < 60U + 30U + 14U);
  BOOST_TEST(b.core.counters().prefix_hit_tokens >= 32U);
}

BOOST_AUTO_TEST_CASE(a_prompt_is_computed_once_and_forks_into_n_choices) {
  Bench b;
  const auto run = make_run(1, 1, {.prompt = 20, .choices = 3});
  b.give(run);
  auto plan = b.plan();
  BOOST_REQUIRE(plan->items.size() == 1U);
  BOOST_TEST(plan->opens.size() == 3U);
  BOOST_TEST(plan->items[0].samples.size() == 3U);
  b.finish(*plan);
  plan = b.plan();
  BOOST_TEST(plan->items.size() == 3U);
  BOOST_TEST(plan->copies.size() == 2U);  // the last sharer keeps the original
  for (const auto& copy : plan->copies) BOOST_TEST(copy.rows == 4U);
  BOOST_TEST(b.core.report(b.now).blocks_used == 1U + 3U);
  b.finish(*plan);
  b.run_dry();
  for (std::uint32_t c = 0; c < 3; ++c) BOOST_TEST((b.heard(run, c) == undisturbed(*run.request, c)));
  BOOST_TEST(b.worker.copies == 2U);
}

BOOST_AUTO_TEST_CASE(a_fork_at_a_block_border_copies_nothing) {
  Bench b;
  const auto run = make_run(1, 1, {.prompt = 32, .choices = 3});
  b.give(run);
  b.run_dry();
  BOOST_TEST(b.worker.copies == 0U);
  for (std::uint32_t c = 0; c < 3; ++c) BOOST_TEST((b.heard(run, c) == undisturbed(*run.request, c)));
}

BOOST_AUTO_TEST_CASE(choices_with_tokens_go_on_from_them_over_one_prompt) {
  for (const std::uint32_t prompt : {20U, 32U, 33U}) {
    Bench b({.step_tokens_max = 12});
    auto run = make_run(1, 1, {.prompt = prompt, .choices = 4, .tokens_max = 30});
    auto again = continued(run, 2, 17, prompt == 33U);
    again.choices[1].tokens.clear();  // this one has none yet, that one is over
    again.choices[1].names.clear();
    again.choices[2].finish = core::FinishReason::stop;
    b.give(again);
    b.run_dry();
    for (const std::uint32_t c : {0U, 1U, 3U}) {
      const auto all = undisturbed(*run.request, c);
      const auto heard = b.heard(again, c);
      const std::size_t from = c == 1 ? 0 : 17;
      BOOST_TEST((heard == std::vector<core::TokenOut>(all.begin() + static_cast<std::ptrdiff_t>(from), all.end())));
    }
    BOOST_TEST(b.heard(again, 2).empty());
    // The prompt once, the tokens known again twice, the new ones but for the last of each.
    BOOST_TEST(b.worker.rows == prompt + 2 * 17U + 2 * 12U + 29U);
  }
}

BOOST_AUTO_TEST_CASE(out_of_blocks_the_lowest_class_admitted_last_is_given_back) {
  Bench b({}, 8);
  b.give(make_run(1, 1, {.prompt = 30, .tokens_max = 60, .service_class = ServiceClass::batch, .family = 1}));
  b.give(make_run(2, 1, {.prompt = 30, .tokens_max = 60, .family = 2}));
  b.run_dry();
  const auto returned = b.posted<core::RunReturned>();
  BOOST_REQUIRE(returned.size() == 1U);
  BOOST_TEST((returned[0].key == make_run(1).key));  // though it was there first
  BOOST_TEST((returned[0].code == core::Errc::no_capacity));
  BOOST_TEST(b.core.counters().preemptions == 1U);
  BOOST_TEST(b.heard(make_run(2)).size() == 60U);
  BOOST_TEST(b.worker.open_sequences() == 0U);
}

BOOST_AUTO_TEST_CASE(nobody_is_admitted_in_a_step_that_preempts) {
  Bench b({}, 8);
  b.give(make_run(1, 1, {.prompt = 30, .tokens_max = 60, .family = 1}));
  b.give(make_run(2, 1, {.prompt = 30, .tokens_max = 60, .family = 2}));
  while (b.core.report(b.now).blocks_used < 6) b.step();
  b.give(make_run(3, 1, {.prompt = 30, .tokens_max = 4, .service_class = ServiceClass::batch, .family = 3}));
  while (b.core.counters().preemptions == 0) {
    const auto plan = b.plan();
    BOOST_REQUIRE(plan.has_value());
    BOOST_TEST(plan->opens.empty());  // before, it does not fit; what preemption frees is not for it
    b.finish(*plan);
  }
  BOOST_TEST((b.posted<core::RunReturned>()[0].key == make_run(2).key));
  BOOST_TEST((opened(*b.plan()) == Ids{3}));
}

BOOST_AUTO_TEST_CASE(decodes_that_would_fill_every_step_leave_an_eighth_to_prompts) {
  Bench b({.step_tokens_max = 16});
  for (std::uint64_t id = 1; id <= 20; ++id)
    b.give(make_run(id, 1, {.prompt = 2, .tokens_max = 30, .family = static_cast<std::uint32_t>(id)}));
  for (int i = 0; i < 12; ++i) b.step();
  b.give(make_run(99, 1, {.prompt = 20, .family = 99}));
  std::uint32_t steps = 0;
  for (bool sampled = false; !sampled && steps < 100; ++steps) {
    const auto plan = b.plan();
    BOOST_REQUIRE(plan.has_value());
    BOOST_TEST(rows_of(*plan) == 16U);
    for (const auto& item : plan->items) sampled = sampled || (item.first_position + item.tokens.size() == 20 && !item.samples.empty());
    b.finish(*plan);
  }
  BOOST_TEST(steps == 10U);  // two of sixteen rows each
}

BOOST_AUTO_TEST_CASE(a_budget_below_the_decodes_goes_round) {
  Bench b({.step_tokens_max = 2});
  const auto run = make_run(1, 1, {.prompt = 2, .choices = 5, .tokens_max = 21});
  b.give(run);
  for (int i = 0; i < 26; ++i) b.step();  // 25 steps for 50 tokens beyond the first of each
  for (std::uint32_t c = 0; c < 5; ++c) BOOST_TEST(b.heard(run, c).size() == 11U);
}

BOOST_AUTO_TEST_CASE(a_choice_that_ends_frees_its_blocks_while_the_others_go_on) {
  Bench b;
  auto run = make_run(1, 1, {.prompt = 20, .choices = 2, .tokens_max = 30});
  auto again = continued(run, 2, 1, false);
  while (again.choices[0].tokens.size() < 28)
    again.choices[0].tokens.push_back(undisturbed(*run.request, 0)[again.choices[0].tokens.size()].token);
  b.give(again);
  while (b.heard(again, 0).size() < 2) BOOST_REQUIRE(b.step());
  const auto used = b.core.report(b.now).blocks_used;
  BOOST_TEST(used == 2U);  // the shared one and the growing one of the other choice
  const auto closing = b.plan();
  BOOST_TEST(closing->closes.size() == 1U);
  b.finish(*closing);
  b.run_dry();
  BOOST_TEST(b.core.idle());
}

BOOST_AUTO_TEST_SUITE_END()
