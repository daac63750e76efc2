#pragma once

#include "model/graph.h"

namespace spillway::model {

/// The graph of `gemma3`: windowed layers among those that see everything, each kind with its own rule of positions; norms before
/// and behind each part; a gate by GELU. Files store its norms as 1 + w.
class Gemma3 : public Graph {
 public:
  Gemma3(const Weights& weights, core::PageFormat format, std::uint32_t rows_max, kernels::ThreadPool& pool);
  void forward(std::span<const GraphSpan> spans, std::span<const std::uint32_t> wanted, std::byte* kv) override;
};

}  // namespace spillway::model
