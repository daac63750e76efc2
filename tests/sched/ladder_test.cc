#include "sched/ladder.h"

#include <boost/test/unit_test.hpp>

namespace spillway::sched {

namespace {

using std::chrono::seconds;

const core::ModelId big{1};
const core::ModelId small{2};

std::vector<core::Rung> ladder() {
  core::Rung shorter{core::Rung::Kind::shorter, 64, {}, {}, {}, "shorter:64"};
  core::Rung model{core::Rung::Kind::model, 0, "small", small, {}, "model:small"};
  core::Rung defer{core::Rung::Kind::defer, 0, {}, {}, seconds(5), "defer:5s"};
  return {shorter, model, defer};
}

bool yes(core::ModelId) {
  return true;
}
bool no(core::ModelId) {
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(ladder_steps_test)

BOOST_AUTO_TEST_CASE(rungs_are_taken_one_on_top_of_the_other) {
  const auto rungs = ladder();
  const auto steps = ladder_steps(rungs, 100, big, yes);
  BOOST_REQUIRE(steps.size() == 4U);
  BOOST_TEST(steps[0].changed == 0U);
  BOOST_TEST(steps[0].tokens_max == 100U);
  BOOST_TEST(steps[1].tokens_max == 64U);
  BOOST_TEST((steps[1].model == big));
  BOOST_TEST((steps[2].model == small));
  BOOST_TEST(steps[2].tokens_max == 64U);
  BOOST_TEST((steps[3].wait == seconds(5)));
  BOOST_TEST((steps[3].model == small));
  BOOST_TEST((rung_words(rungs, steps[3]) == std::vector<std::string>{"shorter:64", "model:small", "defer:5s"}));
  BOOST_TEST(rung_words(rungs, steps[0]).empty());
}

BOOST_AUTO_TEST_CASE(a_rung_that_changes_nothing_gives_no_step_and_no_word) {
  const auto rungs = ladder();
  const auto steps = ladder_steps(rungs, 64, big, no);
  BOOST_REQUIRE(steps.size() == 2U);
  BOOST_TEST(steps[1].rungs == 3U);
  BOOST_TEST((rung_words(rungs, steps[1]) == std::vector<std::string>{"defer:5s"}));
  BOOST_TEST(ladder_steps(rungs, 10, small, yes).size() == 2U);
  BOOST_TEST(ladder_steps({}, 10, big, yes).size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_answer_without_a_limit_is_shortened) {
  const auto steps = ladder_steps(ladder(), 0, big, no);
  BOOST_REQUIRE(steps.size() == 3U);
  BOOST_TEST(steps[1].tokens_max == 64U);
}

BOOST_AUTO_TEST_CASE(the_load_takes_a_rung_and_one_more_for_each_step_above) {
  const std::uint32_t loads[] = {0, 999, 1000, 1249, 1250, 1500, 9000};
  const std::uint32_t want[] = {0, 0, 1, 1, 2, 3, 3};
  for (std::size_t i = 0; i < std::size(loads); ++i) BOOST_TEST(rungs_at(3, loads[i], 1000, 250) == want[i], loads[i]);
  BOOST_TEST(rungs_at(3, 1000, 1000, 0) == 3U);
  BOOST_TEST(rungs_at(0, 5000, 1000, 250) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
