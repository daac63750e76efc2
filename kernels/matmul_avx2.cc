#include <immintrin.h>

#include <type_traits>

#include "kernels/matmul_formats_avx2.h"
#include "kernels/matmul_kernels.h"
#include "kernels/pack_layout.h"

// Tiles of up to 4 columns by a panel. The integer formats take its halves (8 rows, one register) one after the other, so that all
// fits in 16 registers; the second pass finds the panel in the first cache.
namespace spillway::kernels {

namespace {

using namespace layout;
using namespace formats_avx2;

constexpr std::size_t group_size = 32;
/// -128 times the sum of a group's codes is at hand; shifted right by this it is minus the sum.
constexpr int sum_shift = 7;
constexpr std::size_t columns_max = 4;
/// How far ahead weights are fetched, by the first tile that meets them: the hardware's own prefetch stops at each page.
constexpr std::size_t prefetch_bytes = 8192;

__m256i broadcast(const std::int8_t* four_codes) {
  int quad;
  __builtin_memcpy(&quad, four_codes, sizeof quad);
  return _mm256_set1_epi32(quad);
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
  acc = _mm256_mul_ps(acc, _mm256_set1_ps(run.output_scale));
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

// --- dots ---------------------------------------------------------------------------------------------------------------
// Bytes times bytes give sums of two as int16. How many more such may be added before they are widened depends on the codes.

template <class Codes>
constexpr bool fits_int16(int pairs) {
  return !Codes::is_signed && Codes::max * 127 * 2 * pairs <= 32767;
}

/// Sums of a group's products that need no widening before its end.
template <class Codes, int C>
struct NarrowDots {
  __m256i sum[C];

  NarrowDots() {
    for (int c = 0; c < C; ++c) sum[c] = _mm256_setzero_si256();
  }
  template <int j>
  [[gnu::always_inline]] void add(const Pair& w, const std::int8_t* const (&x)[C], std::size_t group) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const auto* const quad = x[c] + group * group_size + 4 * j;
      sum[c] = _mm256_add_epi16(sum[c], _mm256_maddubs_epi16(w.first, broadcast(quad)));
      sum[c] = _mm256_add_epi16(sum[c], _mm256_maddubs_epi16(w.last, broadcast(quad + 16)));
    }
  }
  template <class Scales>
  __m256 finish(const Scales& weights, int c, const GroupScale& scale, __m256 acc) const {
    auto dot = _mm256_madd_epi16(sum[c], _mm256_set1_epi16(1));
    if constexpr (Codes::zero != 0) dot = _mm256_add_epi32(dot, _mm256_set1_epi32((scale.minus_128_sums >> sum_shift) * Codes::zero));
    return weights.add(dot, scale, acc);
  }
};

/// zero times (number of the first half times its activations' sum, and the same of the last).
template <class Codes>
__m256i zero_part(const __m256i (&numbers)[2], const GroupScale& scale) {
  const auto both = _mm256_blend_epi16(numbers[0], numbers[1], 0xaa);
  return _mm256_mullo_epi32(_mm256_madd_epi16(both, _mm256_set1_epi32(half_sums(scale))), _mm256_set1_epi32(Codes::zero));
}

/// Sums of half a group's products each, for codes too large to be added further, or because the halves have scales of their own.
template <class Codes, int C>
struct HalfDots {
  __m256i first[C];
  __m256i last[C];

  HalfDots() {
    for (int c = 0; c < C; ++c) first[c] = last[c] = _mm256_setzero_si256();
  }
  template <int j>
  [[gnu::always_inline]] void add(const Pair& w, const std::int8_t* const (&x)[C], std::size_t group) {
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const auto* const quad = x[c] + group * group_size + 4 * j;
      first[c] = _mm256_add_epi16(first[c], _mm256_maddubs_epi16(w.first, broadcast(quad)));
      last[c] = _mm256_add_epi16(last[c], _mm256_maddubs_epi16(w.last, broadcast(quad + 16)));
    }
  }
  template <class Scales>
  __m256 finish(const Scales& weights, int c, const GroupScale& scale, __m256 acc) const {
    if constexpr (Scales::sums == Sums::numbers) {
      auto n = _mm256_add_epi32(_mm256_madd_epi16(first[c], weights.numbers[0]), _mm256_madd_epi16(last[c], weights.numbers[1]));
      if constexpr (Codes::zero != 0) n = _mm256_sub_epi32(n, zero_part<Codes>(weights.numbers, scale));
      return weights.add(n, scale, acc);
    } else {
      const auto ones = _mm256_set1_epi16(1);
      auto a = _mm256_madd_epi16(first[c], ones);
      auto b = _mm256_madd_epi16(last[c], ones);
      if constexpr (Scales::sums == Sums::apart) {
        a = _mm256_sub_epi32(a, _mm256_set1_epi32(Codes::zero * scale.half_sums[0]));
        b = _mm256_sub_epi32(b, _mm256_set1_epi32(Codes::zero * scale.half_sums[1]));
        return weights.add(a, b, scale, acc);
      } else {
        a = _mm256_add_epi32(a, b);
        if constexpr (Codes::zero != 0) a = _mm256_add_epi32(a, _mm256_set1_epi32((scale.minus_128_sums >> sum_shift) * Codes::zero));
        return weights.add(a, scale, acc);
      }
    }
  }
};

