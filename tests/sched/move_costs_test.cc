#include "sched/move_costs.h"

#include <boost/test/unit_test.hpp>

namespace spillway::sched::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// 100 blocks, 40 free, 10 streams; a step of them takes 20 ms.
MoveReplica replica() {
  MoveReplica r;
  r.blocks_total = 100;
  r.blocks_free = 40;
  r.streams = 10;
  r.decode_tokens = 1024;
  r.page_bytes = 1000;
  r.step = {milliseconds(10), milliseconds(1), core::Duration{0}};
  return r;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(move_costs)

BOOST_AUTO_TEST_CASE(freeness_is_steps_until_full) {
  MoveReplica r = replica();
  BOOST_TEST(freeness(r) == 64);
  r.blocks_head = 50;
  BOOST_TEST(freeness(r) == 64);  // nobody waits
  r.queued = 1;
  BOOST_TEST(freeness(r) == -16);
  r.blocks_leaving = 10;
  BOOST_TEST(freeness(r) == 0);
  r.blocks_in_flight = 50;
  BOOST_TEST(freeness(r) == -64);
  r.streams = 0;
  BOOST_TEST(freeness(r) == -640);
  r.draining = true;
  BOOST_TEST(freeness(r) == INT64_MIN);
}

BOOST_AUTO_TEST_CASE(blocks_last_as_streams_grow) {
  MoveReplica r = replica();
  BOOST_TEST(growth(r) == 500U);
  BOOST_TEST((time_to_exhaustion(r) == milliseconds(1280)));
  r.tokens_per_second = 640;
  BOOST_TEST((time_to_exhaustion(r) == seconds(1)));
  r.blocks_leaving = 40;
  BOOST_TEST((time_to_exhaustion(r) == seconds(2)));
  r.streams = 0;
  BOOST_TEST((time_to_exhaustion(r) == core::Duration::max()));
  r = {};
  r.streams = 3;
  BOOST_TEST((time_to_exhaustion(r) == core::Duration::max()));
}

BOOST_AUTO_TEST_CASE(only_groups_that_keep_their_blocks_use_them_up) {
  MoveReplica r = replica();
  r.groups = 3;
  r.growing_groups = 2;
  BOOST_TEST(freeness(r) == 32);
  BOOST_TEST((time_to_exhaustion(r) == milliseconds(640)));
  r.growing_groups = 0;  // windows and states
  BOOST_TEST(freeness(r) == 64);
  BOOST_TEST((time_to_exhaustion(r) == core::Duration::max()));
}

BOOST_AUTO_TEST_CASE(blocks_come_back_as_they_did_of_late) {
  MoveReplica r = replica();
  BOOST_TEST((release_wait(r, 0) == core::Duration{0}));
  BOOST_TEST((release_wait(r, 1) == release_wait_max));
  r.blocks_released = 20;
  BOOST_TEST((release_wait(r, 1) == milliseconds(500)));
  BOOST_TEST((release_wait(r, 1000) == release_wait_max));
}

BOOST_AUTO_TEST_CASE(times_are_by_the_replicas_own_costs) {
  MoveReplica r = replica();
  BOOST_TEST((decode_delay(r, 5, 10, 1024) == milliseconds(100)));
  r.ahead_tokens = 30;
  BOOST_TEST((decode_delay(r, 5, 10, 1024) == milliseconds(130)));
  r.step.context = milliseconds(2);
  BOOST_TEST((decode_delay(r, 5, 10, 2048) == milliseconds(150)));
  r.streams = 0;
  BOOST_TEST((prompt_delay(r, 100, 50) == milliseconds(120)));
  BOOST_TEST((prompt_delay(r, 0, 50) == core::Duration{0}));
  BOOST_TEST((copy_time(r, 3, {{}, 1'000'000}) == milliseconds(3)));
  BOOST_TEST((copy_time(r, 3, {{}, 0}) == seconds(3000)));
}

BOOST_AUTO_TEST_CASE(a_token_takes_less_when_some_have_left) {
  MoveReplica r = replica();
  BOOST_TEST((token_time(r, 10) == milliseconds(20)));
  BOOST_TEST((token_time(r, 4) == milliseconds(14)));
  r.step.context = milliseconds(2);
  BOOST_TEST((token_time(r, 10) == milliseconds(22)));
  BOOST_TEST((token_time(r, 5) == milliseconds(16)));
  BOOST_TEST((token_time(r, 11) == milliseconds(23)));
  r.step = {};
  BOOST_TEST((token_time(r, 10) == core::Duration{0}));
}

BOOST_AUTO_TEST_CASE(what_nobody_could_report_does_not_overflow) {
  MoveReplica r = replica();
  r.step = {core::Duration{1LL << 32}, core::Duration{1LL << 32}, core::Duration{1LL << 32}};
  r.streams = 1U << 16;
  r.ahead_tokens = r.decode_tokens = 1ULL << 28;
  r.page_bytes = UINT64_MAX / 4096;
  const core::Duration sum = decode_delay(r, 65536, r.streams, r.decode_tokens) + prompt_delay(r, r.ahead_tokens, 1) +
                             release_wait(r, UINT32_MAX) + copy_time(r, 4096, {{}, 1});
  BOOST_TEST((sum > core::Duration{0}));
  BOOST_TEST((token_time(r, r.streams) == core::Duration{1LL << 40}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
