#pragma once

#include <cstdint>

#include "core/request.h"
#include "core/time.h"

/// Steps for bodies that compute nothing and only need to know how long a step takes: the simulator. The batcher decides as ever;
/// what is left out is the plan, which nobody would execute, and where steps are equal, the steps between.
namespace spillway::sched {

/// What the time of a step depends on.
struct StepOutline {
  std::uint32_t rows = 0;             ///< of all items
  std::uint32_t items = 0;            ///< choices that have rows
  std::uint32_t answer_rows = 0;      ///< rows that are the whole of their item and get a token
  std::uint32_t decodes = 0;          ///< items of one row
  std::uint64_t decode_contexts = 0;  ///< sum of their contexts, each with its own row
  std::uint32_t context_min = 0;
  std::uint32_t context_max = 0;
  std::uint32_t chunk_rows = 0;     ///< of items with more rows
  std::uint64_t chunk_history = 0;  ///< sum over them of rows x rows before the item
  std::uint64_t attended = 0;       ///< tokens that all rows attend to

  /// The outline `steps` equal steps of decodes later.
  StepOutline after(std::uint32_t steps) const {
    StepOutline later = *this;
    later.decode_contexts += std::uint64_t{steps} * decodes;
    later.context_min += steps;
    later.context_max += steps;
    later.attended += std::uint64_t{steps} * rows;
    return later;
  }
};

/// Steps that may follow the one in flight without anything changing but the contexts of its decodes: no stream ends before the
/// last of them, blocks are at hand for all, nobody in the queue could begin, nothing is being moved.
struct JumpRoom {
  std::uint32_t steps = 0;
  bool by_blocks = false;              ///< there are no blocks for more
  core::Instant before = core::never;  ///< each of them must begin before: a deadline passes, or a queued stream climbs
};

/// How many of at most `most` guesses behind token `index` are right, each with `permille` thousandths of chance: always the same for one
/// token of a request, however its steps are cut.
std::uint32_t counted_guesses(const core::Request& request, std::uint32_t choice, std::uint32_t index, std::uint32_t most,
                              std::uint32_t permille);

/// The token that stands for the one that nobody computes: tells a lost, repeated or foreign token from the right one.
inline core::TokenId counted_token(const core::Request& request, std::uint32_t choice, std::uint32_t index) {
  return static_cast<core::TokenId>((request.sampling.seed + std::uint64_t{choice} * 7919U + index) & 0x3fffffffU);
}

}  // namespace spillway::sched
