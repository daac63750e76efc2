#include "kernels/attention.h"

#include <algorithm>
#include <cmath>

#include "core/assert.h"
#include "kernels/isa.h"
#include "kernels/vector_ops.h"

namespace spillway::kernels {

namespace {
// Rows that share one reading of a page. A tile's scores stay in the first two levels of cache.
constexpr std::uint32_t tile_rows_max = 8;

/// Of one thread.
std::size_t scratch_floats(const PageShape& shape, std::uint32_t heads) {
  const std::size_t width = (shape.head_dim + 15) / 16 * 16;
  const std::size_t queries = std::size_t{tile_rows_max} * (heads / shape.kv_heads);
  const std::size_t floats = 16 * width + queries * (3 * width + attention_segment_tokens + 16 + 4);
  return (floats + 63) / 64 * 64;
}
}  // namespace

Attention::Attention(const PageShape& shape, std::uint32_t heads, std::size_t rows_max, unsigned threads) : shape_{shape}, heads_{heads} {
  SPILLWAY_ASSERT(shape.kv_heads > 0 && heads % shape.kv_heads == 0);
  scratch_floats_ = scratch_floats(shape, heads);
  scratch_.resize(scratch_floats_ * threads);
  tiles_.reserve(rows_max * shape.kv_heads);  // at worst every span has one row
}

std::uint64_t Attention::scratch_bytes(const PageShape& shape, std::uint32_t heads, std::size_t rows_max, unsigned threads) {
  return scratch_floats(shape, heads) * threads * sizeof(float) + rows_max * shape.kv_heads * sizeof(Tile);
}

void Attention::write(std::byte* pool_base, std::size_t layer, const core::BlockId* blocks, std::uint32_t position, const float* k,
                      const float* v) const {
  const auto store = vector_ops().store_values;
  const bool half = shape_.format == core::PageFormat::raw16;
  std::byte* page = pool_base + blocks[position / 16] * shape_.page_bytes() + position % 16 * shape_.head_row_bytes();
  for (std::size_t head = 0; head < shape_.kv_heads; ++head) {
    const std::size_t from = head * shape_.head_dim;
    store(k + from, page + shape_.offset(layer, 0, head), shape_.head_dim, half);
    store(v + from, page + shape_.offset(layer, 1, head), shape_.head_dim, half);
  }
}

void Attention::run(const std::byte* pool_base, std::size_t layer, const std::vector<AttentionSpan>& spans, const float* q, float* out,
                    ThreadPool& pool, const AttentionRule& rule) {
  count_call(current_isa());
  tiles_.clear();
  for (std::uint32_t s = 0; s < spans.size(); ++s) {
    for (std::uint32_t row = 0; row < spans[s].rows; row += tile_rows_max) {
      const std::uint32_t rows = std::min(tile_rows_max, spans[s].rows - row);
      for (std::uint32_t head = 0; head < shape_.kv_heads; ++head) tiles_.push_back({s, row, rows, head});
    }
  }
  const auto op = vector_ops().attention;
  const std::uint32_t group = heads_ / shape_.kv_heads;
  const std::size_t stride = std::size_t{heads_} * shape_.head_dim;
  const float scale = rule.scale != 0.0F ? rule.scale : 1.0F / std::sqrt(static_cast<float>(shape_.head_dim));
  pool.parallel(tiles_.size(), [&](std::size_t i, unsigned thread) {
    const Tile& tile = tiles_[i];
    const AttentionSpan& span = spans[tile.span];
    const std::size_t at = (span.row + tile.row) * stride + std::size_t{tile.kv_head} * group * shape_.head_dim;
    op({.pool = pool_base,
        .page_bytes = shape_.page_bytes(),
        .blocks = span.blocks,
        .k_offset = shape_.offset(layer, 0, tile.kv_head),
        .v_offset = shape_.offset(layer, 1, tile.kv_head),
        .half = shape_.format == core::PageFormat::raw16,
        .q = q + at,
        .out = out + at,
        .stride = stride,
        .rows = tile.rows,
        .group = group,
        .head_dim = shape_.head_dim,
        .first_position = span.first_position + tile.row,
        .window = rule.window,
        .scale = scale,
        .scratch = scratch_.data() + scratch_floats_ * thread});
  });
}

}  // namespace spillway::kernels
