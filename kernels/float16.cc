#include "kernels/float16.h"

#include <bit>

namespace spillway::kernels {

float f16_to_f32(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16;
  const std::uint32_t exponent = (half >> 10) & 0x1fu;
  std::uint32_t mantissa = half & 0x3ffu;
  if (exponent == 0x1f) {
    const std::uint32_t quiet = mantissa != 0 ? 0x400000u : 0u;
    return std::bit_cast<float>(sign | 0x7f800000u | quiet | (mantissa << 13));
  }
  if (exponent != 0) return std::bit_cast<float>(sign | ((exponent + 112) << 23) | (mantissa << 13));
  if (mantissa == 0) return std::bit_cast<float>(sign);
  // Subnormal half: every one is a normal float. Shift the leading one to the implicit place.
  const auto shift = static_cast<std::uint32_t>(std::countl_zero(mantissa)) - 21;
  mantissa = (mantissa << shift) & 0x3ffu;
  return std::bit_cast<float>(sign | ((113 - shift) << 23) | (mantissa << 13));
}

std::uint16_t f32_to_f16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t sign = (bits >> 16) & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u | ((magnitude >> 13) & 0x3ffu));
  if (magnitude >= 0x47800000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // 65536 and above
  std::uint32_t kept = 0;
  std::uint32_t dropped = 0;  // the bits rounded away, and how many
  std::uint32_t dropped_bits = 13;
  if (magnitude >= 0x38800000u) {
    kept = (magnitude - 0x38000000u) >> 13;
    dropped = magnitude & 0x1fffu;
  } else {
    if (magnitude < 0x33000000u) return static_cast<std::uint16_t>(sign);  // below half of the least subnormal
    const std::uint32_t mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    dropped_bits = 126 - (magnitude >> 23);
    kept = mantissa >> dropped_bits;
    dropped = mantissa & ((1u << dropped_bits) - 1);
  }
  const std::uint32_t half = 1u << (dropped_bits - 1);
  if (dropped > half || (dropped == half && (kept & 1u) != 0)) ++kept;  // a carry into the exponent is right as it is
  return static_cast<std::uint16_t>(sign | kept);
}

}  // namespace spillway::kernels
