#include <immintrin.h>

#include "kernels/matmul_kernels.h"
#include "kernels/pack_layout.h"

// Tiles of R panels (16 R rows) by C columns, held in registers: int32 dots of one group and f32 sums. Weights are unpacked in
// registers, on execution ports that the dot products leave free, so there is no unpacked copy in memory.
namespace spillway::kernels {

namespace {

using namespace layout;

constexpr std::size_t group_size = 32;
/// How far ahead a product of one row fetches: the hardware's own prefetch stops at each page.
constexpr std::size_t prefetch_bytes = 4096;

__m512i broadcast(const std::int8_t* four_codes) {
  int quad;
  __builtin_memcpy(&quad, four_codes, sizeof quad);
  return _mm512_set1_epi32(quad);
}

__m512 load_halves(const std::byte* from) { return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from))); }

void prefetch(const std::byte* from) { _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0); }

void store(const PanelRun& run, std::size_t panel, std::size_t column, __m512 acc) {
  const auto row = panel * panel_rows;
  auto* const y = run.y + column * run.y_stride + row;
  const auto left = run.rows - row;
  const auto mask = left >= panel_rows ? __mmask16{0xffff} : static_cast<__mmask16>((1u << left) - 1);
  if (run.accumulate) acc = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), acc);
  _mm512_mask_storeu_ps(y, mask, acc);
}

/// Q4_1. The codes of a group are 4 vectors: low nibbles meet the first 16 elements, high nibbles the last 16.
struct Q4 {
  static constexpr bool has_min = true;
  static constexpr std::size_t columns_max = 6;

  template <int R, int C>
  static void dots(const std::byte* const (&w)[R], std::size_t group, const std::int8_t* const (&x)[C], __m512i (&dot)[R][C]) {
    const auto nibble = _mm512_set1_epi8(15);
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      __m512i low[R];
      __m512i high[R];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        const auto codes = _mm512_loadu_si512(w[r] + group * q4_1_group_bytes + q4_1_code_offset + j * vector_bytes);
        low[r] = _mm512_and_si512(codes, nibble);
        high[r] = _mm512_and_si512(_mm512_srli_epi16(codes, 4), nibble);
      }
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const auto x_low = broadcast(x[c] + group * group_size + 4 * j);
        const auto x_high = broadcast(x[c] + group * group_size + 16 + 4 * j);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
          dot[r][c] = _mm512_dpbusd_epi32(dot[r][c], low[r], x_low);
          dot[r][c] = _mm512_dpbusd_epi32(dot[r][c], high[r], x_high);
        }
      }
    }
  }
  static __m512i start(const GroupScale&) { return _mm512_setzero_si512(); }
  static __m512 scale(const std::byte* panel, std::size_t group) { return load_halves(panel + group * q4_1_group_bytes); }
  static __m512 min(const std::byte* panel, std::size_t group) {
    return load_halves(panel + group * q4_1_group_bytes + q4_1_min_offset);
  }
  static void fetch(const std::byte* panel, std::size_t group) {
    const auto* const line = panel + group * q4_1_group_bytes + prefetch_bytes;
#pragma GCC unroll 5
    for (std::size_t i = 0; i < q4_1_group_bytes; i += 64) prefetch(line + i);
  }
};

/// Q8_0. Codes are stored plus 128; the dot starts at -128 times the sum of the activations, which takes it out again.
struct Q8 {
  static constexpr bool has_min = false;
  static constexpr std::size_t columns_max = 6;

  template <int R, int C>
  static void dots(const std::byte* const (&w)[R], std::size_t group, const std::int8_t* const (&x)[C], __m512i (&dot)[R][C]) {
    const auto offset = group / 2 * q8_0_pair_bytes + q8_0_code_offset + group % 2 * q8_0_group_code_bytes;
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      __m512i codes[R];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) codes[r] = _mm512_loadu_si512(w[r] + offset + j * vector_bytes);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const auto quad = broadcast(x[c] + group * group_size + 4 * j);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) dot[r][c] = _mm512_dpbusd_epi32(dot[r][c], codes[r], quad);
      }
    }
  }
  static __m512i start(const GroupScale& scale) { return _mm512_set1_epi32(scale.minus_128_sums); }
  static __m512 scale(const std::byte* panel, std::size_t group) {
    return load_halves(panel + group / 2 * q8_0_pair_bytes + group % 2 * scales_bytes);
  }
  static __m512 min(const std::byte*, std::size_t) { return _mm512_setzero_ps(); }
  static void fetch(const std::byte* panel, std::size_t group) {
    const auto* const line = panel + group * (q8_0_pair_bytes / 2) + prefetch_bytes;
#pragma GCC unroll 9
    for (std::size_t i = 0; i < q8_0_pair_bytes / 2; i += 64) prefetch(line + i);
  }
};

