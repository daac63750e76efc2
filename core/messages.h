#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "core/adapter.h"
#include "core/bytes.h"
#include "core/error.h"
#include "core/ids.h"
#include "core/kv_groups.h"
#include "core/page.h"
#include "core/request.h"
#include "core/run_messages.h"
#include "core/time.h"

/// Every message between nodes, once, as a plain struct with one field visitor: `visit(self, v)` calls v(name, field) for each
/// field in order. Logs, equality in tests and the round-trip tests of the wire codec come from it. Each struct says who sends
/// it to whom and on which lane. Durations travel, never clock times. Messages between clients and routers: client_messages.h.
///
/// Rules that hold for all of them: any message may be lost, repeated, delayed or come from an old incarnation, and the
/// receiver's core must survive it; a message about a stream carries the epoch it speaks of; unknown streams are answered
/// where the sender would otherwise wait (CancelRun, Gone), and ignored elsewhere.
namespace spillway::core {

/// Logical connections between two nodes. Bulk never delays the other two.
enum class Lane : std::uint8_t { control = 0, token = 1, bulk = 2 };

// -- Moving --------------------------------------------------------------------------------------------------------------------

/// Owner -> source cache-manager (control). Carry the stream that runs under `epoch` to `destination`, to run under `new_epoch`.
struct Move {
  StreamKey key;
  Epoch epoch;
  Epoch new_epoch;
  NodeId owner;
  ReplicaRef source;
  ReplicaRef destination;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("new_epoch", s.new_epoch), v("owner", s.owner), v("source", s.source),
        v("destination", s.destination);
  }
};

/// Source cache-manager -> owner (control). The move is off and the stream goes on under `epoch` (or is not known there).
struct MoveFailed {
  StreamKey key;
  Epoch epoch;
  Epoch new_epoch;
  Errc code = Errc::no_capacity;
  std::string reason;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("new_epoch", s.new_epoch), v("code", s.code), v("reason", s.reason);
  }
};

/// Owner -> source cache-manager (control). `new_epoch` is committed: free what is held for the stream under older epochs.
struct Release {
  StreamKey key;
  Epoch new_epoch;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("new_epoch", s.new_epoch);
  }
};

/// Source cache-manager -> owner (control), after Release: what the move carried.
struct MoveReport {
  StreamKey key;
  Epoch new_epoch;
  std::uint32_t blocks = 0;       ///< blocks held at the source when it froze
  std::uint32_t blocks_sent = 0;  ///< of these carried as pages (the rest was held at the destination already)
  std::uint64_t page_bytes = 0;   ///< payload bytes of whole pages sent, first sendings only: blocks_sent x page bytes
  std::uint64_t row_bytes = 0;    ///< payload bytes of single rows sent after their page
  std::uint64_t resent_bytes = 0;
  std::uint32_t rows_after_freeze = 0;  ///< all choices together
  std::uint32_t steps_during_copy = 0;  ///< decode steps of the stream between the offer and the freeze
  Duration copy{0};                     ///< offer to freeze
  Duration frozen{0};                   ///< freeze to release

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("new_epoch", s.new_epoch), v("blocks", s.blocks), v("blocks_sent", s.blocks_sent), v("page_bytes", s.page_bytes);
    v("row_bytes", s.row_bytes), v("resent_bytes", s.resent_bytes), v("rows_after_freeze", s.rows_after_freeze);
    v("steps_during_copy", s.steps_during_copy), v("copy", s.copy), v("frozen", s.frozen);
  }
};

/// Frozen source -> owner (token lane, so behind the stream's last tokens), repeated until answered.
struct AskOwner {
  StreamKey key;
  Epoch epoch;
  Epoch new_epoch;
  ReplicaRef replica;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("new_epoch", s.new_epoch), v("replica", s.replica);
  }
};

/// Owner -> frozen source (control). The asked-for epoch is revoked; go on under `granted`.
struct StillYours {
  StreamKey key;
  Epoch epoch;  ///< as asked
  Epoch granted;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("granted", s.granted);
  }
};

/// Owner -> frozen source (control). The stream runs elsewhere or is over: release it. `epoch` as asked.
struct Gone {
  StreamKey key;
  Epoch epoch;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch);
  }
};

