#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "core/bytes.h"
#include "kernels/float16.h"
#include "kernels/weight_type.h"

/// Tensors as a GGUF file holds them, and their products by the letter of the numerics contract, straight from the file's blocks.
namespace spillway::kernels::testing {

enum class Fill { ordinary, extreme };

inline void put_u16(core::ByteVector& out, std::uint16_t value) {
  out.push_back(static_cast<std::byte>(value & 0xff));
  out.push_back(static_cast<std::byte>(value >> 8));
}

inline std::uint16_t get_u16(const std::byte* from) {
  std::uint16_t value = 0;
  std::memcpy(&value, from, sizeof value);
  return value;
}

/// A scale: ordinary ones about 0.01, extreme ones zero, subnormal halves, the largest half, of either sign.
inline std::uint16_t random_half(std::mt19937& rng, Fill fill) {
  if (fill == Fill::ordinary) return f32_to_f16(std::normal_distribution<float>{0.0f, 0.02f}(rng));
  const std::uint16_t choices[] = {0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x83ff, 0x0400, 0x7bff, 0xfbff, 0x3c00, 0x211f};
  return choices[rng() % std::size(choices)];
}

/// rows x k elements. Extreme codes are all ones, all zeros, the least and the largest, or random.
inline core::ByteVector random_tensor(WeightType type, std::size_t rows, std::size_t k, Fill fill, std::uint32_t seed) {
  std::mt19937 rng{seed};
  core::ByteVector out;
  if (type == WeightType::f32 || type == WeightType::f16) {
    for (std::size_t i = 0; i < rows * k; ++i) {
      if (type == WeightType::f16) {
        put_u16(out, random_half(rng, fill));
        continue;
      }
      auto value = std::normal_distribution<float>{0.0f, 0.05f}(rng);
      if (fill == Fill::extreme) value = std::ldexp(value, static_cast<int>(rng() % 220) - 140);
      std::byte bytes[4];
      std::memcpy(bytes, &value, 4);
      out.insert(out.end(), bytes, bytes + 4);
    }
    return out;
  }
  const std::size_t code_bytes = type == WeightType::q4_1 ? 16 : 32;
  for (std::size_t block = 0; block < rows * k / group_elements; ++block) {
    put_u16(out, random_half(rng, fill));
    if (type == WeightType::q4_1) put_u16(out, random_half(rng, fill));
    const auto kind = fill == Fill::extreme ? rng() % 5 : 4;
    const std::byte same[] = {std::byte{0xff}, std::byte{0x00}, std::byte{0x80}, std::byte{0x7f}};
    for (std::size_t i = 0; i < code_bytes; ++i) out.push_back(kind < 4 ? same[kind] : static_cast<std::byte>(rng() & 0xff));
  }
  return out;
}

/// Element `i` of row `row` as a double, exact.
struct Element {
  float d = 1;     ///< scale (1 for float types)
  float m = 0;     ///< minimum
  float code = 0;  ///< the code, or the element itself
  double value() const { return static_cast<double>(d) * code + m; }
};

inline Element element(WeightType type, const core::ByteVector& raw, std::size_t k, std::size_t row, std::size_t i) {
  const auto* const base = raw.data() + row * *row_bytes(type, k);
  const auto in_group = i % group_elements;
  switch (type) {
    case WeightType::f32: {
      float value = 0;
      std::memcpy(&value, base + i * 4, 4);
      return {1, 0, value};
    }
    case WeightType::f16: return {1, 0, f16_to_f32(get_u16(base + i * 2))};
    case WeightType::q4_1: {
      const auto* const block = base + i / group_elements * 20;
      const auto byte = std::to_integer<unsigned>(block[4 + in_group % 16]);
      return {f16_to_f32(get_u16(block)), f16_to_f32(get_u16(block + 2)), static_cast<float>(in_group < 16 ? byte & 15u : byte >> 4)};
    }
    case WeightType::q8_0: {
      const auto* const block = base + i / group_elements * 34;
      return {f16_to_f32(get_u16(block)), 0, static_cast<float>(static_cast<std::int8_t>(block[2 + in_group]))};
    }
  }
  return {};
}

/// Activations: mostly normal with a few large, some groups zero.
inline std::vector<float> random_rows(std::size_t n, std::size_t k, std::uint32_t seed) {
  std::mt19937 rng{seed};
  std::normal_distribution<float> normal;
  std::vector<float> x(n * k);
  for (std::size_t i = 0; i < x.size(); ++i) {
    x[i] = normal(rng) * (rng() % 64 == 0 ? 30.0f : 1.0f);
    if (i / group_elements % 13 == 5) x[i] = 0;
  }
  return x;
}

/// Equal bits, or both NaN.
inline bool same(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) || (std::isnan(a) && std::isnan(b));
}

}  // namespace spillway::kernels::testing