template <class Format, int R, int C>
void quantized_tile(const PanelRun& run, std::size_t panel, std::size_t column) {
  const std::byte* w[R];
  const std::int8_t* x[C];
  const GroupScale* scales[C];
  __m512 acc[R][C];
  for (int r = 0; r < R; ++r) w[r] = run.panels + (panel + r) * run.panel_bytes;
  for (int c = 0; c < C; ++c) {
    x[c] = run.codes + (column + c) * run.code_stride;
    scales[c] = run.scales + (column + c) * run.scale_stride;
    for (int r = 0; r < R; ++r) acc[r][c] = _mm512_setzero_ps();
  }
  const auto groups = run.k / group_size;
  for (std::size_t group = 0; group < groups; ++group) {
    __m512i dot[R][C];
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c)
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) dot[r][c] = Format::start(scales[c][group]);
    Format::template dots<R, C>(w, group, x, dot);
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      if constexpr (C == 1) Format::fetch(w[r], group);
      const auto d = Format::scale(w[r], group);
      const auto m = Format::min(w[r], group);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const auto scale = _mm512_set1_ps(scales[c][group].scale);
        acc[r][c] = _mm512_fmadd_ps(_mm512_mul_ps(d, scale), _mm512_cvtepi32_ps(dot[r][c]), acc[r][c]);
        if constexpr (Format::has_min)
          acc[r][c] = _mm512_fmadd_ps(_mm512_mul_ps(m, scale), _mm512_set1_ps(scales[c][group].sum), acc[r][c]);
      }
    }
  }
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) store(run, panel + r, column + c, acc[r][c]);
}

struct F32 {
  static constexpr std::size_t bytes = 64;  // of 16 rows at one k
  static __m512 load(const std::byte* from) { return _mm512_loadu_ps(from); }
};

struct F16 {
  static constexpr std::size_t bytes = 32;
  static __m512 load(const std::byte* from) { return load_halves(from); }
};

template <class Format, int R, int C>
void float_tile(const PanelRun& run, std::size_t panel, std::size_t column) {
  const std::byte* w[R];
  const float* x[C];
  __m512 acc[R][C];
  for (int r = 0; r < R; ++r) w[r] = run.panels + (panel + r) * run.panel_bytes;
  for (int c = 0; c < C; ++c) {
    x[c] = run.x + (column + c) * run.x_stride;
    for (int r = 0; r < R; ++r) acc[r][c] = _mm512_setzero_ps();
  }
  for (std::size_t i = 0; i < run.k; ++i) {
    __m512 weights[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      weights[r] = Format::load(w[r] + i * Format::bytes);
      if constexpr (C == 1) prefetch(w[r] + i * Format::bytes + prefetch_bytes);
    }
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) {
      const auto element = _mm512_set1_ps(x[c][i]);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) acc[r][c] = _mm512_fmadd_ps(element, weights[r], acc[r][c]);
    }
  }
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) store(run, panel + r, column + c, acc[r][c]);
}

template <class Format>
struct Quantized {
  static constexpr std::size_t columns_max = Format::columns_max;
  template <int R, int C>
  static void tile(const PanelRun& run, std::size_t panel, std::size_t column) {
    quantized_tile<Format, R, C>(run, panel, column);
  }
};

template <class Format>
struct Float {
  static constexpr std::size_t columns_max = 8;
  template <int R, int C>
  static void tile(const PanelRun& run, std::size_t panel, std::size_t column) {
    float_tile<Format, R, C>(run, panel, column);
  }
};

/// R panels by `count` columns, count in [1, columns_max].
template <class Kind, int R>
void tile_of(const PanelRun& run, std::size_t panel, std::size_t column, std::size_t count) {
  switch (count) {
    case 1: return Kind::template tile<R, 1>(run, panel, column);
    case 2: return Kind::template tile<R, 2>(run, panel, column);
    case 3: return Kind::template tile<R, 3>(run, panel, column);
    case 4: return Kind::template tile<R, 4>(run, panel, column);
    case 5: return Kind::template tile<R, 5>(run, panel, column);
    case 6: return Kind::template tile<R, 6>(run, panel, column);
    default:
      if constexpr (Kind::columns_max > 6) {
        if (count == 7) return Kind::template tile<R, 7>(run, panel, column);
        return Kind::template tile<R, 8>(run, panel, column);
      }
  }
}

template <class Kind>
void multiply(const PanelRun& run) {
  auto panel = run.panel_begin;
  while (panel < run.panel_end) {
    const auto pair = panel + 2 <= run.panel_end;
    for (auto column = run.column_begin; column < run.column_end; column += Kind::columns_max) {
      const auto left = run.column_end - column;
      const auto count = left < Kind::columns_max ? left : Kind::columns_max;
      if (pair) {
        tile_of<Kind, 2>(run, panel, column, count);
      } else {
        tile_of<Kind, 1>(run, panel, column, count);
      }
    }
    panel += pair ? 2 : 1;
  }
}

}  // namespace

const MatmulKernels matmul_kernels_avx512{multiply<Float<F32>>, multiply<Float<F16>>, multiply<Quantized<Q4>>,
                                          multiply<Quantized<Q8>>};

}  // namespace spillway::kernels
