#include "core/placement_policy.h"

#include <boost/test/unit_test.hpp>

using namespace spillway::core;

BOOST_AUTO_TEST_SUITE(placement_policy)

BOOST_AUTO_TEST_CASE(every_name_is_read_back_and_nothing_else_is) {
  const auto names = placement_policy_names();
  BOOST_TEST(names.size() == 7U);
  for (std::size_t i = 0; i < names.size(); ++i) {
    PlacementPolicy policy = PlacementPolicy::additive;
    BOOST_TEST(parse_placement_policy(names[i], policy), names[i]);
    BOOST_TEST(static_cast<std::size_t>(policy) == i);
    BOOST_TEST(to_string(policy) == names[i]);
  }
  PlacementPolicy policy = PlacementPolicy::dynamo;
  for (const char* wrong : {"", "Additive", "round-robin", "preble "}) BOOST_TEST(!parse_placement_policy(wrong, policy), wrong);
  BOOST_TEST((policy == PlacementPolicy::dynamo));
  BOOST_TEST(to_string(static_cast<PlacementPolicy>(99)) == "unknown");
}

BOOST_AUTO_TEST_SUITE_END()
