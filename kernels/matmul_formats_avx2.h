#pragma once

#include <immintrin.h>

#include "kernels/pack_layout.h"
#include "kernels/quantize_layout.h"

// How AVX2 code reads a panel: codes and scales of the types of quantised weights. Part of matmul_avx2.cc, which alone includes it:
// everything lies in a namespace of its own, as nothing that is compiled for one instruction set may be shared with others.
namespace spillway::kernels::formats_avx2 {

using layout::byte_row_bytes;
using layout::byte_rows_offset;
using layout::half_row_bytes;
using layout::k_min_offset;
using layout::vector_bytes;

inline constexpr std::size_t half_rows = 8;

inline __m256i load(const std::byte* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}

inline __m256 load_halves(const std::byte* from) {
  return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}

/// Bits of each byte moved up by `shift`, or down if it is negative; what comes from a neighbour is the caller's to mask.
template <int shift>
inline __m256i moved(__m256i v) {
  if constexpr (shift > 0) return _mm256_slli_epi16(v, shift);
  if constexpr (shift < 0) return _mm256_srli_epi16(v, -shift);
  return v;
}

inline __m256i masked(__m256i v, int mask) {
  return _mm256_and_si256(v, _mm256_set1_epi8(static_cast<char>(mask)));
}

// --- codes --------------------------------------------------------------------------------------------------------------
// Each gives the quads j and j + 4 of a group, of 8 rows. `max` is the largest of the bytes. Unsigned ones are codes plus `zero`:
// zero times the sum of the activations is taken out of a finished dot. Signed ones may have any value but for that.

struct Pair {
  __m256i first;  ///< meets the activations 4j.. of the group
  __m256i last;   ///< and these 16 + 4j..
};

struct Unsigned {
  static constexpr bool is_signed = false;
};
struct Signed {
  static constexpr bool is_signed = true;
  static constexpr int zero = 0;
  static constexpr int max = 128;
};

template <int zero_point>
struct Bits4 : Unsigned {
  static constexpr int zero = zero_point;
  static constexpr int max = 15;
  static constexpr std::size_t plane_bytes = 4 * vector_bytes;
  template <int j>
  static Pair pair(const std::byte* codes) {
    const auto both = load(codes + j * vector_bytes);
    return {masked(both, 15), masked(moved<-4>(both), 15)};
  }
};

/// Quads j and j + 4 of a plane of two bits, at bit `to`, without what is around them.
template <int j, int to>
inline Pair crumbs(const std::byte* plane) {
  const auto four = load(plane + j / 2 * vector_bytes);
  return {masked(moved<to - j % 2 * 4>(four), 3 << to), masked(moved<to - j % 2 * 4 - 2>(four), 3 << to)};
}

/// The same of a plane of one bit.
template <int j, int to>
inline Pair bits(const std::byte* plane) {
  const auto eight = load(plane);
  return {masked(moved<to - j>(eight), 1 << to), masked(moved<to - j - 4>(eight), 1 << to)};
}

inline Pair both_of(const Pair& low, const Pair& high) {
  return {_mm256_or_si256(low.first, high.first), _mm256_or_si256(low.last, high.last)};
}

template <int zero_point>
struct Bits5 : Unsigned {
  static constexpr int zero = zero_point;
  static constexpr int max = 31;
  template <int j>
  static Pair pair(const std::byte* codes) {
    return both_of(Bits4<0>::pair<j>(codes), bits<j, 4>(codes + Bits4<0>::plane_bytes));
  }
};

struct Bits6 : Unsigned {
  static constexpr int zero = 32;
  static constexpr int max = 63;
  template <int j>
  static Pair pair(const std::byte* codes) {
    return both_of(Bits4<0>::pair<j>(codes), crumbs<j, 4>(codes + Bits4<0>::plane_bytes));
  }
};

struct Bits8 : Signed {
  template <int j>
  static Pair pair(const std::byte* codes) {
    const auto offset = _mm256_set1_epi8(-128);
    return {_mm256_xor_si256(load(codes + j * vector_bytes), offset), _mm256_xor_si256(load(codes + (j + 4) * vector_bytes), offset)};
  }
};

template <int zero_point>
struct Bits2 : Unsigned {
  static constexpr int zero = zero_point;
  static constexpr int max = 3;
  template <int j>
  static Pair pair(const std::byte* codes) {
    return crumbs<j, 0>(codes);
  }
};

struct Bits3 : Unsigned {
  static constexpr int zero = 4;
  static constexpr int max = 7;
  template <int j>
  static Pair pair(const std::byte* codes) {
    return both_of(crumbs<j, 0>(codes), bits<j, 2>(codes + 2 * vector_bytes));
  }
};

/// A bit is -1 or 1: 0 or 2, less 1.
struct Bits1 : Unsigned {
  static constexpr int zero = 1;
  static constexpr int max = 2;
  template <int j>
  static Pair pair(const std::byte* codes) {
    return bits<j, 1>(codes);
  }
};

/// Nibbles through a table of 16 bytes.
inline Pair looked_up(__m128i values, const Pair& codes) {
  const auto table = _mm256_broadcastsi128_si256(values);
  return {_mm256_shuffle_epi8(table, codes.first), _mm256_shuffle_epi8(table, codes.last)};
}

struct Iq4 : Signed {
  template <int j>
  static Pair pair(const std::byte* codes) {
    return looked_up(_mm_setr_epi8(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113), Bits4<0>::pair<j>(codes));
  }
};

struct Fp4 : Unsigned {
  static constexpr int zero = 12;
  static constexpr int max = 24;
  template <int j>
  static Pair pair(const std::byte* codes) {
    return looked_up(_mm_setr_epi8(12, 13, 14, 15, 16, 18, 20, 24, 12, 11, 10, 9, 8, 6, 4, 0), Bits4<0>::pair<j>(codes));
  }
};

// --- scales -------------------------------------------------------------------------------------------------------------
// `header` is a block's, at the half's lanes of rows of halves; rows of bytes have them `half` times 8 earlier.

inline __m256i load_bytes(const std::byte* from) {
  return _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(from)));
}

