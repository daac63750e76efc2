#pragma once

#include <cstddef>

/// The order of packed weights. A panel is 16 rows: one lane of a 512-bit register per row, so that a product needs no sum across
/// lanes. Panels follow one another, and within a panel k runs from first to last, so a product reads memory straight through.
/// Rows beyond the matrix are zeros. A panel is a multiple of 64 bytes and starts at one.
///
///   F32   for each k: 16 floats, one per row.
///   F16   for each k: 16 halves; the panel is padded to 64 bytes.
///   Q4_1  for each group of 32: d[16] f16, m[16] f16, then 4 vectors of 64 bytes. Vector j, lane r is bytes 4j to 4j+3 of the
///         16 code bytes of row r: low nibbles are elements 4j.. and high nibbles elements 16+4j.. of the group.
///   Q8_0  for each two groups: d[16] of the one, d[16] of the other, then 8 vectors for each. Vector j, lane r is the codes
///         4j to 4j+3 of row r, each plus 128 (unsigned, as the dot product instruction wants its first operand).
///         An odd last group leaves the second half out, but for its d, which pads.
namespace spillway::kernels::layout {

inline constexpr std::size_t panel_rows = 16;
inline constexpr std::size_t vector_bytes = 64;
inline constexpr std::size_t scales_bytes = 32;

inline constexpr std::size_t q4_1_group_bytes = 320;
inline constexpr std::size_t q4_1_min_offset = 32;
inline constexpr std::size_t q4_1_code_offset = 64;

inline constexpr std::size_t q8_0_pair_bytes = 1088;
inline constexpr std::size_t q8_0_code_offset = 64;
inline constexpr std::size_t q8_0_group_code_bytes = 512;

}  // namespace spillway::kernels::layout
