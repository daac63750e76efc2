#include <immintrin.h>

#include "kernels/quantize_layout.h"

namespace spillway::kernels {

namespace {

constexpr std::size_t group_size = 32;

__m256i code(__m256 x, __m256 scale) {
  const auto ratio = _mm256_round_ps(_mm256_div_ps(x, scale), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm256_cvtps_epi32(_mm256_max_ps(_mm256_min_ps(ratio, _mm256_set1_ps(127.0f)), _mm256_set1_ps(-127.0f)));
}

__m256i magnitude(__m256 x) {
  return _mm256_and_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x7fffffff));
}

/// Largest of eight int32 lanes.
int reduce_max(__m256i v) {
  auto m = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
  return _mm_cvtsi128_si32(_mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
}

/// Sum of four int32 lanes.
int reduce_add(__m128i v) {
  v = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4e));
  return _mm_cvtsi128_si32(_mm_add_epi32(v, _mm_shuffle_epi32(v, 0xb1)));
}

}  // namespace

void quantize_row_avx2(const float* x, std::size_t groups, std::int8_t* codes, GroupScale* scales) {
  for (std::size_t group = 0; group < groups; ++group, x += group_size, codes += group_size) {
    const __m256 v[4] = {_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8), _mm256_loadu_ps(x + 16), _mm256_loadu_ps(x + 24)};
    const auto largest = static_cast<std::uint32_t>(reduce_max(
        _mm256_max_epi32(_mm256_max_epi32(magnitude(v[0]), magnitude(v[1])), _mm256_max_epi32(magnitude(v[2]), magnitude(v[3])))));
    float scale = 0;
    __builtin_memcpy(&scale, &largest, sizeof scale);
    const bool finite = largest < 0x7f800000u;
    scale = finite ? scale / 127.0f : __builtin_nanf("");
    __m256i q[4] = {};
    if (finite && scale > 0) {
      const auto divisor = _mm256_set1_ps(scale);
      for (int i = 0; i < 4; ++i) q[i] = code(v[i], divisor);
    }
    // The packs work within halves of 128 bits; the permutation brings the quads of bytes back into order.
    const auto packed = _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
    const auto order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const auto ordered = _mm256_permutevar8x32_epi32(packed, order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes), ordered);
    const auto pairs = _mm256_maddubs_epi16(_mm256_set1_epi8(1), ordered);
    const auto quads = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
    const int first = reduce_add(_mm256_castsi256_si128(quads));
    const int last = reduce_add(_mm256_extracti128_si256(quads, 1));
    const int sum = first + last;
    scales[group] = {scale, static_cast<float>(sum), -128 * sum, {static_cast<std::int16_t>(first), static_cast<std::int16_t>(last)}};
  }
}

}  // namespace spillway::kernels
