#pragma once

#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "core/messages.h"
#include "core/step.h"
#include "sched/local_events.h"

namespace spillway::sched {

struct CacheLimits {
  core::Duration lease{std::chrono::seconds(2)};             ///< an import that hears nothing for this long is dropped
  core::Duration resend{std::chrono::milliseconds(200)};     ///< offers, handoffs and questions are repeated this often
  core::Duration ask_owner{std::chrono::milliseconds(300)};  ///< a frozen source asks the owner after this much silence, then this often
  core::Duration export_max{std::chrono::seconds(60)};       ///< a move that has not frozen by then is given up
  std::uint32_t exports_max = 64;                            ///< transfers at once, out
  std::uint32_t imports_max = 64;                            ///< transfers at once, in
  std::uint32_t frame_bytes_max = 256 * 1024;
  std::uint64_t bulk_bytes_per_second_max = 0;  ///< 0 = no cap; all exports of the node together
  std::uint32_t reads_in_flight_max = 8;        ///< page reads the worker is asked for at once (copying must not be felt)
  std::uint64_t unacked_bytes_max = 8U << 20;   ///< bulk bytes handed to the link and not yet credited by the receiver
  /// Memory of pages of one import that have come in part, but never less than four pages; a source that needs more is lying.
  std::uint64_t assembly_bytes_max = 32U << 20;
  std::uint32_t missing_ranges_max = 64;  ///< asked for by one MissingPages, and read again at once per export; the rest is asked for later

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("lease", s.lease), v("resend", s.resend), v("ask_owner", s.ask_owner), v("export_max", s.export_max);
    v("exports_max", s.exports_max), v("imports_max", s.imports_max), v("frame_bytes_max", s.frame_bytes_max);
    v("bulk_bytes_per_second_max", s.bulk_bytes_per_second_max), v("reads_in_flight_max", s.reads_in_flight_max);
    v("unacked_bytes_max", s.unacked_bytes_max), v("assembly_bytes_max", s.assembly_bytes_max);
    v("missing_ranges_max", s.missing_ranges_max);
  }
};

