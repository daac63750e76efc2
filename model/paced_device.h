#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/page.h"
#include "model/device.h"
#include "model/kv_pool.h"
#include "model/sequences.h"

namespace spillway::model {

struct PacedOptions {
  std::string name = "paced";
  std::uint32_t context_max = 8192;  ///< tokens
  std::uint32_t blocks = 4096;
  std::uint64_t page_bytes = 4096;  ///< of one block; a multiple of 1024 (rows of whole 64 bytes)
  std::uint32_t vocabulary = 32'000;
  std::uint32_t step_rows_max = 8192;
  core::PageFormat page_format = core::PageFormat::raw16;  ///< told in ReplicaInfo and part of the KvId; bytes are bytes
  // Cost of a step: step + rows of prompts * prefill_token + rows of answers * decode_token + attended tokens / 1000 * context_per_1k.
  core::Duration step{20'000'000};
  core::Duration prefill_token{20'000};
  core::Duration decode_token{50'000};
  core::Duration context_per_1k{0};
};

/// A device without a model: it tells how long a step would have taken, holds real pages of real size and answers words.
///
/// The bytes of a row are a function of its token, its position and the bytes of the row before it. A token is a hash of the
/// digests of the sequence's full blocks, the rows of its growing page, the index and, where the request samples, seed and
/// choice. A block's digest is made from its bytes, so a page that arrives wrong changes all the text that follows.
class PacedDevice : public Device {
 public:
  /// Errors: bad_argument naming the option, io (memory refused).
  static core::Result<std::unique_ptr<PacedDevice>> make(const PacedOptions& options);

  const core::ReplicaInfo& info() const override { return info_; }
  core::Result<core::StepResult> execute(const core::StepPlan& plan) override;
  bool paced() const override { return true; }
  void read_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::MutableBytes out) override;
  void write_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::Bytes in) override;

  const std::shared_ptr<const Tokenizer>& tokenizer() const { return tokenizer_; }

 private:
  PacedDevice(const PacedOptions& options, KvPool pool, std::shared_ptr<const Tokenizer> tokenizer);
  void write_row(const core::StepItem& item, std::uint32_t position, core::TokenId token);
  std::uint64_t block_digest(core::BlockId block);
  core::TokenOut sample(const Sequence& sequence, std::uint64_t state, std::uint32_t index) const;
  std::uint64_t state_of(const core::StepItem& item);

  PacedOptions options_;
  KvPool pool_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  Sequences sequences_;
  core::ReplicaInfo info_;
  std::vector<std::uint64_t> digests_;  // by block; 0 = not known
  std::vector<std::uint64_t> scratch_;  // digests of one sequence
};

}  // namespace spillway::model
