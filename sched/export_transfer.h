#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sched/cache_core.h"

/// Parts of the cache-manager's core; used by sched/cache_core.cc alone.
namespace spillway::sched {

/// What both directions know of their node.
struct CacheContext {
  core::NodeId self;
  core::Incarnation incarnation;
  CacheLimits limits;
  std::map<std::uint32_t, core::ReplicaInfo> replicas;
  core::NodeCounters counters;
};

/// How a transfer of (stream, epoch) ended, for messages that come again; the oldest are forgotten beyond `limit`.
class EndedTransfers {
 public:
  static constexpr std::size_t limit = 1024;
  struct Ended {
    core::NodeId to;  ///< who is told when it asks again
    core::MessagePtr answer;
  };
  void add(const StreamKey& key, const Epoch& new_epoch, core::NodeId to, core::MessagePtr answer);
  /// nullptr when unknown.
  const Ended* find(const StreamKey& key, const Epoch& new_epoch) const;

 private:
  using Id = std::pair<StreamKey, Epoch>;
  std::map<Id, Ended> ended_;
  std::deque<Id> order_;
};

/// The source side of moves: one state machine per stream that leaves.
///
/// begun (ExportBegin sent) -> copying (the destination has room) -> freezing -> frozen -> released | thawed | ended.
/// A block is sent once as a whole page (full pages oldest first, then growing ones), rows that come later as runs of rows. The
/// stream is frozen when at most one row per choice is unsent: with the step in flight that makes two.
class Exports {
 public:
  using Actions = CacheCore::Actions;
  explicit Exports(CacheContext& context) : context_(context) {}

  void on(const core::Move& message, Instant now, Actions& out);
  void on(const core::Release& message, Instant now, Actions& out);
  void on(const core::StillYours& message, Instant now, Actions& out);
  void on(const core::Gone& message, Instant now, Actions& out);
  void on(const core::OfferReply& message, Instant now, Actions& out);
  void on(const core::MissingPages& message, Instant now, Actions& out);
  void on(const core::HandoffReply& message, Instant now, Actions& out);
  void on(const core::TransferAbort& message, Instant now, Actions& out);
  void on(const ExportGrown& event, Instant now, Actions& out);
  void on(const ExportEnded& event, Instant now, Actions& out);
  void on(const ExportFrozen& event, Instant now, Actions& out);
  void on(const CacheCore::RowsRead& event, Instant now, Actions& out);
  void on_device_lost(TransferId transfer, std::string_view reason, Actions& out);
  void on_credit(core::NodeId peer, std::uint64_t bytes_in_flight, Instant now, Actions& out);
  void on_peer_gone(core::NodeId peer, Instant now, Actions& out);
  void on_tick(Instant now, Actions& out);

  Instant next_tick() const;
  std::size_t size() const { return exports_.size(); }
  void check() const;

 private:
  enum class Phase { begun, copying, freezing, frozen };
  struct Block {
    ExportBlock known;
    bool reserved = false;
    bool held = false;     ///< the destination has it
    bool dropped = false;  ///< the stream let go of it before the freeze
    bool page_sent = false;
    std::uint32_t rows_asked = 0;  ///< rows [0, rows_asked) read or being read
    std::uint32_t sent_mask = 0;   ///< bit r: row r was handed to the link
    std::uint32_t again_mask = 0;  ///< rows of the one repeated read under way
  };
  struct Export {
    TransferId transfer;
    core::Move move;
    Phase phase = Phase::begun;
    std::vector<Block> blocks;                        ///< by ordinal on the wire
    std::map<std::uint32_t, std::uint32_t> ordinals;  ///< the batcher's ordinal -> ours: ours have no holes
    std::uint32_t reserved = 0;                       ///< ordinals [0, reserved) have room at the destination
    bool offered = false;
    std::uint32_t choices = 1;
    std::string adapter;
    std::uint64_t rows_to_compute = 0;
    std::uint32_t decode_steps = 0;
    std::uint32_t freeze_steps_max = 0;
    std::uint32_t reads = 0;  ///< in flight
    Instant began{};
    Instant offered_at{};
    Instant frozen_at{};
    Instant heard{};                    ///< last sign of the destination, or the freeze
    Instant resend_at = core::never;    ///< offer while not all is reserved; handoff when frozen; else a sign of life
    Instant ready_since = core::never;  ///< could freeze, but for bytes under way
    Instant ask_at = core::never;
    bool handoff_accepted = false;
    core::MessagePtr handoff;
    core::MoveReport report;
  };
  using Map = std::map<TransferId, Export>;

  Export* find(TransferId transfer);
  Map::iterator find(const StreamKey& key);
  core::ReplicaInfo& info(const Export& e) { return context_.replicas[e.move.source.index]; }
  void merge(Export& e, const std::vector<ExportBlock>& blocks);
  void send_offer(Export& e, std::uint32_t first, Instant now, Actions& out);
  void send_frames(Export& e, const CacheCore::RowsRead& read, Instant now, Actions& out);
  bool next_read(Export& e, Actions& out);
  void read(Export& e, std::uint32_t ordinal, bool whole, std::uint32_t first_row, std::uint32_t rows, Actions& out);
  bool may_read(const Export& e) const;
  bool may_read_again(const Export& e) const;
  void pump(Instant now, Actions& out);
  void maybe_freeze(Export& e, Instant now, Actions& out);
  std::uint32_t unsent(const Export& e) const;
  void ask_owner(Export& e, Instant now, Actions& out);
  void tick(Export& e, Instant now, Actions& out);
  /// Ends of an export; each erases it.
  void thaw(Map::iterator it, const Epoch& epoch, std::string_view reason, Actions& out);
  void fail(Map::iterator it, core::Errc code, std::string_view reason, Actions& out);
  void refuse(const core::Move& move, core::Errc code, std::string_view reason, Actions& out);
  void erase(Map::iterator it);
  void refill(Instant now);
  core::MessagePtr failure(const core::Move& move, core::Errc code, std::string_view reason) const;

  CacheContext& context_;
  Map exports_;
  EndedTransfers ended_;
  std::uint64_t transfers_made_ = 0;
  std::uint32_t reads_ = 0;
  TransferId cursor_;                              ///< the export whose turn it was last
  std::map<core::NodeId, std::uint64_t> unacked_;  ///< bulk bytes posted to a peer and not credited
  std::map<core::NodeId, Instant> credit_at_;      ///< last credit, so that lost credit does not block for ever
  std::int64_t budget_bytes_ = 0;
  Instant refilled_{};
};

}  // namespace spillway::sched
