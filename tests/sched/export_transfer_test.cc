#include "sched/export_transfer.h"

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <ostream>

/// The source side: what is sent and when the stream is frozen; destinations that lie; owners that answer, late or never.
namespace spillway::sched {

namespace bdata = boost::unit_test::data;

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const core::NodeId here = core::node_id("here");
const core::NodeId there = core::node_id("there");
const core::NodeId owner = core::node_id("owner");
const StreamKey key{{1}, {{5, 5}}};
const Epoch epoch{{9}, 4};
const Epoch next_epoch{{9}, 5};

core::ReplicaInfo info() {
  core::ReplicaInfo r;
  r.kv_id = core::KvId{{3, 4}};
  r.context_max = 4096;
  r.page_bytes = 256;
  r.row_bytes = 16;
  r.page_format = static_cast<std::uint32_t>(core::PageFormat::raw16);
  r.blocks = 400;
  return r;
}

core::Move move() {
  return {key, epoch, next_epoch, owner, {here, 0}, {there, 0}};
}

struct Source {
  CacheCore core;
  CacheCore::Actions out;
  Instant now{seconds(1)};
  TransferId transfer;
  std::uint32_t rows = 0;  ///< of the stream, one choice
  std::uint32_t steps = 0;

  explicit Source(const CacheLimits& limits = {}) : core(here, {1}, limits) { core.set_replica(0, info()); }
  template <class Event>
  void give(const Event& event) {
    core.on(event, now, out);
    core.check();
  }
  void tick(core::Duration later) {
    now += later;
    core.on_tick(now, out);
    core.check();
  }
  template <class M>
  std::size_t posted(core::NodeId to) const {
    std::size_t count = 0;
    for (const auto& action : out) {
      const auto* post = std::get_if<CacheCore::Post>(&action);
      count += post != nullptr && post->to == to && std::holds_alternative<M>(*post->message) ? 1 : 0;
    }
    return count;
  }
  template <class M>
  const M* last(core::NodeId to) const {
    for (auto it = out.rbegin(); it != out.rend(); ++it) {
      const auto* post = std::get_if<CacheCore::Post>(&*it);
      if (post != nullptr && post->to == to && std::holds_alternative<M>(*post->message)) return &std::get<M>(*post->message);
    }
    return nullptr;
  }
  template <class Event>
  const Event* told() const {
    for (auto it = out.rbegin(); it != out.rend(); ++it) {
      const auto* local = std::get_if<CacheCore::Local>(&*it);
      if (local != nullptr && std::holds_alternative<Event>(local->event)) return &std::get<Event>(local->event);
    }
    return nullptr;
  }
  std::vector<ExportBlock> blocks(std::uint32_t from_row) const {
    std::vector<ExportBlock> list;
    for (std::uint32_t b = from_row / 16; b * 16 < rows; ++b) list.push_back({b, b + 50, {}, b * 16, std::min(16U, rows - b * 16)});
    return list;
  }
  void grow(std::uint32_t more) {
    const std::uint32_t from = rows;
    rows += more;
    give(ExportGrown{transfer, blocks(from), steps, 1, 1, {}});
  }
  void step() {
    ++steps;
    grow(1);
  }
  void begin(std::uint32_t first_rows) {
    give(move());
    transfer = std::get<ExportBegin>(std::get<CacheCore::Local>(out.back()).event).transfer;
    rows = first_rows;
    give(ExportGrown{transfer, blocks(0), 0, 1, 1, {}});
  }
  void take_offer() {
    core::OfferReply reply;
    reply.transfer = transfer;
    reply.from = there;
    reply.accepted = true;
    reply.blocks_reserved = (rows + 15) / 16;
    give(reply);
  }
  /// The worker reads what it was asked for.
  void read_all() {
    for (std::size_t i = 0; i < out.size(); ++i) {
      const auto* read = std::get_if<CacheCore::ReadRows>(&out[i]);
      if (read == nullptr) continue;
      const CacheCore::RowsRead done{read->transfer, read->ordinal, read->whole_page, read->first_row, read->rows, nullptr};
      out[i] = CacheCore::Local{0, ExportThaw{}};
      give(done);
    }
    std::erase_if(out, [](const auto& action) {
      const auto* local = std::get_if<CacheCore::Local>(&action);
      return local != nullptr && std::holds_alternative<ExportThaw>(local->event) && !std::get<ExportThaw>(local->event).transfer;
    });
  }
  void freeze() {
    ExportFrozen frozen{transfer, {}, blocks(0), {{}}, {rows}};
    frozen.run.key = key;
    frozen.run.epoch = epoch;
    frozen.run.choices.resize(1);
    for (std::uint32_t b = 0; b * 16 < rows; ++b) frozen.tables[0].push_back(b);
    give(frozen);
  }
  /// Frozen, everything sent.
  void go_frozen(std::uint32_t first_rows = 40) {
    begin(first_rows);
    take_offer();
    read_all();
    freeze();
    read_all();
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(export_transfer_test)

BOOST_AUTO_TEST_CASE(an_offer_names_the_adapter_and_the_kv_id_under_it) {
  Source s;
  auto with = info();
  with.adapters = {{"news", {1, 1}}};
  s.core.set_replica(0, with);
  s.give(move());
  s.transfer = std::get<ExportBegin>(std::get<CacheCore::Local>(s.out.back()).event).transfer;
  s.rows = 20;
  s.give(ExportGrown{s.transfer, s.blocks(0), 0, 1, 1, "news"});
  const auto* offered = s.last<core::Offer>(there);
  BOOST_REQUIRE(offered != nullptr);
  BOOST_TEST(offered->adapter == "news");
  BOOST_TEST((offered->kv_id == *core::under_adapter(with.kv_id, with.adapters, "news")));
  BOOST_TEST((offered->kv_id != with.kv_id));
}

BOOST_AUTO_TEST_CASE(every_block_is_sent_once_as_a_page_and_rows_that_come_later_as_rows) {
  Source s;
  s.begin(100);
  BOOST_TEST(s.last<core::Offer>(there)->blocks.size() == 7U);
  BOOST_TEST(s.told<ExportFreeze>() == nullptr);
  s.take_offer();
  for (int i = 0; i < 30; ++i) {
    s.step();
    if (s.rows % 16 == 1) s.take_offer();  // the new block has room
    if (i >= 25) s.read_all();
  }
  BOOST_REQUIRE(s.told<ExportFreeze>() != nullptr);
  s.step();
  s.freeze();
  s.read_all();
  BOOST_REQUIRE(s.posted<core::Handoff>(there) == 1U);
  BOOST_TEST((s.last<core::Handoff>(there)->run.epoch == next_epoch));
  s.give(core::Release{key, next_epoch});
  const auto* report = s.last<core::MoveReport>(owner);
  BOOST_REQUIRE(report != nullptr);
  BOOST_TEST(report->blocks == 9U);
  BOOST_TEST(report->blocks_sent == 9U);
  BOOST_TEST(report->page_bytes == 9U * 256);
  BOOST_TEST(report->resent_bytes == 0U);
  BOOST_TEST(report->rows_after_freeze <= 2U);
  BOOST_TEST(report->steps_during_copy == 31U);
  BOOST_TEST(s.told<ExportRelease>() != nullptr);
  BOOST_TEST(s.core.exports() == 0U);
  BOOST_TEST(s.core.counters().export_bytes == 9U * 256);
  // Said again: so is the report.
  s.out.clear();
  s.give(core::Release{key, next_epoch});
  BOOST_TEST(s.posted<core::MoveReport>(owner) == 1U);
}

BOOST_AUTO_TEST_CASE(a_freeze_that_comes_too_late_is_void_and_asked_again) {
  Source s;
  s.begin(40);
  s.take_offer();
  s.read_all();
  const auto* freeze = s.told<ExportFreeze>();
  BOOST_REQUIRE(freeze != nullptr);
  BOOST_TEST(freeze->decode_steps_max == 1U);
  s.out.clear();
  s.step();
  BOOST_TEST(s.told<ExportFreeze>() == nullptr);
  s.step();  // one more than it allowed: the batcher went on
  s.read_all();
  BOOST_REQUIRE(s.told<ExportFreeze>() != nullptr);
  BOOST_TEST(s.told<ExportFreeze>()->decode_steps_max == 3U);
}

BOOST_AUTO_TEST_CASE(a_prompt_being_computed_is_not_frozen_and_one_not_begun_is) {
  Source s;
  s.begin(32);
  s.take_offer();
  s.out.clear();
  s.give(ExportGrown{s.transfer, {}, 0, 1, 300});
  s.read_all();
  s.give(ExportGrown{s.transfer, {}, 0, 1, 300});
  BOOST_TEST(s.told<ExportFreeze>() == nullptr);
  Source queued;
  queued.give(move());
  queued.transfer = std::get<ExportBegin>(std::get<CacheCore::Local>(queued.out.back()).event).transfer;
  queued.give(ExportGrown{queued.transfer, {}, 0, 1, 300});
  queued.take_offer();
  BOOST_TEST(queued.told<ExportFreeze>() != nullptr);
}

BOOST_AUTO_TEST_CASE(copying_is_paced) {
  CacheLimits limits;
  limits.bulk_bytes_per_second_max = 25600;  // 100 pages a second
  limits.reads_in_flight_max = 4;
  Source s(limits);
  s.begin(16 * 60);
  s.take_offer();
  std::uint64_t sent = 0;
  for (int i = 0; i < 30; ++i) {
    s.read_all();
    s.tick(milliseconds(10));
  }
  sent = s.posted<core::PageFrame>(there);
  BOOST_TEST(sent >= 25U);
  BOOST_TEST(sent <= 40U);
}

BOOST_AUTO_TEST_CASE(unacknowledged_bytes_stop_the_copy_and_credit_lets_it_go_on) {
  CacheLimits limits;
  limits.unacked_bytes_max = 1024;
  Source s(limits);
  s.begin(16 * 60);
  s.take_offer();
  s.read_all();
  const std::size_t first = s.posted<core::PageFrame>(there);
  BOOST_TEST(first >= 4U);
  BOOST_TEST(first <= 4U + limits.reads_in_flight_max);
  s.core.on_credit(there, 0, s.now, s.out);
  s.read_all();
  BOOST_TEST(s.posted<core::PageFrame>(there) > first);
  // Credit lost for good does not stop it for ever.
  const std::size_t second = s.posted<core::PageFrame>(there);
  for (int i = 0; i < 8; ++i) s.tick(milliseconds(100));
  s.read_all();
  BOOST_TEST(s.posted<core::PageFrame>(there) > second);
}

struct LieCase {
  const char* lie;
  std::function<void(Source&)> tell;
  friend std::ostream& operator<<(std::ostream& out, const LieCase& c) { return out << c.lie; }
};
core::OfferReply reply_of(const Source& s, std::uint32_t reserved, std::vector<std::uint32_t> held) {
  return {s.transfer, there, true, reserved, std::move(held), {}, {}};
}
const LieCase lie_cases[] = {
    {"99 blocks reserved of 3", [](Source& s) { s.give(reply_of(s, 99, {})); }},
    {"holds block 77 of 3", [](Source& s) { s.give(reply_of(s, 3, {77})); }},
    {"which has no name", [](Source& s) { s.give(reply_of(s, 3, {1})); }},
    {"misses rows that cannot be",
     [](Source& s) {
       s.give(core::MissingPages{s.transfer, {{77, 0, 16}}});
     }},
    {"misses rows that cannot be",
     [](Source& s) {
       s.give(core::MissingPages{s.transfer, {{0, 4000000000U, 16}}});
     }},
    {"misses rows that cannot be",
     [](Source& s) {
       s.give(core::MissingPages{s.transfer, {{0, 8, 9}}});
     }},
};
BOOST_DATA_TEST_CASE(a_destination_that_lies_ends_the_move_by_name, bdata::make(lie_cases), c) {
  Source s;
  s.begin(40);
  c.tell(s);
  const auto* failed = s.last<core::MoveFailed>(owner);
  BOOST_REQUIRE(failed != nullptr);
  BOOST_TEST(failed->reason.find(c.lie) != std::string::npos, failed->reason);
  BOOST_TEST((s.told<ExportThaw>()->epoch == epoch));
  BOOST_TEST(s.core.exports() == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_sent_again_and_counted_apart) {
  Source s;
  s.go_frozen();
  s.give(core::MissingPages{s.transfer, {{0, 0, 16}, {2, 3, 2}}});
  s.read_all();
  s.give(core::Release{key, next_epoch});
  const auto* report = s.last<core::MoveReport>(owner);
  BOOST_TEST(report->page_bytes == 3U * 256);
  BOOST_TEST(report->resent_bytes == 256U + 2 * 16);
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_read_again_within_limits) {
  const auto reads = [](const Source& s) {
    return std::count_if(s.out.begin(), s.out.end(), [](const auto& a) { return std::holds_alternative<CacheCore::ReadRows>(a); });
  };
  CacheLimits limits;
  limits.missing_ranges_max = 2;
  Source s(limits);
  s.go_frozen(60);
  s.out.clear();
  // Once at a time, however often it is asked for ...
  for (int i = 0; i < 5; ++i) s.give(core::MissingPages{s.transfer, {{0, 0, 16}, {0, 0, 16}, {0, 2, 3}}});
  BOOST_TEST(reads(s) == 1);
  s.give(core::MissingPages{s.transfer, {{1, 0, 16}, {2, 0, 16}, {3, 2, 3}}});
  BOOST_TEST(reads(s) == 2);  // ... and no more than this many
  s.read_all();
  s.give(core::MissingPages{s.transfer, {{0, 0, 16}, {2, 0, 16}}});
  BOOST_TEST(reads(s) == 2);
  s.read_all();
  // A destination that gives no credit gets nothing more.
  s.core.on_credit(there, limits.unacked_bytes_max, s.now, s.out);
  s.give(core::MissingPages{s.transfer, {{0, 0, 16}}});
  BOOST_TEST(reads(s) == 0);
  s.core.on_credit(there, 0, s.now, s.out);
  s.give(core::MissingPages{s.transfer, {{0, 0, 16}}});
  BOOST_TEST(reads(s) == 1);
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_read_again_within_the_bandwidth) {
  CacheLimits limits;
  limits.bulk_bytes_per_second_max = 256;
  Source s(limits);
  s.begin(100);
  s.take_offer();
  s.tick(seconds(1));
  s.read_all();
  BOOST_REQUIRE(s.posted<core::PageFrame>(there) == 2U);
  const auto resent = [&] {
    s.out.clear();
    s.give(core::MissingPages{s.transfer, {{0, 0, 16}}});
    return std::any_of(s.out.begin(), s.out.end(), [](const auto& a) {
      const auto* read = std::get_if<CacheCore::ReadRows>(&a);
      return read != nullptr && read->ordinal == 0;
    });
  };
  BOOST_TEST(!resent());
}

BOOST_AUTO_TEST_CASE(a_frozen_source_asks_its_owner_until_it_is_answered) {
  Source s;
  s.go_frozen();
  s.out.clear();
  for (int i = 0; i < 10; ++i) s.tick(milliseconds(100));
  BOOST_TEST(s.posted<core::AskOwner>(owner) >= 3U);
  BOOST_TEST(s.posted<core::Handoff>(there) >= 4U);
  s.give(core::StillYours{key, {{9}, 3}, {{9}, 6}});  // of another question
  BOOST_TEST(s.core.exports() == 1U);
  s.give(core::StillYours{key, epoch, {{9}, 6}});
  BOOST_TEST((s.told<ExportThaw>()->epoch == Epoch{{9}, 6}));
  BOOST_TEST(s.posted<core::TransferAbort>(there) == 1U);
  BOOST_TEST(s.core.exports() == 0U);
}

BOOST_AUTO_TEST_CASE(gone_makes_it_release) {
  Source s;
  s.go_frozen();
  s.give(core::Gone{key, epoch});
  BOOST_TEST(s.told<ExportRelease>() != nullptr);
  BOOST_TEST(s.told<ExportThaw>() == nullptr);
  BOOST_TEST(s.core.exports() == 0U);
}

BOOST_AUTO_TEST_CASE(a_refused_handoff_thaws_under_the_old_epoch) {
  Source s;
  s.go_frozen();
  s.give(core::HandoffReply{s.transfer, key, next_epoch, false, core::Errc::cancelled, "a newer epoch is known"});
  BOOST_TEST((s.told<ExportThaw>()->epoch == epoch));
  BOOST_TEST(s.last<core::MoveFailed>(owner)->reason == "a newer epoch is known");
}

BOOST_AUTO_TEST_CASE(the_death_of_the_destination_before_and_after_the_freeze) {
  Source before;
  before.begin(40);
  before.core.on_peer_gone(there, before.now, before.out);
  BOOST_TEST(before.last<core::MoveFailed>(owner) != nullptr);
  BOOST_TEST(before.core.exports() == 0U);
  Source after;
  after.go_frozen();
  after.core.on_peer_gone(there, after.now, after.out);
  BOOST_TEST(after.posted<core::AskOwner>(owner) == 1U);  // the owner alone knows whether it was taken over
  BOOST_TEST(after.core.exports() == 1U);
}

BOOST_AUTO_TEST_CASE(a_lost_device_ends_the_move_at_once) {
  Source s;
  s.begin(40);
  s.take_offer();  // reads are on their way to the worker
  s.core.on_device_lost({s.transfer.value + 1}, "another one's", s.now, s.out);
  BOOST_TEST(s.core.exports() == 1U);
  s.core.on_device_lost(s.transfer, "the device is lost", s.now, s.out);
  BOOST_TEST(s.core.exports() == 0U);
  BOOST_REQUIRE(s.last<core::MoveFailed>(owner) != nullptr);
  BOOST_TEST(s.last<core::MoveFailed>(owner)->reason == "the device is lost");
  BOOST_TEST(s.posted<core::TransferAbort>(there) == 1U);
  s.core.check();
}

BOOST_AUTO_TEST_CASE(a_silent_destination_is_given_up) {
  Source s;
  s.begin(40);
  for (int i = 0; i < 40 && s.core.exports() > 0; ++i) s.tick(milliseconds(100));
  BOOST_TEST(s.core.exports() == 0U);
  BOOST_REQUIRE(s.last<core::MoveFailed>(owner) != nullptr);
  BOOST_TEST(s.posted<core::Offer>(there) > 5U);
}

BOOST_AUTO_TEST_CASE(echoes_of_old_moves_change_nothing) {
  Source s;
  s.begin(40);
  core::Move old = move();
  old.new_epoch.counter = 3;
  s.out.clear();
  s.give(old);
  s.give(move());
  BOOST_TEST(s.out.size() == 0U);
  BOOST_TEST(s.core.exports() == 1U);
  s.give(ExportEnded{s.transfer, core::Errc::unknown_request, "the stream has finished"});
  BOOST_TEST(s.core.exports() == 0U);
  s.give(move());  // said again: so is its end
  BOOST_TEST(s.posted<core::MoveFailed>(owner) == 2U);
  BOOST_TEST(s.core.exports() == 0U);
}

BOOST_AUTO_TEST_CASE(transfer_numbers_of_two_lives_differ) {
  Source one;
  one.begin(16);
  Source two;
  two.core = CacheCore(here, {2}, {});
  two.core.set_replica(0, info());
  two.begin(16);
  BOOST_TEST((one.transfer != two.transfer));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
