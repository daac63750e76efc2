#pragma once

// Body of attention.h for one instruction set.

#include "kernels/lanes_math.h"
#include "kernels/vector_ops.h"

namespace spillway::kernels::SPILLWAY_LANES {

inline constexpr std::size_t segment_tokens = 256;
inline constexpr std::size_t page_rows = 16;
/// Scores of one query to the next: not a power of two, or they would all fall into the same few lines of the cache.
inline constexpr std::size_t score_stride = segment_tokens + lanes;

/// Four vectors of sixteen partial sums each -> their sums by the fixed tree.
#if defined(SPILLWAY_LANES_AVX512)
inline __m512 halve8(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
}
inline __m512 halve4(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_f32x4(a, b, 0x88), _mm512_shuffle_f32x4(a, b, 0xdd));
}
inline __m512 halve2(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x44), _mm512_shuffle_ps(a, b, 0xee));
}
inline __m512 halve1(__m512 a, __m512 b) {
  return _mm512_add_ps(_mm512_shuffle_ps(a, b, 0x88), _mm512_shuffle_ps(a, b, 0xdd));
}
#endif

/// Queries that share one reading of K and V from the first cache: as many as there are registers for.
#if defined(SPILLWAY_LANES_AVX512)
inline constexpr std::size_t queries_at_once = 4;
#else
inline constexpr std::size_t queries_at_once = 1;
#endif

/// scores[i][t] = sum over d of q[i][d] k[t][d] for Q queries and the 16 rows of a page; lane l takes d = l, l + 16, ... and the
/// lanes are summed by the fixed tree. q: [Q][width], k: [16][width], width whole lanes, zero padded; scores `stride` apart.
template <std::size_t Q>
inline void page_scores(const float* q, const float* k, std::size_t width, float* scores, std::size_t stride) {
  F16 quarter[Q][4];
  for (std::size_t j = 0; j < 4; ++j) {  // rows j, j + 4, j + 8, j + 12 together: the order in which the tree returns them
    F16 acc[Q][4];
    for (std::size_t i = 0; i < Q; ++i) acc[i][0] = acc[i][1] = acc[i][2] = acc[i][3] = set1(0.0F);
    for (std::size_t d = 0; d < width; d += lanes) {
      F16 qd[Q];
      for (std::size_t i = 0; i < Q; ++i) qd[i] = load(q + i * width + d);
      for (std::size_t r = 0; r < 4; ++r) {
        const F16 kd = load(k + (j + 4 * r) * width + d);
        for (std::size_t i = 0; i < Q; ++i) acc[i][r] = fma(qd[i], kd, acc[i][r]);
      }
    }
#if defined(SPILLWAY_LANES_AVX512)
    for (std::size_t i = 0; i < Q; ++i) quarter[i][j].v = halve4(halve8(acc[i][0].v, acc[i][1].v), halve8(acc[i][2].v, acc[i][3].v));
#else
    for (std::size_t i = 0; i < Q; ++i) {
      for (std::size_t r = 0; r < 4; ++r) scores[i * stride + j + 4 * r] = sum(acc[i][r]);
    }
#endif
  }
#if defined(SPILLWAY_LANES_AVX512)
  for (std::size_t i = 0; i < Q; ++i) {
    const F16* h = quarter[i];
    store(scores + i * stride, {halve1(halve2(h[0].v, h[1].v), halve2(h[2].v, h[3].v))});
  }
#else
  static_cast<void>(quarter);
#endif
}

