#pragma once

#include <immintrin.h>

#include "kernels/pack_layout.h"
#include "kernels/quantize_layout.h"

// How AVX-512 code reads a panel: codes and scales of the types of quantised weights. Part of matmul_avx512.cc, which alone includes it:
// everything lies in a namespace of its own, as nothing that is compiled for one instruction set may be shared with others.
namespace spillway::kernels::formats_avx512 {

using layout::byte_row_bytes;
using layout::byte_rows_offset;
using layout::half_row_bytes;
using layout::k_min_offset;
using layout::vector_bytes;

inline __m512 load_halves(const std::byte* from) {
  return _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
}

inline __m512i load(const std::byte* from) {
  return _mm512_loadu_si512(from);
}

/// Bits of each byte moved up by `shift`, or down if it is negative; what comes from a neighbour is the caller's to mask.
template <int shift>
inline __m512i moved(__m512i v) {
  if constexpr (shift > 0) return _mm512_slli_epi16(v, shift);
  if constexpr (shift < 0) return _mm512_srli_epi16(v, -shift);
  return v;
}

/// (v & mask) | below
inline __m512i masked_onto(__m512i v, int mask, __m512i below) {
  return _mm512_ternarylogic_epi32(v, _mm512_set1_epi8(static_cast<char>(mask)), below, 0xea);
}

// --- codes --------------------------------------------------------------------------------------------------------------
// Each gives the quads j and j + 4 of a group as unsigned bytes: codes plus `zero`. The dot product starts at -zero times the sum
// of the activations, which takes it out again.

struct Pair {
  __m512i first;  ///< meets the activations 4j.. of the group
  __m512i last;   ///< and these 16 + 4j..
};

template <int zero_point>
struct Bits4 {
  static constexpr int zero = zero_point;
  static constexpr std::size_t plane_bytes = 4 * vector_bytes;
  template <int j>
  static Pair pair(const std::byte* codes) {
    const auto nibble = _mm512_set1_epi8(15);
    const auto both = load(codes + j * vector_bytes);
    return {_mm512_and_si512(both, nibble), _mm512_and_si512(moved<-4>(both), nibble)};
  }
};

/// Quads j and j + 4 of a plane of two bits, at bit `to`, with other bits around them.
template <int j, int to>
inline Pair crumbs(const std::byte* plane) {
  const auto four = load(plane + j / 2 * vector_bytes);
  return {moved<to - j % 2 * 4>(four), moved<to - j % 2 * 4 - 2>(four)};
}

/// The same of a plane of one bit.
template <int j, int to>
inline Pair bits(const std::byte* plane) {
  const auto eight = load(plane);
  return {moved<to - j>(eight), moved<to - j - 4>(eight)};
}

template <int zero_point>
struct Bits5 {
  static constexpr int zero = zero_point;
  template <int j>
  static Pair pair(const std::byte* codes) {
    const auto low = Bits4<0>::pair<j>(codes);
    const auto high = bits<j, 4>(codes + Bits4<0>::plane_bytes);
    return {masked_onto(high.first, 16, low.first), masked_onto(high.last, 16, low.last)};
  }
};

struct Bits6 {
  static constexpr int zero = 32;
  template <int j>
  static Pair pair(const std::byte* codes) {
    const auto low = Bits4<0>::pair<j>(codes);
    const auto high = crumbs<j, 4>(codes + Bits4<0>::plane_bytes);
    return {masked_onto(high.first, 48, low.first), masked_onto(high.last, 48, low.last)};
  }
};

struct Bits8 {
  static constexpr int zero = 128;
  template <int j>
  static Pair pair(const std::byte* codes) {
    return {load(codes + j * vector_bytes), load(codes + (j + 4) * vector_bytes)};
  }
};

template <int zero_point>
struct Bits2 {
  static constexpr int zero = zero_point;
  static constexpr std::size_t plane_bytes = 2 * vector_bytes;
  template <int j>
  static Pair pair(const std::byte* codes) {
    const auto crumb = _mm512_set1_epi8(3);
    const auto both = crumbs<j, 0>(codes);
    return {_mm512_and_si512(both.first, crumb), _mm512_and_si512(both.last, crumb)};
  }
};

struct Bits3 {
  static constexpr int zero = 4;
  template <int j>
  static Pair pair(const std::byte* codes) {
    const auto low = Bits2<0>::pair<j>(codes);
    const auto high = bits<j, 2>(codes + Bits2<0>::plane_bytes);
    return {masked_onto(high.first, 4, low.first), masked_onto(high.last, 4, low.last)};
  }
};

/// A bit is -1 or 1: 0 or 2, less 1.
struct Bits1 {
  static constexpr int zero = 1;
  template <int j>
  static Pair pair(const std::byte* codes) {
    const auto two = _mm512_set1_epi8(2);
    const auto both = bits<j, 1>(codes);
    return {_mm512_and_si512(both.first, two), _mm512_and_si512(both.last, two)};
  }
};

/// Nibbles through a table of 16 bytes.
template <class Table>
struct Looked {
  static constexpr int zero = Table::zero;
  template <int j>
  static Pair pair(const std::byte* codes) {
    const auto table = _mm512_broadcast_i32x4(Table::values());
    const auto both = Bits4<0>::pair<j>(codes);
    return {_mm512_shuffle_epi8(table, both.first), _mm512_shuffle_epi8(table, both.last)};
  }
};

struct Iq4Table {
  static constexpr int zero = 128;
  static __m128i values() {
    const auto signed_values = _mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113);
    return _mm_xor_si128(signed_values, _mm_set1_epi8(-128));
  }
};

