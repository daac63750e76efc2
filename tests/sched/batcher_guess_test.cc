#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "sched/batcher_core.h"
#include "tests/sched/batcher_bench.h"

/// Steps that make several tokens of a stream.
using namespace spillway;
using namespace spillway::sched;
using namespace spillway::sched::test;
namespace bdata = boost::unit_test::data;

namespace {

Bench bench(std::uint32_t tokens_per_step, const BatcherLimits& limits = {}, std::uint32_t blocks = 64) {
  auto info = Bench::make_info(blocks);
  info.tokens_per_step_max = tokens_per_step;
  return Bench(limits, info);
}

/// A worker whose guesses are right `right` times in each step.
core::StepResult answer(const core::StepPlan& plan, std::uint32_t right) {
  core::StepResult result;
  result.step = plan.step;
  for (const auto& item : plan.items) {
    result.rows += static_cast<std::uint32_t>(item.tokens.size());
    for (const auto& target : item.samples) {
      for (std::uint32_t i = 0; i < std::min(target.tokens_max, right + 1); ++i) {
        core::TokenOut out;
        out.token = static_cast<core::TokenId>(10 + target.index + i);
        result.sampled.push_back({target.sequence, target.index + i, out});
      }
    }
  }
  return result;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(batcher_guess)

BOOST_AUTO_TEST_CASE(the_text_is_the_same_in_fewer_steps) {
  std::uint64_t before = 0;
  for (const std::uint32_t most : {1U, 2U, 4U, 16U}) {
    auto b = bench(most);
    const auto run = make_run(1, 1, {.tokens_max = 100});
    b.give(run);
    b.run_dry();
    BOOST_TEST((b.heard(run) == undisturbed(*run.request, 0)));
    BOOST_TEST(b.core.idle());
    BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
    BOOST_TEST(b.core.counters().tokens_generated == b.heard(run).size());
    if (most > 1) BOOST_TEST(b.worker.steps < before);
    if (most == 1) before = b.worker.steps;
  }
}

BOOST_AUTO_TEST_CASE(one_step_tells_its_tokens_as_one_run) {
  auto b = bench(4);
  const auto run = make_run(1, 1, {.tokens_max = 9});
  b.give(run);
  while (const auto plan = b.plan()) b.give(answer(*plan, 3));
  const auto messages = b.posted<core::Tokens>();
  BOOST_REQUIRE(messages.size() == 3U);  // 1 by the prompt, 4 and 4
  const std::size_t sizes[] = {1, 4, 4};
  for (std::size_t i = 0; i < messages.size(); ++i) {
    BOOST_REQUIRE(messages[i].runs.size() == 1U);
    BOOST_TEST(messages[i].runs[0].tokens.size() == sizes[i]);
  }
  BOOST_TEST((messages[2].runs[0].tokens[3].finish == core::FinishReason::length));
  BOOST_TEST(b.core.idle());
}

struct Limit {
  const char* rule;
  std::uint32_t prompt;
  std::uint32_t tokens_max;
  std::uint32_t budget;
  std::uint32_t blocks;
  std::vector<std::uint32_t> asked;  ///< tokens_max of the target of each step, with all guesses right
  friend std::ostream& operator<<(std::ostream& out, const Limit& c) { return out << c.rule; }
};
const Limit limit_cases[] = {
    {"as many as the replica may make", 20, 9, 64, 64, {1, 4, 4}},
    {"no more than are left of the answer", 20, 8, 64, 64, {1, 4, 3}},
    {"the last one alone is no guess", 20, 6, 64, 64, {1, 4, 1}},
    {"no more than the budget of a step has room for", 3, 9, 3, 64, {1, 3, 3, 2}},
    {"across the border of a block where one is free", 30, 8, 64, 64, {1, 4, 3}},
    {"up to the border of a block where none is", 16, 17, 64, 2, {1, 4, 4, 4, 4}},
};
BOOST_DATA_TEST_CASE(guesses_keep_to_the_limits, bdata::make(limit_cases), c) {
  auto b = bench(4, {.step_tokens_max = c.budget}, c.blocks);
  const auto run = make_run(1, 1, {.prompt = c.prompt, .tokens_max = c.tokens_max});
  b.give(run);
  std::vector<std::uint32_t> asked;
  while (const auto plan = b.plan()) {
    for (const auto& item : plan->items) {
      for (const auto& target : item.samples) asked.push_back(target.tokens_max);
      const std::uint32_t guesses = item.samples.empty() ? 0 : item.samples[0].tokens_max - 1;
      BOOST_TEST(item.tokens.size() + guesses <= c.budget);
      BOOST_TEST(item.blocks.size() * core::block_tokens >= item.first_position + item.tokens.size() + guesses);
    }
    b.give(answer(*plan, 3));
  }
  BOOST_TEST(asked == c.asked, boost::test_tools::per_element());
  BOOST_TEST(b.heard(run).size() == c.tokens_max);
  BOOST_TEST(b.core.report(b.now).blocks_used == 0U);
}

BOOST_AUTO_TEST_CASE(what_comes_behind_the_end_is_nobody_s) {
  auto b = bench(4);
  const auto run = make_run(1, 1, {.tokens_max = 20});
  b.give(run);
  b.give(answer(*b.plan(), 0));
  auto result = answer(*b.plan(), 3);
  result.sampled[1].out.finish = core::FinishReason::stop;
  b.give(result);
  const auto heard = b.heard(run);
  BOOST_REQUIRE(heard.size() == 3U);
  BOOST_TEST((heard[2].finish == core::FinishReason::stop));
  BOOST_TEST(b.core.counters().tokens_generated == 3U);
  BOOST_TEST(b.core.idle());
}

BOOST_AUTO_TEST_CASE(guesses_preempt_nobody_and_prompts_go_first) {
  // Two streams in a pool that is just enough: nothing is left for guesses across a border, and nobody is given back for one.
  auto b = bench(4, {.step_tokens_max = 64}, 4);
  b.give(make_run(1, 1, {.prompt = 16, .tokens_max = 16}));
  b.give(make_run(2, 1, {.prompt = 16, .tokens_max = 16, .family = 1}));
  b.run_dry();
  BOOST_TEST(b.core.counters().preemptions == 0U);
  BOOST_TEST(b.posted<core::RunReturned>().empty());
  // A prompt that fills the step leaves nothing to guesses.
  auto p = bench(4, {.step_tokens_max = 20});
  p.give(make_run(1, 1, {.prompt = 4, .tokens_max = 30}));
  p.step();
  p.give(make_run(2, 1, {.prompt = 60, .family = 1}));
  const auto plan = p.plan();
  BOOST_REQUIRE(plan.has_value());
  std::uint32_t rows = 0;
  for (const auto& item : plan->items) {
    rows += static_cast<std::uint32_t>(item.tokens.size());
    if (!item.samples.empty()) BOOST_TEST(item.samples[0].tokens_max == 1U);
  }
  BOOST_TEST(rows == 20U);
}

BOOST_AUTO_TEST_CASE(bodies_that_compute_nothing_make_as_many_however_they_step) {
  core::Request request;
  request.sampling.seed = 42;
  std::uint64_t right = 0;
  for (std::uint32_t index = 0; index < 4000; ++index) right += counted_guesses(request, 0, index, 1, 300);
  BOOST_TEST((right > 1100U && right < 1300U));
  BOOST_TEST(counted_guesses(request, 0, 7, 5, 1000) == 5U);
  BOOST_TEST(counted_guesses(request, 0, 7, 5, 0) == 0U);
  BOOST_TEST(counted_guesses(request, 0, 7, 3, 300) <= counted_guesses(request, 0, 7, 5, 300));
  for (const std::uint32_t permille : {0U, 500U, 1000U}) {
    auto b = bench(4);
    b.core.set_guess_permille(permille);
    const auto run = make_run(1, 1, {.tokens_max = 41});
    b.give(run);
    std::uint32_t steps = 0;
    while (const auto outline = b.core.begin_step(b.now, b.out)) {
      if (steps > 0) BOOST_TEST(outline->answer_rows == outline->rows);
      BOOST_TEST(b.core.jump_room(100).steps == 0U);  // how far a jump goes cannot be told
      b.core.check();
      b.core.end_step(std::chrono::milliseconds(1), false, b.now, b.out);
      b.core.check();
      ++steps;
    }
    BOOST_TEST(b.heard(run).size() == 41U);
    if (permille == 0) BOOST_TEST(steps == 41U);
    if (permille == 500) BOOST_TEST((steps > 15U && steps < 35U));
    if (permille == 1000) BOOST_TEST(steps == 11U);
    BOOST_TEST(b.core.idle());
  }
}

BOOST_AUTO_TEST_SUITE_END()
