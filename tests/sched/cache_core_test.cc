#include "sched/cache_core.h"

#include <boost/test/unit_test.hpp>
#include <deque>

/// Both sides of a move in one test: two cache-managers, and batchers done by hand.
namespace spillway::sched {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const core::NodeId nodes[] = {core::node_id("a"), core::node_id("b")};
const core::NodeId owner = core::node_id("owner");
const StreamKey key{{1}, {{5, 5}}};
const Epoch epoch{{9}, 4};
const Epoch next_epoch{{9}, 5};

core::ReplicaInfo info() {
  core::ReplicaInfo r;
  r.context_max = 4096;
  r.page_bytes = 1 << 20;  // four frames
  r.row_bytes = (1 << 20) / 16;
  r.page_format = static_cast<std::uint32_t>(core::PageFormat::raw16);
  r.blocks = 400;
  return r;
}

/// A stream of 100 rows that stands still, moved from `a` to `b`, without bytes as in a simulation.
struct Pair {
  CacheCore cores[2] = {CacheCore(nodes[0], {1}, {}), CacheCore(nodes[1], {2}, {})};
  Instant now{seconds(1)};
  std::vector<core::MessagePtr> to_owner;
  std::uint32_t frames = 0;
  std::uint32_t pages = 0;
  bool committed = false;
  bool released = false;
  std::uint32_t lose_every = 0;

  Pair() {
    for (CacheCore& core : cores) core.set_replica(0, info());
  }
  template <class Event>
  void give(int n, const Event& event) {
    CacheCore::Actions out;
    cores[n].on(event, now, out);
    cores[n].check();
    perform(n, out);
  }
  void tick() {
    now += milliseconds(20);
    for (int n = 0; n < 2; ++n) {
      CacheCore::Actions out;
      cores[n].on_tick(now, out);
      perform(n, out);
    }
  }
  std::vector<ExportBlock> blocks() const {
    std::vector<ExportBlock> list;
    for (std::uint32_t b = 0; b < 7; ++b) list.push_back({b, b + 50, {}, b * 16, b == 6 ? 4U : 16U});
    return list;
  }
  void perform(int n, const CacheCore::Actions& actions) {
    for (const auto& action : actions) std::visit([&](const auto& a) { take(n, a); }, action);
  }
  void take(int n, const CacheCore::Post& post) {
    if (post.to == owner) return to_owner.push_back(post.message);
    if (std::holds_alternative<core::PageFrame>(*post.message) && lose_every != 0 && (++frames * 2654435761U >> 16) % lose_every == 0)
      return;
    std::visit(
        [&](const auto& m) {
          if constexpr (requires(CacheCore & core, CacheCore::Actions & out) { core.on(m, now, out); }) give(1 - n, m);
        },
        *post.message);
  }
  void take(int n, const CacheCore::ReadRows& read) {
    give(n, CacheCore::RowsRead{read.transfer, read.ordinal, read.whole_page, read.first_row, read.rows, nullptr});
  }
  void take(int n, const CacheCore::WriteRows& write) {
    ++pages;
    give(n, CacheCore::RowsWritten{write.transfer, write.ordinal, write.first_row, write.rows});
  }
  void take(int n, const CacheCore::Local& local) {
    std::visit([&](const auto& event) { batcher(n, event); }, local.event);
  }
  void batcher(int n, const ExportBegin& event) { give(n, ExportGrown{event.transfer, blocks(), 0, 1, 1}); }
  void batcher(int n, const ExportFreeze& event) {
    ExportFrozen frozen{event.transfer, {}, blocks(), {{0, 1, 2, 3, 4, 5, 6}}, {100}};
    auto request = std::make_shared<core::Request>();
    request->key = key;
    request->prompt = std::vector<core::TokenId>(90, 1);
    frozen.run.key = key;
    frozen.run.epoch = epoch;
    frozen.run.request = request;
    frozen.run.choices.resize(1);
    frozen.run.choices[0].tokens.assign(11, 2);
    give(n, frozen);
  }
  void batcher(int, const ExportThaw&) {}
  void batcher(int, const ExportRelease&) { released = true; }
  void batcher(int n, const ImportReserve& event) {
    ImportReserved reserved{event.transfer, true, {}, {}, {}};
    for (const auto& block : event.blocks) reserved.slots.push_back({block.ordinal, block.ordinal + 7, false});
    give(n, reserved);
  }
  void batcher(int n, const ImportCommit& event) {
    committed = true;
    give(n, ImportCommitted{event.transfer, true, {}, {}});
  }
  void batcher(int, const ImportCancel&) {}
};

}  // namespace

BOOST_AUTO_TEST_SUITE(cache_core_test)

BOOST_AUTO_TEST_CASE(a_stream_is_carried_in_frames) {
  Pair pair;
  pair.give(0, core::Move{key, epoch, next_epoch, owner, {nodes[0], 0}, {nodes[1], 0}});
  for (int i = 0; i < 20 && !pair.committed; ++i) pair.tick();
  BOOST_TEST(pair.committed);
  BOOST_TEST(pair.pages == 7U);
  pair.give(0, core::Release{key, next_epoch});
  BOOST_TEST(pair.released);
  BOOST_TEST(pair.cores[0].exports() + pair.cores[1].imports() == 0U);
  BOOST_TEST(pair.cores[0].counters().export_bytes == 7U << 20);
  BOOST_TEST(pair.cores[0].counters().exports_committed == 1U);
  BOOST_TEST(pair.cores[1].counters().imports_committed == 1U);
  BOOST_TEST((pair.cores[0].next_tick() == core::never));
  BOOST_TEST((pair.cores[1].next_tick() == core::never));
}

BOOST_AUTO_TEST_CASE(lost_frames_come_again) {
  for (std::uint32_t every = 2; every < 9; ++every) {
    Pair pair;
    pair.lose_every = every;
    pair.give(0, core::Move{key, epoch, next_epoch, owner, {nodes[0], 0}, {nodes[1], 0}});
    for (int i = 0; i < 300 && !pair.committed; ++i) pair.tick();
    BOOST_TEST(pair.committed);
  }
}

BOOST_AUTO_TEST_CASE(a_replica_that_is_not_loaded_moves_nothing) {
  Pair pair;
  pair.give(0, core::Move{key, epoch, next_epoch, owner, {nodes[0], 5}, {nodes[1], 0}});
  BOOST_REQUIRE(pair.to_owner.size() == 1U);
  BOOST_TEST(std::holds_alternative<core::MoveFailed>(*pair.to_owner[0]));
  BOOST_TEST(pair.cores[0].exports() == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
