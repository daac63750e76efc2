#include "sched/slot_table.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <string>

#include "core/ids.h"
#include "tests/sched/fake_worker.h"

using namespace spillway;

namespace {

struct Entry {
  core::StreamKey key;
  std::uint32_t slot = 0;
  std::string text;
};
using Table = sched::SlotTable<core::StreamKey, Entry>;

core::StreamKey key_of(std::uint64_t tenant, std::uint64_t request) {
  return {{tenant}, core::RequestId{{1, request}}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(slot_table)

BOOST_AUTO_TEST_CASE(a_value_keeps_its_place_until_it_is_erased) {
  Table table;
  BOOST_TEST(table.find(key_of(1, 1)) == nullptr);
  Entry& first = table.insert({key_of(1, 1), 0, "first"});
  for (std::uint64_t i = 2; i < 500; ++i) table.insert({key_of(1, i), 0, std::to_string(i)});
  BOOST_TEST(table.size() == 499U);
  BOOST_TEST(table.find(key_of(1, 1)) == &first);
  BOOST_TEST(&table[first.slot] == &first);
  BOOST_TEST(table.find(key_of(1, 77))->text == "77");
  const std::uint32_t slot = table.find(key_of(1, 77))->slot;
  table.erase(*table.find(key_of(1, 77)));
  BOOST_TEST(table.find(key_of(1, 77)) == nullptr);
  BOOST_TEST(table.insert({key_of(2, 1), 0, "new"}).slot == slot);  // used again
  BOOST_TEST(first.text == "first");
}

BOOST_AUTO_TEST_CASE(agrees_with_a_map_and_walks_like_one) {
  sched::test::Random random(31);
  Table table;
  std::map<core::StreamKey, std::string> map;
  std::uint64_t erased = 0;
  for (std::uint32_t i = 0; i < 40000; ++i) {
    const auto key = key_of(random.below(3), random.below(400));
    if (random.below(10) < 6) {
      if (map.emplace(key, std::to_string(i)).second) table.insert({key, 0, std::to_string(i)});
    } else if (map.erase(key) > 0) {
      table.erase(*table.find(key));
      ++erased;
    }
    const auto other = key_of(random.below(3), random.below(400));
    const auto at = map.find(other);
    const Entry* found = table.find(other);
    BOOST_REQUIRE((found != nullptr) == (at != map.end()));
    if (found != nullptr) BOOST_REQUIRE(found->text == at->second);
    BOOST_REQUIRE(table.size() == map.size());
  }
  BOOST_TEST(erased > 5000U);
  auto at = map.begin();
  for (const Entry* entry : std::as_const(table).in_order()) {
    BOOST_REQUIRE(entry->key == at->first);
    BOOST_REQUIRE(entry->text == at->second);
    ++at;
  }
  BOOST_TEST((at == map.end()));
  while (!table.empty()) table.erase(*table.in_order().front());
  BOOST_TEST(table.in_order().empty());
}

BOOST_AUTO_TEST_SUITE_END()
