#include "sched/supersede.h"

#include <boost/test/unit_test.hpp>

#include "tests/sched/router_fixture.h"

namespace spillway::sched::test {

namespace {
constexpr core::TenantId t{1}, u{2};
core::StreamKey stream(std::uint64_t id) {
  return {t, {{0, id}}};
}
using Keys = std::vector<core::StreamKey>;

RouterCore::Admit caption(const Fixture& f, std::uint64_t id, const std::string& channel = "match-7/de") {
  auto admit = f.request(id);
  admit.request->supersedes = channel;
  return admit;
}
}  // namespace

BOOST_AUTO_TEST_SUITE(supersede)

BOOST_AUTO_TEST_CASE(the_newest_of_a_channel_cancels_the_older) {
  ChannelTable table;
  BOOST_TEST(table.enter(t, "a", stream(1), false).cancel.empty());
  BOOST_TEST((table.enter(t, "a", stream(2), false).cancel == Keys{stream(1)}));
  BOOST_TEST((table.enter(t, "a", stream(3), false).cancel == Keys{stream(2)}));
}

BOOST_AUTO_TEST_CASE(other_channels_and_other_tenants_are_left_alone) {
  ChannelTable table;
  table.enter(t, "a", stream(1), false);
  BOOST_TEST(table.enter(t, "b", stream(2), false).cancel.empty());
  BOOST_TEST(table.enter(u, "a", stream(3), false).cancel.empty());
}

BOOST_AUTO_TEST_CASE(what_is_over_is_not_cancelled_and_a_channel_without_streams_is_forgotten) {
  ChannelTable table;
  table.enter(t, "a", stream(1), false);
  table.leave(t, "a", stream(9));
  BOOST_TEST(table.size() == 1U);
  table.leave(t, "a", stream(1));
  table.leave(t, "a", stream(1));
  BOOST_TEST(table.size() == 0U);
  BOOST_TEST(table.enter(t, "a", stream(2), false).cancel.empty());
}

BOOST_AUTO_TEST_CASE(a_stream_that_comes_back_is_older_than_what_was_submitted_since) {
  ChannelTable table;
  table.enter(t, "a", stream(2), false);
  BOOST_TEST(table.enter(t, "a", stream(1), true).superseded);
  BOOST_TEST((table.enter(t, "a", stream(3), false).cancel == Keys{stream(2)}));  // it never joined
}

BOOST_AUTO_TEST_CASE(two_that_come_back_go_on_until_the_next_one) {
  ChannelTable table;
  BOOST_TEST(!table.enter(t, "a", stream(2), true).superseded);
  BOOST_TEST(!table.enter(t, "a", stream(1), true).superseded);
  BOOST_TEST((table.enter(t, "a", stream(3), false).cancel == Keys{stream(1), stream(2)}));
}

BOOST_AUTO_TEST_CASE(a_router_ends_the_older_caption_as_cancelled_and_counts_it) {
  Fixture f;
  const auto run = f.start(caption(f, 1));
  f.tokens(a, run.key, run.epoch, 0, {7, 8});
  f.out.clear();
  f.admit(caption(f, 2));
  BOOST_REQUIRE(f.sent<core::CancelRun>(a) != nullptr);
  BOOST_TEST((f.sent<core::CancelRun>(a)->key == run.key));
  const auto deltas = f.told<core::Delta>(1);
  BOOST_REQUIRE(deltas.size() == 1U);
  BOOST_TEST((deltas[0].finish == core::FinishReason::cancelled));
  BOOST_TEST(f.told<core::Finished>(1).size() == 1U);
  BOOST_TEST(f.told<core::Finished>(1)[0].completion_tokens == 2U);
  BOOST_TEST(f.told<core::Accepted>(2).size() == 1U);
  BOOST_TEST(f.core.counters().streams_superseded == 1U);
  BOOST_TEST(f.core.streams() == 1U);
}

BOOST_AUTO_TEST_CASE(a_caption_that_waits_for_room_is_superseded_too) {
  Fixture f;
  for (const auto node : {a, b}) f.replica(node).ready = false, f.report(node);
  f.admit(caption(f, 1));
  f.admit(caption(f, 2));
  BOOST_TEST(f.told<core::Finished>(1).size() == 1U);
  BOOST_TEST(f.core.streams() == 1U);
}

BOOST_AUTO_TEST_CASE(a_refused_caption_supersedes_nobody) {
  Fixture f;
  f.start(caption(f, 1));
  auto refused = caption(f, 2);
  refused.request->prompt = std::vector<core::TokenId>(300, 1);
  f.admit(refused);
  BOOST_TEST(f.told<core::Failed>(2).size() == 1U);
  BOOST_TEST(f.told<core::Finished>(1).empty());
  BOOST_TEST(f.core.counters().streams_superseded == 0U);
}

BOOST_AUTO_TEST_CASE(an_older_caption_that_comes_back_ends_at_once) {
  Fixture f;
  f.start(caption(f, 2));
  auto back = caption(f, 1);
  back.resumed = true;
  back.resume.weights_digest = {4, 4};
  back.resume.numerics_id = 1;
  back.resume.choices.resize(1);
  f.admit(back);
  BOOST_TEST(f.told<core::Finished>(1).size() == 1U);
  BOOST_TEST(f.told<core::Finished>(2).empty());
  BOOST_TEST(f.core.counters().streams_superseded == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