struct Fp4Table {
  static constexpr int zero = 12;
  static __m128i values() { return _mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0); }
};

using Iq4 = Looked<Iq4Table>;
using Fp4 = Looked<Fp4Table>;

// --- scales -------------------------------------------------------------------------------------------------------------
// `header` is a block's, `index` a group's in the block.

inline __m512 load_bytes(const std::byte* from) {
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}

inline __m512 load_signed(const std::byte* from) {
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from))));
}

inline __m512 negative(__m512 v) {
  return _mm512_xor_ps(v, _mm512_set1_ps(-0.0f));
}

inline int half_sums(const GroupScale& scale) {
  int both;
  __builtin_memcpy(&both, scale.half_sums, sizeof both);
  return both;
}

/// acc = fma(d * scale, n, acc)
inline __m512 add_scaled(__m512 d, float scale, __m512 n, __m512 acc) {
  return _mm512_fmadd_ps(_mm512_mul_ps(d, _mm512_set1_ps(scale)), n, acc);
}

/// One f16 for each of `scale_groups` groups.
template <std::size_t scale_groups>
struct Plain {
  static constexpr bool halves = false;
  __m512 d;
  Plain(const std::byte* header, std::size_t index) : d{load_halves(header + index / scale_groups * half_row_bytes)} {}
  __m512 add(__m512i dot, const GroupScale& scale, __m512 acc) const { return add_scaled(d, scale.scale, _mm512_cvtepi32_ps(dot), acc); }
};

struct WithMin {
  static constexpr bool halves = false;
  __m512 d;
  __m512 m;
  WithMin(const std::byte* header, std::size_t) : d{load_halves(header)}, m{load_halves(header + half_row_bytes)} {}
  __m512 add(__m512i dot, const GroupScale& scale, __m512 acc) const {
    const auto s = _mm512_set1_ps(scale.scale);
    acc = _mm512_fmadd_ps(_mm512_mul_ps(d, s), _mm512_cvtepi32_ps(dot), acc);
    return _mm512_fmadd_ps(_mm512_mul_ps(m, s), _mm512_set1_ps(scale.sum), acc);
  }
};

/// d and dmin, and for each group a byte that multiplies each, both exactly.
struct KScales : WithMin {
  KScales(const std::byte* header, std::size_t index) : WithMin{header, index} {
    d = _mm512_mul_ps(d, load_bytes(header + byte_rows_offset + index * byte_row_bytes));
    m = negative(_mm512_mul_ps(m, load_bytes(header + k_min_offset + index * byte_row_bytes)));
  }
};

