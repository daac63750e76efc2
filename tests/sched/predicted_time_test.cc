#include "sched/predicted_time.h"

#include <boost/test/unit_test.hpp>

namespace spillway::sched {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const StepCoefficients step{milliseconds(10), milliseconds(1)};

}  // namespace

BOOST_AUTO_TEST_SUITE(predicted_time)

BOOST_AUTO_TEST_CASE(prefill_takes_whole_steps_shared_with_the_decodes_of_others) {
  BOOST_TEST((prefill_time(step, 0, 5, 64) == milliseconds(0)));
  BOOST_TEST((prefill_time(step, 1, 0, 64) == milliseconds(11)));
  BOOST_TEST((prefill_time(step, 64, 0, 64) == milliseconds(74)));
  BOOST_TEST((prefill_time(step, 65, 0, 64) == milliseconds(20 + 65)));
  BOOST_TEST((prefill_time(step, 60, 4, 64) == milliseconds(10 + 64)));
  BOOST_TEST((prefill_time(step, 61, 4, 64) == milliseconds(20 + 61 + 8)));
  BOOST_TEST((prefill_time(step, 2, 500, 64) == milliseconds(2 * 10 + 2 + 2 * 64)));  // one token a step is left
}

BOOST_AUTO_TEST_CASE(decode_takes_a_step_a_token) {
  BOOST_TEST((decode_time(step, 0, 9) == milliseconds(0)));
  BOOST_TEST((decode_time(step, 20, 1) == milliseconds(220)));
}

BOOST_AUTO_TEST_CASE(progress_is_the_inverse_of_prefill) {
  BOOST_TEST(prefill_progress(step, milliseconds(74), 0, 64) == 64U);
  BOOST_TEST(prefill_progress(step, milliseconds(37), 0, 64) == 32U);
  BOOST_TEST(prefill_progress(step, milliseconds(740), 4, 64) == 600U);
  BOOST_TEST(prefill_progress(step, milliseconds(-1), 0, 64) == 0U);
  BOOST_TEST(prefill_progress({}, seconds(1), 0, 64) == 0U);
  for (std::uint64_t tokens = 64; tokens <= 6400; tokens += 64) {
    BOOST_TEST(prefill_progress(step, prefill_time(step, tokens, 0, 64), 0, 64) == tokens);
  }
}

BOOST_AUTO_TEST_CASE(nothing_overflows) {
  const StepCoefficients slow{core::Duration::max(), core::Duration::max()};
  const core::Duration worst = prefill_time(slow, UINT64_MAX, UINT64_MAX, UINT32_MAX) + decode_time(slow, UINT64_MAX, UINT64_MAX);
  BOOST_TEST((worst > core::Duration{0}));
  BOOST_TEST((decode_time({core::Duration{-5}, core::Duration{-7}}, 10, 10) == core::Duration{0}));
  BOOST_TEST(prefill_progress({core::Duration{1}, core::Duration{0}}, core::Duration::max(), 0, UINT32_MAX) > 0U);
  BOOST_TEST(prefill_progress(slow, core::Duration::max(), UINT64_MAX, UINT32_MAX) < (1ULL << 29));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