/// A node's cache-manager: the transfer state machines of moves in both directions, and what to announce. Pure.
///
/// Source, per Move: ExportBegin -> (ExportGrown) Offer -> OfferReply -> read and send every page once, oldest first, then rows of
/// pages that grew since -> when at most two rows per choice are unsent: ExportFreeze -> ExportFrozen -> send the rest and the
/// Handoff -> Release (committed) | HandoffReply refused (thaw) | silence (AskOwner until StillYours or Gone).
/// Destination: Offer -> ImportReserve -> OfferReply; PageFrames are assembled, verified, written; Handoff -> when complete
/// ImportCommit -> HandoffReply; what is missing after `resend` is asked for; all or nothing; expires by lease.
/// Every wait ends by a message or a time limit, and every end releases pins and reservations.
class CacheCore {
 public:
  // Actions.
  struct Post {
    core::NodeId to;
    core::MessagePtr message;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("to", s.to), v("message", s.message);
    }
  };
  struct Local {  ///< to the batcher of replica `replica` of this node
    std::uint32_t replica = 0;
    std::variant<ExportBegin, ExportFreeze, ExportThaw, ExportRelease, ImportReserve, ImportCommit, ImportCancel> event;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("replica", s.replica), v("event", s.event);
    }
  };
  struct ReadRows {  ///< to the worker of `replica`; answered by on(RowsRead)
    std::uint32_t replica = 0;
    TransferId transfer;
    std::uint32_t ordinal = 0;
    BlockId block = core::no_block;
    bool whole_page = true;  ///< read all rows of the block as they lie (rows beyond `rows` are whatever is there, sent as zeros)
    std::uint32_t first_row = 0;
    std::uint32_t rows = 0;  ///< rows holding data

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("replica", s.replica), v("transfer", s.transfer), v("ordinal", s.ordinal), v("block", s.block);
      v("whole_page", s.whole_page), v("first_row", s.first_row), v("rows", s.rows);
    }
  };
  struct WriteRows {  ///< to the worker of `replica`; answered by on(RowsWritten)
    std::uint32_t replica = 0;
    TransferId transfer;
    std::uint32_t ordinal = 0;
    BlockId block = core::no_block;
    std::uint32_t first_row = 0;
    std::uint32_t rows = 0;
    core::SharedBytes data;  ///< canonical layout: of the whole page when rows were sent as a page, else of `rows` rows
    bool whole_page = true;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("replica", s.replica), v("transfer", s.transfer), v("ordinal", s.ordinal), v("block", s.block);
      v("first_row", s.first_row), v("rows", s.rows), v("whole_page", s.whole_page);
    }
  };
  using Action = std::variant<Post, Local, ReadRows, WriteRows>;
  using Actions = std::vector<Action>;

  // Events of this node.
  struct RowsRead {
    TransferId transfer;
    std::uint32_t ordinal = 0;
    bool whole_page = true;
    std::uint32_t first_row = 0;
    std::uint32_t rows = 0;
    core::SharedBytes data;  ///< may be null in simulation: sizes then come from page_bytes

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("transfer", s.transfer), v("ordinal", s.ordinal), v("whole_page", s.whole_page), v("first_row", s.first_row);
      v("rows", s.rows);
    }
  };
  struct RowsWritten {
    TransferId transfer;
    std::uint32_t ordinal = 0;
    std::uint32_t first_row = 0;
    std::uint32_t rows = 0;

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("transfer", s.transfer), v("ordinal", s.ordinal), v("first_row", s.first_row), v("rows", s.rows);
    }
  };

  CacheCore(core::NodeId self, core::Incarnation incarnation, const CacheLimits& limits);
  ~CacheCore();
  CacheCore(CacheCore&&) noexcept;
  CacheCore& operator=(CacheCore&&) noexcept;

  /// A replica is loaded (again): what an Offer to or from it must match.
  void set_replica(std::uint32_t index, const core::ReplicaInfo& info);

  // From owners and other cache-managers.
  void on(const core::Move& message, Instant now, Actions& out);
  void on(const core::Release& message, Instant now, Actions& out);
  void on(const core::StillYours& message, Instant now, Actions& out);
  void on(const core::Gone& message, Instant now, Actions& out);
  void on(const core::Offer& message, Instant now, Actions& out);
  void on(const core::OfferReply& message, Instant now, Actions& out);
  void on(const core::PageFrame& message, Instant now, Actions& out);
  void on(const core::MissingPages& message, Instant now, Actions& out);
  void on(const core::Handoff& message, Instant now, Actions& out);
  void on(const core::HandoffReply& message, Instant now, Actions& out);
  void on(const core::TransferAbort& message, Instant now, Actions& out);
  // From this node's batchers and workers.
  void on(const ExportGrown& event, Instant now, Actions& out);
  void on(const ExportEnded& event, Instant now, Actions& out);
  void on(const ExportFrozen& event, Instant now, Actions& out);
  void on(const ImportReserved& event, Instant now, Actions& out);
  void on(const ImportCommitted& event, Instant now, Actions& out);
  void on(const RowsRead& event, Instant now, Actions& out);
  void on(const RowsWritten& event, Instant now, Actions& out);
  /// Rows of this transfer cannot be read or written any more: the replica's device is gone, and with it the transfer.
  void on_device_lost(TransferId transfer, std::string_view reason, Instant now, Actions& out);
  /// The peer consumed bulk bytes (running total of the session), so more may be sent to it.
  void on_credit(core::NodeId peer, std::uint64_t bytes_in_flight, Instant now, Actions& out);
  /// A node is dead, or came back as another incarnation: transfers with it end; a frozen one asks its owner.
  void on_peer_gone(core::NodeId peer, Instant now, Actions& out);
  void on_tick(Instant now, Actions& out);

  Instant next_tick() const;
  core::NodeCounters counters() const;  ///< exports_committed, export_blocks, export_bytes, imports_committed
  std::size_t exports() const;
  std::size_t imports() const;
  void check() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace spillway::sched