/// 2^(e - 128), of which the least two are subnormal.
struct Exponents : Plain<1> {
  Exponents(const std::byte* header, std::size_t index) : Plain{header, 0} {
    const auto e = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(header + index * byte_row_bytes)));
    const auto normal = _mm512_slli_epi32(_mm512_sub_epi32(e, _mm512_set1_epi32(1)), 23);
    const auto subnormal = _mm512_sllv_epi32(_mm512_set1_epi32(0x00200000), e);
    d = _mm512_castsi512_ps(_mm512_mask_blend_epi32(_mm512_cmplt_epi32_mask(e, _mm512_set1_epi32(2)), normal, subnormal));
  }
};

/// E4M3 without sign, halved, for 16 codes each: as an f16 with the same bits it is 2^7 times less.
struct E4m3Halves {
  static constexpr bool halves = true;
  __m512 d[2];
  E4m3Halves(const std::byte* header, std::size_t index) {
    for (std::size_t half = 0; half < 2; ++half) {
      const auto* const row = header + (2 * index + half) * byte_row_bytes;
      const auto wide = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(row)));
      d[half] = _mm512_mul_ps(_mm512_cvtph_ps(_mm256_slli_epi16(wide, 7)), _mm512_set1_ps(128.0f));
    }
  }
  __m512 add(__m512i first, __m512i last, const GroupScale& scale, __m512 acc) const {
    acc = add_scaled(d[0], scale.scale, _mm512_cvtepi32_ps(first), acc);
    return add_scaled(d[1], scale.scale, _mm512_cvtepi32_ps(last), acc);
  }
};

/// d, and a signed byte for 16 codes each. What stays below 2^24 is as exact in f32 as in int32.
struct SignedHalves {
  static constexpr bool halves = true;
  __m512 d;
  __m512 numbers[2];
  SignedHalves(const std::byte* header, std::size_t index) : d{load_halves(header + index / 8 * half_row_bytes)} {
    for (std::size_t half = 0; half < 2; ++half)
      numbers[half] = load_signed(header + byte_rows_offset + (2 * index + half) * byte_row_bytes);
  }
  __m512 add(__m512i first, __m512i last, const GroupScale& scale, __m512 acc) const {
    const auto n = _mm512_fmadd_ps(numbers[0], _mm512_cvtepi32_ps(first), _mm512_mul_ps(numbers[1], _mm512_cvtepi32_ps(last)));
    return add_scaled(d, scale.scale, n, acc);
  }
};

/// d and dmin, and a byte for 16 codes each: scale low, minimum high.
struct NibbleHalves {
  static constexpr bool halves = true;
  __m512 d;
  __m512 m;
  __m512 numbers[2];
  __m512i mins;  ///< of each row: of the first 16 low, of the last high, as int16
  NibbleHalves(const std::byte* header, std::size_t index)
      : d{load_halves(header)}, m{negative(load_halves(header + half_row_bytes))}, mins{_mm512_setzero_si512()} {
    const auto nibble = _mm512_set1_epi32(15);
    for (std::size_t half = 0; half < 2; ++half) {
      const auto* const row = header + byte_rows_offset + (2 * index + half) * byte_row_bytes;
      const auto both = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(row)));
      numbers[half] = _mm512_cvtepi32_ps(_mm512_and_si512(both, nibble));
      const auto min = _mm512_srli_epi32(both, 4);
      mins = half == 0 ? min : _mm512_or_si512(mins, _mm512_slli_epi32(min, 16));
    }
  }
  __m512 add(__m512i first, __m512i last, const GroupScale& scale, __m512 acc) const {
    const auto n = _mm512_fmadd_ps(numbers[0], _mm512_cvtepi32_ps(first), _mm512_mul_ps(numbers[1], _mm512_cvtepi32_ps(last)));
    acc = add_scaled(d, scale.scale, n, acc);
    const auto sums = _mm512_set1_epi32(half_sums(scale));
    return add_scaled(m, scale.scale, _mm512_cvtepi32_ps(_mm512_madd_epi16(mins, sums)), acc);
  }
};

}  // namespace spillway::kernels::formats_avx512