inline __m256 negative(__m256 v) {
  return _mm256_xor_ps(v, _mm256_set1_ps(-0.0f));
}

inline int half_sums(const GroupScale& scale) {
  int both;
  __builtin_memcpy(&both, scale.half_sums, sizeof both);
  return both;
}

/// acc = fma(d * scale, float(n), acc)
inline __m256 add_scaled(__m256 d, float scale, __m256i n, __m256 acc) {
  return _mm256_fmadd_ps(_mm256_mul_ps(d, _mm256_set1_ps(scale)), _mm256_cvtepi32_ps(n), acc);
}

struct Header {
  const std::byte* block;
  std::size_t half;   ///< of the panel's rows
  std::size_t index;  ///< of the group in the block
  __m256 halves(std::size_t row) const { return load_halves(block + row * half_row_bytes + half * 16); }
  __m256i bytes(std::size_t offset, std::size_t row) const { return load_bytes(block + offset + row * byte_row_bytes + half * half_rows); }
};

/// How the two halves of a group are added up.
enum class Sums {
  together,  ///< one dot
  apart,     ///< each with its own float scale
  numbers    ///< as integers, each times its own
};

/// One f16 for each of `scale_groups` groups.
template <std::size_t scale_groups>
struct Plain {
  static constexpr auto sums = Sums::together;
  __m256 d;
  explicit Plain(const Header& header) : d{header.halves(header.index / scale_groups)} {}
  __m256 add(__m256i dot, const GroupScale& scale, __m256 acc) const { return add_scaled(d, scale.scale, dot, acc); }
};

struct WithMin {
  static constexpr auto sums = Sums::together;
  __m256 d;
  __m256 m;
  explicit WithMin(const Header& header) : d{header.halves(0)}, m{header.halves(1)} {}
  __m256 add(__m256i dot, const GroupScale& scale, __m256 acc) const {
    const auto s = _mm256_set1_ps(scale.scale);
    acc = _mm256_fmadd_ps(_mm256_mul_ps(d, s), _mm256_cvtepi32_ps(dot), acc);
    return _mm256_fmadd_ps(_mm256_mul_ps(m, s), _mm256_set1_ps(scale.sum), acc);
  }
};

