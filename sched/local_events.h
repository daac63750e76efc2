#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/messages.h"
#include "core/step.h"

/// Messages between the cores of one node (batcher <-> cache-manager); they never travel. Order between the two is kept: what a
/// core sends to the other arrives once and in order. All of them concern replica `replica` of this node.
namespace spillway::sched {

using core::BlockId;
using core::Epoch;
using core::Instant;
using core::StreamKey;
using core::TransferId;

/// A block of an export as the batcher knows it. `ordinal`s are given by the batcher, from 0, and never change meaning.
struct ExportBlock {
  std::uint32_t ordinal = 0;
  BlockId block = core::no_block;
  core::BlockName name;  ///< zero when not full or not yet named
  std::uint32_t first_token = 0;
  std::uint32_t rows = 0;   ///< rows computed so far
  std::uint32_t group = 0;  ///< KV group (core/messages.h, TransferBlock)

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("ordinal", s.ordinal), v("block", s.block), v("name", s.name), v("first_token", s.first_token), v("rows", s.rows);
    v("group", s.group);
  }
};

// -- cache-manager -> batcher: source side ---------------------------------------------------------------------------------------

/// Begin to export the stream that runs under `epoch`: pin its blocks and tell what it holds, now and after each step.
struct ExportBegin {
  TransferId transfer;
  StreamKey key;
  Epoch epoch;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("key", s.key), v("epoch", s.epoch);
  }
};
/// Stop computing the stream at the next step border and say where it stands. No tokens leave after Frozen until Thaw.
/// Void when the stream has made more than `decode_steps_max` decode steps by that border (counted as in ExportGrown): then it goes
/// on, and the cache-manager, which sees it from ExportGrown, asks again. Void likewise while forks part, since new blocks then fill
/// with rows that nobody has sent. So rows sent after a freeze stay bounded however late it comes.
struct ExportFreeze {
  TransferId transfer;
  std::uint32_t decode_steps_max = 0xffffffffU;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("decode_steps_max", s.decode_steps_max);
  }
};
/// The move is off. The stream goes on (if it was frozen) under `epoch`: the old one, or the one the owner granted.
struct ExportThaw {
  TransferId transfer;
  Epoch epoch;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("epoch", s.epoch);
  }
};
/// The move is committed: drop the stream; its named full blocks stay as cached prefixes.
struct ExportRelease {
  TransferId transfer;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer);
  }
};

// -- batcher -> cache-manager: source side ---------------------------------------------------------------------------------------

/// What the stream holds: the first answer to ExportBegin (also when it holds nothing yet), and then, after each step that
/// touched the stream, the blocks that are new or have more rows. A block shared by forks that are about to part (its copy on
/// write is pending) is left out until it has parted.
struct ExportGrown {
  TransferId transfer;
  std::vector<ExportBlock> blocks;
  std::uint32_t decode_steps = 0;     ///< decode steps of the stream since ExportBegin, running total
  std::uint32_t choices = 0;          ///< of the stream, finished ones included (0: not told)
  std::uint64_t rows_to_compute = 0;  ///< rows still to be computed before the next token, all choices (decoding: one per live choice)
  std::string adapter;                ///< of the stream

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("blocks", s.blocks), v("decode_steps", s.decode_steps), v("choices", s.choices);
    v("rows_to_compute", s.rows_to_compute), v("adapter", s.adapter);
  }
};
/// Answer to ExportBegin when the stream is not there under that epoch, or the message that a running export is over because the
/// stream ended (finished, cancelled, returned). The transfer is over for the batcher.
struct ExportEnded {
  TransferId transfer;
  core::Errc code = core::Errc::unknown_request;
  std::string reason;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("code", s.code), v("reason", s.reason);
  }
};
/// Answer to ExportFreeze. `run` has tokens so far, names and request; key and epoch are the old ones, `replica` is left to the
/// cache-manager. `blocks` are all blocks held, in their final state.
struct ExportFrozen {
  TransferId transfer;
  core::Run run;
  std::vector<ExportBlock> blocks;
  std::vector<std::vector<std::uint32_t>> tables;  ///< per choice and KV group: ordinals in order of position
  std::vector<std::uint32_t> rows;                 ///< per choice: rows computed

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("run", s.run), v("blocks", s.blocks), v("tables", s.tables), v("rows", s.rows);
  }
};

// -- cache-manager -> batcher: destination side ----------------------------------------------------------------------------------

/// Reserve a block for each of these ordinals (more of them may follow with the same transfer). A name that is held already needs
/// no new block: it is pinned instead.
struct ImportReserve {
  TransferId transfer;
  StreamKey key;
  Epoch epoch;  ///< the one it is to run under
  std::uint32_t choices = 1;
  std::vector<core::TransferBlock> blocks;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("key", s.key), v("epoch", s.epoch), v("choices", s.choices), v("blocks", s.blocks);
  }
};
/// Everything arrived: run it. Ordinals of `tables` were reserved before.
struct ImportCommit {
  TransferId transfer;
  core::Run run;
  std::vector<std::vector<std::uint32_t>> tables;
  std::vector<std::uint32_t> rows;
  std::vector<core::TransferBlock> blocks;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("run", s.run), v("tables", s.tables), v("rows", s.rows), v("blocks", s.blocks);
  }
};
/// Drop the reservations of the transfer.
struct ImportCancel {
  TransferId transfer;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer);
  }
};

// -- batcher -> cache-manager: destination side ----------------------------------------------------------------------------------

/// Answer to ImportReserve, in the order of its blocks. Refused: nothing more is reserved than before.
struct ImportReserved {
  TransferId transfer;
  bool accepted = false;
  core::Errc code = core::Errc::ok;
  std::string reason;
  struct Slot {
    std::uint32_t ordinal = 0;
    BlockId block = core::no_block;
    bool held = false;  ///< the bytes are there already (prefix hit)

    template <class Self, class V>
    static void visit(Self& s, V&& v) {
      v("ordinal", s.ordinal), v("block", s.block), v("held", s.held);
    }
  };
  std::vector<Slot> slots;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("accepted", s.accepted), v("code", s.code), v("reason", s.reason), v("slots", s.slots);
  }
};
/// Answer to ImportCommit. Accepted: the batcher has told the owner (RunAccepted) and runs it. Refused: a newer epoch is known, or
/// the stream was cancelled meanwhile; reservations are dropped.
struct ImportCommitted {
  TransferId transfer;
  bool accepted = false;
  core::Errc code = core::Errc::ok;
  std::string reason;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("transfer", s.transfer), v("accepted", s.accepted), v("code", s.code), v("reason", s.reason);
  }
};

}  // namespace spillway::sched
