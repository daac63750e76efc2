#pragma once

// Body of attention.h for one instruction set.

#include "kernels/lanes_math.h"
#include "kernels/vector_ops.h"

namespace spillway::kernels::SPILLWAY_LANES {

inline constexpr std::size_t segment_tokens = 256;
inline constexpr std::size_t page_rows = 16;

/// Four vectors of sixteen partial sums each -> their sums by the fixed tree.
#if defined(SPILLWAY_LANES_AVX512)
inline __m512 halve8(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee)); }
inline __m512 halve4(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd)); }
inline __m512 halve2(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee)); }
inline __m512 halve1(__m512 a, __m512 b) { return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd)); }
#endif

/// scores[t] = sum over d of q[d] k[t][d] for the 16 rows of a page; lane i takes d = i, i + 16, ... and the lanes are summed by the
/// fixed tree. q: [width], k: [16][width], width whole lanes, zero padded.
inline F16 page_scores(const float* q, const float* k, std::size_t width) {
  F16 quad[4][4];
  for (std::size_t j = 0; j < 4; ++j) {  // rows j, j + 4, j + 8, j + 12 together: the order in which the tree below returns them
    F16 a0 = set1(0.0F), a1 = a0, a2 = a0, a3 = a0;
    for (std::size_t d = 0; d < width; d += lanes) {
      const F16 qd = load(q + d);
      a0 = fma(qd, load(k + j * width + d), a0);
      a1 = fma(qd, load(k + (j + 4) * width + d), a1);
      a2 = fma(qd, load(k + (j + 8) * width + d), a2);
      a3 = fma(qd, load(k + (j + 12) * width + d), a3);
    }
    quad[j][0] = a0, quad[j][1] = a1, quad[j][2] = a2, quad[j][3] = a3;
  }
#if defined(SPILLWAY_LANES_AVX512)
  __m512 h[4];
  for (std::size_t j = 0; j < 4; ++j) h[j] = halve4(halve8(quad[j][0].v, quad[j][1].v), halve8(quad[j][2].v, quad[j][3].v));
  return {halve1(halve2(h[0], h[1]), halve2(h[2], h[3]))};
#else
  float scores[lanes];
  for (std::size_t j = 0; j < 4; ++j) {
    for (std::size_t i = 0; i < 4; ++i) scores[j + 4 * i] = sum(quad[j][i]);
  }
  return load(scores);
#endif
}

/// o[d] = fma(p[t], v[t][d], o[d]) for t in [0, n) in order; Wide vectors of d at a time, to hide the latency of fma.
template <std::size_t Wide>
inline void add_values_block(const float* p, std::size_t n, const float* v, std::size_t width, float* o) {
  F16 acc[Wide];
  for (std::size_t w = 0; w < Wide; ++w) acc[w] = load(o + w * lanes);
  for (std::size_t t = 0; t < n; ++t) {
    const F16 pt = set1(p[t]);
    for (std::size_t w = 0; w < Wide; ++w) acc[w] = fma(pt, load(v + t * width + w * lanes), acc[w]);
  }
  for (std::size_t w = 0; w < Wide; ++w) store(o + w * lanes, acc[w]);
}
inline void add_values(const float* p, std::size_t n, const float* v, std::size_t width, float* o) {
  std::size_t d = 0;
  for (; d + 4 * lanes <= width; d += 4 * lanes) add_values_block<4>(p, n, v + d, width, o + d);
  for (; d < width; d += lanes) add_values_block<1>(p, n, v + d, width, o + d);
}

/// Sixteen rows of a page as f32, each padded with zeros to `width`.
inline void read_page(const std::byte* from, bool half, std::size_t head_dim, std::size_t width, float* to) {
  for (std::size_t t = 0; t < page_rows; ++t) {
    for (std::size_t d = 0; d < width; d += lanes) {
      const std::size_t n = head_dim - d < lanes ? head_dim - d : lanes;
      const std::size_t at = t * head_dim + d;
      F16 x;
      if (half) {
        const auto* values = reinterpret_cast<const std::uint16_t*>(from) + at;
        x = n == lanes ? load_half(values) : load_half_n(values, n);
      } else {
        const auto* values = reinterpret_cast<const float*>(from) + at;
        x = n == lanes ? load(values) : load_n(values, n);
      }
      store(to + t * width + d, x);
    }
  }
}

/// scores -> exp(scores - max) in place, zero from `n` to whole lanes. `scale` is applied first.
struct Softened {
  float max, sum;
};
inline Softened soften(float* scores, std::size_t n, float scale) {
  const std::size_t whole = (n + lanes - 1) / lanes * lanes;
  for (std::size_t t = n; t < whole; ++t) scores[t] = bits_float(0xff800000U);
  F16 best = set1(bits_float(0xff800000U));
  for (std::size_t t = 0; t < whole; t += lanes) {
    F16 s = load(scores + t);
    if (t + lanes <= n) {
      s = mul(s, set1(scale));
    } else {
      store(scores + t, s);
      for (std::size_t i = t; i < n; ++i) scores[i] = scores[i] * scale;
      s = load(scores + t);
    }
    store(scores + t, s);
    best = max(s, best);
  }
  const float m = max_lane(best);
  F16 total = set1(0.0F);
  for (std::size_t t = 0; t < whole; t += lanes) {
    const F16 p = exp16(sub(load(scores + t), set1(m)));
    store(scores + t, p);
    total = add(total, p);
  }
  return {m, sum(total)};
}