/// d and dmin, and for each group a byte that multiplies each, both exactly.
struct KScales : WithMin {
  explicit KScales(const Header& header) : WithMin{header} {
    d = _mm256_mul_ps(d, _mm256_cvtepi32_ps(header.bytes(byte_rows_offset, header.index)));
    m = negative(_mm256_mul_ps(m, _mm256_cvtepi32_ps(header.bytes(k_min_offset, header.index))));
  }
};

/// 2^(e - 128), of which the least two are subnormal.
struct Exponents {
  static constexpr auto sums = Sums::together;
  __m256 d;
  explicit Exponents(const Header& header) {
    const auto e = header.bytes(0, header.index);
    const auto normal = _mm256_slli_epi32(_mm256_sub_epi32(e, _mm256_set1_epi32(1)), 23);
    const auto subnormal = _mm256_sllv_epi32(_mm256_set1_epi32(0x00200000), e);
    d = _mm256_castsi256_ps(_mm256_blendv_epi8(normal, subnormal, _mm256_cmpgt_epi32(_mm256_set1_epi32(2), e)));
  }
  __m256 add(__m256i dot, const GroupScale& scale, __m256 acc) const { return add_scaled(d, scale.scale, dot, acc); }
};

/// E4M3 without sign, halved, for 16 codes each: as an f16 with the same bits it is 2^7 times less.
struct E4m3Halves {
  static constexpr auto sums = Sums::apart;
  __m256 d[2];
  explicit E4m3Halves(const Header& header) {
    for (std::size_t half = 0; half < 2; ++half) {
      const auto code = _mm256_slli_epi32(header.bytes(0, 2 * header.index + half), 7);
      const auto f16 = _mm_packus_epi32(_mm256_castsi256_si128(code), _mm256_extracti128_si256(code, 1));
      d[half] = _mm256_mul_ps(_mm256_cvtph_ps(f16), _mm256_set1_ps(128.0f));
    }
  }
  __m256 add(__m256i first, __m256i last, const GroupScale& scale, __m256 acc) const {
    return add_scaled(d[1], scale.scale, last, add_scaled(d[0], scale.scale, first, acc));
  }
};

/// An int32 in each lane as two int16.
inline __m256i twice(__m256i v) {
  return _mm256_or_si256(_mm256_and_si256(v, _mm256_set1_epi32(0xffff)), _mm256_slli_epi32(v, 16));
}

/// d, and a signed byte for 16 codes each.
struct SignedHalves {
  static constexpr auto sums = Sums::numbers;
  __m256 d;
  __m256i numbers[2];  ///< each row's twice, as int16
  explicit SignedHalves(const Header& header) : d{header.halves(header.index / 8)} {
    for (std::size_t half = 0; half < 2; ++half) {
      const auto number = header.bytes(byte_rows_offset, 2 * header.index + half);
      numbers[half] = twice(_mm256_srai_epi32(_mm256_slli_epi32(number, 24), 24));
    }
  }
  __m256 add(__m256i n, const GroupScale& scale, __m256 acc) const { return add_scaled(d, scale.scale, n, acc); }
};

/// d and dmin, and a byte for 16 codes each: scale low, minimum high.
struct NibbleHalves {
  static constexpr auto sums = Sums::numbers;
  __m256 d;
  __m256 m;
  __m256i numbers[2];  ///< each row's twice, as int16
  __m256i mins;        ///< of each row: of the first 16 low, of the last high, as int16
  explicit NibbleHalves(const Header& header) : d{header.halves(0)}, m{negative(header.halves(1))} {
    __m256i min[2];
    for (std::size_t half = 0; half < 2; ++half) {
      const auto both = header.bytes(byte_rows_offset, 2 * header.index + half);
      numbers[half] = twice(_mm256_and_si256(both, _mm256_set1_epi32(15)));
      min[half] = _mm256_srli_epi32(both, 4);
    }
    mins = _mm256_or_si256(min[0], _mm256_slli_epi32(min[1], 16));
  }
  __m256 add(__m256i n, const GroupScale& scale, __m256 acc) const {
    acc = add_scaled(d, scale.scale, n, acc);
    return add_scaled(m, scale.scale, _mm256_madd_epi16(mins, _mm256_set1_epi32(half_sums(scale))), acc);
  }
};

}  // namespace spillway::kernels::formats_avx2
