#include "sched/import_transfer.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <ostream>

#include "core/digest.h"

/// The destination side against sources that lie, fall silent or repeat themselves.
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
const TransferId transfer{77};
constexpr std::uint32_t page_bytes = 256;
constexpr std::uint32_t row_bytes = 16;

core::ReplicaInfo info() {
  core::ReplicaInfo r;
  r.kv_id = core::KvId{{3, 4}};
  r.context_max = 1024;
  r.page_bytes = page_bytes;
  r.row_bytes = row_bytes;
  r.page_format = static_cast<std::uint32_t>(core::PageFormat::raw16);
  r.blocks = 40;
  r.adapters = {{"news", {1, 1}}};
  return r;
}

core::Offer offer() {
  core::Offer o;
  o.transfer = transfer;
  o.key = key;
  o.new_epoch = epoch;
  o.owner = owner;
  o.source = {there, 0};
  o.destination = {here, 0};
  o.kv_id = info().kv_id;
  o.page_bytes = page_bytes;
  o.blocks = {{0, {}, 0, 16}, {1, {}, 16, 5}};
  return o;
}

core::PageFrame page(std::uint32_t ordinal, std::uint32_t rows) {
  core::PageFrame f;
  f.transfer = transfer;
  f.ordinal = ordinal;
  f.data = core::share(core::ByteVector(page_bytes, std::byte(ordinal + 1)));
  f.header.rows = static_cast<std::uint16_t>(rows);
  f.header.first_token = ordinal * 16;
  f.header.checksum = core::checksum64(*f.data);
  f.payload_bytes = f.data_bytes = page_bytes;
  return f;
}

core::PageFrame one_byte_of(core::PageFrame frame, std::uint32_t offset) {
  frame.data = core::share(core::ByteVector(1));
  frame.offset = offset;
  frame.data_bytes = 1;
  return frame;
}

core::Handoff handoff() {
  core::Handoff h;
  h.transfer = transfer;
  auto request = std::make_shared<core::Request>();
  request->key = key;
  request->prompt = std::vector<core::TokenId>(20, 1);
  h.run.key = key;
  h.run.epoch = epoch;
  h.run.owner = owner;
  h.run.replica = {here, 0};
  h.run.request = request;
  h.run.choices.resize(1);
  h.run.choices[0].tokens = {1, 2};
  h.blocks = {{0, {}, 0, 16}, {1, {}, 16, 5}};
  h.tables = {{0, 1}};
  h.rows = {21};
  return h;
}

struct Destination {
  CacheCore core;
  CacheCore::Actions out;
  Instant now{seconds(1)};

  explicit Destination(const CacheLimits& limits = {}) : core(here, {1}, limits) { core.set_replica(0, info()); }
  template <class Event>
  void give(const Event& event) {
    core.on(event, now, out);
    core.check();
  }
  /// Offer taken, room reserved.
  void begin() {
    give(offer());
    ImportReserved reserved{transfer, true, {}, {}, {{0, 10, false}, {1, 11, false}}};
    give(reserved);
    out.clear();
  }
  void write_all() {
    for (const auto& action : CacheCore::Actions(out)) {
      if (const auto* write = std::get_if<CacheCore::WriteRows>(&action))
        give(CacheCore::RowsWritten{write->transfer, write->ordinal, write->first_row, write->rows});
    }
  }
  template <class M>
  const M* sent() const {
    for (auto it = out.rbegin(); it != out.rend(); ++it) {
      const auto* post = std::get_if<CacheCore::Post>(&*it);
      if (post != nullptr && post->to == there && std::holds_alternative<M>(*post->message)) return &std::get<M>(*post->message);
    }
    return nullptr;
  }
  template <class Event>
  std::size_t told() const {
    std::size_t count = 0;
    for (const auto& action : out) {
      const auto* local = std::get_if<CacheCore::Local>(&action);
      count += local != nullptr && std::holds_alternative<Event>(local->event) ? 1 : 0;
    }
    return count;
  }
};

