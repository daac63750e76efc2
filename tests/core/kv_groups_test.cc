#include "core/kv_groups.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <vector>

#include "core/enum_range.h"
#include "core/step.h"

using namespace spillway::core;
namespace bdata = boost::unit_test::data;

namespace {

const KvGroup full{};
const KvGroup window_20{KvGroupKind::window, 20, 0};
const KvGroup window_1{KvGroupKind::window, 1, 0};
const KvGroup state_3{KvGroupKind::state, 0, 3};

struct HeldCase {
  const char* rule;
  KvGroup group;
  std::uint64_t rows;
  std::uint64_t first;
  std::uint64_t held;
  friend std::ostream& operator<<(std::ostream& out, const HeldCase& c) { return out << c.rule; }
};
const HeldCase held_cases[] = {
    {"nothing computed, nothing held", full, 0, 0, 0},
    {"full: a block for each 16 rows", full, 33, 0, 3},
    {"a window that reaches to the beginning holds all", window_20, 19, 0, 2},
    {"a block whose last row the next one still sees is kept", window_20, 34, 0, 3},
    {"and goes when it does not", window_20, 35, 1, 2},
    {"later too", window_20, 100, 5, 2},
    {"a window of one row needs nothing of the past", window_1, 32, 2, 0},
    {"but for the block it grows", window_1, 33, 2, 1},
    {"a state is as large as ever", state_3, 1, 0, 3},
    {"however long the stream", state_3, 9999, 0, 3},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(kv_groups)

BOOST_DATA_TEST_CASE(what_a_group_holds, bdata::make(held_cases), c) {
  BOOST_TEST(first_kept_block(c.group, c.rows) == c.first);
  BOOST_TEST(held_blocks(c.group, c.rows) == c.held);
}

BOOST_AUTO_TEST_CASE(the_peak_is_never_passed_on_the_way) {
  for (const KvGroup& group : {full, window_20, window_1, state_3}) {
    for (const std::uint64_t step : {1U, 7U, 16U, 24U, 100U}) {
      const std::uint64_t rows = 300;
      const std::uint64_t peak = peak_blocks(group, rows, step);
      for (std::uint64_t done = 0; done < rows; done += std::min(step, rows - done)) {
        const std::uint64_t end = done + std::min(step, rows - done);
        // While a chunk is computed its blocks are there, and those of the window before it.
        const std::uint64_t there = group.kind == KvGroupKind::state ? group.blocks : (end + 15) / 16 - first_kept_block(group, done);
        BOOST_TEST(there <= peak);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(groups_add_up_and_none_is_one_of_full_attention) {
  const std::vector<KvGroup> groups{full, window_20, state_3};
  BOOST_TEST(held_blocks(groups, 100) == 7U + 2U + 3U);
  BOOST_TEST(held_blocks(std::vector<KvGroup>{}, 100) == 7U);
  BOOST_TEST(peak_blocks(std::vector<KvGroup>{}, 100, 8) == 7U);
  BOOST_TEST(peak_blocks(groups, 100, 8) == 7U + 3U + 3U);
  BOOST_TEST(shared_blocks(groups, 100) == 6U + 1U);
  BOOST_TEST(only_full({}));
  BOOST_TEST(only_full(std::vector{full}));
  BOOST_TEST(!only_full(std::vector{full, full}));
  BOOST_TEST(!only_full(std::vector{window_20}));
}

BOOST_AUTO_TEST_CASE(each_group_names_its_blocks_apart) {
  const BlockName name{{1, 2}};
  BOOST_TEST((group_name(name, 0) == name));
  BOOST_TEST((group_name(name, 1) != name));
  BOOST_TEST((group_name(name, 1) != group_name(name, 2)));
  BOOST_TEST((group_name({}, 1) == BlockName{}));
}

BOOST_AUTO_TEST_CASE(kinds_have_names) {
  BOOST_TEST(to_string(KvGroupKind::window) == "window");
  BOOST_TEST(to_string(enum_max<KvGroupKind>) == "state");
  BOOST_TEST(to_string(static_cast<KvGroupKind>(3)) == "unknown");
}

BOOST_AUTO_TEST_SUITE_END()
