#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/step.h"
#include "model/graph.h"
#include "model/kv_pool.h"

namespace spillway::model {

/// A row of a step whose logits are asked for: row `row` of the tokens of item `item`.
struct WantedRow {
  std::uint32_t item = 0;
  std::uint32_t row = 0;
};

/// Gets the logits [vocabulary] of wanted row `index`; they are valid during the call.
using LogitsVisitor = std::function<void(std::size_t index, const float* logits)>;

/// Carries the items of a step through the graph: the one place where plans become rows. Used by the device for sampling and
/// by scoring for given tokens, so both see the same logits.
class Runner {
 public:
  /// `graph` and `pool` outlive this.
  Runner(Graph& graph, KvPool& pool, std::uint32_t rows_max);

  std::uint32_t rows_max() const { return rows_max_; }

  /// Computes all items together; `wanted` ascends by item, then row. Items are within the limits (Sequences::check).
  void run(std::span<const core::StepItem> items, std::span<const WantedRow> wanted, const LogitsVisitor& visit);

 private:
  Graph& graph_;
  KvPool& pool_;
  std::uint32_t rows_max_;
  std::vector<GraphSpan> spans_;
  std::vector<std::uint32_t> first_rows_;  // of each item
  std::vector<std::uint32_t> wanted_;
};

}  // namespace spillway::model
