#pragma once

#include <cstddef>
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
struct GraphSpan {
  std::uint32_t first_position = 0;
  std::span<const core::TokenId> tokens;
  const core::BlockId* blocks = nullptr;  ///< block table covering all positions up to the last row
};

/// The forward pass of an architecture over paged KV. Each architecture writes its own `forward`, from top to bottom, out of the
/// parts below. Workspaces are made once for `rows_max` rows a step; a step allocates nothing that grows with tokens.
class Graph {
 public:
  virtual ~Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Bytes of the workspaces for a model of this shape, to be known before they are made: a small file can ask for large ones.
  static std::uint64_t workspace_bytes(const GraphShape& shape, std::uint32_t rows_max, unsigned threads);
  static kernels::PageShape page_shape(const GraphShape& shape, core::PageFormat format);

  const kernels::PageShape& page_shape() const { return page_shape_; }
  std::uint32_t vocabulary() const { return weights_.shape.vocabulary; }

  /// Computes all rows of all spans together, in the order given, writes their K and V to their pages (`kv`: base of the pool)
  /// and keeps the hidden states that `wanted` names (row numbers over all spans, ascending) for `logits`.
  /// Total rows <= rows_max, tokens below the vocabulary: SPILLWAY_ASSERT.
  virtual void forward(std::span<const GraphSpan> spans, std::span<const std::uint32_t> wanted, std::byte* kv) = 0;

  /// Logits [n, vocabulary] of wanted rows [first, first + n), n <= logits_rows_max. Valid until the next call.
  static constexpr std::uint32_t logits_rows_max = 32;
  const float* logits(std::uint32_t first, std::uint32_t n);

 protected:
  /// Cosines and sines of the step's rows by one rule of positions.
  struct Angles {
    kernels::Rope rope;
    std::vector<float> cosines{}, sines{};  // [rows_max, head_dim]
  };

  /// `weights` and `pool` outlive this. `ropes`: one for each kind of layer.
  Graph(const Weights& weights, core::PageFormat format, std::uint32_t rows_max, kernels::ThreadPool& pool,
        std::vector<kernels::Rope> ropes);

  /// Numbers the rows of the step, prepares their angles, and x = the embeddings of their tokens.
  void begin(std::span<const GraphSpan> spans);
  /// y = x W^T (or y += x W^T) for each product, x: [rows, k].
  void multiply(std::span<const kernels::Product> products, const float* x, std::size_t rows, std::size_t k);
  /// y [rows, width] = norm(x) by `weight`; may be in place.
  void norm(const float* x, const std::vector<float>& weight, float* y);
  /// x [rows, width] *= scale, += bias [width], += y [rows, width].
  void scale_rows(float scale, float* x);
  void add_to_rows(const std::vector<float>& bias, float* x);
  void add_rows(const float* y, float* x);
  /// Heads of q and k normed, or biases added, where the layer has them (no architecture has both); then turns q and k by their
  /// positions under `angles` and writes k and v to the pages of `layer`, from where attention reads them.
  void place_heads(std::size_t layer, const Angles& angles, std::byte* kv);
  /// Keeps the final norm of the rows in `wanted` for logits.
  void keep(std::span<const std::uint32_t> wanted);

  const Weights& weights_;
  kernels::ThreadPool& pool_;
  kernels::Attention attention_;
  std::vector<Angles> angles_;
  std::uint32_t rows_ = 0;  // of this step
  std::vector<kernels::AttentionSpan> spans_;
  std::vector<float> x_;          // [rows_max, width] residual stream
  std::vector<float> h_;          // [rows_max, width] its norm
  std::vector<float> q_, k_, v_;  // [rows_max, heads or kv_heads * head_dim]
  std::vector<float> a_;          // [rows_max, heads * head_dim] attention's result
  std::vector<float> gate_, up_;  // [rows_max, hidden]

 private:
  kernels::PageShape page_shape_;
  std::uint32_t rows_max_;
  std::unique_ptr<kernels::QuantizedRows> quantized_;  // null when no matrix takes int8
  std::vector<std::uint32_t> span_of_row_;             // [rows_max]
  std::vector<float> last_;                            // [rows_max, width] final norm of wanted rows
  std::vector<float> logits_;                          // [logits_rows_max, vocabulary]
};

/// The graph of the weights' architecture.
std::unique_ptr<Graph> make_graph(const Weights& weights, core::PageFormat format, std::uint32_t rows_max, kernels::ThreadPool& pool);

}  // namespace spillway::model
