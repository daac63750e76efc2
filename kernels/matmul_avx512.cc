#include <immintrin.h>

#include "kernels/matmul_kernels.h"
#include "kernels/pack_layout.h"

// Tiles of one panel (16 rows) by C columns, held in registers: int32 dots of one group and f32 sums. Weights are unpacked in
// registers, on execution ports that the dot products leave free, so there is no unpacked copy in memory. One panel at a time and
// not two, although two would share each broadcast: then the weights are a single stream, which memory delivers twice as fast.
namespace spillway::kernels {

namespace {

using namespace layout;

constexpr std::size_t group_size = 32;
/// How far ahead weights are fetched, by the first tile that meets them: the hardware's own prefetch stops at each page.
constexpr std::size_t prefetch_bytes = 8192;
constexpr std::size_t panel_block_bytes = 256 * 1024;

__m512i broadcast(const std::int8_t* four_codes) {
  int quad;
  __builtin_memcpy(&quad, four_codes, sizeof quad);
  return _mm512_set1_epi32(quad);
}

__m512 load_halves(const std::byte* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

void prefetch(const std::byte* from) {
  _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
}

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

  template <int C>
  static void dots(const std::byte* panel, std::size_t group, const std::int8_t* const (&x)[C], __m512i (&dot)[C]) {
    const auto nibble = _mm512_set1_epi8(15);
    const auto* const codes = panel + group * q4_1_group_bytes + q4_1_code_offset;
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const auto both = _mm512_loadu_si512(codes + j * vector_bytes);
      const auto low = _mm512_and_si512(both, nibble);
      const auto high = _mm512_and_si512(_mm512_srli_epi16(both, 4), nibble);
#pragma GCC unroll 12
      for (int c = 0; c < C; ++c) {
        const auto* const quad = x[c] + group * group_size + 4 * j;
        dot[c] = _mm512_dpbusd_epi32(dot[c], low, broadcast(quad));
        dot[c] = _mm512_dpbusd_epi32(dot[c], high, broadcast(quad + 16));
      }
    }
  }
  static __m512i start(const GroupScale&) {
    return _mm512_setzero_si512();
  }
  static __m512 scale(const std::byte* panel, std::size_t group) {
    return load_halves(panel + group * q4_1_group_bytes);
  }
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

  template <int C>
  static void dots(const std::byte* panel, std::size_t group, const std::int8_t* const (&x)[C], __m512i (&dot)[C]) {
    const auto* const codes = panel + group / 2 * q8_0_pair_bytes + q8_0_code_offset + group % 2 * q8_0_group_code_bytes;
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      const auto w = _mm512_loadu_si512(codes + j * vector_bytes);
#pragma GCC unroll 12
      for (int c = 0; c < C; ++c) dot[c] = _mm512_dpbusd_epi32(dot[c], w, broadcast(x[c] + group * group_size + 4 * j));
    }
  }
  static __m512i start(const GroupScale& scale) {
    return _mm512_set1_epi32(scale.minus_128_sums);
  }
  static __m512 scale(const std::byte* panel, std::size_t group) {
    return load_halves(panel + group / 2 * q8_0_pair_bytes + group % 2 * scales_bytes);
  }
  static __m512 min(const std::byte*, std::size_t) {
    return _mm512_setzero_ps();
  }
  static void fetch(const std::byte* panel, std::size_t group) {
    const auto* const line = panel + group * (q8_0_pair_bytes / 2) + prefetch_bytes;
#pragma GCC unroll 9
    for (std::size_t i = 0; i < q8_0_pair_bytes / 2; i += 64) prefetch(line + i);
  }
};

template <class Format>
struct Quantized {
  static constexpr std::size_t columns_max = 12;

