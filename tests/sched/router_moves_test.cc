#include <algorithm>

#include "tests/sched/router_fixture.h"

/// Moves, drains, spills and status, as one router sees them.
namespace spillway::sched::test {

BOOST_AUTO_TEST_SUITE(router_moves_test)

BOOST_AUTO_TEST_CASE(the_first_token_under_the_new_epoch_commits_a_move) {
  Fixture f;
  const core::Run run = f.start(f.request());
  f.tokens(a, run.key, run.epoch, 0, {1});
  f.core.on(ClientRef{50}, core::MoveRequest{8, run.key.request, "b"}, f.now, f.out);
  const core::Move move = *f.sent<core::Move>(a);
  f.tokens(a, run.key, run.epoch, 1, {2});
  f.give(b, core::RunAccepted{run.key, move.new_epoch, {b, 0}, 1, 0, true, 1, 3});
  BOOST_TEST(f.sent<core::Release>(a) == nullptr);
  f.now += milliseconds(7);
  f.tokens(b, run.key, move.new_epoch, 3, {4});  // overtakes the last of the source
  BOOST_TEST(f.sent<core::Release>(a) == nullptr);
  f.tokens(a, run.key, run.epoch, 2, {3});
  BOOST_REQUIRE(f.sent<core::Release>(a) != nullptr);
  BOOST_TEST((f.received(1) == std::vector<core::TokenId>{1, 2, 3, 4}));
  BOOST_TEST(f.core.counters().moves_committed == 1U);
  core::MoveReport report;
  report.key = run.key;
  report.new_epoch = move.new_epoch;
  report.blocks = report.blocks_sent = 3;
  report.page_bytes = 384;
  f.give(a, report);
  const auto* update = f.operation();
  BOOST_REQUIRE(update != nullptr);
  BOOST_TEST(update->done);
  BOOST_TEST(update->move.committed);
  BOOST_TEST(update->bytes == 384U);
  BOOST_TEST(update->rows_recomputed == 1U);
  BOOST_TEST(update->operation == 8U);
}

BOOST_AUTO_TEST_CASE(still_yours_or_gone_and_nothing_else) {
  Fixture f;
  const core::Run run = f.start(f.request());
  f.tokens(a, run.key, run.epoch, 0, {1});
  f.core.on(ClientRef{50}, core::MoveRequest{8, run.key.request, "b"}, f.now, f.out);
  const core::Move move = *f.sent<core::Move>(a);
  f.give(a, core::AskOwner{run.key, run.epoch, move.new_epoch, run.replica});
  const core::StillYours* still = f.sent<core::StillYours>(a);
  BOOST_REQUIRE(still != nullptr);
  BOOST_TEST((still->granted > move.new_epoch));
  BOOST_TEST(!f.operation()->move.committed);
  const Epoch granted = still->granted;
  f.tokens(b, run.key, move.new_epoch, 1, {2});  // revoked: not heard
  BOOST_TEST((f.received(1) == std::vector<core::TokenId>{1}));
  BOOST_TEST((f.sent<core::CancelRun>(b)->epoch == move.new_epoch));
  f.give(a, core::AskOwner{run.key, run.epoch, move.new_epoch, run.replica});  // the answer was lost
  BOOST_TEST((f.sent<core::StillYours>(a)->granted == granted));
  f.tokens(a, run.key, run.epoch, 1, {2});  // under way since before
  f.tokens(a, run.key, granted, 2, {3});
  BOOST_TEST((f.received(1) == std::vector<core::TokenId>{1, 2, 3}));
  f.give(a, core::AskOwner{{{3}, {{4, 4}}}, {life, 1}, {life, 2}, run.replica});
  BOOST_TEST(f.sent<core::Gone>(a) != nullptr);
  f.out.clear();
  f.give(a, core::AskOwner{run.key, {{12345}, 1}, {{12345}, 2}, run.replica});  // of another owner's life
  BOOST_TEST(f.sent<core::Gone>(a) != nullptr);
  BOOST_TEST(f.sent<core::StillYours>(a) == nullptr);
}

BOOST_AUTO_TEST_CASE(moves_are_refused_with_a_reason) {
  Fixture f;
  const core::Run run = f.start(f.request());
  const auto ask = [&](core::RequestId request, const char* node) {
    f.core.on(ClientRef{50}, core::MoveRequest{8, request, node}, f.now, f.out);
    BOOST_REQUIRE(f.operation() != nullptr);
    BOOST_TEST(f.operation()->done);
    return f.operation()->code;
  };
  BOOST_TEST((ask(run.key.request, "nowhere") == Errc::unknown_node));
  BOOST_TEST((ask({{8, 8}}, "b") == Errc::unknown_request));
  BOOST_TEST((ask(run.key.request, "a") == Errc::already_exists));
  BOOST_TEST((ask(run.key.request, "r") == Errc::incompatible));
  f.replica(b).blocks_free = 1;
  f.report(b);
  BOOST_TEST((ask(run.key.request, "b") == Errc::no_capacity));
  f.replica(b).blocks_free = 50;
  f.reports.at(b).draining = true;
  f.report(b);
  BOOST_TEST((ask(run.key.request, "b") == Errc::draining));
  f.core.on_peer_down(b, {1}, f.now, f.out);
  BOOST_TEST((ask(run.key.request, "b") == Errc::unavailable));
}

BOOST_AUTO_TEST_CASE(a_drain_that_nobody_can_take_is_refused_with_the_numbers) {
  Fixture f;
  f.replica(a).streams = 3;
  f.replica(a).blocks_used = 30;
  f.replica(a).blocks_free = 20;
  f.replica(b).blocks_free = 29;
  f.report(a);
  f.report(b);
  f.core.on(ClientRef{50}, core::DrainRequest{8, "a", core::DrainMode::begin}, f.now, f.out);
  BOOST_TEST((f.operation()->code == Errc::no_capacity));
  BOOST_TEST(f.operation()->text.find("29 blocks free") != std::string::npos, f.operation()->text);
  BOOST_TEST(f.sent<core::Drain>(a) == nullptr);
  f.core.on_peer_down(b, {1}, f.now, f.out);
  f.core.on(ClientRef{50}, core::DrainRequest{9, "a", core::DrainMode::begin}, f.now, f.out);
  BOOST_TEST(f.operation()->text.find("b is down") != std::string::npos, f.operation()->text);
}

BOOST_AUTO_TEST_CASE(a_drain_moves_the_streams_and_ends_when_the_node_is_empty) {
  Fixture f;
  const core::Run run = f.start(f.request());
  f.replica(a).streams = 1;
  f.replica(a).blocks_used = 3;
  f.report(a);
  f.core.on(ClientRef{50}, core::DrainRequest{8, "a", core::DrainMode::begin}, f.now, f.out);
  BOOST_REQUIRE(f.sent<core::Drain>(a) != nullptr);
  BOOST_TEST(f.operation()->streams_left == 1U);
  f.reports.at(a).draining = true;
  f.report(a);
  BOOST_REQUIRE(f.sent<core::Move>(a) != nullptr);
  const core::Move move = *f.sent<core::Move>(a);
  BOOST_TEST((move.destination.node == b));
  f.give(b, core::RunAccepted{run.key, move.new_epoch, {b, 0}, 1, 0, true, 1, 3});
  f.tokens(b, run.key, move.new_epoch, 0, {1});
  core::MoveReport report;
  report.key = run.key;
  report.new_epoch = move.new_epoch;
  f.give(a, report);
  f.replica(a).streams = 0;
  f.reports.at(a).counters.exports_committed = 1;
  f.reports.at(a).counters.export_bytes = 384;
  f.report(a);
  BOOST_TEST(f.operation()->done);
  BOOST_TEST((f.operation()->code == Errc::ok));
  BOOST_TEST(f.operation()->commits == 1U);
  BOOST_TEST(f.operation()->bytes == 384U);
  BOOST_TEST(f.operation()->rows_recomputed == 1U);
  // New work does not go there, until it is taken back.
  f.replica(b).streams = 40;
  f.report(b);
  f.out.clear();
  f.admit(f.request(2));
  BOOST_TEST(f.sent<core::Run>(a) == nullptr);
  f.core.on(ClientRef{50}, core::DrainRequest{9, "a", core::DrainMode::resume}, f.now, f.out);
  f.reports.at(a).draining = false;
  f.report(a);
  BOOST_TEST(f.operation()->done);
  f.admit(f.request(3));
  BOOST_TEST(f.sent<core::Run>(a) != nullptr);
}

BOOST_AUTO_TEST_CASE(a_full_node_spills_its_youngest_stream) {
  RouterLimits limits;
  limits.moves.leaving_max = 1;
  Fixture f(limits);
  const core::Run old = f.start(f.request(1));
  f.replica(b).prefill_tokens = 900;
  f.report(b);
  f.report(a);
  const core::Run young = f.start(f.request(2));
  f.tokens(a, old.key, old.epoch, 0, {1});
  f.tokens(a, young.key, young.epoch, 0, {1});
  f.replica(a).blocks_free = 1;
  f.replica(a).streams = 10;
  f.replica(a).queued = 2;
  f.replica(a).blocks_head = 4;
  f.replica(b).prefill_tokens = 0;
  f.report(a);
  f.report(b);
  f.pass(milliseconds(400));
  BOOST_REQUIRE(f.sent<core::Move>(a) != nullptr);
  BOOST_TEST((f.sent<core::Move>(a)->key == young.key));
}

BOOST_AUTO_TEST_CASE(a_router_that_leaves_sends_its_clients_elsewhere) {
  Fixture f;
  const core::Run run = f.start(f.request());
  f.core.set_draining(true, true, f.now, f.out);
  BOOST_TEST((f.told<core::Failed>(1).at(0).code == Errc::draining));
  BOOST_TEST((f.sent<core::CancelRun>(a)->epoch == run.epoch));
  BOOST_TEST(f.core.streams() == 0U);
  f.core.check();
}

BOOST_AUTO_TEST_CASE(status_waits_for_other_routers_but_not_long) {
  Fixture f;
  f.start(f.request());
  f.reports.at(b).roles = 3;
  f.report(b);
  const auto replies = [&] {
    std::vector<core::StatusReply> list;
    for (const auto& action : f.out) {
      if (const auto* status = std::get_if<RouterCore::Status>(&action)) list.push_back(status->reply);
    }
    return list;
  };
  f.core.on(ClientRef{50}, core::StatusRequest{3}, f.now, f.out);
  BOOST_REQUIRE(f.sent<core::StatusAsk>(b) != nullptr);
  BOOST_TEST(f.sent<core::StatusAsk>(a) == nullptr);
  BOOST_TEST(replies().empty());
  core::StatusPart part{f.sent<core::StatusAsk>(b)->operation, b, {}};
  part.streams.emplace_back().owner = b;
  f.give(b, part);
  BOOST_REQUIRE(replies().size() == 1U);
  BOOST_TEST(replies()[0].streams.size() == 2U);
  BOOST_TEST(replies()[0].nodes.size() == 3U);
  f.core.on(ClientRef{50}, core::StatusRequest{4}, f.now, f.out);
  f.pass(milliseconds(320));
  BOOST_REQUIRE(replies().size() == 2U);
  BOOST_TEST(replies()[1].streams.size() == 1U);
}

BOOST_AUTO_TEST_CASE(operations_under_way_are_bounded_each_kind_apart) {
  RouterLimits limits;
  limits.operations_max = 2;
  Fixture f(limits);
  f.reports.at(b).roles = 3;
  f.report(b);
  const auto posts = [&] {
    return std::count_if(f.out.begin(), f.out.end(), [](auto& a) { return std::holds_alternative<RouterCore::Post>(a); });
  };
  const auto refused = [&](std::uint64_t operation) {
    BOOST_REQUIRE(f.operation() != nullptr);
    BOOST_TEST(f.operation()->operation == operation);
    BOOST_TEST(f.operation()->done);
    BOOST_TEST((f.operation()->code == Errc::queue_full));
    BOOST_TEST((f.operation()->retry_after > core::Duration{0}));
  };
  f.out.clear();
  for (std::uint64_t i = 1; i <= 3; ++i) f.core.on(ClientRef{50}, core::StatusRequest{i}, f.now, f.out);
  BOOST_TEST(posts() == 2);
  refused(3);
  f.out.clear();
  for (std::uint64_t i = 4; i <= 6; ++i) f.core.on(ClientRef{50}, core::MoveRequest{i, {{9, 9}}, "a"}, f.now, f.out);
  BOOST_TEST(posts() == 4);
  refused(6);
  f.out.clear();
  for (std::uint64_t i = 7; i <= 9; ++i) f.core.on(ClientRef{50}, core::DrainRequest{i, "a", core::DrainMode::begin}, f.now, f.out);
  BOOST_TEST(posts() == 2);
  refused(9);
  // Those that have ended make room.
  f.pass(milliseconds(320));
  f.out.clear();
  f.core.on(ClientRef{50}, core::StatusRequest{10}, f.now, f.out);
  BOOST_TEST(posts() == 1);
}

BOOST_AUTO_TEST_CASE(a_drain_counts_from_nothing_when_the_node_does) {
  for (const bool process : {true, false}) {  // a new process, or new counters in the old one
    Fixture f;
    f.reports.at(a).counters.exports_committed = 7;
    f.reports.at(a).counters.export_bytes = 700;
    f.report(a);
    if (process) {
      f.core.on_peer_down(a, {1}, f.now, f.out);
      f.core.on_peer_up(a, {2}, f.now, f.out);
    }
    f.core.on(ClientRef{50}, core::DrainRequest{8, "a", core::DrainMode::begin}, f.now, f.out);
    f.reports.at(a).draining = true;
    f.reports.at(a).counters.exports_committed = process ? 8 : 3;
    f.reports.at(a).counters.export_bytes = process ? 800 : 300;
    f.report(a);
    BOOST_TEST(f.operation()->done);
    BOOST_TEST(f.operation()->commits == (process ? 8U : 3U));
    BOOST_TEST(f.operation()->bytes == (process ? 800U : 300U));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
