#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "core/bytes.h"
#include "kernels/dequantize.h"
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

/// Where a block of the file keeps its halves and whole-number scales.
struct Places {
  WeightType type;
  std::size_t d;
  std::size_t m = 0;  ///< none
  std::size_t numbers = 0;
  std::size_t number_bytes = 0;
};
inline constexpr Places places[] = {
    {WeightType::q4_0, 0},
    {WeightType::q4_1, 0, 2},
    {WeightType::q5_0, 0},
    {WeightType::q5_1, 0, 2},
    {WeightType::q8_0, 0},
    {WeightType::q2_k, 80, 82, 0, 16},
    {WeightType::q3_k, 108, 0, 96, 12},
    {WeightType::q4_k, 0, 2, 4, 12},
    {WeightType::q5_k, 0, 2, 4, 12},
    {WeightType::q6_k, 208, 0, 192, 16},
    {WeightType::iq4_nl, 0},
    {WeightType::tq1_0, 52},
    {WeightType::tq2_0, 64},
    {WeightType::q1_0, 0},
    {WeightType::q2_0, 0},
    {WeightType::q2_0_g128, 0},
};
inline const Places* places_of(WeightType type) {
  for (const auto& p : places)
    if (p.type == type) return &p;
  return nullptr;  // floats, MXFP4 and NVFP4
}

inline std::vector<WeightType> all_weight_types() {
  std::vector<WeightType> types;
  for (std::size_t i = 0; i < weight_type_count; ++i) types.push_back(static_cast<WeightType>(i));
  return types;
}

/// k, or the next number of elements that is whole blocks.
inline std::size_t whole_blocks(WeightType type, std::size_t k) {
  const std::size_t elements = block_type(type).elements;
  return (k + elements - 1) / elements * elements;
}

inline void set_u16(std::byte* to, std::uint16_t value) {
  std::memcpy(to, &value, sizeof value);
}

/// The scales of a block; extreme whole-number ones are all ones, all zeros, the least and the largest, or random.
inline void set_scales(WeightType type, std::mt19937& rng, Fill fill, std::byte* block) {
  const bool extreme = fill == Fill::extreme;
  if (const auto* at = places_of(type)) {
    set_u16(block + at->d, random_half(rng, fill));
    if (at->m != 0) set_u16(block + at->m, random_half(rng, fill));
    const auto kind = extreme ? rng() % 5 : 4;
    constexpr std::byte same[] = {std::byte{0xff}, std::byte{0x00}, std::byte{0x80}, std::byte{0x7f}};
    for (std::size_t i = 0; kind < 4 && i < at->number_bytes; ++i) block[at->numbers + i] = same[kind];
  } else if (type == WeightType::mxfp4) {
    constexpr unsigned extremes[] = {0, 1, 2, 3, 127, 128, 200};
    block[0] = static_cast<std::byte>(extreme ? extremes[rng() % std::size(extremes)] : 120 + rng() % 4);
  } else {
    constexpr unsigned extremes[] = {0, 1, 7, 8, 0x7e, 0x7f, 0x80, 0x81, 0xfe, 0xff};
    for (std::size_t i = 0; i < 4; ++i) block[i] = static_cast<std::byte>(extreme ? extremes[rng() % std::size(extremes)] : 8 + rng() % 16);
  }
}

/// rows x k elements. Extreme codes are all ones, all zeros, the least and the largest, or random.
inline core::ByteVector random_tensor(WeightType type, std::size_t rows, std::size_t k, Fill fill, std::uint32_t seed) {
  std::mt19937 rng{seed};
  core::ByteVector out;
  if (!takes_quantized(type)) {
    for (std::size_t i = 0; i < rows * k; ++i) {
      if (type == WeightType::f16) {
        put_u16(out, random_half(rng, fill));
        continue;
      }
      auto value = std::normal_distribution<float>{0.0f, 0.05f}(rng);
      if (fill == Fill::extreme) value = std::ldexp(value, static_cast<int>(rng() % 220) - 140);
      std::byte bytes[4];
      std::memcpy(bytes, &value, 4);
      out.insert(out.end(), bytes + (type == WeightType::bf16 ? 2 : 0), bytes + 4);
    }
    return out;
  }
  const auto& layout = block_type(type);
  out.resize(rows * *row_bytes(type, k));
  for (auto* block = out.data(); block != out.data() + out.size(); block += layout.bytes) {
    const auto kind = fill == Fill::extreme ? rng() % 5 : 4;
    constexpr std::byte same[] = {std::byte{0xff}, std::byte{0x00}, std::byte{0x80}, std::byte{0x7f}};
    for (std::size_t i = 0; i < layout.bytes; ++i) block[i] = kind < 4 ? same[kind] : static_cast<std::byte>(rng() & 0xff);
    set_scales(type, rng, fill, block);
  }
  return out;
}