/// One block of a transfer. `ordinal` numbers the blocks of a transfer from 0 and never changes meaning.
struct TransferBlock {
  std::uint32_t ordinal = 0;
  BlockName name;                 ///< zero when not full or not yet named
  std::uint32_t first_token = 0;  ///< position of row 0
  std::uint32_t rows = 0;         ///< rows computed so far
  std::uint32_t group = 0;        ///< KV group. Of a state `first_token` counts its blocks, and rows are none until it is frozen

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("ordinal", s.ordinal), v("name", s.name), v("first_token", s.first_token), v("rows", s.rows), v("group", s.group);
  }
  friend bool operator==(const TransferBlock&, const TransferBlock&) = default;
};

/// Source -> destination cache-manager (control). Names and sizes; repeated (same transfer) until answered, and again with more
/// blocks as the stream grows: `blocks` then holds the new ones only.
struct Offer {
  TransferId transfer;
  StreamKey key;
  Epoch new_epoch;
  NodeId owner;
  ReplicaRef source;
  ReplicaRef destination;
  KvId kv_id;
  std::uint32_t numerics_id = 1;
  PageFormat format = PageFormat::raw16;
  std::uint64_t page_bytes = 0;
  std::uint64_t required = 0;  ///< bits of Feature
  std::uint32_t choices = 1;
  std::vector<TransferBlock> blocks;
  std::string adapter;  ///< that the stream runs under; kv_id is the one under it

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("key", s.key), v("new_epoch", s.new_epoch), v("owner", s.owner), v("source", s.source);
    v("destination", s.destination), v("kv_id", s.kv_id), v("numerics_id", s.numerics_id), v("format", s.format);
    v("page_bytes", s.page_bytes), v("required", s.required), v("choices", s.choices), v("blocks", s.blocks), v("adapter", s.adapter);
  }
};

/// Destination -> source cache-manager (control). Room is reserved (lease: limits.lease) for every ordinal offered so far;
/// `held` lists the ordinals that need not be sent. Or refused, and why.
struct OfferReply {
  TransferId transfer;
  NodeId from;
  bool accepted = false;
  std::uint32_t blocks_reserved = 0;  ///< ordinals [0, blocks_reserved) have room
  std::vector<std::uint32_t> held;
  Errc code = Errc::ok;
  std::string reason;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("from", s.from), v("accepted", s.accepted), v("blocks_reserved", s.blocks_reserved), v("held", s.held);
    v("code", s.code), v("reason", s.reason);
  }
};

/// Source -> destination cache-manager (bulk). A fragment of a page, or of a run of rows of the growing page. The payload rides
/// as a raw frame beside the header. The payload is a run of `header.rows` rows from `first_row` on; of a whole page it is padded
/// with zeros to page_bytes.
struct PageFrame {
  TransferId transfer;
  std::uint32_t ordinal = 0;
  bool whole_page = true;
  std::uint32_t first_row = 0;      ///< first row carried (0 for a whole page)
  PageHeader header;                ///< checksum over the whole payload of the page or run, not of the fragment
  std::uint32_t offset = 0;         ///< of this fragment in the payload
  std::uint32_t payload_bytes = 0;  ///< of the whole payload
  SharedBytes data;                 ///< shared by all fragments of the payload; may be null in simulation
  std::uint32_t data_offset = 0;    ///< this fragment = data[data_offset, data_offset + data_bytes)
  std::uint32_t data_bytes = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("ordinal", s.ordinal), v("whole_page", s.whole_page), v("first_row", s.first_row), v("header", s.header);
    v("offset", s.offset), v("payload_bytes", s.payload_bytes), v("data_bytes", s.data_bytes);
  }
};

/// Rows [first_row, first_row + rows) of an ordinal.
struct RowRange {
  std::uint32_t ordinal = 0;
  std::uint32_t first_row = 0;
  std::uint32_t rows = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("ordinal", s.ordinal), v("first_row", s.first_row), v("rows", s.rows);
  }
  friend bool operator==(const RowRange&, const RowRange&) = default;
};

/// Destination -> source cache-manager (control). These did not arrive, or arrived damaged: send them again.
struct MissingPages {
  TransferId transfer;
  std::vector<RowRange> ranges;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("ranges", s.ranges);
  }
};

