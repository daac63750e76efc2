#include "sched/prefix_hints.h"

#include <boost/test/unit_test.hpp>

namespace spillway::sched {

namespace {

std::vector<core::BlockName> names(std::uint64_t from, std::uint64_t count) {
  std::vector<core::BlockName> list;
  for (std::uint64_t i = 0; i < count; ++i) list.push_back({{from, i + 1}});
  return list;
}

core::ReplicaRef at(std::uint64_t node) {
  return {{node}, 0};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(prefix_hints)

BOOST_AUTO_TEST_CASE(who_got_the_longest_beginning_comes_first) {
  PrefixHints hints;
  PrefixHints::Found found;
  BOOST_TEST(hints.find(names(1, 9), found) == 0U);
  hints.note(names(1, 1), at(7));
  hints.note(names(1, 9), at(8));
  BOOST_TEST(hints.find(names(1, 12), found) == 2U);
  BOOST_TEST((found[0] == at(8)));
  BOOST_TEST((found[1] == at(7)));
  BOOST_TEST(hints.find(names(1, 1), found) == 2U);
  BOOST_TEST((found[0] == at(8)));  // the newest
  BOOST_TEST(hints.find(names(2, 12), found) == 0U);
  BOOST_TEST(hints.find({}, found) == 0U);
}

BOOST_AUTO_TEST_CASE(four_are_remembered_each_once) {
  PrefixHints hints;
  PrefixHints::Found found;
  for (std::uint64_t node = 1; node <= 6; ++node) hints.note(names(1, 4), at(node));
  hints.note(names(1, 4), at(5));
  BOOST_TEST(hints.find(names(1, 4), found) == 4U);
  BOOST_TEST((found == PrefixHints::Found{at(5), at(6), at(4), at(3)}));
}

BOOST_AUTO_TEST_CASE(a_later_name_in_the_same_slot_takes_it) {
  PrefixHints hints;
  PrefixHints::Found found;
  const std::vector<core::BlockName> first{{{1, 1}}};
  const std::vector<core::BlockName> second{{{1, 1 + PrefixHints::entries}}};
  hints.note(first, at(1));
  hints.note(second, at(2));
  BOOST_TEST(hints.find(first, found) == 0U);
  BOOST_TEST(hints.find(second, found) == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