/// o[i][d] = fma(p[i][t], v[t][d], o[i][d]) for Q queries and t in [0, n) in order; Wide vectors of d at a time, to hide the
/// latency of fma. p `stride` apart, o and v `width` apart.
template <std::size_t Q, std::size_t Wide>
inline void add_values_block(const float* p, std::size_t stride, std::size_t n, const float* v, std::size_t width, float* o) {
  F16 acc[Q][Wide];
  for (std::size_t i = 0; i < Q; ++i) {
    for (std::size_t w = 0; w < Wide; ++w) acc[i][w] = load(o + i * width + w * lanes);
  }
  for (std::size_t t = 0; t < n; ++t) {
    F16 vt[Wide];
    for (std::size_t w = 0; w < Wide; ++w) vt[w] = load(v + t * width + w * lanes);
    for (std::size_t i = 0; i < Q; ++i) {
      const F16 pt = set1(p[i * stride + t]);
      for (std::size_t w = 0; w < Wide; ++w) acc[i][w] = fma(pt, vt[w], acc[i][w]);
    }
  }
  for (std::size_t i = 0; i < Q; ++i) {
    for (std::size_t w = 0; w < Wide; ++w) store(o + i * width + w * lanes, acc[i][w]);
  }
}
template <std::size_t Q>
inline void add_values(const float* p, std::size_t stride, std::size_t n, const float* v, std::size_t width, float* o) {
  std::size_t d = 0;
  for (; d + 4 * lanes <= width; d += 4 * lanes) add_values_block<Q, 4>(p, stride, n, v + d, width, o + d);
  for (; d < width; d += lanes) add_values_block<Q, 1>(p, stride, n, v + d, width, o + d);
}

