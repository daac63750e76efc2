#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/attention.h"
#include "kernels/matmul.h"
#include "kernels/quantize.h"
#include "kernels/rope.h"
#include "kernels/thread_pool.h"
#include "model/weights.h"

namespace spillway::model {

/// Rows of one sequence in a step: input tokens for positions [first_position, first_position + tokens.size()).
struct LlamaSpan {
  std::uint32_t first_position = 0;
  std::span<const core::TokenId> tokens;
  const core::BlockId* blocks = nullptr;  ///< block table covering all positions up to the last row
};

/// The graph of the `llama` architecture over paged KV. Workspaces are made here for `rows_max` rows a step; a step allocates
/// nothing that grows with tokens.
class Llama {
 public:
  /// `weights` and `pool` outlive this.
  Llama(const LlamaWeights& weights, core::PageFormat format, std::uint32_t rows_max, kernels::ThreadPool& pool);

  /// Bytes of the workspaces for a model of this shape, to be known before they are made: a small file can ask for large ones.
  static std::uint64_t workspace_bytes(const LlamaShape& shape, std::uint32_t rows_max, unsigned threads);

  const kernels::PageShape& page_shape() const { return page_shape_; }
  std::uint32_t vocabulary() const { return weights_.shape.vocabulary; }

  /// Computes all rows of all spans together, in the order given, writes their K and V to their pages (`kv`: base of the pool)
  /// and keeps the hidden states that `wanted` names (row numbers over all spans, ascending) for `logits`.
  /// Total rows <= rows_max, tokens below the vocabulary: SPILLWAY_ASSERT.
  void forward(std::span<const LlamaSpan> spans, std::span<const std::uint32_t> wanted, std::byte* kv);

  /// Logits [n, vocabulary] of wanted rows [first, first + n), n <= logits_rows_max. Valid until the next call.
  static constexpr std::uint32_t logits_rows_max = 32;
  const float* logits(std::uint32_t first, std::uint32_t n);

 private:
  void place(std::span<const LlamaSpan> spans);
  void multiply(std::span<const kernels::Product> products, const float* x, std::size_t rows, std::size_t k);

  const LlamaWeights& weights_;
  kernels::PageShape page_shape_;
  std::uint32_t rows_max_;
  kernels::ThreadPool& pool_;
  kernels::Rope rope_;
  kernels::Attention attention_;
  std::unique_ptr<kernels::QuantizedRows> quantized_;  // null when no matrix takes int8

  std::uint32_t rows_ = 0;  // of this step
  std::vector<kernels::AttentionSpan> spans_;
  std::vector<std::uint32_t> span_of_row_;  // [rows_max]
  std::vector<float> cos_, sin_;            // [rows_max, head_dim]
  std::vector<float> x_;                    // [rows_max, width] residual stream
  std::vector<float> h_;                    // [rows_max, width] its norm
  std::vector<float> q_, k_, v_;            // [rows_max, heads or kv_heads * head_dim]
  std::vector<float> a_;                    // [rows_max, heads * head_dim] attention's result
  std::vector<float> gate_, up_;            // [rows_max, hidden]
  std::vector<float> last_;                 // [rows_max, width] final norm of wanted rows
  std::vector<float> logits_;               // [logits_rows_max, vocabulary]
};

}  // namespace spillway::model
