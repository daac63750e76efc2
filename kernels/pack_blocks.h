#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/pack_layout.h"
#include "kernels/weight_type.h"

/// Blocks of a file to blocks of a panel and back, one row at a time. Quantised types only.
namespace spillway::kernels {

/// How the scales of a type enter a product (numerics contract, rule 3; written out in matmul.h).
enum class ScaleRule : std::uint8_t {
  group,          ///< one scale (and minimum) for 32 codes
  half_groups,    ///< a scale for 16, each a term of its own
  whole_numbers,  ///< d times whole numbers for 16 (and dmin times whole minimums): the halves are added as integers
};

/// What a product needs to know of a type.
struct PackedFormat {
  layout::BlockLayout layout;
  ScaleRule rule;
  bool has_min;
};
const PackedFormat& packed_format(WeightType type);

/// Bytes of a panel of rows of k elements.
std::size_t panel_bytes(const layout::BlockLayout& layout, std::size_t k);

/// A group of 32 of one row. Element i is (d[i / 16] * scale[i / 16]) * code[i], and where the type has minimums
/// + m * min[i / 16], products and sum each rounded (those of a scale or minimum are exact).
struct UnpackedGroup {
  std::int16_t code[group_elements];  ///< zero point taken out
  float d[2];
  float m;
  std::int32_t scale[2];  ///< 1 where the type has no such whole numbers
  std::int32_t min[2];
};

/// Puts one row, k elements as the file has them, into lane `lane` of a panel of zeros. False if a scale or minimum is not finite.
bool pack_quantized_row(WeightType type, const std::byte* row, std::size_t k, std::size_t lane, std::byte* panel);
void unpack_group(WeightType type, const std::byte* panel, std::size_t group, std::size_t lane, UnpackedGroup& out);

}  // namespace spillway::kernels
