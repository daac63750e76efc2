#include <immintrin.h>

#include "kernels/matmul_formats_avx512.h"
#include "kernels/matmul_kernels.h"
#include "kernels/pack_layout.h"

// Tiles of one panel (16 rows) by C columns, held in registers: int32 dots of one group and f32 sums. Weights are unpacked in
// registers, on execution ports that the dot products leave free, so there is no unpacked copy in memory. One panel at a time and
// not two, although two would share each broadcast: then the weights are a single stream, which memory delivers twice as fast.
namespace spillway::kernels {

namespace {

using namespace layout;
using namespace formats_avx512;

constexpr std::size_t group_size = 32;
/// How far ahead weights are fetched, by the first tile that meets them: the hardware's own prefetch stops at each page.
constexpr std::size_t prefetch_bytes = 8192;
constexpr std::size_t panel_block_bytes = 256 * 1024;

__m512i broadcast(const std::int8_t* four_codes) {
  int quad;
  __builtin_memcpy(&quad, four_codes, sizeof quad);
  return _mm512_set1_epi32(quad);
}

void prefetch(const std::byte* from) {
  _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
}

void store(const PanelRun& run, std::size_t panel, std::size_t column, __m512 acc) {
  const auto row = panel * panel_rows;
  auto* const y = run.y + column * run.y_stride + row;
  const auto left = run.rows - row;
  const auto mask = left >= panel_rows ? __mmask16{0xffff} : static_cast<__mmask16>((1u << left) - 1);
  acc = _mm512_mul_ps(acc, _mm512_set1_ps(run.output_scale));
  if (run.accumulate) acc = _mm512_add_ps(_mm512_maskz_loadu_ps(mask, y), acc);
  _mm512_mask_storeu_ps(y, mask, acc);
}

// --- products -----------------------------------------------------------------------------------------------------------

/// Types that add up a group's 16 first and 16 last products apart have two dots a column, and so room for fewer columns.
template <class Codes, class Scales, const BlockLayout& layout>
struct Quantized {
  static_assert(!Scales::halves || Codes::zero != 128);
  static constexpr std::size_t columns_max = Scales::halves ? 8 : 12;
  static constexpr std::size_t block_bytes = layout.header_bytes + layout.groups * layout.group_bytes;

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
      const auto* const header = panel + group / layout.groups * block_bytes;
      const auto index = group % layout.groups;
      if (fetch) prefetch_group(panel, group);
      __m512i dot[C];
      __m512i last_dot[Scales::halves ? C : 1];
#pragma GCC unroll 12
      for (int c = 0; c < C; ++c) {
        dot[c] = start(scales[c][group], true, !Scales::halves);
        if constexpr (Scales::halves) last_dot[c] = start(scales[c][group], false, true);
      }
      const auto* const codes = header + layout.header_bytes + index * layout.group_bytes;
      quads<0, C>(codes, x, group, dot, last_dot);
      quads<1, C>(codes, x, group, dot, last_dot);
      quads<2, C>(codes, x, group, dot, last_dot);
      quads<3, C>(codes, x, group, dot, last_dot);
      const Scales weights{header, index};
#pragma GCC unroll 12
      for (int c = 0; c < C; ++c) {
        if constexpr (Scales::halves) {
          acc[c] = weights.add(dot[c], last_dot[c], scales[c][group], acc[c]);
        } else {
          acc[c] = weights.add(dot[c], scales[c][group], acc[c]);
        }
      }
    }
#pragma GCC unroll 12
    for (int c = 0; c < C; ++c) store(run, panel_index, column + c, acc[c]);
  }

 private:
  /// -zero times the sum of the activations of the halves that a dot meets. By a product of vectors and not of integers: that is
  /// broadcast from memory, which costs no port, and not from a general register.
  static __m512i start(const GroupScale& scale, bool first, bool last) {
    if constexpr (Codes::zero == 0) return _mm512_setzero_si512();
    if constexpr (Codes::zero == 128) return _mm512_set1_epi32(scale.minus_128_sums);
    const auto zeros = _mm512_set1_epi32((first ? -Codes::zero & 0xffff : 0) + (last ? -Codes::zero * 0x10000 : 0));
    return _mm512_madd_epi16(_mm512_set1_epi32(half_sums(scale)), zeros);
  }

  template <int j, int C, std::size_t N>
  [[gnu::always_inline]] static void quads(const std::byte* codes, const std::int8_t* const (&x)[C], std::size_t group, __m512i (&dot)[C],
                                           __m512i (&last_dot)[N]) {
    const auto w = Codes::template pair<j>(codes);
#pragma GCC unroll 12
    for (int c = 0; c < C; ++c) {
      const auto* const quad = x[c] + group * group_size + 4 * j;
      auto& last = Scales::halves ? last_dot[c % static_cast<int>(N)] : dot[c];
      dot[c] = _mm512_dpbusd_epi32(dot[c], w.first, broadcast(quad));
      last = _mm512_dpbusd_epi32(last, w.last, broadcast(quad + 16));
    }
  }

  static void prefetch_group(const std::byte* panel, std::size_t group) {
    constexpr auto bytes = block_bytes / layout.groups;
    const auto* const line = panel + group * bytes + prefetch_bytes;
#pragma GCC unroll 9
    for (std::size_t i = 0; i < bytes; i += vector_bytes) prefetch(line + i);
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

struct Bf16 {
  static constexpr std::size_t bytes = 32;
  static __m512 load(const std::byte* from) {
    const auto upper = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    return _mm512_castsi512_ps(_mm512_slli_epi32(upper, 16));
  }
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

const MatmulKernels matmul_kernels_avx512 = SPILLWAY_MATMUL_KERNELS;

}  // namespace spillway::kernels
