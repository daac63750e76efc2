#include "app/move_report.h"

#include <boost/test/unit_test.hpp>

namespace spillway::app {

namespace {

/// Seven blocks, of which six lay at the destination.
sdk::MoveResult there_and_back() {
  sdk::MoveResult moved;
  moved.committed = true;
  moved.destination = "red";
  moved.blocks = 7;
  moved.blocks_sent = 1;
  moved.bytes = 4096;
  moved.steps_during_copy = 3;
  moved.copy = std::chrono::milliseconds(2);
  moved.pause = std::chrono::milliseconds(1);
  return moved;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(move_report)

BOOST_AUTO_TEST_CASE(carried_and_held_blocks_are_told_apart) {
  auto moved = there_and_back();
  BOOST_TEST(move_text(moved) ==
             "moved to red: 1 block (4096 bytes) carried, 6 there already, in 2 ms while 3 tokens were made, 0 rows recomputed, "
             "pause 1 ms");
  moved.blocks_sent = 7;
  moved.bytes = 7 * 4096;
  BOOST_TEST(move_text(moved) ==
             "moved to red: 7 blocks (28672 bytes) carried in 2 ms while 3 tokens were made, 0 rows recomputed, pause 1 ms");
}

BOOST_AUTO_TEST_CASE(json_counts_what_was_carried) {
  const auto moved = move_json(there_and_back());
  BOOST_TEST(moved.at("blocks").to_number<int>() == 1);
  BOOST_TEST(moved.at("blocks_sent").to_number<int>() == 1);
  BOOST_TEST(moved.at("blocks_held").to_number<int>() == 7);
  BOOST_TEST(moved.at("bytes").to_number<int>() == 4096);
  BOOST_TEST(moved.at("commits").to_number<int>() == 1);
  for (const auto* key :
       {"committed", "node", "row_bytes", "rows_recomputed", "rows_after_freeze", "steps_during_copy", "copy_ms", "pause_ms"})
    BOOST_TEST(moved.contains(key), key);
}

BOOST_AUTO_TEST_CASE(a_drain_speaks_alike) {
  sdk::DrainProgress done;
  done.commits = 2;
  done.blocks = 5;
  done.bytes = 5 * 4096;
  const auto json = drain_json("red", sdk::DrainMode::stop, done, 12);
  BOOST_TEST(json.at("mode").as_string() == "stop");
  BOOST_TEST(json.at("blocks").to_number<int>() == 5);
  BOOST_TEST(json.at("bytes").to_number<int>() == 5 * 4096);
  BOOST_TEST(drain_text("red", sdk::DrainMode::begin, done, 12) ==
             "red is empty after 12 ms: 2 streams moved, 5 blocks (20480 bytes) carried, longest pause 0 ms");
  BOOST_TEST(drain_text("red", sdk::DrainMode::resume, done, 12) == "red takes work again");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
