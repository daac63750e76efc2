#include "sched/group_blocks.h"

#include <boost/test/unit_test.hpp>
#include <vector>

using namespace spillway;
using namespace spillway::sched;

BOOST_AUTO_TEST_SUITE(group_blocks)

BOOST_AUTO_TEST_CASE(one_full_group_needs_what_it_always_did) {
  BOOST_TEST(capacity_blocks({}, 40, 100, 1, 8) == 7U);
  BOOST_TEST(capacity_blocks({}, 40, 100, 3, 8) == 2U + 3U * 5U);
}

BOOST_AUTO_TEST_CASE(windows_and_states_need_less) {
  const std::vector<core::KvGroup> window{{core::KvGroupKind::window, 20, 0}};
  const std::vector<core::KvGroup> state{{core::KvGroupKind::state, 0, 2}};
  BOOST_TEST(capacity_blocks(window, 40, 4000, 1, 8) == 3U);
  BOOST_TEST(capacity_blocks(state, 40, 4000, 1, 8) == 2U);
  BOOST_TEST(capacity_blocks(state, 40, 4000, 2, 8) >= 4U);
  BOOST_TEST(growing_groups(window) == 0U);
  BOOST_TEST(growing_groups({}) == 1U);
  BOOST_TEST(keeps_state(state));
  BOOST_TEST(!keeps_state(window));
  BOOST_TEST(!keeps_state({}));
}

BOOST_AUTO_TEST_SUITE_END()