/// Source -> destination cache-manager (control): the stream is frozen; here is its Run under the new epoch and how its choices
/// use the ordinals. All or nothing: the destination runs it when every row listed is there and verified. Repeated until the
/// owner says Release or Gone, or the destination refuses.
struct Handoff {
  TransferId transfer;
  Run run;
  std::vector<TransferBlock> blocks;               ///< final state of every ordinal still held
  std::vector<std::vector<std::uint32_t>> tables;  ///< per choice and KV group: ordinals in order of position (empty for a finished choice)
  std::vector<std::uint32_t> rows;                 ///< per choice: rows computed

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("run", s.run), v("blocks", s.blocks), v("tables", s.tables), v("rows", s.rows);
  }
};

/// Destination -> source cache-manager (control). `accepted`: taken over (the owner's Release follows). Otherwise the destination
/// promises never to run that epoch, and the source goes on.
struct HandoffReply {
  TransferId transfer;
  StreamKey key;
  Epoch new_epoch;
  bool accepted = false;
  Errc code = Errc::ok;
  std::string reason;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("key", s.key), v("new_epoch", s.new_epoch), v("accepted", s.accepted), v("code", s.code),
        v("reason", s.reason);
  }
};

/// Either cache-manager -> the other (control). The transfer is off; drop what was kept for it.
struct TransferAbort {
  TransferId transfer;
  StreamKey key;
  Epoch new_epoch;
  std::string reason;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("key", s.key), v("new_epoch", s.new_epoch), v("reason", s.reason);
  }
};

// -- Views ---------------------------------------------------------------------------------------------------------------------

/// State of one replica after its last step.
struct ReplicaReport {
  std::uint32_t index = 0;
  std::uint64_t generation = 0;  ///< counts the starts of this replica; streams of an older generation are gone
  ModelId model;
  KvId kv_id;
  U128 weights_digest;
  std::uint32_t numerics_id = 1;
  std::uint64_t features = 0;
  PageFormat format = PageFormat::raw16;
  std::uint64_t page_bytes = 0;
  std::uint32_t context_max = 0;
  bool ready = false;  ///< loaded and not restarting
  std::uint32_t blocks_total = 0;
  std::uint32_t blocks_free = 0;        ///< free or evictable at once
  std::uint32_t blocks_used = 0;        ///< pinned by streams
  std::uint32_t streams = 0;            ///< running
  std::uint32_t queued = 0;             ///< accepted, not yet running
  std::uint64_t prefill_tokens = 0;     ///< uncomputed prompt tokens of all its streams
  std::uint64_t decode_tokens = 0;      ///< contexts of running streams, sum
  std::uint32_t tokens_per_second = 0;  ///< generated, over the last second
  Duration step_base{0};                ///< learnt coefficients of the step time: base + rows * step_row
  Duration step_row{0};
  std::string isa;                    ///< as in ReplicaInfo; routers pass it to clients in Accepted
  Duration step_context{0};           ///< and + attended tokens / 1,024 * step_context (sched/step_budget.h)
  std::uint32_t blocks_head = 0;      ///< that the head of the queue needs to begin
  std::uint32_t blocks_queued = 0;    ///< that all of the queue needs, nothing of it cached
  std::uint32_t blocks_released = 0;  ///< by choices that ended in the last ten seconds
  std::uint32_t exporting = 0;        ///< streams that are being moved away
  std::uint32_t importing = 0;        ///< streams that are arriving
  std::vector<AdapterInfo> adapters;  ///< that it serves; kv_id and weights_digest are those without one
  std::vector<KvGroup> kv_groups;     ///< as in ReplicaInfo

  /// A replica that has never loaded says nothing but its model: what it has and lacks is not known yet.
  bool told() const { return blocks_total != 0; }

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("index", s.index), v("generation", s.generation), v("model", s.model), v("kv_id", s.kv_id), v("weights_digest", s.weights_digest);
    v("numerics_id", s.numerics_id), v("features", s.features), v("format", s.format), v("page_bytes", s.page_bytes);
    v("context_max", s.context_max), v("ready", s.ready), v("blocks_total", s.blocks_total), v("blocks_free", s.blocks_free);
    v("blocks_used", s.blocks_used), v("streams", s.streams), v("queued", s.queued), v("prefill_tokens", s.prefill_tokens);
    v("decode_tokens", s.decode_tokens), v("tokens_per_second", s.tokens_per_second), v("step_base", s.step_base),
        v("step_row", s.step_row);
    v("isa", s.isa), v("step_context", s.step_context), v("blocks_head", s.blocks_head), v("blocks_queued", s.blocks_queued);
    v("blocks_released", s.blocks_released), v("exporting", s.exporting), v("importing", s.importing), v("adapters", s.adapters),
        v("kv_groups", s.kv_groups);
  }
  friend bool operator==(const ReplicaReport&, const ReplicaReport&) = default;
};

