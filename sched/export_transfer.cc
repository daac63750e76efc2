#include "sched/export_transfer.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <string>

#include "core/assert.h"
#include "core/digest.h"

namespace spillway::sched {

namespace {

using core::Errc;
using core::make_message;

constexpr std::uint32_t block_rows = core::block_tokens;
/// A freeze waits at most this long for bytes under way: what remains then travels during the pause.
constexpr core::Duration settle_max = std::chrono::milliseconds(200);
/// Bytes under way that are soon there: nothing to wait for.
constexpr std::uint64_t settled_bytes = 64 * 1024;
/// Credit that never comes (lost with a frame) is forgotten after this much silence.
constexpr core::Duration credit_lost = std::chrono::milliseconds(500);

std::uint32_t row_mask(std::uint32_t first_row, std::uint32_t rows) {
  return ((1U << rows) - 1U) << first_row;
}

/// Ids that no other incarnation makes: 40 bits of a mix of the incarnation, 24 bits of a counter.
TransferId transfer_id(core::Incarnation incarnation, std::uint64_t counter) {
  std::uint64_t mixed = incarnation.value * 0x9e3779b97f4a7c15ULL;
  mixed ^= mixed >> 29;
  return {(mixed & ~0xffffffULL) | (counter & 0xffffffULL)};
}

}  // namespace

void EndedTransfers::add(const StreamKey& key, const Epoch& new_epoch, core::NodeId to, core::MessagePtr answer) {
  const Id id{key, new_epoch};
  if (!ended_.insert_or_assign(id, Ended{to, std::move(answer)}).second) return;
  order_.push_back(id);
  if (order_.size() <= limit) return;
  ended_.erase(order_.front());
  order_.pop_front();
}

const EndedTransfers::Ended* EndedTransfers::find(const StreamKey& key, const Epoch& new_epoch) const {
  const auto it = ended_.find({key, new_epoch});
  return it == ended_.end() ? nullptr : &it->second;
}

Exports::Export* Exports::find(TransferId transfer) {
  const auto it = exports_.find(transfer);
  return it == exports_.end() ? nullptr : &it->second;
}

Exports::Map::iterator Exports::find(const StreamKey& key) {
  return std::find_if(exports_.begin(), exports_.end(), [&](const auto& entry) { return entry.second.move.key == key; });
}

core::MessagePtr Exports::failure(const core::Move& move, Errc code, std::string_view reason) const {
  return make_message(core::MoveFailed{move.key, move.epoch, move.new_epoch, code, std::string(reason)});
}

void Exports::refuse(const core::Move& move, Errc code, std::string_view reason, Actions& out) {
  auto message = failure(move, code, reason);
  ended_.add(move.key, move.new_epoch, move.owner, message);
  out.emplace_back(CacheCore::Post{move.owner, std::move(message)});
}

void Exports::erase(Map::iterator it) {
  SPILLWAY_ASSERT(reads_ >= it->second.reads);
  reads_ -= it->second.reads;
  exports_.erase(it);
}

void Exports::thaw(Map::iterator it, const Epoch& epoch, std::string_view reason, Actions& out) {
  const Export& e = it->second;
  out.emplace_back(CacheCore::Local{e.move.source.index, ExportThaw{e.transfer, epoch}});
  if (e.offered) {
    out.emplace_back(CacheCore::Post{e.move.destination.node,
                                     make_message(core::TransferAbort{e.transfer, e.move.key, e.move.new_epoch, std::string(reason)})});
  }
  erase(it);
}

void Exports::fail(Map::iterator it, Errc code, std::string_view reason, Actions& out) {
  refuse(it->second.move, code, reason, out);
  thaw(it, it->second.move.epoch, reason, out);
}

void Exports::on(const core::Move& message, Instant now, Actions& out) {
  if (message.source.node != context_.self) return;
  if (const auto it = find(message.key); it != exports_.end()) {
    const core::Move& running = it->second.move;
    if (running.new_epoch == message.new_epoch) return;
    // The owner counts on: an older Move is an echo, a newer one takes the place of what it has given up.
    if (running.new_epoch.owner == message.new_epoch.owner && message.new_epoch.counter < running.new_epoch.counter) return;
    thaw(it, message.epoch, "the owner moves the stream elsewhere", out);
  }
  if (const auto* ended = ended_.find(message.key, message.new_epoch)) {
    out.emplace_back(CacheCore::Post{message.owner, ended->answer});
    return;
  }
  if (!context_.replicas.contains(message.source.index)) return refuse(message, Errc::unavailable, "the source replica is not loaded", out);
  if (exports_.size() >= context_.limits.exports_max) {
    return refuse(message, Errc::queue_full, std::to_string(exports_.size()) + " streams are leaving this node already", out);
  }
  Export e;
  e.transfer = transfer_id(context_.incarnation, ++transfers_made_);
  e.move = message;
  e.began = e.heard = now;
  e.report.key = message.key;
  e.report.new_epoch = message.new_epoch;
  out.emplace_back(CacheCore::Local{message.source.index, ExportBegin{e.transfer, message.key, message.epoch}});
  exports_.emplace(e.transfer, std::move(e));
}

void Exports::merge(Export& e, const std::vector<ExportBlock>& blocks) {
  for (const ExportBlock& block : blocks) {
    const auto [it, fresh] = e.ordinals.try_emplace(block.ordinal, static_cast<std::uint32_t>(e.blocks.size()));
    if (fresh) e.blocks.emplace_back();
    Block& mine = e.blocks[it->second];
    SPILLWAY_ASSERT(fresh || mine.known.block == block.block);
    SPILLWAY_ASSERT(block.rows <= block_rows);
    const std::uint32_t rows = std::max(mine.known.rows, block.rows);
    mine.known = block;
    mine.known.rows = rows;
    mine.known.ordinal = it->second;
  }
}

void Exports::send_offer(Export& e, std::uint32_t first, Instant now, Actions& out) {
  const core::ReplicaInfo& replica = info(e);
  core::Offer offer;
  offer.transfer = e.transfer;
  offer.key = e.move.key;
  offer.new_epoch = e.move.new_epoch;
  offer.owner = e.move.owner;
  offer.source = e.move.source;
  offer.destination = e.move.destination;
  offer.kv_id = core::under_adapter(replica.kv_id, replica.adapters, e.adapter).value_or(replica.kv_id);
  offer.adapter = e.adapter;
  offer.numerics_id = replica.numerics_id;
  offer.format = static_cast<core::PageFormat>(replica.page_format);
  offer.page_bytes = replica.page_bytes;
  offer.choices = e.choices;
  for (std::uint32_t i = first; i < e.blocks.size(); ++i) {
    const ExportBlock& block = e.blocks[i].known;
    // A growing block is named later, and a name says that the block is full.
    offer.blocks.push_back({i, block.rows == block_rows ? block.name : core::BlockName{}, block.first_token, block.rows, block.group});
  }
  if (!e.offered) e.offered_at = now;
  e.offered = true;
  e.resend_at = now + context_.limits.resend;
  out.emplace_back(CacheCore::Post{e.move.destination.node, make_message(std::move(offer))});
}

void Exports::on(const ExportGrown& event, Instant now, Actions& out) {
  Export* e = find(event.transfer);
  if (e == nullptr || e->phase == Phase::frozen) return;
  const auto known = static_cast<std::uint32_t>(e->blocks.size());
  merge(*e, event.blocks);
  e->decode_steps = event.decode_steps;
  if (event.choices != 0) e->choices = event.choices;
  e->rows_to_compute = event.rows_to_compute;
  e->adapter = event.adapter;
  // The freeze came too late and is void.
  if (e->phase == Phase::freezing && event.decode_steps > e->freeze_steps_max) e->phase = Phase::copying;
  if (!e->offered || e->blocks.size() > known) send_offer(*e, e->offered ? known : 0, now, out);
  pump(now, out);
}

void Exports::on(const ExportEnded& event, Instant, Actions& out) {
  const auto it = exports_.find(event.transfer);
  if (it == exports_.end()) return;
  const Export& e = it->second;
  refuse(e.move, event.code, event.reason, out);
  if (e.offered) {
    out.emplace_back(CacheCore::Post{e.move.destination.node,
                                     make_message(core::TransferAbort{e.transfer, e.move.key, e.move.new_epoch, event.reason})});
  }
  erase(it);
}

void Exports::on(const core::OfferReply& message, Instant now, Actions& out) {
  const auto it = exports_.find(message.transfer);
  if (it == exports_.end() || message.from != it->second.move.destination.node) return;
  Export& e = it->second;
  if (!message.accepted) return fail(it, message.code, message.reason, out);
  const auto lie = [&](const std::string& what) { fail(it, Errc::bad_frame, "the destination's reply cannot be: " + what, out); };
  if (message.blocks_reserved > e.blocks.size()) {
    return lie(std::to_string(message.blocks_reserved) + " blocks reserved of " + std::to_string(e.blocks.size()) + " offered");
  }
  for (const std::uint32_t ordinal : message.held) {
    if (ordinal >= e.blocks.size()) return lie("holds block " + std::to_string(ordinal) + " of " + std::to_string(e.blocks.size()));
    Block& block = e.blocks[ordinal];
    if (block.known.rows != block_rows || !block.known.name) return lie("holds block " + std::to_string(ordinal) + ", which has no name");
    if (block.rows_asked == 0) block.held = true;
  }
  e.heard = now;
  for (std::uint32_t i = e.reserved; i < message.blocks_reserved; ++i) e.blocks[i].reserved = true;
  e.reserved = std::max(e.reserved, message.blocks_reserved);
  if (e.phase == Phase::begun) e.phase = Phase::copying;
  pump(now, out);
}

bool Exports::may_read(const Export& e) const {
  if (e.phase == Phase::begun) return false;
  if (e.phase == Phase::frozen) return true;  // few rows, and the client waits
  return may_read_again(e);
}

/// What the destination says it misses waits for credit even when it is frozen: it would otherwise fill the link by asking.
bool Exports::may_read_again(const Export& e) const {
  if (e.phase != Phase::frozen && context_.limits.bulk_bytes_per_second_max != 0 && budget_bytes_ <= 0) return false;
  const auto it = unacked_.find(e.move.destination.node);
  return it == unacked_.end() || it->second < context_.limits.unacked_bytes_max;
}

void Exports::read(Export& e, std::uint32_t ordinal, bool whole, std::uint32_t first_row, std::uint32_t rows, Actions& out) {
  const core::ReplicaInfo& replica = info(e);
  out.emplace_back(CacheCore::ReadRows{e.move.source.index, e.transfer, ordinal, e.blocks[ordinal].known.block, whole, first_row, rows});
  ++reads_;
  ++e.reads;
  budget_bytes_ -= static_cast<std::int64_t>(whole ? replica.page_bytes : rows * replica.row_bytes);
}

bool Exports::next_read(Export& e, Actions& out) {
  std::optional<std::uint32_t> growing;
  std::optional<std::uint32_t> grown;
  for (std::uint32_t i = 0; i < e.blocks.size(); ++i) {
    const Block& block = e.blocks[i];
    if (!block.reserved || block.held || block.dropped || block.known.rows <= block.rows_asked) continue;
    if (block.rows_asked > 0) {
      if (!grown) grown = i;
    } else if (block.known.rows < block_rows) {
      if (!growing) growing = i;
    } else if (e.phase == Phase::frozen || reads_ < context_.limits.reads_in_flight_max) {
      e.blocks[i].rows_asked = block_rows;
      read(e, i, true, 0, block_rows, out);
      return true;
    } else {
      return false;  // full pages oldest first: they are in no hurry
    }
  }
  // What a stream grows by is small and must be followed, whatever else is being read: or a copy would never end.
  const auto pick = growing ? growing : grown;
  if (!pick) return false;
  Block& block = e.blocks[*pick];
  const std::uint32_t first_row = block.rows_asked;
  block.rows_asked = block.known.rows;
  read(e, *pick, first_row == 0, first_row, block.known.rows - first_row, out);
  return true;
}

void Exports::refill(Instant now) {
  const std::uint64_t rate = context_.limits.bulk_bytes_per_second_max;
  if (rate == 0) return;
  const auto elapsed =
      std::chrono::duration_cast<std::chrono::microseconds>(std::min<core::Duration>(now - refilled_, std::chrono::seconds(1)));
  if (elapsed.count() <= 0) return;
  refilled_ = now - refilled_ > std::chrono::seconds(1) ? now : refilled_ + elapsed;
  const auto burst = static_cast<std::int64_t>(std::max<std::uint64_t>(rate / 20, 1));
  budget_bytes_ = std::min(burst, budget_bytes_ + static_cast<std::int64_t>(static_cast<std::uint64_t>(elapsed.count()) * rate / 1000000U));
}

/// One read per export and turn, so that all of them get on.
void Exports::pump(Instant now, Actions& out) {
  refill(now);
  bool again = true;
  while (again && !exports_.empty()) {
    again = false;
    auto it = exports_.upper_bound(cursor_);
    for (std::size_t turns = exports_.size(); turns > 0; --turns) {
      if (it == exports_.end()) it = exports_.begin();
      Export& e = it->second;
      if (may_read(e) && next_read(e, out)) {
        again = true;
        cursor_ = e.transfer;
      }
      ++it;
    }
  }
  for (auto& [transfer, e] : exports_) maybe_freeze(e, now, out);
}

std::uint32_t Exports::unsent(const Export& e) const {
  std::uint32_t rows = 0;
  for (const Block& block : e.blocks) {
    if (block.held || block.dropped) continue;
    rows += block.known.rows - static_cast<std::uint32_t>(std::popcount(block.sent_mask));
  }
  return rows;
}

void Exports::maybe_freeze(Export& e, Instant now, Actions& out) {
  bool ready = e.phase == Phase::copying && e.reserved == e.blocks.size() && unsent(e) <= e.choices;
  // A prompt that is still being computed would be computed again; what has not begun at all goes as it is.
  if (!e.blocks.empty() && e.rows_to_compute > 2ULL * e.choices) ready = false;
  if (!ready) {
    e.ready_since = core::never;
    return;
  }
  const auto unacked = unacked_.find(e.move.destination.node);
  if (unacked != unacked_.end() && unacked->second > std::max(2 * info(e).page_bytes, settled_bytes)) {
    if (e.ready_since == core::never) e.ready_since = now;
    if (now < e.ready_since + settle_max) return;
  }
  e.ready_since = core::never;
  e.phase = Phase::freezing;
  e.freeze_steps_max = e.decode_steps + 1;
  out.emplace_back(CacheCore::Local{e.move.source.index, ExportFreeze{e.transfer, e.freeze_steps_max}});
}

void Exports::on(const CacheCore::RowsRead& event, Instant now, Actions& out) {
  Export* e = find(event.transfer);
  if (e == nullptr) return;
  SPILLWAY_ASSERT(e->reads > 0 && reads_ > 0 && event.ordinal < e->blocks.size());
  --e->reads;
  --reads_;
  if (std::uint32_t& again = e->blocks[event.ordinal].again_mask; again == row_mask(event.first_row, event.rows)) again = 0;
  send_frames(*e, event, now, out);
  pump(now, out);
}

void Exports::send_frames(Export& e, const CacheCore::RowsRead& event, Instant now, Actions& out) {
  const core::ReplicaInfo& replica = info(e);
  Block& block = e.blocks[event.ordinal];
  const auto payload = static_cast<std::uint32_t>(event.whole_page ? replica.page_bytes : event.rows * replica.row_bytes);
  SPILLWAY_ASSERT(event.data == nullptr || event.data->size() == payload);
  const std::uint32_t mask = row_mask(event.first_row, event.rows);
  const auto fresh = static_cast<std::uint32_t>(std::popcount(mask & ~block.sent_mask));
  if (event.whole_page && !block.page_sent) {
    e.report.page_bytes += payload;
    ++e.report.blocks_sent;
    block.page_sent = true;
  } else {
    (fresh != 0 ? e.report.row_bytes : e.report.resent_bytes) += payload;
  }
  if (e.phase == Phase::frozen) e.report.rows_after_freeze += fresh;
  block.sent_mask |= mask;

  core::PageFrame frame;
  frame.transfer = e.transfer;
  frame.ordinal = event.ordinal;
  frame.whole_page = event.whole_page;
  frame.first_row = event.first_row;
  frame.header.format = static_cast<core::PageFormat>(replica.page_format);
  frame.header.group = static_cast<std::uint16_t>(block.known.group);
  frame.header.first_token = block.known.first_token + event.first_row;
  frame.header.rows = static_cast<std::uint16_t>(event.rows);
  if (event.data) frame.header.checksum = core::checksum64(*event.data);
  frame.payload_bytes = payload;
  frame.data = event.data;
  const core::NodeId peer = e.move.destination.node;
  for (std::uint32_t offset = 0; offset < payload; offset += frame.data_bytes) {
    frame.offset = frame.data_offset = offset;
    frame.data_bytes = std::min(payload - offset, context_.limits.frame_bytes_max);
    out.emplace_back(CacheCore::Post{peer, make_message(core::PageFrame(frame))});
  }
  // To this node itself there is no link and no credit.
  if (peer == context_.self) return;
  std::uint64_t& unacked = unacked_[peer];
  if (unacked == 0) credit_at_[peer] = now;
  unacked += payload;
}

void Exports::on(const ExportFrozen& event, Instant now, Actions& out) {
  Export* e = find(event.transfer);
  if (e == nullptr || e->phase == Phase::frozen) return;
  const auto known = static_cast<std::uint32_t>(e->blocks.size());
  for (Block& block : e->blocks) block.dropped = true;
  merge(*e, event.blocks);
  core::Handoff handoff;
  handoff.transfer = e->transfer;
  for (const ExportBlock& block : event.blocks) {
    const std::uint32_t ordinal = e->ordinals.at(block.ordinal);
    e->blocks[ordinal].dropped = false;
    handoff.blocks.push_back(
        {ordinal, block.rows == block_rows ? block.name : core::BlockName{}, block.first_token, block.rows, block.group});
  }
  handoff.run = event.run;
  handoff.run.epoch = e->move.new_epoch;
  handoff.run.owner = e->move.owner;
  handoff.run.replica = e->move.destination;
  handoff.tables = event.tables;
  for (auto& table : handoff.tables) {
    for (auto& ordinal : table) ordinal = e->ordinals.at(ordinal);
  }
  handoff.rows = event.rows;
  e->phase = Phase::frozen;
  e->frozen_at = e->heard = now;
  e->ask_at = now + context_.limits.ask_owner;
  e->report.blocks = static_cast<std::uint32_t>(event.blocks.size());
  e->report.steps_during_copy = e->decode_steps;
  e->report.copy = now - e->offered_at;
  e->handoff = make_message(std::move(handoff));
  if (e->blocks.size() > known) send_offer(*e, known, now, out);
  e->resend_at = now + context_.limits.resend;
  out.emplace_back(CacheCore::Post{e->move.destination.node, e->handoff});
  pump(now, out);
}

void Exports::on(const core::MissingPages& message, Instant now, Actions& out) {
  const auto it = exports_.find(message.transfer);
  if (it == exports_.end()) return;
  Export& e = it->second;
  for (const core::RowRange& range : message.ranges) {
    if (range.ordinal >= e.blocks.size() || range.rows == 0 || range.first_row >= block_rows || range.rows > block_rows - range.first_row) {
      return fail(it, Errc::bad_frame, "the destination misses rows that cannot be of block " + std::to_string(range.ordinal), out);
    }
  }
  e.heard = now;
  refill(now);
  for (const core::RowRange& range : message.ranges) {
    // What does not fit now is asked for again.
    if (e.reads >= context_.limits.missing_ranges_max || !may_read_again(e)) break;
    Block& block = e.blocks[range.ordinal];
    const std::uint32_t wanted = row_mask(range.first_row, range.rows);
    // What was not sent yet comes by itself.
    if ((block.sent_mask & wanted) != wanted || block.again_mask != 0 || block.dropped || block.held) continue;
    const bool whole = range.first_row == 0;
    const std::uint32_t rows = whole ? std::max(range.rows, block.rows_asked) : range.rows;
    block.again_mask = row_mask(range.first_row, rows);
    read(e, range.ordinal, whole, range.first_row, rows, out);
  }
  pump(now, out);
}

void Exports::on(const core::HandoffReply& message, Instant now, Actions& out) {
  const auto it = exports_.find(message.transfer);
  if (it == exports_.end() || it->second.phase != Phase::frozen || message.new_epoch != it->second.move.new_epoch) return;
  Export& e = it->second;
  if (!message.accepted) return fail(it, message.code, message.reason, out);
  e.heard = now;
  e.handoff_accepted = true;
  e.ask_at = now + context_.limits.ask_owner;
}

void Exports::on(const core::TransferAbort& message, Instant, Actions& out) {
  const auto it = exports_.find(message.transfer);
  if (it == exports_.end() || message.new_epoch != it->second.move.new_epoch || it->second.handoff_accepted) return;
  fail(it, Errc::unavailable, "the destination gave up: " + message.reason, out);
}

void Exports::on(const core::Release& message, Instant now, Actions& out) {
  const auto it = find(message.key);
  if (it == exports_.end() || it->second.move.new_epoch != message.new_epoch || it->second.phase != Phase::frozen) {
    // Said again: the report was lost, or there never was such a move.
    const auto* ended = ended_.find(message.key, message.new_epoch);
    if (ended != nullptr && std::holds_alternative<core::MoveReport>(*ended->answer))
      out.emplace_back(CacheCore::Post{ended->to, ended->answer});
    return;
  }
  Export& e = it->second;
  e.report.frozen = now - e.frozen_at;
  ++context_.counters.exports_committed;
  context_.counters.export_blocks += e.report.blocks_sent;
  context_.counters.export_bytes += e.report.page_bytes;
  auto report = make_message(core::MoveReport(e.report));
  ended_.add(message.key, message.new_epoch, e.move.owner, report);
  out.emplace_back(CacheCore::Local{e.move.source.index, ExportRelease{e.transfer}});
  out.emplace_back(CacheCore::Post{e.move.owner, std::move(report)});
  erase(it);
}

void Exports::on(const core::StillYours& message, Instant, Actions& out) {
  const auto it = find(message.key);
  if (it == exports_.end() || it->second.move.epoch != message.epoch) return;
  thaw(it, message.granted, "the owner revoked the move", out);
}

void Exports::on(const core::Gone& message, Instant, Actions& out) {
  const auto it = find(message.key);
  if (it == exports_.end() || it->second.move.epoch != message.epoch) return;
  const Export& e = it->second;
  out.emplace_back(CacheCore::Local{e.move.source.index, ExportRelease{e.transfer}});
  if (e.offered) {
    out.emplace_back(CacheCore::Post{e.move.destination.node,
                                     make_message(core::TransferAbort{e.transfer, e.move.key, e.move.new_epoch, "the stream is over"})});
  }
  erase(it);
}

void Exports::on_device_lost(TransferId transfer, std::string_view reason, Actions& out) {
  const auto it = exports_.find(transfer);
  // What was taken over needs no more rows.
  if (it != exports_.end() && !it->second.handoff_accepted) fail(it, Errc::unavailable, reason, out);
}

void Exports::on_credit(core::NodeId peer, std::uint64_t bytes_in_flight, Instant now, Actions& out) {
  unacked_[peer] = bytes_in_flight;
  credit_at_[peer] = now;
  pump(now, out);
}

void Exports::on_peer_gone(core::NodeId peer, Instant now, Actions& out) {
  unacked_.erase(peer);
  credit_at_.erase(peer);
  for (auto it = exports_.begin(); it != exports_.end();) {
    const auto next = std::next(it);
    Export& e = it->second;
    if (e.move.owner == peer) {
      // Nobody hears this stream any more.
      out.emplace_back(CacheCore::Local{e.move.source.index, ExportRelease{e.transfer}});
      if (e.offered) {
        out.emplace_back(CacheCore::Post{e.move.destination.node,
                                         make_message(core::TransferAbort{e.transfer, e.move.key, e.move.new_epoch, "the owner is dead"})});
      }
      erase(it);
    } else if (e.move.destination.node == peer) {
      if (e.phase == Phase::frozen) {
        ask_owner(e, now, out);
      } else {
        fail(it, Errc::unavailable, "the destination is dead", out);
      }
    }
    it = next;
  }
}

void Exports::ask_owner(Export& e, Instant now, Actions& out) {
  e.ask_at = now + context_.limits.ask_owner;
  out.emplace_back(CacheCore::Post{e.move.owner, make_message(core::AskOwner{e.move.key, e.move.epoch, e.move.new_epoch, e.move.source})});
}

void Exports::tick(Export& e, Instant now, Actions& out) {
  if (e.phase == Phase::frozen) {
    if (now >= e.ask_at) ask_owner(e, now, out);
    if (now < e.resend_at) return;
    if (e.reserved < e.blocks.size()) send_offer(e, e.reserved, now, out);
    if (!e.handoff_accepted) out.emplace_back(CacheCore::Post{e.move.destination.node, e.handoff});
    e.resend_at = now + context_.limits.resend;
  } else if (e.offered && now >= e.resend_at) {
    // What is not reserved is offered again; an empty offer keeps the lease while the others copy.
    send_offer(e, e.reserved, now, out);
  }
}

void Exports::on_tick(Instant now, Actions& out) {
  const CacheLimits& limits = context_.limits;
  for (auto it = exports_.begin(); it != exports_.end();) {
    const auto next = std::next(it);
    Export& e = it->second;
    if (now >= (e.phase == Phase::frozen ? e.frozen_at : e.began) + limits.export_max) {
      fail(it, Errc::timeout, e.phase == Phase::frozen ? "nobody answered the frozen stream" : "the copy took too long", out);
    } else if (e.phase != Phase::frozen && e.offered && now >= e.heard + limits.lease + limits.resend) {
      fail(it, Errc::timeout, "the destination is silent", out);
    } else {
      tick(e, now, out);
    }
    it = next;
  }
  for (auto& [peer, bytes] : unacked_) {
    if (bytes == 0 || now < credit_at_[peer] + credit_lost) continue;
    bytes = 0;
    credit_at_[peer] = now;
  }
  pump(now, out);
}

Instant Exports::next_tick() const {
  Instant next = core::never;
  if (exports_.empty()) return next;
  for (const auto& [transfer, e] : exports_) {
    next = std::min(next, (e.phase == Phase::frozen ? e.frozen_at : e.began) + context_.limits.export_max);
    next = std::min({next, e.resend_at, e.ask_at});
    if (e.ready_since != core::never) next = std::min(next, e.ready_since + settle_max);
    if (e.phase != Phase::frozen && e.offered) next = std::min(next, e.heard + context_.limits.lease + context_.limits.resend);
  }
  for (const auto& [peer, bytes] : unacked_) {
    if (bytes < context_.limits.unacked_bytes_max) continue;
    const auto credited = credit_at_.find(peer);
    next = std::min(next, (credited == credit_at_.end() ? Instant{} : credited->second) + credit_lost);
  }
  if (const std::uint64_t rate = context_.limits.bulk_bytes_per_second_max; rate != 0 && budget_bytes_ <= 0) {
    const auto wait_us = static_cast<std::uint64_t>(1 - budget_bytes_) * 1000000U / rate + 1;
    next = std::min(next, refilled_ + std::chrono::microseconds(wait_us));
  }
  return next;
}

void Exports::check() const {
  std::uint32_t reads = 0;
  for (const auto& [transfer, e] : exports_) {
    SPILLWAY_ASSERT(transfer == e.transfer && e.reserved <= e.blocks.size() && e.ordinals.size() == e.blocks.size());
    SPILLWAY_ASSERT((e.phase == Phase::frozen) == (e.handoff != nullptr));
    reads += e.reads;
    for (const Block& block : e.blocks) {
      SPILLWAY_ASSERT(block.rows_asked <= block.known.rows && (block.rows_asked == 0 || block.reserved));
      SPILLWAY_ASSERT(block.sent_mask == 0 || block.page_sent);
    }
  }
  SPILLWAY_ASSERT(reads == reads_);
}

}  // namespace spillway::sched
