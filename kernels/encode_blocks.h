#pragma once

#include <span>
#include <string>

#include "core/bytes.h"
#include "core/result.h"
#include "kernels/dequantize.h"

namespace spillway::kernels {

/// The types that `encode_blocks` makes, parted by ", ".
std::string encodable_types();
bool can_encode(const BlockType& type);

/// The blocks of `values`, by plain rounding: each code is the one whose value is nearest, with scales taken from the extremes of
/// a block and no search for better ones (a model quantised with an importance matrix is better at the same size).
///   Q8_0   d = largest magnitude / 127
///   Q4_0   d = the larger of largest magnitude / 8 and largest of the other sign / 7, signed so that the first becomes -8
///   TQ2_0  d = largest magnitude, codes -1, 0, 1
///   Q1_0   d = mean magnitude, +d where a value is at least 0, else -d
/// Codes are taken against the scale as it is stored, so that but for Q1_0 no value is off by more than half a step of its block.
/// Errors: unsupported (another type), bad_argument (values that are no whole blocks, are not finite, or too large for an f16 scale).
core::Result<void> encode_blocks(const BlockType& type, std::span<const float> values, std::span<std::byte> blocks);

}  // namespace spillway::kernels