  template <int C>
  static void tile(const PanelRun& run, std::size_t panel_index, std::size_t column, bool fetch) {
    const auto* const panel = run.panels + panel_index * run.panel_bytes;
    const std::int8_t* x[C];
    const GroupScale* scales[C];
    __m512 acc[C];
#pragma GCC unroll 12
    for (int c = 0; c < C; ++c) {
      x[c] = run.codes + (column + c) * run.code_stride;
      scales[c] = run.scales + (column + c) * run.scale_stride;
      acc[c] = _mm512_setzero_ps();
    }
    const auto groups = run.k / group_size;
    for (std::size_t group = 0; group < groups; ++group) {
      __m512i dot[C];
#pragma GCC unroll 12
      for (int c = 0; c < C; ++c) dot[c] = Format::start(scales[c][group]);
      if (fetch) Format::fetch(panel, group);
      Format::template dots<C>(panel, group, x, dot);
      const auto d = Format::scale(panel, group);
      const auto m = Format::min(panel, group);
#pragma GCC unroll 12
      for (int c = 0; c < C; ++c) {
        const auto scale = _mm512_set1_ps(scales[c][group].scale);
        acc[c] = _mm512_fmadd_ps(_mm512_mul_ps(d, scale), _mm512_cvtepi32_ps(dot[c]), acc[c]);
        if constexpr (Format::has_min) acc[c] = _mm512_fmadd_ps(_mm512_mul_ps(m, scale), _mm512_set1_ps(scales[c][group].sum), acc[c]);
      }
    }
#pragma GCC unroll 12
    for (int c = 0; c < C; ++c) store(run, panel_index, column + c, acc[c]);
  }
};

struct F32 {
  static constexpr std::size_t bytes = 64;  // of 16 rows at one k
  static __m512 load(const std::byte* from) { return _mm512_loadu_ps(from); }
};

struct F16 {
  static constexpr std::size_t bytes = 32;
  static __m512 load(const std::byte* from) { return load_halves(from); }
};

template <class Format>
struct Float {
  static constexpr std::size_t columns_max = 12;

  template <int C>
  static void tile(const PanelRun& run, std::size_t panel_index, std::size_t column, bool fetch) {
    const auto* w = run.panels + panel_index * run.panel_bytes;
    const float* x[C];
    __m512 acc[C];
#pragma GCC unroll 12
    for (int c = 0; c < C; ++c) {
      x[c] = run.x + (column + c) * run.x_stride;
      acc[c] = _mm512_setzero_ps();
    }
    for (std::size_t i = 0; i < run.k; ++i, w += Format::bytes) {
      if (fetch) prefetch(w + prefetch_bytes);
      const auto weights = Format::load(w);
#pragma GCC unroll 12
      for (int c = 0; c < C; ++c) acc[c] = _mm512_fmadd_ps(_mm512_set1_ps(x[c][i]), weights, acc[c]);
    }
#pragma GCC unroll 12
    for (int c = 0; c < C; ++c) store(run, panel_index, column + c, acc[c]);
  }
};

/// One panel by `count` columns, count in [1, C].
template <class Kind, int C>
void tile_of(const PanelRun& run, std::size_t panel, std::size_t column, std::size_t count, bool fetch) {
  if constexpr (C > 1) {
    if (count < C) return tile_of<Kind, C - 1>(run, panel, column, count, fetch);
  }
  Kind::template tile<C>(run, panel, column, fetch);
}

/// A tile's activations stay in the first cache while a block of panels, which stays in the second, streams past them.
template <class Kind>
void multiply(const PanelRun& run) {
  const auto block = run.panel_bytes < panel_block_bytes ? panel_block_bytes / run.panel_bytes : 1;
  for (auto first = run.panel_begin; first < run.panel_end; first += block) {
    const auto end = first + block < run.panel_end ? first + block : run.panel_end;
    for (auto column = run.column_begin; column < run.column_end; column += Kind::columns_max)
      for (auto panel = first; panel < end; ++panel)
        tile_of<Kind, Kind::columns_max>(run, panel, column, run.column_end - column, column == 0);
  }
}

}  // namespace

const MatmulKernels matmul_kernels_avx512{multiply<Float<F32>>, multiply<Float<F16>>, multiply<Quantized<Q4>>, multiply<Quantized<Q8>>};

}  // namespace spillway::kernels
