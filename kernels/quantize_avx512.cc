#include <immintrin.h>

#include "kernels/quantize_layout.h"

namespace spillway::kernels {

namespace {

constexpr std::size_t group_size = 32;

/// rint(x / scale) within [-127, 127]. The conversion rounds to nearest even, and numbers beyond int32 cannot come out of the
/// clamp, which is made on the floats.
__m512i code(__m512 x, __m512 scale) {
  const auto ratio = _mm512_roundscale_ps(_mm512_div_ps(x, scale), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  return _mm512_cvtps_epi32(_mm512_max_ps(_mm512_min_ps(ratio, _mm512_set1_ps(127.0f)), _mm512_set1_ps(-127.0f)));
}

}  // namespace

void quantize_row_avx512(const float* x, std::size_t groups, std::int8_t* codes, GroupScale* scales) {
  const auto magnitude = _mm512_set1_epi32(0x7fffffff);
  for (std::size_t group = 0; group < groups; ++group, x += group_size, codes += group_size) {
    const auto first = _mm512_loadu_ps(x);
    const auto second = _mm512_loadu_ps(x + 16);
    const auto largest = static_cast<std::uint32_t>(_mm512_reduce_max_epi32(_mm512_max_epi32(
        _mm512_and_si512(_mm512_castps_si512(first), magnitude), _mm512_and_si512(_mm512_castps_si512(second), magnitude))));
    float scale = 0;
    __builtin_memcpy(&scale, &largest, sizeof scale);
    const bool finite = largest < 0x7f800000u;
    scale = finite ? scale / 127.0f : __builtin_nanf("");
    auto low = _mm512_setzero_si512();
    auto high = low;
    if (finite && scale > 0) {
      const auto divisor = _mm512_set1_ps(scale);
      low = code(first, divisor);
      high = code(second, divisor);
    }
    const int first_sum = _mm512_reduce_add_epi32(low);
    const int second_sum = _mm512_reduce_add_epi32(high);
    const int sum = first_sum + second_sum;
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes), _mm512_cvtepi32_epi8(low));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(codes + 16), _mm512_cvtepi32_epi8(high));
    scales[group] = {
        scale, static_cast<float>(sum), -128 * sum, {static_cast<std::int16_t>(first_sum), static_cast<std::int16_t>(second_sum)}};
  }
}

}  // namespace spillway::kernels
