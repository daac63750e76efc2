#pragma once

#include <cstddef>
#include <cstdint>

namespace spillway::kernels {

/// What a product needs of one group of 32 activations beside the codes, side by side so that it costs one line per four groups.
struct GroupScale {
  float scale;                  ///< absmax / 127
  float sum;                    ///< sum of the codes, exact
  std::int32_t minus_128_sums;  ///< -128 * the same: takes out the offset of weights stored as code + 128
  std::int16_t half_sums[2];    ///< of the first 16 codes and the last 16
};
static_assert(sizeof(GroupScale) == 16);

/// Quantises one row of `groups` groups. The kernels of the instruction sets; reached through QuantizedRows.
using QuantizeRow = void (*)(const float* x, std::size_t groups, std::int8_t* codes, GroupScale* scales);
void quantize_row_scalar(const float* x, std::size_t groups, std::int8_t* codes, GroupScale* scales);
void quantize_row_avx2(const float* x, std::size_t groups, std::int8_t* codes, GroupScale* scales);
void quantize_row_avx512(const float* x, std::size_t groups, std::int8_t* codes, GroupScale* scales);

}  // namespace spillway::kernels
