#include "sched/prefix_index.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <vector>

#include "tests/sched/fake_worker.h"

using namespace spillway;
using sched::PrefixIndex;

BOOST_AUTO_TEST_SUITE(prefix_index)

BOOST_AUTO_TEST_CASE(a_name_leads_to_its_block) {
  PrefixIndex index(4);
  BOOST_TEST(index.find({{1, 2}}) == core::no_block);
  BOOST_TEST(index.insert({{1, 2}}, 3));
  BOOST_TEST(!index.insert({{1, 2}}, 2));
  BOOST_TEST(index.find({{1, 2}}) == 3U);
  BOOST_TEST((index.name(3) == core::BlockName{{1, 2}}));
  BOOST_TEST(!index.name(2));
  BOOST_TEST(index.find({{2, 1}}) == core::no_block);
  index.erase(3);
  BOOST_TEST(!index.name(3));
  BOOST_TEST(index.find({{1, 2}}) == core::no_block);
  BOOST_TEST(index.size() == 0U);
}

BOOST_AUTO_TEST_CASE(agrees_with_a_map_however_names_collide) {
  // Names that differ in few bits fill runs of neighbouring places; deletions in the middle of a run must not cut it.
  sched::test::Random random(11);
  constexpr std::uint32_t blocks = 64;
  PrefixIndex index(blocks);
  std::map<core::BlockName, core::BlockId> map;
  std::vector<core::BlockId> free;
  for (core::BlockId b = 0; b < blocks; ++b) free.push_back(b);
  std::uint64_t erased = 0;
  for (std::uint32_t i = 0; i < 50000; ++i) {
    const core::BlockName name{{random.below(4), 1 + random.below(40)}};
    if (random.one_in(2) && map.size() < blocks) {
      const bool fresh = map.emplace(name, free.back()).second;
      BOOST_REQUIRE(index.insert(name, free.back()) == fresh);
      if (fresh) free.pop_back();
    } else if (const auto at = map.find(name); at != map.end()) {
      BOOST_REQUIRE(index.name(at->second) == name);
      index.erase(at->second);
      free.insert(free.begin(), at->second);
      map.erase(at);
      ++erased;
    }
    const core::BlockName other{{random.below(4), 1 + random.below(40)}};
    const auto it = map.find(other);
    BOOST_REQUIRE(index.find(other) == (it == map.end() ? core::no_block : it->second));
    BOOST_REQUIRE(index.size() == map.size());
  }
  for (const auto& [name, block] : map) BOOST_REQUIRE(index.find(name) == block);
  BOOST_TEST(erased > 5000U);
  index.clear();
  BOOST_TEST(index.size() == 0U);
  BOOST_TEST(index.find(map.begin()->first) == core::no_block);
}

BOOST_AUTO_TEST_SUITE_END()
