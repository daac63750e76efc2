#include "model/runner.h"

#include <algorithm>

#include "kernels/float_mode.h"

namespace spillway::model {

Runner::Runner(Graph& graph, KvPool& pool, std::uint32_t rows_max) : graph_{graph}, pool_{pool}, rows_max_{rows_max} {
  spans_.reserve(rows_max);
  first_rows_.reserve(rows_max);
  wanted_.reserve(rows_max);
}

void Runner::run(std::span<const core::StepItem> items, std::span<const WantedRow> wanted, const LogitsVisitor& visit) {
  const kernels::FloatMode mode;
  spans_.clear();
  first_rows_.clear();
  wanted_.clear();
  std::uint32_t rows = 0;
  for (const auto& item : items) {
    spans_.push_back({item.first_position, item.tokens, item.blocks.data()});
    first_rows_.push_back(rows);
    rows += static_cast<std::uint32_t>(item.tokens.size());
  }
  for (const auto& want : wanted) wanted_.push_back(first_rows_[want.item] + want.row);
  graph_.forward(spans_, wanted_, pool_.base());

  const auto total = static_cast<std::uint32_t>(wanted_.size());
  for (std::uint32_t first = 0; first < total; first += Graph::logits_rows_max) {
    const std::uint32_t n = std::min(Graph::logits_rows_max, total - first);
    const float* logits = graph_.logits(first, n);
    for (std::uint32_t i = 0; i < n; ++i) visit(first + i, logits + std::size_t{i} * graph_.vocabulary());
  }
}

}  // namespace spillway::model