/// Counters of one node since its start.
struct NodeCounters {
  std::uint64_t moves_committed = 0;  ///< of streams this node owns
  std::uint64_t moves_aborted = 0;
  std::uint64_t streams_restarted = 0;
  std::uint64_t tokens_lost = 0;  ///< tokens accepted but never delivered because the stream failed
  std::uint64_t streams_finished = 0;
  std::uint64_t streams_failed = 0;
  std::uint64_t exports_committed = 0;  ///< streams this node handed off
  std::uint64_t export_blocks = 0;
  std::uint64_t export_bytes = 0;
  std::uint64_t imports_committed = 0;
  std::uint64_t preemptions = 0;  ///< streams returned for want of blocks: computed again
  std::uint64_t tokens_generated = 0;
  std::uint64_t prefix_hit_tokens = 0;
  std::uint64_t rungs_shorter = 0;  ///< requests that this node admitted with a shorter answer than asked for
  std::uint64_t rungs_model = 0;    ///< with another model
  std::uint64_t rungs_defer = 0;    ///< to be begun later
  std::uint64_t refused_quota = 0;
  std::uint64_t refused_deadline = 0;
  std::uint64_t streams_superseded = 0;  ///< cancelled because a newer request of their channel came
  std::uint64_t streams_scored = 0;      ///< of streams_finished: without output
  std::uint64_t preemptions_moved = 0;   ///< streams held for want of blocks and moved away

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("moves_committed", s.moves_committed), v("moves_aborted", s.moves_aborted), v("streams_restarted", s.streams_restarted);
    v("tokens_lost", s.tokens_lost), v("streams_finished", s.streams_finished), v("streams_failed", s.streams_failed);
    v("exports_committed", s.exports_committed), v("export_blocks", s.export_blocks), v("export_bytes", s.export_bytes);
    v("imports_committed", s.imports_committed), v("preemptions", s.preemptions), v("tokens_generated", s.tokens_generated);
    v("prefix_hit_tokens", s.prefix_hit_tokens), v("rungs_shorter", s.rungs_shorter), v("rungs_model", s.rungs_model);
    v("rungs_defer", s.rungs_defer), v("refused_quota", s.refused_quota), v("refused_deadline", s.refused_deadline),
        v("streams_superseded", s.streams_superseded), v("streams_scored", s.streams_scored), v("preemptions_moved", s.preemptions_moved);
  }
  friend bool operator==(const NodeCounters&, const NodeCounters&) = default;
};

/// Node -> every router (control), each report interval and at once when `draining` or a replica's readiness changes.
struct Report {
  NodeId node;
  std::string name;
  std::uint64_t number = 0;
  std::uint32_t pid = 0;
  std::uint32_t roles = 0;  ///< bits of Role
  bool draining = false;
  std::uint32_t owned_streams = 0;
  std::vector<ReplicaReport> replicas;
  NodeCounters counters;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("node", s.node), v("name", s.name), v("number", s.number), v("pid", s.pid), v("roles", s.roles), v("draining", s.draining);
    v("owned_streams", s.owned_streams), v("replicas", s.replicas), v("counters", s.counters);
  }
};

enum class Role : std::uint32_t { router = 1, worker = 2, gateway = 4 };

/// Node -> every router (control): names of blocks that can be reused at a replica. `full`: replaces everything known before
/// (sent first to a router that joins); otherwise a change.
struct Announce {
  ReplicaRef replica;
  KvId kv_id;
  bool full = false;
  std::vector<BlockName> added;
  std::vector<BlockName> removed;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("replica", s.replica), v("kv_id", s.kv_id), v("full", s.full), v("added", s.added), v("removed", s.removed);
  }
};

// -- Operators, between routers ------------------------------------------------------------------------------------------------

enum class DrainMode : std::uint8_t { begin = 0, resume = 1, stop = 2 };

/// Router -> node (control). begin: take no new work, owners move the streams away; resume: as before; stop: begin, then leave
/// once empty. Answered by the flag in the node's next Report.
struct Drain {
  NodeId node;
  DrainMode mode = DrainMode::begin;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("node", s.node), v("mode", s.mode);
  }
};

