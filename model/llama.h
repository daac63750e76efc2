#pragma once

#include "model/graph.h"

namespace spillway::model {

/// The graph of `llama` and of what differs from it by a few facts: `qwen2` (biases of q, k and v, positions by halves) and `qwen3`
/// (norms of the heads of q and k, positions by halves).
class Llama : public Graph {
 public:
  Llama(const Weights& weights, core::PageFormat format, std::uint32_t rows_max, kernels::ThreadPool& pool);
  void forward(std::span<const GraphSpan> spans, std::span<const std::uint32_t> wanted, std::byte* kv) override;
};

}  // namespace spillway::model
