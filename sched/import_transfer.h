#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "sched/export_transfer.h"

namespace spillway::sched {

/// The destination side of moves: reserve, assemble, verify, write, and run when everything is there. What a source claims is
/// checked against the replica's own shape before a byte is kept; a claim that cannot be ends the transfer by name.
class Imports {
 public:
  using Actions = CacheCore::Actions;
  explicit Imports(CacheContext& context) : context_(context) {}

  void on(const core::Offer& message, Instant now, Actions& out);
  void on(const core::PageFrame& message, Instant now, Actions& out);
  void on(const core::Handoff& message, Instant now, Actions& out);
  void on(const core::TransferAbort& message, Instant now, Actions& out);
  void on(const ImportReserved& event, Instant now, Actions& out);
  void on(const ImportCommitted& event, Instant now, Actions& out);
  void on(const CacheCore::RowsWritten& event, Instant now, Actions& out);
  void on_device_lost(TransferId transfer, std::string_view reason, Actions& out);
  void on_peer_gone(core::NodeId peer, Instant now, Actions& out);
  void on_tick(Instant now, Actions& out);

  Instant next_tick() const;
  std::size_t size() const { return imports_.size(); }
  void check() const;

 private:
  struct Slot {
    core::TransferBlock want;
    BlockId block = core::no_block;
    bool reserved = false;
    bool held = false;
    bool page_seen = false;          ///< a whole page of it was verified
    std::uint32_t taken_mask = 0;    ///< rows verified and given to the worker
    std::uint32_t written_mask = 0;  ///< rows the worker has written
    Instant asked_at{};              ///< last reservation or question
  };
  using PartId = std::tuple<std::uint32_t, bool, std::uint32_t, std::uint32_t>;  ///< ordinal, whole page, first row, rows
  struct Part {
    std::uint64_t checksum = 0;
    core::ByteVector bytes;                         ///< empty in simulation
    core::SharedBytes whole;                        ///< when it came in one piece
    std::map<std::uint32_t, std::uint32_t> pieces;  ///< offset -> bytes
    std::uint64_t received = 0;
    std::uint64_t held_bytes = 0;  ///< its share of Import::held_bytes
  };
  struct Import {
    TransferId transfer;
    StreamKey key;
    Epoch new_epoch;
    core::NodeId owner;
    core::ReplicaRef source;
    std::uint32_t replica = 0;
    std::uint32_t choices = 1;
    std::string adapter;
    std::vector<Slot> slots;
    bool opened = false;          ///< the batcher knows of it
    std::uint32_t reserving = 0;  ///< ImportReserve not yet answered
    std::map<PartId, Part> parts;
    std::uint64_t held_bytes = 0;  ///< by `parts`
    std::optional<core::Handoff> handoff;
    bool committing = false;
    Instant heard{};
    Instant ask_at = core::never;
  };
  using Map = std::map<TransferId, Import>;

  std::string wrong_offer(const core::Offer& offer) const;
  std::string wrong_blocks(const Import& import, const core::Offer& offer) const;
  std::string wrong_frame(const Import& import, const core::PageFrame& frame) const;
  std::string wrong_table(const Import& import, const std::vector<std::uint32_t>& table, std::uint32_t rows, std::size_t group) const;
  std::string wrong_handoff(const Import& import, const core::Handoff& handoff) const;
  void refuse(const core::Offer& offer, core::Errc code, std::string_view reason, Actions& out);
  void reply(const Import& import, Actions& out);
  void reply_handoff(const core::Handoff& handoff, bool accepted, core::Errc code, std::string_view reason, Actions& out);
  /// Drops the import: reservation, and a TransferAbort to the source.
  void abort(Map::iterator it, std::string_view reason, Actions& out);
  void cancel(Map::iterator it, Actions& out);
  /// Room for the fragment's part among those that have come in part; nothing when the import holds too much of them already.
  std::map<PartId, Part>::iterator open_part(Import& import, const core::PageFrame& frame, const PartId& id) const;
  static void drop_part(Import& import, std::map<PartId, Part>::iterator part);
  /// Parts of the block that hold nothing new: all their rows are taken.
  static void drop_taken(Import& import, std::uint32_t ordinal);
  /// False: the source sends more at once than it can have begun, and the import is to be given up.
  bool add_piece(Import& import, const core::PageFrame& frame, Instant now, Actions& out);
  void part_complete(Import& import, const core::PageFrame& frame, Part&& part, Instant now, Actions& out);
  void try_commit(Import& import, Instant now, Actions& out);
  std::vector<core::RowRange> missing(Import& import, Instant now) const;
  void ask_missing(Import& import, Instant now, Actions& out);
  std::uint32_t rows_needed(const Import& import, std::uint32_t ordinal) const;

  CacheContext& context_;
  Map imports_;
  EndedTransfers ended_;
};

}  // namespace spillway::sched