/// Router -> every router (control): move this stream if you own it. Answered by the owner alone.
struct OperatorMove {
  std::uint64_t operation = 0;
  NodeId asker;
  RequestId request;
  NodeId destination;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("operation", s.operation), v("asker", s.asker), v("request", s.request), v("destination", s.destination);
  }
};

/// What a move did, for the operator.
struct MoveOutcome {
  bool committed = false;
  Errc code = Errc::ok;
  std::string reason;
  NodeId source;
  NodeId destination;
  MoveReport report;
  std::uint32_t rows_recomputed = 0;  ///< at the destination before its first new token, all choices together
  Duration pause{0};                  ///< between the last token of the old epoch and the first of the new, at the owner

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("committed", s.committed), v("code", s.code), v("reason", s.reason), v("source", s.source), v("destination", s.destination);
    v("report", s.report), v("rows_recomputed", s.rows_recomputed), v("pause", s.pause);
  }
};

/// Owner -> asking router (control).
struct OperatorMoveDone {
  std::uint64_t operation = 0;
  MoveOutcome outcome;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("operation", s.operation), v("outcome", s.outcome);
  }
};

/// Router -> every router (control): tell me your streams.
struct StatusAsk {
  std::uint64_t operation = 0;
  NodeId asker;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("operation", s.operation), v("asker", s.asker);
  }
};

struct StreamStatus {
  StreamKey key;
  std::string tenant;
  ServiceClass service_class = ServiceClass::interactive;
  NodeId owner;
  NodeId node;               ///< zero while not placed
  std::uint64_t tokens = 0;  ///< accepted, all choices together
  std::uint32_t moves = 0;   ///< committed

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("tenant", s.tenant), v("service_class", s.service_class), v("owner", s.owner), v("node", s.node);
    v("tokens", s.tokens), v("moves", s.moves);
  }
};

/// Router -> asking router (control).
struct StatusPart {
  std::uint64_t operation = 0;
  NodeId from;
  std::vector<StreamStatus> streams;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("operation", s.operation), v("from", s.from), v("streams", s.streams);
  }
};

/// One way to run a request, with what it costs of its tenant's tokens.
struct QuotaOption {
  std::uint64_t cost = 0;
  Duration wait{0};      ///< it may be begun so much later
  Duration wait_min{0};  ///< and not earlier than that

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("cost", s.cost), v("wait", s.wait), v("wait_min", s.wait_min);
  }
};

/// Router -> home router of a tenant (control): take the first of the options that the tenant's bucket has enough for.
struct QuotaAsk {
  std::uint64_t number = 0;
  TenantId tenant;
  std::vector<QuotaOption> options;  ///< at most 8

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("number", s.number), v("tenant", s.tenant), v("options", s.options);
  }
};

/// The answer (control).
struct QuotaReply {
  std::uint64_t number = 0;
  bool granted = false;
  std::uint32_t option = 0;  ///< granted: its index
  Duration wait{0};          ///< granted: it begins so much later. Else: ask again after that; 0 = never, it is more than the burst

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("number", s.number), v("granted", s.granted), v("option", s.option), v("wait", s.wait);
  }
};

/// Everything that goes through a link. Append only: the index is the type number on the wire.
using Message =
    std::variant<Run, RunAccepted, RunRefused, RunReturned, CancelRun, BlockNames, Tokens, Move, MoveFailed, Release, MoveReport, AskOwner,
                 StillYours, Gone, Offer, OfferReply, PageFrame, MissingPages, Handoff, HandoffReply, TransferAbort, Report, Announce,
                 Drain, OperatorMove, OperatorMoveDone, StatusAsk, StatusPart, QuotaAsk, QuotaReply, RunHeld>;
/// Immutable and shared: a message is built once, resent from the same object, and never copied on the way.
using MessagePtr = std::shared_ptr<const Message>;

template <class M>
MessagePtr make_message(M&& message) {
  return std::make_shared<const Message>(std::forward<M>(message));
}

/// The part of a node that a message is for.
enum class Part : std::uint8_t { router, batcher, cache, node };

/// Lane, receiver and name of each message type.
struct MessageTraits {
  std::string_view name;
  Lane lane = Lane::control;
  Part part = Part::router;
};
const MessageTraits& traits(const Message& message);
/// By type number; nullptr when there is no such type.
const MessageTraits* traits(std::size_t type_number);
inline constexpr std::size_t message_types = std::variant_size_v<Message>;

}  // namespace spillway::core
