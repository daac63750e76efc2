#pragma once

// Sixteen float lanes, whatever the register width: one __m512, two __m256 or a plain array. Every vector op of this folder is
// written once in terms of these functions and compiled once per instruction set (vector_ops_scalar.cc, _avx2.cc, _avx512.cc),
// so the arithmetic, and with it every bit, is the same on all three. Only those files include this header.
//
// Everything lies in a namespace of its own per instruction set: an inline function must never be shared between them. For the
// same reason nothing of std:: is called here.

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(SPILLWAY_LANES_AVX512) || defined(SPILLWAY_LANES_AVX2)
#include <immintrin.h>
#else
#include "kernels/float16.h"
#endif

#if defined(SPILLWAY_LANES_AVX512)
#define SPILLWAY_LANES lanes_avx512
#elif defined(SPILLWAY_LANES_AVX2)
#define SPILLWAY_LANES lanes_avx2
#elif defined(SPILLWAY_LANES_SCALAR)
#define SPILLWAY_LANES lanes_scalar
#else
#error "lanes.h is compiled once per instruction set; define SPILLWAY_LANES_<ISA>"
#endif

namespace spillway::kernels::SPILLWAY_LANES {

inline constexpr std::size_t lanes = 16;

inline std::uint32_t float_bits(float x) {
  std::uint32_t u = 0;
  std::memcpy(&u, &x, sizeof u);
  return u;
}
inline float bits_float(std::uint32_t u) {
  float x = 0;
  std::memcpy(&x, &u, sizeof x);
  return x;
}

#if defined(SPILLWAY_LANES_AVX512)

struct F16 {
  __m512 v;
};
struct Mask {
  __mmask16 m;
};

inline F16 set1(float x) {
  return {_mm512_set1_ps(x)};
}
inline F16 load(const float* p) {
  return {_mm512_loadu_ps(p)};
}
/// First `n` of 16 lanes, the others 0.
inline F16 load_n(const float* p, std::size_t n) {
  return {_mm512_maskz_loadu_ps(static_cast<__mmask16>((1U << n) - 1U), p)};
}
inline void store(float* p, F16 a) {
  _mm512_storeu_ps(p, a.v);
}
inline void store_n(float* p, F16 a, std::size_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1U << n) - 1U), a.v);
}
inline F16 add(F16 a, F16 b) {
  return {_mm512_add_ps(a.v, b.v)};
}
inline F16 sub(F16 a, F16 b) {
  return {_mm512_sub_ps(a.v, b.v)};
}
inline F16 mul(F16 a, F16 b) {
  return {_mm512_mul_ps(a.v, b.v)};
}
inline F16 div(F16 a, F16 b) {
  return {_mm512_div_ps(a.v, b.v)};
}
/// a * b + c, rounded once.
inline F16 fma(F16 a, F16 b, F16 c) {
  return {_mm512_fmadd_ps(a.v, b.v, c.v)};
}
/// a > b ? a : b, so b where either is not a number.
inline F16 max(F16 a, F16 b) {
  return {_mm512_max_ps(a.v, b.v)};
}
/// a < b ? a : b
inline F16 min(F16 a, F16 b) {
  return {_mm512_min_ps(a.v, b.v)};
}
inline F16 rint(F16 a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
inline Mask less(F16 a, F16 b) {
  return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)};
}
inline Mask unordered(F16 a) {
  return {_mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q)};
}
inline F16 select(Mask m, F16 yes, F16 no) {
  return {_mm512_mask_blend_ps(m.m, no.v, yes.v)};
}
/// 2^n for integral n in [-126, 127].
inline F16 pow2(F16 n) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(_mm512_add_epi32(_mm512_cvtps_epi32(n.v), _mm512_set1_epi32(127)), 23))};
}
/// Per lane: (bits(a) & mask) | or_bits, for masks that are the same in every lane.
inline F16 and_or(F16 a, std::uint32_t mask, std::uint32_t or_bits) {
  const auto kept = _mm512_and_si512(_mm512_castps_si512(a.v), _mm512_set1_epi32(static_cast<int>(mask)));
  return {_mm512_castsi512_ps(_mm512_or_si512(kept, _mm512_set1_epi32(static_cast<int>(or_bits))))};
}
/// Biased exponent as a float.
inline F16 exponent(F16 a) {
  return {_mm512_cvtepi32_ps(_mm512_srli_epi32(_mm512_castps_si512(a.v), 23))};
}
/// Lanes whose integral value has bit `bit` set (two's complement, |a| < 2^31).
inline Mask has_bit(F16 a, int bit) {
  return {_mm512_test_epi32_mask(_mm512_cvtps_epi32(a.v), _mm512_set1_epi32(1 << bit))};
}
/// (x1, x0, x3, x2, ...)
inline F16 swap_pairs(F16 a) {
  return {_mm512_permute_ps(a.v, 0xb1)};
}
inline F16 load_half(const std::uint16_t* p) {
  return {_mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
}
inline void store_half(std::uint16_t* p, F16 a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
/// The fixed tree: lanes i and i + 8, then i + 4, i + 2, i + 1.
inline float sum(F16 a) {
  const __m256 s8 = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
inline float max_lane(F16 a) {
  const __m256 s8 = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}

#elif defined(SPILLWAY_LANES_AVX2)

struct F16 {
  __m256 lo, hi;
};
struct Mask {
  __m256 lo, hi;
};

inline __m256i first_n(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline F16 set1(float x) {
  return {_mm256_set1_ps(x), _mm256_set1_ps(x)};
}
inline F16 load(const float* p) {
  return {_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}
inline F16 load_n(const float* p, std::size_t n) {
  const int k = static_cast<int>(n);
  return {_mm256_maskload_ps(p, first_n(k)), _mm256_maskload_ps(k > 8 ? p + 8 : p, first_n(k - 8))};
}
inline void store(float* p, F16 a) {
  _mm256_storeu_ps(p, a.lo);
  _mm256_storeu_ps(p + 8, a.hi);
}
inline void store_n(float* p, F16 a, std::size_t n) {
  const int k = static_cast<int>(n);
  _mm256_maskstore_ps(p, first_n(k), a.lo);
  if (k > 8) _mm256_maskstore_ps(p + 8, first_n(k - 8), a.hi);
}
inline F16 add(F16 a, F16 b) {
  return {_mm256_add_ps(a.lo, b.lo), _mm256_add_ps(a.hi, b.hi)};
}
inline F16 sub(F16 a, F16 b) {
  return {_mm256_sub_ps(a.lo, b.lo), _mm256_sub_ps(a.hi, b.hi)};
}
inline F16 mul(F16 a, F16 b) {
  return {_mm256_mul_ps(a.lo, b.lo), _mm256_mul_ps(a.hi, b.hi)};
}
inline F16 div(F16 a, F16 b) {
  return {_mm256_div_ps(a.lo, b.lo), _mm256_div_ps(a.hi, b.hi)};
}
inline F16 fma(F16 a, F16 b, F16 c) {
  return {_mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi)};
}
inline F16 max(F16 a, F16 b) {
  return {_mm256_max_ps(a.lo, b.lo), _mm256_max_ps(a.hi, b.hi)};
}
inline F16 min(F16 a, F16 b) {
  return {_mm256_min_ps(a.lo, b.lo), _mm256_min_ps(a.hi, b.hi)};
}
inline F16 rint(F16 a) {
  constexpr int mode = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;
  return {_mm256_round_ps(a.lo, mode), _mm256_round_ps(a.hi, mode)};
}
inline Mask less(F16 a, F16 b) {
  return {_mm256_cmp_ps(a.lo, b.lo, _CMP_LT_OQ), _mm256_cmp_ps(a.hi, b.hi, _CMP_LT_OQ)};
}
inline Mask unordered(F16 a) {
  return {_mm256_cmp_ps(a.lo, a.lo, _CMP_UNORD_Q), _mm256_cmp_ps(a.hi, a.hi, _CMP_UNORD_Q)};
}
inline F16 select(Mask m, F16 yes, F16 no) {
  return {_mm256_blendv_ps(no.lo, yes.lo, m.lo), _mm256_blendv_ps(no.hi, yes.hi, m.hi)};
}
inline __m256 pow2_half(__m256 n) {
  return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127)), 23));
}
inline F16 pow2(F16 n) {
  return {pow2_half(n.lo), pow2_half(n.hi)};
}
inline F16 and_or(F16 a, std::uint32_t mask, std::uint32_t or_bits) {
  const auto m = _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(mask)));
  const auto o = _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(or_bits)));
  return {_mm256_or_ps(_mm256_and_ps(a.lo, m), o), _mm256_or_ps(_mm256_and_ps(a.hi, m), o)};
}
inline F16 exponent(F16 a) {
  return {_mm256_cvtepi32_ps(_mm256_srli_epi32(_mm256_castps_si256(a.lo), 23)),
          _mm256_cvtepi32_ps(_mm256_srli_epi32(_mm256_castps_si256(a.hi), 23))};
}
inline __m256 has_bit_half(__m256 a, int bit) {
  const auto b = _mm256_set1_epi32(1 << bit);
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_cvtps_epi32(a), b), b));
}
inline Mask has_bit(F16 a, int bit) {
  return {has_bit_half(a.lo, bit), has_bit_half(a.hi, bit)};
}
inline F16 swap_pairs(F16 a) {
  return {_mm256_permute_ps(a.lo, 0xb1), _mm256_permute_ps(a.hi, 0xb1)};
}
inline F16 load_half(const std::uint16_t* p) {
  return {_mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))),
          _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 8)))};
}
inline void store_half(std::uint16_t* p, F16 a) {
  constexpr int mode = _MM_FROUND_TO_NEAREST_INT;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.lo, mode));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p + 8), _mm256_cvtps_ph(a.hi, mode));
}
inline float sum(F16 a) {
  const __m256 s8 = _mm256_add_ps(a.lo, a.hi);
  const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_add_ss(s2, _mm_movehdup_ps(s2)));
}
inline float max_lane(F16 a) {
  const __m256 s8 = _mm256_max_ps(a.lo, a.hi);
  const __m128 s4 = _mm_max_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
  const __m128 s2 = _mm_max_ps(s4, _mm_movehl_ps(s4, s4));
  return _mm_cvtss_f32(_mm_max_ss(s2, _mm_movehdup_ps(s2)));
}