/// The same where not even half a group's products fit: widened at once.
template <class Codes, int C>
struct WideHalfDots {
  __m256i first[C];
  __m256i last[C];

  WideHalfDots() {
    for (int c = 0; c < C; ++c) first[c] = last[c] = _mm256_setzero_si256();
  }
  template <int j>
  [[gnu::always_inline]] void add(const Pair& w, const std::int8_t* const (&x)[C], std::size_t group) {
    const auto ones = _mm256_set1_epi16(1);
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const auto* const quad = x[c] + group * group_size + 4 * j;
      first[c] = _mm256_add_epi32(first[c], _mm256_madd_epi16(_mm256_maddubs_epi16(w.first, broadcast(quad)), ones));
      last[c] = _mm256_add_epi32(last[c], _mm256_madd_epi16(_mm256_maddubs_epi16(w.last, broadcast(quad + 16)), ones));
    }
  }
  template <class Scales>
  __m256 finish(const Scales& weights, int c, const GroupScale& scale, __m256 acc) const {
    static_assert(Scales::sums == Sums::numbers);
    const auto n = _mm256_add_epi32(_mm256_mullo_epi32(first[c], _mm256_srai_epi32(weights.numbers[0], 16)),
                                    _mm256_mullo_epi32(last[c], _mm256_srai_epi32(weights.numbers[1], 16)));
    return weights.add(_mm256_sub_epi32(n, zero_part<Codes>(weights.numbers, scale)), scale, acc);
  }
};

/// |w| times x with w's sign: |w| is at most 128 and fits unsigned, x is within 127 either way, so a pair is at most 32512
/// and does not saturate. The other way round, w = -128 could not change its sign.
template <class Codes, int C>
struct SignedDots {
  __m256i sum[C];

  SignedDots() {
    for (int c = 0; c < C; ++c) sum[c] = _mm256_setzero_si256();
  }
  template <int j>
  [[gnu::always_inline]] void add(const Pair& w, const std::int8_t* const (&x)[C], std::size_t group) {
    add_quad(w.first, x, group * group_size + 4 * j);
    add_quad(w.last, x, group * group_size + 4 * j + 16);
  }
  template <class Scales>
  __m256 finish(const Scales& weights, int c, const GroupScale& scale, __m256 acc) const {
    return weights.add(sum[c], scale, acc);
  }

 private:
  [[gnu::always_inline]] void add_quad(__m256i w, const std::int8_t* const (&x)[C], std::size_t at) {
    const auto magnitude = _mm256_abs_epi8(w);
#pragma GCC unroll 4
    for (int c = 0; c < C; ++c) {
      const auto words = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(broadcast(x[c] + at), w));
      sum[c] = _mm256_add_epi32(sum[c], _mm256_madd_epi16(words, _mm256_set1_epi16(1)));
    }
  }
};

template <class Codes, class Scales, int C>
using DotsOf = std::conditional_t<Codes::is_signed, SignedDots<Codes, C>,
                                  std::conditional_t<Scales::sums == Sums::together && fits_int16<Codes>(8), NarrowDots<Codes, C>,
                                                     std::conditional_t<fits_int16<Codes>(4), HalfDots<Codes, C>, WideHalfDots<Codes, C>>>>;

// --- products -----------------------------------------------------------------------------------------------------------

template <class Codes, class Scales, const BlockLayout& layout>
struct Quantized {
  template <int C>
  static void tile(const PanelRun& run, std::size_t panel, std::size_t column) {
    for (std::size_t half = 0; half < 2; ++half) half_tile<C>(run, panel, half, column);
  }

 private:
  static constexpr std::size_t block_bytes = layout.header_bytes + layout.groups * layout.group_bytes;

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
      const auto index = group % layout.groups;
      const auto* const block = panel + group / layout.groups * block_bytes;
      if (half == 0 && column == 0) fetch(panel + group * (block_bytes / layout.groups), block_bytes / layout.groups);
      const auto* const codes = block + layout.header_bytes + index * layout.group_bytes + half * 32;
      DotsOf<Codes, Scales, C> dots;
      dots.template add<0>(Codes::template pair<0>(codes), x, group);
      dots.template add<1>(Codes::template pair<1>(codes), x, group);
      dots.template add<2>(Codes::template pair<2>(codes), x, group);
      dots.template add<3>(Codes::template pair<3>(codes), x, group);
      const Scales weights{Header{block, half, index}};
#pragma GCC unroll 4
      for (int c = 0; c < C; ++c) acc[c] = dots.finish(weights, c, scales[c][group], acc[c]);
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

struct Bf16 {
  static constexpr std::size_t bytes = 16;
  static __m256 load(const std::byte* from) {
    const auto upper = _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(upper, 16));
  }
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

const MatmulKernels matmul_kernels_avx2 = SPILLWAY_MATMUL_KERNELS;

}  // namespace spillway::kernels
