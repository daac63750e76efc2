#include <immintrin.h>

#include "kernels/matmul_kernels.h"
#include "kernels/pack_layout.h"

// Tiles of up to 4 columns by a panel. The integer formats take its halves (8 rows, one register) one after the other, so that all
// fits in 16 registers; the second pass finds the panel in the first cache.
namespace spillway::kernels {

namespace {

using namespace layout;

constexpr std::size_t group_size = 32;
constexpr std::size_t half_rows = 8;
constexpr std::size_t columns_max = 4;
/// How far ahead weights are fetched, by the first tile that meets them: the hardware's own prefetch stops at each page.
constexpr std::size_t prefetch_bytes = 8192;

__m256i load(const std::byte* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

__m256i broadcast(const std::int8_t* four_codes) {
  int quad;
  __builtin_memcpy(&quad, four_codes, sizeof quad);
  return _mm256_set1_epi32(quad);
}

__m256 load_halves(const std::byte* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

void fetch(const std::byte* from, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; i += 64) _mm_prefetch(reinterpret_cast<const char*>(from + prefetch_bytes + i), _MM_HINT_T0);
}

__m256i mask_of(std::size_t lanes) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(lanes)), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

void store(const PanelRun& run, std::size_t row, std::size_t column, __m256 acc) {
  auto* const y = run.y + column * run.y_stride + row;
  if (row >= run.rows) return;  // this half is padding
  const auto left = run.rows - row;
  if (left >= half_rows) {
    if (run.accumulate) acc = _mm256_add_ps(_mm256_loadu_ps(y), acc);
    _mm256_storeu_ps(y, acc);
    return;
  }
  const auto mask = mask_of(left);
  if (run.accumulate) acc = _mm256_add_ps(_mm256_maskload_ps(y, mask), acc);
  _mm256_maskstore_ps(y, mask, acc);
}

/// Q4_1. `panel` points at the half's lanes in codes, `d` and `m` likewise.
struct Q4 {
  static constexpr bool has_min = true;
  static constexpr std::size_t group_bytes = q4_1_group_bytes;

  /// Sums of pairs in int16: eight of at most 15 * 127 * 2 = 3810 fit, so a group needs one widening only.
  template <int C>
  static void dots(const std::byte* panel, std::size_t half, std::size_t group, const std::int8_t* const (&x)[C], __m256i (&dot)[C]) {
    const auto nibble = _mm256_set1_epi8(15);
    const auto* const codes = panel + group * q4_1_group_bytes + q4_1_code_offset + half * 32;
#pragma GCC unroll 4
    for (int j = 0; j < 4; ++j) {
      const auto both = load(codes + j * vector_bytes);
      const auto low = _mm256_and_si256(both, nibble);
      const auto high = _mm256_and_si256(_mm256_srli_epi16(both, 4), nibble);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) {
        const auto* const quad = x[c] + group * group_size + 4 * j;
        dot[c] = _mm256_add_epi16(dot[c], _mm256_maddubs_epi16(low, broadcast(quad)));
        dot[c] = _mm256_add_epi16(dot[c], _mm256_maddubs_epi16(high, broadcast(quad + 16)));
      }
    }
    for (int c = 0; c < C; ++c) dot[c] = _mm256_madd_epi16(dot[c], _mm256_set1_epi16(1));
  }
  static __m256 scale(const std::byte* panel, std::size_t half, std::size_t group) {
    return load_halves(panel + group * q4_1_group_bytes + half * 16);
  }
  static __m256 min(const std::byte* panel, std::size_t half, std::size_t group) {
    return load_halves(panel + group * q4_1_group_bytes + q4_1_min_offset + half * 16);
  }
};

struct Q8 {
  static constexpr bool has_min = false;
  static constexpr std::size_t group_bytes = q8_0_pair_bytes / 2;

  /// |w| times x with w's sign: |w| is at most 128 and fits unsigned, x is within 127 either way, so a pair is at most 32512
  /// and does not saturate. The other way round, w = -128 could not change its sign.
  template <int C>
  static void dots(const std::byte* panel, std::size_t half, std::size_t group, const std::int8_t* const (&x)[C], __m256i (&dot)[C]) {
    const auto offset = _mm256_set1_epi8(-128);
    const auto ones = _mm256_set1_epi16(1);
    const auto* const codes = panel + group / 2 * q8_0_pair_bytes + q8_0_code_offset + group % 2 * q8_0_group_code_bytes + half * 32;
#pragma GCC unroll 8
    for (int j = 0; j < 8; ++j) {
      const auto w = _mm256_xor_si256(load(codes + j * vector_bytes), offset);
      const auto magnitude = _mm256_abs_epi8(w);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) {
        const auto quad = broadcast(x[c] + group * group_size + 4 * j);
        dot[c] = _mm256_add_epi32(dot[c], _mm256_madd_epi16(_mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(quad, w)), ones));
      }
    }
  }
  static __m256 scale(const std::byte* panel, std::size_t half, std::size_t group) {
    return load_halves(panel + group / 2 * q8_0_pair_bytes + group % 2 * scales_bytes + half * 16);
  }
  static __m256 min(const std::byte*, std::size_t, std::size_t) {
    return _mm256_setzero_ps();
  }
};

