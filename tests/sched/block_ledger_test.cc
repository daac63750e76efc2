#include "sched/block_ledger.h"

#include <boost/test/unit_test.hpp>
#include <vector>

#include "tests/sched/fake_worker.h"

using namespace spillway;
using sched::BlockLedger;

namespace {
core::BlockName name(std::uint64_t n) {
  return {{n, n + 1}};
}
}  // namespace

BOOST_AUTO_TEST_SUITE(block_ledger)

BOOST_AUTO_TEST_CASE(blocks_are_handed_out_until_all_are_held) {
  BlockLedger l(3);
  BOOST_TEST(l.allocate() == 0U);
  BOOST_TEST(l.allocate() == 1U);
  BOOST_TEST(l.allocate() == 2U);
  BOOST_TEST(l.allocate() == core::no_block);
  l.drop_table(1);
  BOOST_TEST(l.allocate() == 1U);
}

BOOST_AUTO_TEST_CASE(a_named_block_stays_cached_and_is_found) {
  BlockLedger l(2);
  const auto b = l.allocate();
  l.set_name(b, name(7));
  l.drop_table(b);
  BOOST_TEST(l.cached(b));
  BOOST_TEST(l.available() == 2U);
  BOOST_TEST(l.find(name(7)) == b);
  l.add_table(b);
  BOOST_TEST(!l.cached(b));
  BOOST_TEST(l.available() == 1U);
}

BOOST_AUTO_TEST_CASE(free_blocks_go_before_cached_ones_and_the_oldest_of_those_first) {
  BlockLedger l(3);
  for (core::BlockId b = 0; b < 3; ++b) {
    l.allocate();
    l.set_name(b, name(b));
  }
  l.drop_table(1);
  l.drop_table(0);
  l.drop_table(2);
  l.add_table(1);  // used again: now the newest
  l.drop_table(1);
  l.clear_changes();
  BOOST_TEST(l.allocate() == 0U);
  BOOST_TEST(l.allocate() == 2U);
  BOOST_TEST(l.allocate() == 1U);
  BOOST_REQUIRE(l.removed_names().size() == 3U);
  BOOST_TEST((l.removed_names()[0] == name(0)));
  BOOST_TEST(l.find(name(0)) == core::no_block);
}

BOOST_AUTO_TEST_CASE(a_pin_holds_a_block_like_a_table) {
  BlockLedger l(1);
  const auto b = l.allocate();
  l.add_pin(b);
  l.drop_table(b);
  BOOST_TEST(l.allocate() == core::no_block);
  l.drop_pin(b);
  BOOST_TEST(l.allocate() == b);
}

BOOST_AUTO_TEST_CASE(the_first_block_keeps_a_name_and_a_block_its_first_name) {
  BlockLedger l(2);
  const auto a = l.allocate();
  const auto b = l.allocate();
  l.set_name(a, name(1));
  l.set_name(b, name(1));
  l.set_name(a, name(2));
  BOOST_TEST(l.find(name(1)) == a);
  BOOST_TEST(l.find(name(2)) == core::no_block);
  BOOST_TEST(l.added_names().size() == 1U);
  l.drop_table(b);
  BOOST_TEST(l.free_count() == 1U);
}

BOOST_AUTO_TEST_CASE(reset_forgets_everything) {
  BlockLedger l(4);
  l.set_name(l.allocate(), name(1));
  l.add_pin(l.allocate());
  l.reset();
  BOOST_TEST(l.free_count() == 4U);
  BOOST_TEST(l.find(name(1)) == core::no_block);
  BOOST_TEST(l.removed_names().size() == 1U);
  const std::vector<std::uint32_t> none(4, 0);
  l.check(none, none);
}

BOOST_AUTO_TEST_CASE(random_use_keeps_every_invariant) {
  sched::test::Random random(3);
  constexpr std::uint32_t blocks = 24;
  BlockLedger l(blocks);
  std::vector<std::uint32_t> tables(blocks, 0), pins(blocks, 0);
  std::uint64_t evicted = 0, found = 0;
  for (int i = 0; i < 20000; ++i) {
    const auto b = random.below(blocks);
    switch (random.below(6)) {
      case 0:
        if (const auto got = l.allocate(); got != core::no_block) {
          BOOST_REQUIRE(tables[got] + pins[got] == 0);
          ++tables[got];
        } else {
          BOOST_REQUIRE(l.available() == 0U);
        }
        break;
      case 1:
        if (tables[b] > 0) --tables[b], l.drop_table(b);
        break;
      case 2:
        if (pins[b] > 0) --pins[b], l.drop_pin(b);
        break;
      case 3:
        if (tables[b] + pins[b] > 0) l.set_name(b, name(random.below(60)));
        break;
      default:
        if (const auto held = l.find(name(random.below(60))); held != core::no_block) {
          ++found;
          if (random.one_in(2)) {
            ++tables[held], l.add_table(held);
          } else {
            ++pins[held], l.add_pin(held);
          }
        }
    }
    evicted += l.removed_names().size();
    l.clear_changes();
    l.check(tables, pins);
  }
  BOOST_TEST(evicted > 300U);
  BOOST_TEST(found > 1000U);
}

BOOST_AUTO_TEST_SUITE_END()