/// Running result of one query (m, l, o) joined with that of the next segment.
inline void merge(float& m, float& l, float* o, Softened next, const float* next_o, std::size_t width) {
  const float top = next.max > m ? next.max : m;
  float weight[lanes];
  float shift[lanes] = {m - top, next.max - top};
  store(weight, exp16(load(shift)));
  const F16 a = set1(weight[0]);
  const F16 b = set1(weight[1]);
  l = __builtin_fmaf(l, weight[0], next.sum * weight[1]);
  m = top;
  for (std::size_t d = 0; d < width; d += lanes) store(o + d, fma(load(o + d), a, mul(load(next_o + d), b)));
}

/// Tokens of segment `segment` that a row at `position` sees.
inline std::size_t visible(std::size_t position, std::size_t segment) {
  const std::size_t begin = segment * segment_tokens;
  if (position < begin) return 0;
  const std::size_t n = position + 1 - begin;
  return n < segment_tokens ? n : segment_tokens;
}

inline void attention_body(const AttentionTile& tile) {
  const std::size_t width = (tile.head_dim + lanes - 1) / lanes * lanes;
  const std::size_t queries = std::size_t{tile.rows} * tile.group;
  float* const page = tile.scratch;                       // [16][width]
  float* const q = page + page_rows * width;              // [queries][width]
  float* const o = q + queries * width;                   // [queries][width], merged so far
  float* const o_segment = o + queries * width;           // [queries][width]
  float* const scores = o_segment + queries * width;      // [queries][256]
  float* const state = scores + queries * segment_tokens; // [queries][m, l of the merge, m, l of the segment]

  for (std::size_t i = 0; i < queries; ++i) {
    const float* from = tile.q + i / tile.group * tile.stride + i % tile.group * tile.head_dim;
    for (std::size_t d = 0; d < width; ++d) q[i * width + d] = d < tile.head_dim ? from[d] : 0.0F;
  }
  const std::size_t last = tile.first_position + tile.rows - 1;
  for (std::size_t segment = 0; segment * segment_tokens <= last; ++segment) {
    const std::size_t tokens = visible(last, segment);
    const std::uint32_t* blocks = tile.blocks + segment * (segment_tokens / page_rows);
    for (std::size_t t = 0; t < tokens; t += page_rows) {
      read_page(tile.pool + blocks[t / page_rows] * tile.page_bytes + tile.k_offset, tile.half, tile.head_dim, width, page);
      for (std::size_t i = 0; i < queries; ++i) store(scores + i * segment_tokens + t, page_scores(q + i * width, page, width));
    }
    for (std::size_t i = 0; i < queries; ++i) {
      const std::size_t n = visible(tile.first_position + i / tile.group, segment);
      if (n == 0) continue;
      const Softened s = soften(scores + i * segment_tokens, n, tile.scale);
      state[4 * i + 2] = s.max, state[4 * i + 3] = s.sum;
      for (std::size_t d = 0; d < width; ++d) o_segment[i * width + d] = 0.0F;
    }
    for (std::size_t t = 0; t < tokens; t += page_rows) {
      read_page(tile.pool + blocks[t / page_rows] * tile.page_bytes + tile.v_offset, tile.half, tile.head_dim, width, page);
      for (std::size_t i = 0; i < queries; ++i) {
        const std::size_t n = visible(tile.first_position + i / tile.group, segment);
        if (n <= t) continue;
        add_values(scores + i * segment_tokens + t, n - t < page_rows ? n - t : page_rows, page, width, o_segment + i * width);
      }
    }
    for (std::size_t i = 0; i < queries; ++i) {
      if (visible(tile.first_position + i / tile.group, segment) == 0) continue;
      const Softened s{state[4 * i + 2], state[4 * i + 3]};
      if (segment == 0) {
        state[4 * i] = s.max, state[4 * i + 1] = s.sum;
        __builtin_memcpy(o + i * width, o_segment + i * width, width * sizeof(float));
      } else {
        merge(state[4 * i], state[4 * i + 1], o + i * width, s, o_segment + i * width, width);
      }
    }
  }
  for (std::size_t i = 0; i < queries; ++i) {
    float* to = tile.out + i / tile.group * tile.stride + i % tile.group * tile.head_dim;
    const float inverse = 1.0F / state[4 * i + 1];
    for (std::size_t d = 0; d < tile.head_dim; ++d) to[d] = o[i * width + d] * inverse;
  }
}

}  // namespace spillway::kernels::SPILLWAY_LANES
