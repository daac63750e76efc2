#include "sched/name_set.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <vector>

#include "tests/sched/fake_worker.h"

using namespace spillway;
using sched::NameSet;

BOOST_AUTO_TEST_SUITE(name_set)

BOOST_AUTO_TEST_CASE(holds_what_was_put_in_until_it_is_taken_out) {
  NameSet set;
  BOOST_TEST(set.empty());
  BOOST_TEST(!set.contains({{1, 2}}));
  BOOST_TEST(!set.erase({{1, 2}}));
  BOOST_TEST(set.insert({{1, 2}}));
  BOOST_TEST(!set.insert({{1, 2}}));
  BOOST_TEST(set.contains({{1, 2}}));
  BOOST_TEST(!set.contains({{2, 1}}));
  BOOST_TEST(set.size() == 1U);
  BOOST_TEST(set.erase({{1, 2}}));
  BOOST_TEST(set.empty());
  set.insert({{3, 4}});
  set.clear();
  BOOST_TEST(!set.contains({{3, 4}}));
  BOOST_TEST(set.empty());
}

BOOST_AUTO_TEST_CASE(agrees_with_a_set_of_whole_names_however_it_grows) {
  sched::test::Random random(23);
  NameSet set;
  std::set<core::BlockName> names;
  std::uint64_t erased = 0;
  for (std::uint32_t i = 0; i < 60000; ++i) {
    // It fills to thousands, empties to hundreds, and fills again.
    const bool fills = (i / 15000) % 2 == 0;
    const core::BlockName name{{random.below(64), 1 + random.below(60)}};
    if (random.below(10) < (fills ? 8U : 2U)) {
      BOOST_REQUIRE(set.insert(name) == names.insert(name).second);
    } else {
      const bool was = names.erase(name) > 0;
      BOOST_REQUIRE(set.erase(name) == was);
      erased += was ? 1 : 0;
    }
    const core::BlockName other{{random.below(64), 1 + random.below(60)}};
    BOOST_REQUIRE(set.contains(other) == names.contains(other));
    BOOST_REQUIRE(set.size() == names.size());
  }
  for (const auto& name : names) BOOST_REQUIRE(set.contains(name));
  BOOST_TEST(erased > 5000U);
}

BOOST_AUTO_TEST_CASE(many_at_once_are_as_one_by_one) {
  std::vector<core::BlockName> names;
  for (std::uint64_t i = 1; i <= 500; ++i) names.push_back({{i, i * 3}});
  NameSet set;
  set.insert(names);
  BOOST_TEST(set.size() == 500U);
  BOOST_TEST(set.run(names) == 500U);
  const std::vector<core::BlockName> some{names[100], {{7, 7}}, names[102], names[100]};
  set.erase(some);
  BOOST_TEST(set.size() == 498U);
  BOOST_TEST(set.run(names) == 100U);
  BOOST_TEST(set.contains(names[101]));
  set.insert(std::vector<core::BlockName>{names[100], names[100]});
  BOOST_TEST(set.run(names) == 102U);
  BOOST_TEST(set.run({}) == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