inline std::vector<float> dequantized(WeightType type, core::Bytes blocks) {
  const auto& layout = block_type(type);
  std::vector<float> values(blocks.size() / layout.bytes * layout.elements);
  if (!dequantize(layout, blocks, values)) std::abort();
  return values;
}

/// A row taken apart, by decoding it with some of its parts replaced: so that what a product needs to know comes from the one
/// definition of the types, and not from a second reading of their bits. Entry i is of element i.
struct RowParts {
  bool whole_numbers = false;  ///< code is scale times code, a whole number, and min a whole minimum
  bool has_min = false;
  std::vector<float> value;  ///< as it is
  std::vector<float> code;
  std::vector<float> d;    ///< times code: the value, but for the minimum
  std::vector<float> min;  ///< times m: the minimum
  std::vector<float> m;
};

inline RowParts row_parts(WeightType type, const core::ByteVector& raw, std::size_t k, std::size_t row) {
  const auto& layout = block_type(type);
  const auto bytes = *row_bytes(type, k);
  const auto begin = raw.begin() + static_cast<std::ptrdiff_t>(row * bytes);
  const core::ByteVector as_is(begin, begin + static_cast<std::ptrdiff_t>(bytes));
  const auto with = [&](const auto& change) {
    auto changed = as_is;
    for (auto* block = changed.data(); block != changed.data() + bytes; block += layout.bytes) change(block);
    return dequantized(type, changed);
  };
  RowParts parts;
  parts.value = parts.code = dequantized(type, as_is);
  if (!takes_quantized(type)) return parts;
  parts.d = parts.min = parts.m = std::vector<float>(k, 0.0f);
  const auto fill = [](std::byte* from, std::size_t count, unsigned value) {
    std::fill(from, from + count, static_cast<std::byte>(value));
  };
  const auto* at = places_of(type);
  if (at == nullptr) {  // FP4 codes 1 and scales of 1
    const std::size_t scales = type == WeightType::mxfp4 ? 1 : 4;
    parts.d = with([&](std::byte* block) { fill(block + scales, layout.bytes - scales, 0x11); });
    parts.code = with([&](std::byte* block) { fill(block, scales, type == WeightType::mxfp4 ? 128 : 0x40); });
    return parts;
  }
  const auto halves = [&](std::byte* block, std::uint16_t d, std::uint16_t m) {
    set_u16(block + at->d, d);
    if (at->m != 0) set_u16(block + at->m, m);
  };
  constexpr std::uint16_t one = 0x3c00;
  parts.whole_numbers = type == WeightType::q2_k || type == WeightType::q3_k || type == WeightType::q6_k;
  parts.has_min = at->m != 0;
  parts.code = with([&](std::byte* block) {
    halves(block, one, 0);
    if (at->number_bytes == 0 || parts.whole_numbers) return;
    fill(block + 4, 4, 1), fill(block + 8, 4, 0), fill(block + 12, 4, 1);  // scales of 1
  });
  parts.min = with([&](std::byte* block) { halves(block, 0, one); });
  for (std::size_t i = 0; i < k; ++i) {
    const auto* const block = as_is.data() + i / layout.elements * layout.bytes;
    parts.d[i] = f16_to_f32(get_u16(block + at->d));
    parts.m[i] = parts.has_min ? f16_to_f32(get_u16(block + at->m)) : 0.0f;
  }
  if (type == WeightType::q4_k || type == WeightType::q5_k) {  // codes of 1
    const auto scale = with([&](std::byte* block) {
      halves(block, one, 0);
      fill(block + 16, layout.bytes - 16, 0x11);
      if (type == WeightType::q5_k) fill(block + 16, 32, 0);
    });
    for (std::size_t i = 0; i < k; ++i) parts.d[i] *= scale[i];
  }
  return parts;
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