struct OfferCase {
  const char* lie;
  std::function<void(core::Offer&)> tell;
  friend std::ostream& operator<<(std::ostream& out, const OfferCase& c) { return out << c.lie; }
};
const OfferCase offer_cases[] = {
    {"kv_id",
     [](auto& o) {
       o.kv_id = core::KvId{{1, 1}};
     }},
    {"numerics id", [](auto& o) { o.numerics_id = 2; }},
    {"page format", [](auto& o) { o.format = core::PageFormat::raw32; }},
    {"pages of", [](auto& o) { o.page_bytes = 1ULL << 40; }},
    {"required features", [](auto& o) { o.required = 1ULL << 60; }},
    {"choices", [](auto& o) { o.choices = 0; }},
    {"rows in block", [](auto& o) { o.blocks[1].rows = 17; }},
    {"of a pool of", [](auto& o) { o.blocks[1].ordinal = 4000000000U; }},
    {"at position", [](auto& o) { o.blocks[1].first_token = 7; }},
    {"at position", [](auto& o) { o.blocks[1].first_token = 4096; }},
    {"a name for block",
     [](auto& o) {
       o.blocks[1].name = core::BlockName{{1, 1}};
     }},
    {"not loaded here", [](auto& o) { o.destination.index = 3; }},
    {"of KV group 1", [](auto& o) { o.blocks[1].group = 1; }},
    {"the adapter 'sport' is not loaded here: there is news", [](auto& o) { o.adapter = "sport"; }},
    {"kv_id", [](auto& o) { o.adapter = "news"; }},  // and the KvId without it
};

struct FrameCase {
  const char* lie;
  std::function<void(core::PageFrame&)> tell;
  friend std::ostream& operator<<(std::ostream& out, const FrameCase& c) { return out << c.lie; }
};
const FrameCase frame_cases[] = {
    {"offered", [](auto& f) { f.ordinal = 9; }},
    {"rows in a page", [](auto& f) { f.header.rows = 17; }},
    {"rows in a page", [](auto& f) { f.header.rows = 0; }},
    {"from row", [](auto& f) { f.first_row = 3; }},
    {"from row", [](auto& f) { f.whole_page = false, f.first_row = 4000000000U; }},
    {"unknown version or layout", [](auto& f) { f.header.version = 2; }},
    {"unknown version or layout", [](auto& f) { f.header.layout = 2; }},
    {"a page of KV group 1", [](auto& f) { f.header.group = 1; }},
    {"page format", [](auto& f) { f.header.format = core::PageFormat::raw32; }},
    {"at position", [](auto& f) { f.header.first_token = 16; }},
    {"are due", [](auto& f) { f.payload_bytes = 1U << 30; }},
    {"are due", [](auto& f) { f.whole_page = false, f.header.rows = 8; }},
    {"bytes at", [](auto& f) { f.offset = 1; }},
    {"bytes at", [](auto& f) { f.data_bytes = 0; }},
    {"longer than its data", [](auto& f) { f.data_offset = 1; }},
};

