#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "kernels/dequantize.h"

namespace spillway::kernels {

/// Types of weights that the products compute with: all that `dequantize` decodes, whose table says what their bytes mean. Not
/// numbered as in a file, where both layouts of Q2_0 have one id.
enum class WeightType : std::uint8_t {
  f32,
  f16,
  bf16,
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
  tq1_0,
  tq2_0,
  mxfp4,
  nvfp4,
  q1_0,
  q2_0,
  q2_0_g128
};
inline constexpr std::size_t weight_type_count = 21;

/// Elements along k that share a scale in quantised activations. Blocks of quantised weights are one or several such groups.
inline constexpr std::size_t group_elements = 32;

/// The type of a tensor with this layout; nothing if it cannot be decoded, and so not computed with either.
std::optional<WeightType> weight_type_of(const BlockType& layout);
/// How a file holds the type: name, elements and bytes of a block, decoder.
const BlockType& block_type(WeightType type);
std::string_view to_string(WeightType type);
/// True if matmul takes int8 activations for this type (QuantizedRows), false if it takes the f32 rows.
bool takes_quantized(WeightType type);
/// Bytes of one row of k elements in the file; nothing if k is not whole blocks or the size overflows.
std::optional<std::size_t> row_bytes(WeightType type, std::size_t k);

}  // namespace spillway::kernels