/// Calls f<Q>(first) for blocks of Q queries that together are [begin, end).
template <class F>
inline void for_queries(std::size_t begin, std::size_t end, const F& f) {
  std::size_t i = begin;
  for (; i + queries_at_once <= end; i += queries_at_once) f.template operator()<queries_at_once>(i);
  switch (end - i) {
    case 3: f.template operator() < queries_at_once<3 ? 1 : 3>(i); break;
    case 2: f.template operator() < queries_at_once<2 ? 1 : 2>(i); break;
    case 1: f.template operator()<1>(i); break;
    default: break;
  }
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

/// scores -> exp(scores - max) of tokens [hidden, n) in place, zero before them and behind them to whole lanes. `scale` is applied
/// first; it is above 0.
struct Softened {
  float max, sum;
};
inline Softened soften(float* scores, std::size_t hidden, std::size_t n, float scale) {
  const std::size_t whole = (n + lanes - 1) / lanes * lanes;
  for (std::size_t t = 0; t < hidden; ++t) scores[t] = bits_float(0xff800000U);
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

/// The first token that a row at `position` sees.
inline std::size_t first_seen(std::size_t position, std::size_t window) {
  return window != 0 && position >= window ? position + 1 - window : 0;
}

/// Tokens at the begin of segment `segment` that lie before the first that is seen.
inline std::size_t hidden_before(std::size_t first, std::size_t segment) {
  const std::size_t begin = segment * segment_tokens;
  if (first <= begin) return 0;
  return first - begin < segment_tokens ? first - begin : segment_tokens;
}

/// The buffers of one tile, in the scratch memory. Queries are numbered row by row, within a row head by head.
struct TileBuffers {
  TileBuffers(const AttentionTile& tile, std::size_t padded) : width{padded}, queries{std::size_t{tile.rows} * tile.group} {
    page = tile.scratch;
    q = page + page_rows * width;
    o = q + queries * width;
    o_segment = o + queries * width;
    scores = o_segment + queries * width;
    state = scores + queries * score_stride;
  }
  std::size_t width;  // head_dim in whole lanes
  std::size_t queries;
  float* page;       // [16][width]
  float* q;          // [queries][width]
  float* o;          // [queries][width], merged so far
  float* o_segment;  // [queries][width]
  float* scores;     // [queries][score_stride], 256 of them used
  float* state;      // [queries][m, l of the merge, m, l of the segment]
};

/// One segment: scores of the queries that see it, softened; then o_segment = their weighted values. Rows ascend, so those
/// before the segment come first, and those whose window has left it come last.
inline void attend_segment(const AttentionTile& tile, const TileBuffers& b, std::size_t segment) {
  const std::size_t width = b.width;
  const std::size_t begin = segment * segment_tokens;
  const std::size_t tokens = visible(tile.first_position + tile.rows - 1, segment);
  const std::uint32_t* blocks = tile.blocks + begin / page_rows;
  const auto seen = [&](std::size_t query) { return visible(tile.first_position + query / tile.group, segment); };
  const auto start = [&](std::size_t query) { return first_seen(tile.first_position + query / tile.group, tile.window); };
  const auto hidden = [&](std::size_t query) { return hidden_before(start(query), segment); };
  std::size_t first = 0;
  while (seen(first) == 0) ++first;
  std::size_t end = b.queries;
  while (hidden(end - 1) == segment_tokens) --end;
  const std::size_t first_page = hidden(first) / page_rows * page_rows;
  for (std::size_t t = first_page; t < tokens; t += page_rows) {
    read_page(tile.pool + blocks[t / page_rows] * tile.page_bytes + tile.k_offset, tile.half, tile.head_dim, width, b.page);
    for_queries(first, end, [&]<std::size_t Q>(std::size_t i) {
      page_scores<Q>(b.q + i * width, b.page, width, b.scores + i * score_stride + t, score_stride);
    });
  }
  for (std::size_t i = first; i < end; ++i) {
    const Softened s = soften(b.scores + i * score_stride, hidden(i), seen(i), tile.scale);
    b.state[4 * i + 2] = s.max, b.state[4 * i + 3] = s.sum;
    for (std::size_t d = 0; d < width; d += lanes) store(b.o_segment + i * width + d, set1(0.0F));
  }
  for (std::size_t t = first_page; t < tokens; t += page_rows) {
    read_page(tile.pool + blocks[t / page_rows] * tile.page_bytes + tile.v_offset, tile.half, tile.head_dim, width, b.page);
    std::size_t last = end;
    while (last > first && hidden(last - 1) >= t + page_rows) --last;  // windows that begin behind this page
    std::size_t i = first;
    for (; i < last && seen(i) < t + page_rows; ++i) {  // rows that end in this page or before it
      if (seen(i) > t) add_values<1>(b.scores + i * score_stride + t, score_stride, seen(i) - t, b.page, width, b.o_segment + i * width);
    }
    for_queries(i, last, [&]<std::size_t Q>(std::size_t j) {
      add_values<Q>(b.scores + j * score_stride + t, score_stride, page_rows, b.page, width, b.o_segment + j * width);
    });
  }
  for (std::size_t i = first; i < end; ++i) {
    const Softened s{b.state[4 * i + 2], b.state[4 * i + 3]};
    if (segment == start(i) / segment_tokens) {
      b.state[4 * i] = s.max, b.state[4 * i + 1] = s.sum;
      __builtin_memcpy(b.o + i * width, b.o_segment + i * width, width * sizeof(float));
    } else {
      merge(b.state[4 * i], b.state[4 * i + 1], b.o + i * width, s, b.o_segment + i * width, width);
    }
  }
}

inline void attention_body(const AttentionTile& tile) {
  const std::size_t width = (tile.head_dim + lanes - 1) / lanes * lanes;
  const TileBuffers b{tile, width};
  for (std::size_t i = 0; i < b.queries; ++i) {
    const float* from = tile.q + i / tile.group * tile.stride + i % tile.group * tile.head_dim;
    for (std::size_t d = 0; d < width; ++d) b.q[i * width + d] = d < tile.head_dim ? from[d] : 0.0F;
  }
  const std::size_t last = tile.first_position + tile.rows - 1;
  for (std::size_t segment = first_seen(tile.first_position, tile.window) / segment_tokens; segment * segment_tokens <= last; ++segment)
    attend_segment(tile, b, segment);
  for (std::size_t i = 0; i < b.queries; ++i) {
    float* to = tile.out + i / tile.group * tile.stride + i % tile.group * tile.head_dim;
    const float inverse = 1.0F / b.state[4 * i + 1];
    for (std::size_t d = 0; d < tile.head_dim; ++d) to[d] = b.o[i * width + d] * inverse;
  }
}

}  // namespace spillway::kernels::SPILLWAY_LANES