struct HandoffCase {
  const char* lie;
  std::function<void(core::Handoff&)> tell;
  friend std::ostream& operator<<(std::ostream& out, const HandoffCase& c) { return out << c.lie; }
};
const HandoffCase handoff_cases[] = {
    {"another stream's", [](auto& h) { h.run.epoch.counter = 3; }},
    {"another stream's", [](auto& h) { h.run.owner = there; }},
    {"no request", [](auto& h) { h.run.request = nullptr; }},
    {"tables", [](auto& h) { h.tables.clear(); }},
    {"rows of", [](auto& h) { h.rows[0] = 23; }},
    {"shorter than its rows", [](auto& h) { h.tables[0] = {0}; }},
    {"cannot be", [](auto& h) { h.tables[0][1] = 4000000000U; }},
    {"not at position",
     [](auto& h) {
       h.tables[0] = {1, 0};
     }},
    {"cannot be", [](auto& h) { h.blocks[0].rows = 99; }},
    {"another adapter",
     [](auto& h) {
       auto request = std::make_shared<core::Request>(*h.run.request);
       request->adapter = "news";
       h.run.request = std::move(request);
     }},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(import_transfer_test)

BOOST_DATA_TEST_CASE(an_offer_that_cannot_be_is_refused_by_name, bdata::make(offer_cases), c) {
  Destination d;
  core::Offer lying = offer();
  c.tell(lying);
  d.give(lying);
  const auto* reply = d.sent<core::OfferReply>();
  BOOST_REQUIRE(reply != nullptr);
  BOOST_TEST(!reply->accepted);
  BOOST_TEST(reply->reason.find(c.lie) != std::string::npos, reply->reason);
  BOOST_TEST(d.core.imports() == 0U);
  BOOST_TEST(d.told<ImportReserve>() == 0U);
}

BOOST_AUTO_TEST_CASE(an_adapter_travels_to_where_its_content_is_the_same) {
  const std::vector<core::AdapterInfo> theirs{{"news", {1, 1}}};
  const std::vector<core::AdapterInfo> others{{"news", {1, 2}}};
  for (const auto& adapters : {theirs, others}) {
    Destination d;
    core::Offer o = offer();
    o.adapter = "news";
    o.kv_id = *core::under_adapter(info().kv_id, adapters, "news");
    d.give(o);
    BOOST_TEST(d.core.imports() == (adapters == theirs ? 1U : 0U));
  }
}

BOOST_DATA_TEST_CASE(a_frame_that_cannot_be_ends_the_transfer_by_name, bdata::make(frame_cases), c) {
  Destination d;
  d.begin();
  core::PageFrame lying = page(0, 16);
  c.tell(lying);
  d.give(lying);
  const auto* abort = d.sent<core::TransferAbort>();
  BOOST_REQUIRE(abort != nullptr);
  BOOST_TEST(abort->reason.find(c.lie) != std::string::npos, abort->reason);
  BOOST_TEST(d.core.imports() == 0U);
  BOOST_TEST(d.told<ImportCancel>() == 1U);
  // And for good: the same epoch is not taken again.
  d.out.clear();
  d.give(offer());
  BOOST_TEST(d.sent<core::TransferAbort>() != nullptr);
  BOOST_TEST(d.core.imports() == 0U);
}

BOOST_DATA_TEST_CASE(a_handoff_that_cannot_be_is_refused_by_name, bdata::make(handoff_cases), c) {
  Destination d;
  d.begin();
  core::Handoff lying = handoff();
  c.tell(lying);
  d.give(lying);
  const auto* reply = d.sent<core::HandoffReply>();
  BOOST_REQUIRE(reply != nullptr);
  BOOST_TEST(!reply->accepted);
  BOOST_TEST(reply->reason.find(c.lie) != std::string::npos, reply->reason);
  BOOST_TEST(d.told<ImportCommit>() == 0U);
  BOOST_TEST(d.told<ImportCancel>() == 1U);
}

BOOST_AUTO_TEST_CASE(all_or_nothing_whatever_the_order) {
  Destination d;
  d.begin();
  d.give(handoff());
  d.give(page(1, 5));
  d.write_all();
  BOOST_TEST(d.told<ImportCommit>() == 0U);
  // In fragments, the last first, one twice.
  core::PageFrame whole = page(0, 16);
  for (const std::uint32_t offset : {160U, 0U, 0U, 80U}) {
    core::PageFrame part = whole;
    part.offset = part.data_offset = offset;
    part.data_bytes = offset == 160 ? 96 : 80;
    d.give(part);
  }
  BOOST_TEST(d.told<ImportCommit>() == 0U);  // not written yet
  d.write_all();
  BOOST_TEST(d.told<ImportCommit>() == 1U);
  d.give(ImportCommitted{transfer, true, {}, {}});
  BOOST_REQUIRE(d.sent<core::HandoffReply>() != nullptr);
  BOOST_TEST(d.sent<core::HandoffReply>()->accepted);
  BOOST_TEST(d.core.imports() == 0U);
  BOOST_TEST(d.core.counters().imports_committed == 1U);
  // Said again: the answer is the same, nothing runs twice.
  d.out.clear();
  d.give(handoff());
  d.give(offer());
  d.give(page(0, 16));
  BOOST_TEST(d.sent<core::HandoffReply>()->accepted);
  BOOST_TEST(d.told<ImportCommit>() + d.told<ImportReserve>() == 0U);
}

BOOST_AUTO_TEST_CASE(a_damaged_page_is_asked_for_again) {
  Destination d;
  d.begin();
  core::PageFrame damaged = page(0, 16);
  damaged.header.checksum ^= 1;
  d.give(damaged);
  const auto* missing = d.sent<core::MissingPages>();
  BOOST_REQUIRE(missing != nullptr);
  BOOST_TEST((missing->ranges == std::vector<core::RowRange>{{0, 0, 16}}));
  d.give(page(0, 16));
  d.give(page(1, 5));
  d.give(handoff());
  d.write_all();
  BOOST_TEST(d.told<ImportCommit>() == 1U);
}

BOOST_AUTO_TEST_CASE(what_did_not_come_is_asked_for) {
  Destination d;
  d.begin();
  d.give(page(1, 3));
  d.give(handoff());
  d.out.clear();
  d.now += milliseconds(60);
  d.core.on_tick(d.now, d.out);
  const auto* missing = d.sent<core::MissingPages>();
  BOOST_REQUIRE(missing != nullptr);
  BOOST_TEST((missing->ranges == std::vector<core::RowRange>{{0, 0, 16}, {1, 3, 2}}));
}

BOOST_AUTO_TEST_CASE(what_did_not_come_is_asked_for_in_portions) {
  CacheLimits limits;
  limits.missing_ranges_max = 1;
  Destination d(limits);
  d.begin();
  d.give(handoff());
  for (const std::uint32_t ordinal : {0U, 1U}) {
    d.out.clear();
    d.now += milliseconds(110);
    d.core.on_tick(d.now, d.out);
    BOOST_REQUIRE(d.sent<core::MissingPages>() != nullptr);
    BOOST_REQUIRE(d.sent<core::MissingPages>()->ranges.size() == 1U);
    BOOST_TEST(d.sent<core::MissingPages>()->ranges[0].ordinal == ordinal);
    d.give(page(ordinal, 16));
  }
}

BOOST_AUTO_TEST_CASE(a_page_that_was_begun_again_takes_the_place_of_the_old_one) {
  CacheLimits limits;
  limits.assembly_bytes_max = 0;  // so four pages
  Destination d(limits);
  d.begin();
  for (std::uint32_t rows = 1; rows <= 15; ++rows) d.give(one_byte_of(page(0, rows), 0));
  BOOST_TEST(d.core.imports() == 1U);
  core::PageFrame half = page(0, 16);
  half.data_bytes = page_bytes / 2;
  d.give(half);
  half.offset = half.data_offset = half.data_bytes;
  d.give(half);
  d.give(page(1, 5));
  d.give(handoff());
  d.write_all();
  BOOST_TEST(d.told<ImportCommit>() == 1U);
}

BOOST_AUTO_TEST_CASE(bytes_that_begin_ever_new_parts_end_the_transfer) {
  CacheLimits limits;
  limits.assembly_bytes_max = 0;
  Destination d(limits);
  d.begin();
  std::uint32_t charged = 0;
  for (std::uint32_t first = 0; first < 16; ++first) {
    for (std::uint32_t rows = 1; rows <= 16 - first && d.core.imports() != 0; ++rows) {
      core::PageFrame part = page(0, rows);
      part.whole_page = false;
      part.first_row = first;
      part.header.first_token = first;
      part.payload_bytes = rows * row_bytes;
      d.give(one_byte_of(part, 0));
      if (d.core.imports() != 0) charged += part.payload_bytes;
    }
  }
  BOOST_TEST(charged <= 4 * page_bytes);
  BOOST_REQUIRE(d.sent<core::TransferAbort>() != nullptr);
  BOOST_TEST(d.sent<core::TransferAbort>()->reason.find("than a source begins at once") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_page_in_too_many_pieces_ends_the_transfer) {
  Destination d;
  core::ReplicaInfo large = info();
  large.page_bytes = 8192;
  large.row_bytes = 512;
  d.core.set_replica(0, large);
  core::Offer o = offer();
  o.page_bytes = large.page_bytes;
  d.give(o);
  d.give(ImportReserved{transfer, true, {}, {}, {{0, 10, false}, {1, 11, false}}});
  core::PageFrame part = page(0, 16);
  part.payload_bytes = 8192;
  std::uint32_t given = 0;
  for (; d.core.imports() != 0 && given < 4096; ++given) d.give(one_byte_of(part, 2 * given));
  BOOST_TEST(given == 1025U);
  BOOST_TEST(d.sent<core::TransferAbort>() != nullptr);
}

BOOST_AUTO_TEST_CASE(held_blocks_need_not_come) {
  Destination d;
  core::Offer named = offer();
  named.blocks[0].name = core::BlockName{{8, 8}};
  d.give(named);
  d.give(ImportReserved{transfer, true, {}, {}, {{0, 10, true}, {1, 11, false}}});
  BOOST_TEST((d.sent<core::OfferReply>()->held == std::vector<std::uint32_t>{0}));
  BOOST_TEST(d.sent<core::OfferReply>()->blocks_reserved == 2U);
  d.give(page(1, 5));
  d.give(handoff());
  d.write_all();
  BOOST_TEST(d.told<ImportCommit>() == 1U);
}

BOOST_AUTO_TEST_CASE(a_silent_source_loses_its_lease) {
  Destination d;
  d.begin();
  d.now = d.core.next_tick();
  while (d.core.imports() > 0 && d.now < Instant{seconds(10)}) {
    d.core.on_tick(d.now, d.out);
    d.now = std::max(d.now + milliseconds(1), std::min(d.core.next_tick(), Instant{seconds(20)}));
  }
  BOOST_TEST(d.core.imports() == 0U);
  BOOST_TEST(d.told<ImportCancel>() == 1U);
  BOOST_TEST(d.sent<core::TransferAbort>() != nullptr);
}

BOOST_AUTO_TEST_CASE(a_dead_source_or_owner_ends_it) {
  for (const core::NodeId peer : {there, owner}) {
    Destination d;
    d.begin();
    d.core.on_peer_gone(peer, d.now, d.out);
    BOOST_TEST(d.core.imports() == 0U);
    BOOST_TEST(d.told<ImportCancel>() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_lost_device_ends_it_at_once) {
  Destination d;
  d.begin();
  d.core.on_device_lost(transfer, "the device was loaded anew since", d.now, d.out);
  BOOST_TEST(d.core.imports() == 0U);
  BOOST_TEST(d.told<ImportCancel>() == 1U);
  BOOST_REQUIRE(d.sent<core::TransferAbort>() != nullptr);
  BOOST_TEST(d.sent<core::TransferAbort>()->reason == "the device was loaded anew since");
}

BOOST_AUTO_TEST_CASE(a_worker_that_fails_ends_it) {
  Destination d;
  d.begin();
  d.give(ImportCommitted{transfer, false, core::Errc::unavailable, "the worker failed"});
  BOOST_TEST(d.core.imports() == 0U);
  BOOST_TEST(d.sent<core::TransferAbort>() != nullptr);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched
