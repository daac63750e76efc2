#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/page.h"
#include "kernels/thread_pool.h"

namespace spillway::kernels {

/// Tokens of one segment of attention, from position 0 (numerics contract, rule 5).
inline constexpr std::uint32_t attention_segment_tokens = 256;

/// The shape of one model's pages: canonical layout [layer][K, V][kv head][row 0..15][head_dim], f32 (RAW32) or f16 (RAW16).
struct PageShape {
  std::uint32_t layers = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  core::PageFormat format = core::PageFormat::raw16;

  std::size_t value_bytes() const { return format == core::PageFormat::raw32 ? 4 : 2; }
  /// One token's values of one layer, K or V, one head.
  std::size_t head_row_bytes() const { return head_dim * value_bytes(); }
  std::size_t row_bytes() const { return std::size_t{layers} * 2 * kv_heads * head_row_bytes(); }
  std::size_t page_bytes() const { return 16 * row_bytes(); }
  /// Bytes from the begin of a page to rows [16][head_dim] of (layer, K = 0 or V = 1, head).
  std::size_t offset(std::size_t layer, std::size_t value, std::size_t head) const {
    return ((layer * 2 + value) * kv_heads + head) * 16 * head_row_bytes();
  }
};

/// Rows [first_position, first_position + rows) of one sequence; `row` is their first row among the step's.
struct AttentionSpan {
  const core::BlockId* blocks = nullptr;  ///< covers positions [0, first_position + rows)
  std::uint32_t first_position = 0;
  std::uint32_t rows = 0;
  std::uint32_t row = 0;
};

/// What rows of a layer see, and how sharply.
struct AttentionRule {
  std::uint32_t window = 0;  ///< the last so many tokens, the row itself included; 0 = all
  float scale = 0.0F;        ///< of the scores; 0 = 1 / sqrt(head_dim)
};

/// Causal grouped-query attention of many sequences over the pages of one pool.
///
/// For each row and query head h, whose KV head is h / (heads / kv_heads), segment by segment of 256 tokens from position 0:
/// s[t] = (q . k[t]) * scale, the dot in 16 lanes (lane = d mod 16, fma in order) and the fixed tree; m = max s; p[t] =
/// exp(s[t] - m); l = sum of p in 16 lanes (lane = t mod 16) and the tree; o[d] = fma(p[t], v[t][d], o[d]) in order of t.
/// Segments join left to right: M = max(m0, m1), a = exp(m0 - M), b = exp(m1 - M), l = fma(l0, a, l1 b), o = fma(o0, a, o1 b).
/// Result o * (1 / l). With a window p[t] = 0 for the tokens before it; pages and segments that lie wholly before it are not read,
/// so they need not exist: their entries of the block table may be anything. So a row depends on nothing but its own q and the pages.
class Attention {
 public:
  /// `heads` is a multiple of shape.kv_heads. Scratch for each thread is made here; calls allocate nothing, provided that spans
  /// and rows stay within the bounds given.
  Attention(const PageShape& shape, std::uint32_t heads, std::size_t rows_max, unsigned threads);

  /// Bytes that the constructor allocates for the same arguments.
  static std::uint64_t scratch_bytes(const PageShape& shape, std::uint32_t heads, std::size_t rows_max, unsigned threads);

  /// Writes K and V of one token ([kv_heads * head_dim] each) to its row of the pages of `layer`: f16 rounds to nearest even.
  /// `blocks` is the block table of the sequence. Any thread; rows are disjoint.
  void write(std::byte* pool_base, std::size_t layer, const core::BlockId* blocks, std::uint32_t position, const float* k,
             const float* v) const;

  /// out[rows of all spans, heads * head_dim] from q of the same shape. The rows' own K and V were written before.
  void run(const std::byte* pool_base, std::size_t layer, const std::vector<AttentionSpan>& spans, const float* q, float* out,
           ThreadPool& pool, const AttentionRule& rule = {});

 private:
  struct Tile {
    std::uint32_t span = 0, row = 0, rows = 0, kv_head = 0;
  };

  PageShape shape_;
  std::uint32_t heads_;
  std::size_t scratch_floats_;
  std::vector<float> scratch_;  // [threads][scratch_floats_]
  std::vector<Tile> tiles_;
};

}  // namespace spillway::kernels