#else

struct F16 {
  float v[16];
};
struct Mask {
  bool m[16];
};

template <class F>
inline F16 each(F f) {
  F16 r;
  for (std::size_t i = 0; i < lanes; ++i) r.v[i] = f(i);
  return r;
}
template <class F>
inline Mask each_mask(F f) {
  Mask r;
  for (std::size_t i = 0; i < lanes; ++i) r.m[i] = f(i);
  return r;
}
inline F16 set1(float x) {
  return each([&](std::size_t) { return x; });
}
inline F16 load_n(const float* p, std::size_t n) {
  return each([&](std::size_t i) { return i < n ? p[i] : 0.0F; });
}
inline F16 load(const float* p) {
  return load_n(p, lanes);
}
inline void store_n(float* p, F16 a, std::size_t n) {
  std::memcpy(p, a.v, n * sizeof(float));
}
inline void store(float* p, F16 a) {
  store_n(p, a, lanes);
}
inline F16 add(F16 a, F16 b) {
  return each([&](std::size_t i) { return a.v[i] + b.v[i]; });
}
inline F16 sub(F16 a, F16 b) {
  return each([&](std::size_t i) { return a.v[i] - b.v[i]; });
}
inline F16 mul(F16 a, F16 b) {
  return each([&](std::size_t i) { return a.v[i] * b.v[i]; });
}
inline F16 div(F16 a, F16 b) {
  return each([&](std::size_t i) { return a.v[i] / b.v[i]; });
}
inline F16 fma(F16 a, F16 b, F16 c) {
  return each([&](std::size_t i) { return __builtin_fmaf(a.v[i], b.v[i], c.v[i]); });
}
inline F16 max(F16 a, F16 b) {
  return each([&](std::size_t i) { return a.v[i] > b.v[i] ? a.v[i] : b.v[i]; });
}
inline F16 min(F16 a, F16 b) {
  return each([&](std::size_t i) { return a.v[i] < b.v[i] ? a.v[i] : b.v[i]; });
}
/// Nearest integer, ties to even, for any float; the sign of a zero result is the argument's.
inline float rint_one(float x) {
  const float magnitude = bits_float(float_bits(x) & 0x7fffffffU);
  if (!(magnitude < 0x1p23F)) return x;
  const float rounded = (magnitude + 0x1p23F) - 0x1p23F;
  return bits_float(float_bits(rounded) | (float_bits(x) & 0x80000000U));
}
inline F16 rint(F16 a) {
  return each([&](std::size_t i) { return rint_one(a.v[i]); });
}
inline Mask less(F16 a, F16 b) {
  return each_mask([&](std::size_t i) { return a.v[i] < b.v[i]; });
}
inline Mask unordered(F16 a) {
  return each_mask([&](std::size_t i) { return (float_bits(a.v[i]) & 0x7fffffffU) > 0x7f800000U; });
}
inline F16 select(Mask m, F16 yes, F16 no) {
  return each([&](std::size_t i) { return m.m[i] ? yes.v[i] : no.v[i]; });
}
/// As the hardware converts: out of range and not-a-number give the smallest integer.
inline std::int32_t to_int(float x) {
  return x > -0x1p31F && x < 0x1p31F ? static_cast<std::int32_t>(x) : INT32_MIN;
}
inline F16 pow2(F16 n) {
  return each([&](std::size_t i) { return bits_float((static_cast<std::uint32_t>(to_int(n.v[i])) + 127U) << 23); });
}
inline F16 and_or(F16 a, std::uint32_t mask, std::uint32_t or_bits) {
  return each([&](std::size_t i) { return bits_float((float_bits(a.v[i]) & mask) | or_bits); });
}
inline F16 exponent(F16 a) {
  return each([&](std::size_t i) { return static_cast<float>(float_bits(a.v[i]) >> 23); });
}
inline Mask has_bit(F16 a, int bit) {
  return each_mask([&](std::size_t i) { return ((static_cast<std::uint32_t>(to_int(a.v[i])) >> bit) & 1U) != 0; });
}
inline F16 swap_pairs(F16 a) {
  return each([&](std::size_t i) { return a.v[i ^ 1U]; });
}
inline F16 load_half(const std::uint16_t* p) {
  return each([&](std::size_t i) { return f16_to_f32(p[i]); });
}
inline void store_half(std::uint16_t* p, F16 a) {
  for (std::size_t i = 0; i < lanes; ++i) p[i] = f32_to_f16(a.v[i]);
}
inline float sum(F16 a) {
  for (std::size_t width = 8; width > 0; width /= 2) {
    for (std::size_t i = 0; i < width; ++i) a.v[i] += a.v[i + width];
  }
  return a.v[0];
}
inline float max_lane(F16 a) {
  for (std::size_t width = 8; width > 0; width /= 2) {
    for (std::size_t i = 0; i < width; ++i) a.v[i] = a.v[i] > a.v[i + width] ? a.v[i] : a.v[i + width];
  }
  return a.v[0];
}

#endif

inline F16 load_half_n(const std::uint16_t* p, std::size_t n) {
  std::uint16_t padded[lanes] = {};
  std::memcpy(padded, p, n * sizeof(std::uint16_t));
  return load_half(padded);
}
inline void store_half_n(std::uint16_t* p, F16 a, std::size_t n) {
  std::uint16_t padded[lanes];
  store_half(padded, a);
  std::memcpy(p, padded, n * sizeof(std::uint16_t));
}

}  // namespace spillway::kernels::SPILLWAY_LANES
