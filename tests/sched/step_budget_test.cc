#include "sched/step_budget.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <ostream>

#include "tests/sched/fake_worker.h"

using namespace spillway;
using namespace spillway::sched;
using namespace std::chrono_literals;
namespace bdata = boost::unit_test::data;

namespace {

struct BudgetCase {
  const char* rule;
  StepCosts costs;
  StepNeeds needs;
  BudgetReason reason;
  std::uint32_t rows;
  friend std::ostream& operator<<(std::ostream& out, const BudgetCase& c) { return out << c.rule; }
};

const StepCosts costs{.base = 10ms, .row = 100us, .context = 1ms};
const BudgetCase cases[] = {
    {"no target, no limit", costs, {.rows_max = 512, .decodes = 10, .decode_attended = 1024}, BudgetReason::rows_max, 512},
    {"nothing learnt, no limit", {}, {.rows_max = 512, .decodes = 10, .tpot = 1ms}, BudgetReason::rows_max, 512},
    {"base + rows + contexts fill the target",
     costs,
     {.rows_max = 512, .decodes = 10, .decode_attended = 10240, .tpot = 40ms},
     BudgetReason::tpot,
     200},
    {"a loose target leaves the budget of the file", costs, {.rows_max = 512, .decodes = 10, .tpot = 1s}, BudgetReason::rows_max, 512},
    {"prompts keep an eighth when the target leaves less",
     costs,
     {.rows_max = 512, .decodes = 100, .tpot = 21ms},
     BudgetReason::floor,
     164},
    {"and when it cannot be met at all", costs, {.rows_max = 512, .decodes = 100, .tpot = 1ms}, BudgetReason::floor, 164},
    {"decodes that fill the step are not cut", costs, {.rows_max = 64, .decodes = 64, .tpot = 1ms}, BudgetReason::rows_max, 64},
    {"an eighth of a small budget is one row", costs, {.rows_max = 4, .decodes = 2, .tpot = 1ms}, BudgetReason::floor, 3},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(step_budget)

BOOST_DATA_TEST_CASE(the_budget_follows_the_tightest_target, bdata::make(cases), c) {
  const StepBudget budget(c.costs, c.needs);
  BOOST_TEST((budget.reason() == c.reason), to_string(budget.reason()));
  BOOST_TEST(budget.rows() == c.rows);
}

BOOST_AUTO_TEST_CASE(time_is_base_and_rows_and_contexts) {
  BOOST_TEST((step_time(costs, 20, 2048) == 10ms + 2ms + 2ms));
  BOOST_TEST(attended_by(0, 3) == 1U + 2U + 3U);
  BOOST_TEST(attended_by(10, 2) == 11U + 12U);
}

BOOST_AUTO_TEST_CASE(late_chunks_of_a_long_prompt_are_shorter) {
  const StepBudget budget(costs, {.rows_max = 512, .decodes = 1, .tpot = 30ms});
  const auto first = budget.prompt_rows(0, 512);
  const auto late = budget.prompt_rows(4096, 512);
  BOOST_TEST(first > late);
  BOOST_TEST(late >= 64U);  // the eighth
}

BOOST_AUTO_TEST_CASE(a_planned_step_keeps_the_target_or_the_floor_and_no_row_more_would) {
  test::Random random(1);
  std::uint64_t kept = 0;
  for (int i = 0; i < 20000; ++i) {
    const StepCosts some{.base = 1us * random.below(20000), .row = 1us * random.below(300), .context = 1us * random.below(300)};
    const StepNeeds needs{.rows_max = 8 + random.below(1000),
                          .decodes = random.below(8),
                          .decode_attended = random.below(100000),
                          .tpot = 1us * (1 + random.below(100000))};
    StepBudget budget(some, needs);
    if (!some.known()) continue;
    std::uint64_t rows = needs.decodes;
    std::uint64_t attended = needs.decode_attended;
    std::uint32_t prompts = 0;
    std::uint32_t left = needs.rows_max - needs.decodes;
    for (int chunk = 0; chunk < 4 && left > 0; ++chunk) {
      const auto position = random.below(4000);
      const auto wanted = std::min(1 + random.below(500), left);
      const auto got = budget.prompt_rows(position, wanted);
      BOOST_REQUIRE(got <= wanted);
      budget.take(position, got);
      const bool more_fits = step_time(some, rows + got + 1, attended + attended_by(position, got + 1)) + 3us <= needs.tpot;
      BOOST_REQUIRE(got == wanted || !more_fits);
      rows += got, attended += attended_by(position, got), prompts += got, left -= got;
    }
    if (prompts > std::max(needs.rows_max / 8, 1U)) {
      ++kept;
      BOOST_REQUIRE((step_time(some, rows, attended) <= needs.tpot + 3us));  // each chunk's time is cut to a whole nanosecond
    }
  }
  BOOST_TEST(kept > 3000U);
}

BOOST_AUTO_TEST_SUITE_END()
