#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/adapter.h"
#include "core/ids.h"
#include "core/kv_groups.h"
#include "core/request.h"
#include "core/time.h"

namespace spillway::core {

/// Tokens of KV in one block (and in one page).
inline constexpr std::uint32_t block_tokens = 16;

/// One choice of a stream on one replica, numbered by its batcher; never reused within an incarnation.
using SequenceId = Id<struct SequenceTag>;

/// Tells the worker of a new sequence. The worker rebuilds the stop window and the detokenizer by replaying `tokens`.
struct SequenceOpen {
  SequenceId sequence;
  std::shared_ptr<const Request> request;
  std::uint32_t choice = 0;
  std::vector<TokenId> tokens;  ///< generated so far by this choice

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("sequence", s.sequence), v("request", s.request), v("choice", s.choice), v("tokens", s.tokens);
  }
};

/// Draw the token `index` (from 0) of a sequence from the logits of the item's last row. With `tokens_max` > 1 (of an item of one
/// row) the worker may guess on: a token that it guessed right is drawn like any other, and its row is written behind those of the
/// item. Tokens [index, index + n) come back, 1 <= n <= tokens_max, none behind one that ends the choice; then the rows before the last
/// of them are computed, and what was written for wrong guesses is overwritten later.
struct SampleTarget {
  SequenceId sequence;
  std::uint32_t index = 0;
  std::uint32_t tokens_max = 1;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("sequence", s.sequence), v("index", s.index), v("tokens_max", s.tokens_max);
  }
};

/// Rows of one sequence computed in this step: input tokens for positions [first_position, first_position + tokens.size()).
struct StepItem {
  SequenceId sequence;
  std::uint32_t first_position = 0;
  std::vector<TokenId> tokens;        ///< at least one
  std::vector<BlockId> blocks;        ///< block table covering positions [0, first_position + tokens.size()) and guesses
  std::vector<SampleTarget> samples;  ///< usually none (prefill chunk) or one; several when a prompt forks into n choices
  /// Tables of the KV groups behind the first, by position too; no_block where a block was released. Of a state: its blocks.
  std::vector<std::vector<BlockId>> more_blocks;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("sequence", s.sequence), v("first_position", s.first_position), v("tokens", s.tokens), v("blocks", s.blocks);
    v("samples", s.samples), v("more_blocks", s.more_blocks);
  }
};

/// Copy rows [0, rows) of block `from` to block `to` before the step: copy on write of a growing page, or of a whole block of a state.
struct BlockCopy {
  BlockId from = no_block;
  BlockId to = no_block;
  std::uint32_t rows = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("from", s.from), v("to", s.to), v("rows", s.rows);
  }
};

/// One model step of one replica, made by the batcher's core, executed in this order: opens, copies, items, closes.
struct StepPlan {
  std::uint64_t step = 0;
  std::vector<SequenceOpen> opens;
  std::vector<BlockCopy> copies;
  std::vector<StepItem> items;
  std::vector<SequenceId> closes;
  bool empty() const { return opens.empty() && copies.empty() && items.empty() && closes.empty(); }

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("step", s.step), v("opens", s.opens), v("copies", s.copies), v("items", s.items), v("closes", s.closes);
  }
};

struct SampledToken {
  SequenceId sequence;
  std::uint32_t index = 0;
  TokenOut out;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("sequence", s.sequence), v("index", s.index), v("out", s.out);
  }
};

struct StepResult {
  std::uint64_t step = 0;
  std::vector<SampledToken> sampled;  ///< in the order of the plan's targets, one to tokens_max for each
  std::uint32_t rows = 0;             ///< rows computed, those of guesses too
  Duration elapsed{0};                ///< measured by the worker; the batcher learns its step-time coefficients from it

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("step", s.step), v("sampled", s.sampled), v("rows", s.rows), v("elapsed", s.elapsed);
  }
};

/// What a replica is, told by the worker when its model is loaded.
struct ReplicaInfo {
  ModelId model;
  std::string model_name;
  KvId kv_id;
  U128 weights_digest;
  std::uint32_t numerics_id = 1;
  std::uint64_t features = known_features;
  std::uint32_t context_max = 0;  ///< tokens
  std::uint32_t vocabulary = 0;
  std::uint64_t page_bytes = 0;   ///< bytes of one page (block of 16 tokens, all layers of the group)
  std::uint64_t row_bytes = 0;    ///< page_bytes / 16
  std::uint32_t page_format = 0;  ///< core/page.h
  std::uint32_t blocks = 0;       ///< device pool
  std::string isa;                ///< "scalar", "avx2", "avx512", "paced"
  std::vector<AdapterInfo> adapters;
  std::uint32_t tokens_per_step_max = 1;  ///< that a stream may get in one step (speculation); at most block_tokens
  std::vector<KvGroup> kv_groups;         ///< none: one of full attention. At most 8

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("model", s.model), v("model_name", s.model_name), v("kv_id", s.kv_id), v("weights_digest", s.weights_digest);
    v("numerics_id", s.numerics_id), v("features", s.features), v("context_max", s.context_max), v("vocabulary", s.vocabulary);
    v("page_bytes", s.page_bytes), v("row_bytes", s.row_bytes), v("page_format", s.page_format), v("blocks", s.blocks);
    v("isa", s.isa), v("adapters", s.adapters), v("tokens_per_step_max", s.tokens_per_step_max), v("kv_groups", s.kv_groups);
  }
};

}  // namespace spillway::core
