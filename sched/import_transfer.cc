#include "sched/import_transfer.h"

#include <algorithm>
#include <bit>
#include <chrono>

#include "core/assert.h"
#include "core/digest.h"

namespace spillway::sched {

namespace {

using core::Errc;
using core::make_message;

constexpr std::uint32_t block_rows = core::block_tokens;
constexpr std::uint32_t choices_max = 1024;
/// Fragments come in order, so a page has one gap more for each fragment that was lost.
constexpr std::size_t part_gaps_max = 1024;

std::uint32_t row_mask(std::uint32_t first_row, std::uint32_t rows) {
  return ((1U << rows) - 1U) << first_row;
}

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

}  // namespace

std::string Imports::wrong_offer(const core::Offer& offer) const {
  const auto it = context_.replicas.find(offer.destination.index);
  if (it == context_.replicas.end()) return "replica " + number(offer.destination.index) + " is not loaded here";
  const core::ReplicaInfo& mine = it->second;
  const auto kv_id = core::under_adapter(mine.kv_id, mine.adapters, offer.adapter);
  if (!kv_id) return "the adapter '" + offer.adapter + "' is not loaded here: there is " + core::adapter_names(mine.adapters);
  if (offer.kv_id != *kv_id) return "kv_id " + core::to_hex(offer.kv_id) + " is not ours, " + core::to_hex(*kv_id);
  if (offer.numerics_id != mine.numerics_id) {
    return "numerics id " + number(offer.numerics_id) + " is not ours, " + number(mine.numerics_id);
  }
  if (static_cast<std::uint32_t>(offer.format) != mine.page_format)
    return "page format " + number(static_cast<std::uint32_t>(offer.format));
  if (offer.page_bytes != mine.page_bytes) return "pages of " + number(offer.page_bytes) + " bytes, ours have " + number(mine.page_bytes);
  if ((offer.required & ~mine.features) != 0) return "required features " + number(offer.required & ~mine.features) + " are not known here";
  if (offer.choices == 0 || offer.choices > choices_max) return number(offer.choices) + " choices";
  for (const core::TransferBlock& block : offer.blocks) {
    if (block.ordinal >= mine.blocks) return "block " + number(block.ordinal) + " of a pool of " + number(mine.blocks);
    if (block.rows > block_rows) return number(block.rows) + " rows in block " + number(block.ordinal);
    if (block.group >= core::kv_groups_or_full(mine.kv_groups).size())
      return "block " + number(block.ordinal) + " of KV group " + number(block.group);
    if (block.name && block.rows != block_rows) return "a name for block " + number(block.ordinal) + ", which is not full";
    if (block.first_token % block_rows != 0 || block.first_token >= mine.context_max) {
      return "block " + number(block.ordinal) + " at position " + number(block.first_token);
    }
  }
  return {};
}

std::string Imports::wrong_blocks(const Import& import, const core::Offer& offer) const {
  if (import.key != offer.key || import.new_epoch != offer.new_epoch || import.owner != offer.owner || import.source != offer.source ||
      import.replica != offer.destination.index || import.adapter != offer.adapter) {
    return "the transfer is another stream's";
  }
  auto known = static_cast<std::uint32_t>(import.slots.size());
  for (const core::TransferBlock& block : offer.blocks) {
    if (block.ordinal > known) return "block " + number(block.ordinal) + " follows " + number(known) + " blocks";
    if (block.ordinal == known) {
      ++known;
    } else if (block.ordinal < import.slots.size() && import.slots[block.ordinal].want.first_token != block.first_token) {
      return "block " + number(block.ordinal) + " is at another position now";
    }
  }
  return {};
}

void Imports::refuse(const core::Offer& offer, Errc code, std::string_view reason, Actions& out) {
  core::OfferReply reply{offer.transfer, context_.self, false, 0, {}, code, std::string(reason)};
  out.emplace_back(CacheCore::Post{offer.source.node, make_message(std::move(reply))});
}

void Imports::reply(const Import& import, Actions& out) {
  core::OfferReply reply;
  reply.transfer = import.transfer;
  reply.from = context_.self;
  reply.accepted = true;
  for (const Slot& slot : import.slots) {
    if (!slot.reserved) break;
    if (slot.held) reply.held.push_back(reply.blocks_reserved);
    ++reply.blocks_reserved;
  }
  out.emplace_back(CacheCore::Post{import.source.node, make_message(std::move(reply))});
}

void Imports::reply_handoff(const core::Handoff& handoff, bool accepted, Errc code, std::string_view reason, Actions& out) {
  // The source is not named in a Handoff; its Offer told. Kept out of the message so that nobody can be told to answer a third.
  const auto it = imports_.find(handoff.transfer);
  if (it == imports_.end()) return;
  core::HandoffReply answer{handoff.transfer, it->second.key, it->second.new_epoch, accepted, code, std::string(reason)};
  out.emplace_back(CacheCore::Post{it->second.source.node, make_message(std::move(answer))});
}

void Imports::cancel(Map::iterator it, Actions& out) {
  out.emplace_back(CacheCore::Local{it->second.replica, ImportCancel{it->first}});
  imports_.erase(it);
}

void Imports::abort(Map::iterator it, std::string_view reason, Actions& out) {
  const Import& import = it->second;
  auto message = make_message(core::TransferAbort{import.transfer, import.key, import.new_epoch, std::string(reason)});
  ended_.add(import.key, import.new_epoch, import.source.node, message);
  out.emplace_back(CacheCore::Post{import.source.node, std::move(message)});
  cancel(it, out);
}

void Imports::on(const core::Offer& message, Instant now, Actions& out) {
  if (message.destination.node != context_.self) return;
  if (const auto* ended = ended_.find(message.key, message.new_epoch)) {
    // Over: run here, or refused for good.
    if (!imports_.contains(message.transfer)) out.emplace_back(CacheCore::Post{ended->to, ended->answer});
    return;
  }
  auto it = imports_.find(message.transfer);
  std::string wrong = wrong_offer(message);
  if (wrong.empty() && it != imports_.end()) wrong = wrong_blocks(it->second, message);
  if (!wrong.empty()) {
    if (it != imports_.end() && !it->second.committing && it->second.source == message.source) cancel(it, out);
    return refuse(message, Errc::incompatible, "the offer does not fit: " + wrong, out);
  }
  if (it == imports_.end()) {
    if (imports_.size() >= context_.limits.imports_max) {
      return refuse(message, Errc::queue_full, number(imports_.size()) + " streams are arriving at this node already", out);
    }
    Import import;
    import.transfer = message.transfer;
    import.key = message.key;
    import.new_epoch = message.new_epoch;
    import.owner = message.owner;
    import.source = message.source;
    import.replica = message.destination.index;
    import.choices = message.choices;
    import.adapter = message.adapter;
    import.ask_at = now + context_.limits.resend;
    wrong = wrong_blocks(import, message);
    // The beginning was lost: the source offers everything again.
    if (!wrong.empty()) return;
    it = imports_.emplace(message.transfer, std::move(import)).first;
  }
  Import& import = it->second;
  import.heard = now;
  if (import.committing) return;
  ImportReserve reserve{import.transfer, import.key, import.new_epoch, import.choices, {}};
  for (const core::TransferBlock& block : message.blocks) {
    if (block.ordinal < import.slots.size()) {
      core::TransferBlock& want = import.slots[block.ordinal].want;
      want.rows = std::max(want.rows, block.rows);
      continue;
    }
    Slot slot;
    slot.want = block;
    slot.asked_at = now;
    import.slots.push_back(slot);
    reserve.blocks.push_back(block);
  }
  if (reserve.blocks.empty() && import.opened) {
    if (import.reserving == 0) reply(import, out);
    return;
  }
  import.opened = true;
  ++import.reserving;
  out.emplace_back(CacheCore::Local{import.replica, std::move(reserve)});
}

void Imports::on(const ImportReserved& event, Instant now, Actions& out) {
  const auto it = imports_.find(event.transfer);
  if (it == imports_.end() || it->second.reserving == 0) return;
  Import& import = it->second;
  --import.reserving;
  if (!event.accepted) {
    core::OfferReply refusal{import.transfer, context_.self, false, 0, {}, event.code, event.reason};
    out.emplace_back(CacheCore::Post{import.source.node, make_message(std::move(refusal))});
    return cancel(it, out);
  }
  for (const ImportReserved::Slot& given : event.slots) {
    SPILLWAY_ASSERT(given.ordinal < import.slots.size());
    Slot& slot = import.slots[given.ordinal];
    slot.block = given.block;
    slot.reserved = true;
    slot.held = given.held;
    slot.asked_at = now;
  }
  if (import.reserving != 0) return;
  reply(import, out);
  try_commit(import, now, out);
}

std::string Imports::wrong_frame(const Import& import, const core::PageFrame& frame) const {
  const core::ReplicaInfo& mine = context_.replicas.at(import.replica);
  const core::PageHeader& header = frame.header;
  if (frame.ordinal >= import.slots.size()) return "block " + number(frame.ordinal) + " of " + number(import.slots.size()) + " offered";
  if (header.rows == 0 || header.rows > block_rows) return number(header.rows) + " rows in a page";
  if (frame.first_row > block_rows - header.rows) return number(header.rows) + " rows from row " + number(frame.first_row);
  if (frame.whole_page && frame.first_row != 0) return "a whole page from row " + number(frame.first_row);
  if (header.version != 1 || header.layout != 1) return "a page of an unknown version or layout";
  if (header.group != import.slots[frame.ordinal].want.group) return "a page of KV group " + number(header.group);
  if (static_cast<std::uint32_t>(header.format) != mine.page_format)
    return "page format " + number(static_cast<std::uint32_t>(header.format));
  if (header.first_token != import.slots[frame.ordinal].want.first_token + frame.first_row) {
    return "block " + number(frame.ordinal) + " at position " + number(header.first_token);
  }
  const std::uint64_t payload = frame.whole_page ? mine.page_bytes : header.rows * mine.row_bytes;
  if (frame.payload_bytes != payload) return number(frame.payload_bytes) + " bytes where " + number(payload) + " are due";
  if (frame.data_bytes == 0 || frame.offset >= payload || frame.data_bytes > payload - frame.offset) {
    return number(frame.data_bytes) + " bytes at " + number(frame.offset) + " of " + number(payload);
  }
  if (frame.data && (frame.data_offset > frame.data->size() || frame.data_bytes > frame.data->size() - frame.data_offset)) {
    return "a fragment longer than its data";
  }
  return {};
}

void Imports::on(const core::PageFrame& message, Instant now, Actions& out) {
  const auto it = imports_.find(message.transfer);
  if (it == imports_.end() || it->second.committing) return;
  Import& import = it->second;
  if (const std::string wrong = wrong_frame(import, message); !wrong.empty()) return abort(it, "a frame cannot be: " + wrong, out);
  const Slot& slot = import.slots[message.ordinal];
  if (!slot.reserved) return abort(it, "block " + number(message.ordinal) + " came before it had room", out);
  import.heard = now;
  const std::uint32_t rows = row_mask(message.first_row, message.header.rows);
  if (slot.held || (slot.taken_mask & rows) == rows) return;
  if (!add_piece(import, message, now, out)) abort(it, "more pages have begun to come than a source begins at once", out);
}

void Imports::drop_part(Import& import, std::map<PartId, Part>::iterator part) {
  SPILLWAY_ASSERT(import.held_bytes >= part->second.held_bytes);
  import.held_bytes -= part->second.held_bytes;
  import.parts.erase(part);
}

void Imports::drop_taken(Import& import, std::uint32_t ordinal) {
  for (auto it = import.parts.lower_bound({ordinal, false, 0, 0}); it != import.parts.end() && std::get<0>(it->first) == ordinal;) {
    const auto next = std::next(it);
    const std::uint32_t rows = row_mask(std::get<2>(it->first), std::get<3>(it->first));
    if ((import.slots[ordinal].taken_mask & rows) == rows) drop_part(import, it);
    it = next;
  }
}

std::map<Imports::PartId, Imports::Part>::iterator Imports::open_part(Import& import, const core::PageFrame& frame,
                                                                      const PartId& id) const {
  auto found = import.parts.find(id);
  if (found != import.parts.end() && found->second.checksum != frame.header.checksum) {
    // A damaged first sending is replaced by the second.
    drop_part(import, found);
    found = import.parts.end();
  }
  if (found != import.parts.end()) return found;
  if (frame.whole_page) {
    // Sent again since the block has grown: what has come of the older sending is not waited for.
    const auto first = import.parts.lower_bound({frame.ordinal, true, 0, 0});
    if (first != import.parts.end() && std::get<0>(first->first) == frame.ordinal) drop_part(import, first);
  }
  // The whole payload is charged with its first byte, for that is when its room is made.
  const std::uint64_t most = std::max(context_.limits.assembly_bytes_max, 4 * context_.replicas.at(import.replica).page_bytes);
  if (import.held_bytes + frame.payload_bytes > most) return import.parts.end();
  Part part;
  part.checksum = frame.header.checksum;
  part.held_bytes = frame.payload_bytes;
  import.held_bytes += part.held_bytes;
  return import.parts.emplace(id, std::move(part)).first;
}

bool Imports::add_piece(Import& import, const core::PageFrame& frame, Instant now, Actions& out) {
  const PartId id{frame.ordinal, frame.whole_page, frame.first_row, frame.header.rows};
  const bool in_one = frame.data_bytes == frame.payload_bytes;
  if (in_one && (!frame.data || (frame.data_offset == 0 && frame.data->size() == frame.payload_bytes))) {
    if (const auto begun = import.parts.find(id); begun != import.parts.end()) drop_part(import, begun);
    Part complete;
    complete.whole = frame.data;
    part_complete(import, frame, std::move(complete), now, out);
    return true;
  }
  const auto found = open_part(import, frame, id);
  if (found == import.parts.end()) return false;
  Part& part = found->second;
  const auto after = part.pieces.lower_bound(frame.offset);
  const bool overlaps = (after != part.pieces.end() && after->first < frame.offset + frame.data_bytes) ||
                        (after != part.pieces.begin() && std::prev(after)->first + std::prev(after)->second > frame.offset);
  if (overlaps) return true;  // a repeated fragment
  // Neighbours become one, so that a page takes as many entries as it has gaps and not as it has fragments.
  auto piece = part.pieces.emplace_hint(after, frame.offset, frame.data_bytes);
  if (after != part.pieces.end() && after->first == frame.offset + frame.data_bytes) {
    piece->second += after->second;
    part.pieces.erase(after);
  }
  if (piece != part.pieces.begin() && std::prev(piece)->first + std::prev(piece)->second == frame.offset) {
    std::prev(piece)->second += piece->second;
    part.pieces.erase(piece);
  }
  if (part.pieces.size() > part_gaps_max) return false;
  part.received += frame.data_bytes;
  if (frame.data) {
    part.bytes.resize(frame.payload_bytes);
    std::copy_n(frame.data->begin() + frame.data_offset, frame.data_bytes, part.bytes.begin() + frame.offset);
  }
  if (part.received < frame.payload_bytes) return true;
  import.held_bytes -= part.held_bytes;
  Part complete = std::move(part);
  import.parts.erase(found);
  part_complete(import, frame, std::move(complete), now, out);
  return true;
}

void Imports::part_complete(Import& import, const core::PageFrame& frame, Part&& part, Instant now, Actions& out) {
  core::SharedBytes data = part.whole ? std::move(part.whole) : part.bytes.empty() ? nullptr : core::share(std::move(part.bytes));
  if (data && core::checksum64(*data) != frame.header.checksum) {
    core::MissingPages again{import.transfer, {{frame.ordinal, frame.first_row, frame.header.rows}}};
    out.emplace_back(CacheCore::Post{import.source.node, make_message(std::move(again))});
    return;
  }
  Slot& slot = import.slots[frame.ordinal];
  // Rows that came by another road stay as they are: they are the same bytes, and the worker may be writing them.
  slot.taken_mask |= row_mask(frame.first_row, frame.header.rows);
  slot.page_seen = slot.page_seen || frame.whole_page;
  drop_taken(import, frame.ordinal);
  slot.asked_at = now;
  out.emplace_back(CacheCore::WriteRows{import.replica, import.transfer, frame.ordinal, slot.block, frame.first_row, frame.header.rows,
                                        std::move(data), frame.whole_page});
}

void Imports::on(const CacheCore::RowsWritten& event, Instant now, Actions& out) {
  const auto it = imports_.find(event.transfer);
  if (it == imports_.end()) return;
  Import& import = it->second;
  SPILLWAY_ASSERT(event.ordinal < import.slots.size() && event.first_row + event.rows <= block_rows);
  import.slots[event.ordinal].written_mask |= row_mask(event.first_row, event.rows);
  try_commit(import, now, out);
}

std::string Imports::wrong_table(const Import& import, const std::vector<std::uint32_t>& table, std::uint32_t rows,
                                 std::size_t group) const {
  const core::ReplicaInfo& mine = context_.replicas.at(import.replica);
  const core::KvGroup& rule = core::kv_groups_or_full(mine.kv_groups)[group];
  if (table.size() < (rows == 0 ? 0 : core::held_blocks(rule, rows))) return "a table shorter than its rows";
  const std::uint64_t first = core::first_kept_block(rule, rows);
  for (std::size_t i = 0; i < table.size(); ++i) {
    const std::uint32_t ordinal = table[i];
    if (ordinal >= mine.blocks) return "block " + number(ordinal) + " cannot be";
    if (ordinal >= import.slots.size()) continue;
    const core::TransferBlock& want = import.slots[ordinal].want;
    if (want.group != group) return "block " + number(ordinal) + " is of KV group " + number(want.group) + " and not " + number(group);
    if (want.first_token != (first + i) * block_rows) {
      return "block " + number(ordinal) + " is not at position " + number((first + i) * block_rows);
    }
  }
  return {};
}

std::string Imports::wrong_handoff(const Import& import, const core::Handoff& handoff) const {
  const core::Run& run = handoff.run;
  if (run.key != import.key || run.epoch != import.new_epoch || run.owner != import.owner) return "the run is another stream's";
  if (!run.request || run.request->key != import.key) return "the run has no request of this stream";
  if (run.request->adapter != import.adapter) return "the run is under another adapter than was offered";
  const std::size_t choices = run.request->choices;
  const auto groups = core::kv_groups_or_full(context_.replicas.at(import.replica).kv_groups);
  if (run.choices.size() != choices || handoff.tables.size() != choices * groups.size() || handoff.rows.size() != choices) {
    return number(run.choices.size()) + " choices, " + number(handoff.tables.size()) + " tables, " + number(handoff.rows.size()) +
           " counts of rows for " + number(choices) + " choices";
  }
  // An ordinal beyond the offers we saw is no lie: the offer was lost and comes again. It waits for room.
  for (const core::TransferBlock& block : handoff.blocks) {
    if (block.ordinal >= context_.replicas.at(import.replica).blocks || block.rows > block_rows)
      return "block " + number(block.ordinal) + " cannot be";
  }
  for (std::size_t c = 0; c < choices; ++c) {
    const std::uint64_t length = run.request->prompt.size() + run.choices[c].tokens.size();
    if (handoff.rows[c] > length) return number(handoff.rows[c]) + " rows of " + number(length) + " tokens";
    for (std::size_t g = 0; g < groups.size(); ++g) {
      if (std::string wrong = wrong_table(import, handoff.tables[c * groups.size() + g], handoff.rows[c], g); !wrong.empty()) return wrong;
    }
  }
  return {};
}

void Imports::on(const core::Handoff& message, Instant now, Actions& out) {
  if (message.run.replica.node != context_.self) return;
  const auto it = imports_.find(message.transfer);
  if (it == imports_.end()) {
    if (const auto* ended = ended_.find(message.run.key, message.run.epoch)) out.emplace_back(CacheCore::Post{ended->to, ended->answer});
    // Otherwise nothing is known of it, the offer was lost or expired: the source offers and hands off again, or asks the owner.
    return;
  }
  Import& import = it->second;
  import.heard = now;
  if (import.committing) return;
  if (const std::string wrong = wrong_handoff(import, message); !wrong.empty()) {
    core::HandoffReply refusal{import.transfer, import.key, import.new_epoch, false, Errc::bad_frame, "the handoff cannot be: " + wrong};
    auto answer = make_message(std::move(refusal));
    ended_.add(import.key, import.new_epoch, import.source.node, answer);
    out.emplace_back(CacheCore::Post{import.source.node, std::move(answer)});
    return cancel(it, out);
  }
  if (!import.handoff) import.ask_at = now + context_.limits.resend / 4;
  import.handoff = message;
  try_commit(import, now, out);
}

/// Rows of `ordinal` that some table needs.
std::uint32_t Imports::rows_needed(const Import& import, std::uint32_t ordinal) const {
  const auto groups = core::kv_groups_or_full(context_.replicas.at(import.replica).kv_groups);
  const core::TransferBlock& want = import.slots[ordinal].want;
  const core::KvGroup& rule = groups[want.group];
  std::uint32_t rows = 0;
  for (std::size_t c = 0; c < import.handoff->rows.size(); ++c) {
    const auto& table = import.handoff->tables[c * groups.size() + want.group];
    const std::uint64_t end = import.handoff->rows[c];
    const std::uint64_t place =
        want.first_token / block_rows - std::min(core::first_kept_block(rule, end), std::uint64_t{want.first_token} / block_rows);
    if (place >= table.size() || table[place] != ordinal) continue;
    if (rule.kind == core::KvGroupKind::state) return block_rows;
    if (end > want.first_token)
      rows = std::max(rows, static_cast<std::uint32_t>(std::min<std::uint64_t>(block_rows, end - want.first_token)));
  }
  return rows;
}

void Imports::try_commit(Import& import, Instant, Actions& out) {
  if (!import.handoff || import.committing || import.reserving != 0) return;
  for (const auto& table : import.handoff->tables) {
    for (const std::uint32_t ordinal : table) {
      if (ordinal >= import.slots.size() || !import.slots[ordinal].reserved) return;
      const Slot& slot = import.slots[ordinal];
      if (slot.held) continue;
      const std::uint32_t needed = row_mask(0, rows_needed(import, ordinal));
      if ((slot.written_mask & needed) != needed) return;
    }
  }
  import.committing = true;
  import.ask_at = core::never;
  const core::Handoff& handoff = *import.handoff;
  out.emplace_back(
      CacheCore::Local{import.replica, ImportCommit{import.transfer, handoff.run, handoff.tables, handoff.rows, handoff.blocks}});
}

void Imports::on(const ImportCommitted& event, Instant, Actions& out) {
  const auto it = imports_.find(event.transfer);
  if (it == imports_.end()) return;
  // The worker fell over, and with it what was reserved.
  if (!it->second.committing) return abort(it, event.reason, out);
  const Import& import = it->second;
  if (event.accepted) ++context_.counters.imports_committed;
  reply_handoff(*import.handoff, event.accepted, event.code, event.reason, out);
  ended_.add(import.key, import.new_epoch, import.source.node, std::get<CacheCore::Post>(out.back()).message);
  imports_.erase(it);
}

void Imports::on(const core::TransferAbort& message, Instant, Actions& out) {
  const auto it = imports_.find(message.transfer);
  if (it == imports_.end() || it->second.committing || it->second.new_epoch != message.new_epoch) return;
  cancel(it, out);
}

void Imports::on_device_lost(TransferId transfer, std::string_view reason, Actions& out) {
  const auto it = imports_.find(transfer);
  if (it != imports_.end() && !it->second.committing) abort(it, reason, out);
}

void Imports::on_peer_gone(core::NodeId peer, Instant, Actions& out) {
  for (auto it = imports_.begin(); it != imports_.end();) {
    const auto next = std::next(it);
    const Import& import = it->second;
    if (!import.committing && (import.source.node == peer || import.owner == peer)) {
      if (import.source.node == peer) {
        cancel(it, out);
      } else {
        abort(it, "the owner is dead", out);
      }
    }
    it = next;
  }
}

std::vector<core::RowRange> Imports::missing(Import& import, Instant now) const {
  std::vector<core::RowRange> ranges;
  // Pages are sent in order: one that is behind a page seen later, and has been waited for, was lost.
  std::uint32_t newest = 0;
  for (std::uint32_t i = 0; i < import.slots.size(); ++i) {
    if (import.slots[i].page_seen) newest = i;
  }
  for (std::uint32_t i = 0; i < import.slots.size() && ranges.size() < context_.limits.missing_ranges_max; ++i) {
    Slot& slot = import.slots[i];
    if (!slot.reserved || slot.held || now < slot.asked_at + (import.handoff ? context_.limits.resend / 4 : context_.limits.resend))
      continue;
    std::uint32_t rows = import.handoff ? rows_needed(import, i) : slot.want.rows;
    if (!import.handoff && (i >= newest || slot.page_seen || slot.want.rows < block_rows)) rows = 0;
    const std::uint32_t lacking = row_mask(0, rows) & ~slot.taken_mask;
    if (lacking == 0) continue;
    slot.asked_at = now;
    // Without its page a block is asked for as a page: rows alone would be refused no less often.
    const auto first = slot.page_seen ? static_cast<std::uint32_t>(std::countr_zero(lacking)) : 0;
    ranges.push_back({i, first, rows - first});
  }
  return ranges;
}

void Imports::ask_missing(Import& import, Instant now, Actions& out) {
  if (import.committing || import.slots.empty()) return;
  core::MissingPages question{import.transfer, missing(import, now)};
  if (question.ranges.empty()) return;
  out.emplace_back(CacheCore::Post{import.source.node, make_message(std::move(question))});
}

void Imports::on_tick(Instant now, Actions& out) {
  for (auto it = imports_.begin(); it != imports_.end();) {
    const auto next = std::next(it);
    Import& import = it->second;
    if (!import.committing && now >= import.heard + context_.limits.lease) {
      abort(it, "the lease ran out", out);
    } else if (now >= import.ask_at) {
      ask_missing(import, now, out);
      import.ask_at = now + context_.limits.resend / (import.handoff ? 2 : 1);
    }
    it = next;
  }
}

Instant Imports::next_tick() const {
  Instant next = core::never;
  for (const auto& [transfer, import] : imports_) {
    if (import.committing) continue;
    next = std::min({next, import.heard + context_.limits.lease, import.ask_at});
  }
  return next;
}

void Imports::check() const {
  for (const auto& [transfer, import] : imports_) {
    SPILLWAY_ASSERT(transfer == import.transfer && (!import.committing || import.handoff));
    std::uint64_t held_bytes = 0;
    for (const auto& [id, part] : import.parts) held_bytes += part.held_bytes;
    SPILLWAY_ASSERT(held_bytes == import.held_bytes);
    for (const Slot& slot : import.slots) {
      SPILLWAY_ASSERT((slot.written_mask & ~slot.taken_mask) == 0);
      SPILLWAY_ASSERT(slot.reserved || slot.taken_mask == 0);
      SPILLWAY_ASSERT(!slot.reserved || slot.block != core::no_block);
    }
  }
}

}  // namespace spillway::sched
