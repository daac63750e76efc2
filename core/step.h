#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/ids.h"
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
};

/// Draw the token `index` (from 0) of a sequence from the logits of the item's last row.
struct SampleTarget {
  SequenceId sequence;
  std::uint32_t index = 0;
};

/// Rows of one sequence computed in this step: input tokens for positions [first_position, first_position + tokens.size()).
struct StepItem {
  SequenceId sequence;
  std::uint32_t first_position = 0;
  std::vector<TokenId> tokens;        ///< at least one
  std::vector<BlockId> blocks;        ///< block table covering positions [0, first_position + tokens.size())
  std::vector<SampleTarget> samples;  ///< usually none (prefill chunk) or one; several when a prompt forks into n choices
};

/// Copy rows [0, rows) of block `from` to block `to` before the step: copy on write of a growing page.
struct BlockCopy {
  BlockId from = no_block;
  BlockId to = no_block;
  std::uint32_t rows = 0;
};

/// One model step of one replica, made by the batcher's core, executed in this order: opens, copies, items, closes.
struct StepPlan {
  std::uint64_t step = 0;
  std::vector<SequenceOpen> opens;
  std::vector<BlockCopy> copies;
  std::vector<StepItem> items;
  std::vector<SequenceId> closes;
  bool empty() const { return opens.empty() && copies.empty() && items.empty() && closes.empty(); }
};

struct SampledToken {
  SequenceId sequence;
  std::uint32_t index = 0;
  TokenOut out;
};

struct StepResult {
  std::uint64_t step = 0;
  std::vector<SampledToken> sampled;  ///< in the order of the plan's targets
  std::uint32_t rows = 0;             ///< rows computed
  Duration elapsed{0};                ///< measured by the worker; the batcher learns its step-time coefficients from it
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
};

}  // namespace spillway::core