template <class Format>
struct Quantized {
  template <int C>
  static void tile(const PanelRun& run, std::size_t panel, std::size_t column) {
    for (std::size_t half = 0; half < 2; ++half) half_tile<C>(run, panel, half, column);
  }

 private:
  template <int C>
  static void half_tile(const PanelRun& run, std::size_t panel_index, std::size_t half, std::size_t column) {
    const auto* const panel = run.panels + panel_index * run.panel_bytes;
    const std::int8_t* x[C];
    const GroupScale* scales[C];
    __m256 acc[C];
    for (int c = 0; c < C; ++c) {
      x[c] = run.codes + (column + c) * run.code_stride;
      scales[c] = run.scales + (column + c) * run.scale_stride;
      acc[c] = _mm256_setzero_ps();
    }
    const auto groups = run.k / group_size;
    for (std::size_t group = 0; group < groups; ++group) {
      __m256i dot[C];
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) dot[c] = _mm256_setzero_si256();
      if (half == 0 && column == 0) fetch(panel + group * Format::group_bytes, Format::group_bytes);
      Format::template dots<C>(panel, half, group, x, dot);
      const auto d = Format::scale(panel, half, group);
      const auto m = Format::min(panel, half, group);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) {
        const auto scale = _mm256_set1_ps(scales[c][group].scale);
        acc[c] = _mm256_fmadd_ps(_mm256_mul_ps(d, scale), _mm256_cvtepi32_ps(dot[c]), acc[c]);
        if constexpr (Format::has_min) acc[c] = _mm256_fmadd_ps(_mm256_mul_ps(m, scale), _mm256_set1_ps(scales[c][group].sum), acc[c]);
      }
    }
    for (int c = 0; c < C; ++c) store(run, panel_index * panel_rows + half * half_rows, column + c, acc[c]);
  }
};

struct F32 {
  static constexpr std::size_t bytes = 32;  // of half a panel at one k
  static __m256 load(const std::byte* from) { return _mm256_loadu_ps(reinterpret_cast<const float*>(from)); }
};

struct F16 {
  static constexpr std::size_t bytes = 16;
  static __m256 load(const std::byte* from) { return load_halves(from); }
};

/// Both halves of a panel at once: they lie side by side at each k, and two chains of additions hide more latency than one.
template <class Format>
struct Float {
  template <int C>
  static void tile(const PanelRun& run, std::size_t panel_index, std::size_t column) {
    const auto* const panel = run.panels + panel_index * run.panel_bytes;
    const float* x[C];
    __m256 acc[2][C];
    for (int c = 0; c < C; ++c) {
      x[c] = run.x + (column + c) * run.x_stride;
      acc[0][c] = _mm256_setzero_ps();
      acc[1][c] = _mm256_setzero_ps();
    }
    for (std::size_t i = 0; i < run.k; ++i) {
      const auto low = Format::load(panel + i * 2 * Format::bytes);
      const auto high = Format::load(panel + i * 2 * Format::bytes + Format::bytes);
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) {
        const auto element = _mm256_set1_ps(x[c][i]);
        acc[0][c] = _mm256_fmadd_ps(element, low, acc[0][c]);
        acc[1][c] = _mm256_fmadd_ps(element, high, acc[1][c]);
      }
    }
    for (int c = 0; c < C; ++c)
      for (std::size_t half = 0; half < 2; ++half) store(run, panel_index * panel_rows + half * half_rows, column + c, acc[half][c]);
  }
};

template <class Kind>
void multiply(const PanelRun& run) {
  for (auto panel = run.panel_begin; panel < run.panel_end; ++panel)
    for (auto column = run.column_begin; column < run.column_end; column += columns_max) {
      switch (run.column_end - column) {
        case 1: Kind::template tile<1>(run, panel, column); break;
        case 2: Kind::template tile<2>(run, panel, column); break;
        case 3: Kind::template tile<3>(run, panel, column); break;
        default: Kind::template tile<4>(run, panel, column); break;
      }
    }
}

}  // namespace

const MatmulKernels matmul_kernels_avx2{multiply<Float<F32>>, multiply<Float<F16>>, multiply<Quantized<Q4>>, multiply<Quantized<Q8>>};

}  // namespace spillway::kernels
