#include "kernels/encode_blocks.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "kernels/float16.h"

namespace spillway::kernels {

namespace {

using Encode = void (*)(const float* values, std::byte* block);

/// Stores `d` and gives it back as a reader will see it. `up`: not nearer to zero than `d`, so that the extremes of a block are
/// within the codes even where f16 is coarse.
float put_scale(float d, std::byte* to, bool up = true) {
  std::uint16_t half = f32_to_f16(d);
  if (up && std::fabs(f16_to_f32(half)) < std::fabs(d)) ++half;
  to[0] = static_cast<std::byte>(half & 255);
  to[1] = static_cast<std::byte>(half >> 8);
  return f16_to_f32(half);
}

/// Nearest code, ties to even; 0 for a block whose scale is 0.
int nearest(float value, float d, int low, int high) {
  if (d == 0.0F) return std::clamp(0, low, high);
  return static_cast<int>(std::clamp(std::nearbyint(value / d), static_cast<float>(low), static_cast<float>(high)));
}

float largest_magnitude(const float* values, std::size_t count) {
  float largest = 0.0F;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::fabs(values[i]));
  return largest;
}

void encode_q8_0(const float* values, std::byte* block) {
  const float d = put_scale(largest_magnitude(values, 32) / 127.0F, block);
  for (std::size_t i = 0; i < 32; ++i) block[2 + i] = static_cast<std::byte>(nearest(values[i], d, -127, 127));
}

void encode_q4_0(const float* values, std::byte* block) {
  const auto [low, high] = std::minmax_element(values, values + 32);
  const float down = std::max(0.0F, -*low);
  const float up = std::max(0.0F, *high);
  const float d = put_scale(down >= up ? std::max(down / 8.0F, up / 7.0F) : -std::max(up / 8.0F, down / 7.0F), block);
  for (std::size_t j = 0; j < 16; ++j) {
    const int first = nearest(values[j], d, -8, 7) + 8;
    const int second = nearest(values[j + 16], d, -8, 7) + 8;
    block[2 + j] = static_cast<std::byte>(first | second << 4);
  }
}

void encode_tq2_0(const float* values, std::byte* block) {
  const float d = put_scale(largest_magnitude(values, 256), block + 64);
  std::fill(block, block + 64, std::byte{0});
  for (std::size_t i = 0; i < 256; ++i) {
    const int code = nearest(values[i], d, -1, 1) + 1;
    block[i / 128 * 32 + i % 32] |= static_cast<std::byte>(code << (i % 128 / 32 * 2));
  }
}

void encode_q1_0(const float* values, std::byte* block) {
  double sum = 0.0;
  for (std::size_t i = 0; i < 128; ++i) sum += static_cast<double>(std::fabs(values[i]));
  put_scale(static_cast<float>(sum / 128.0), block, false);
  std::fill(block + 2, block + 18, std::byte{0});
  for (std::size_t i = 0; i < 128; ++i) {
    if (values[i] >= 0.0F) block[2 + i / 8] |= static_cast<std::byte>(1U << (i % 8));
  }
}

struct Encoder {
  std::string_view name;
  Encode encode;
};
constexpr Encoder encoders[] = {{"Q8_0", encode_q8_0}, {"Q4_0", encode_q4_0}, {"TQ2_0", encode_tq2_0}, {"Q1_0", encode_q1_0}};

Encode find_encoder(const BlockType& type) {
  for (const Encoder& encoder : encoders) {
    if (encoder.name == type.name) return encoder.encode;
  }
  return nullptr;
}

}  // namespace

std::string encodable_types() {
  std::string names;
  for (const Encoder& encoder : encoders) names.append(names.empty() ? "" : ", ").append(encoder.name);
  return names;
}

bool can_encode(const BlockType& type) {
  return find_encoder(type) != nullptr;
}

core::Result<void> encode_blocks(const BlockType& type, std::span<const float> values, std::span<std::byte> blocks) {
  const Encode encode = find_encoder(type);
  if (encode == nullptr)
    return core::fail(core::Errc::unsupported, "type " + std::string(type.name) + " cannot be made; want one of " + encodable_types());
  const std::size_t count = values.size() / type.elements;
  if (values.size() % type.elements != 0 || blocks.size() != count * type.bytes) {
    return core::fail(core::Errc::bad_argument, std::to_string(values.size()) + " values for " + std::to_string(blocks.size()) +
                                                    " bytes of " + std::string(type.name) + ": want whole blocks of " +
                                                    std::to_string(type.elements) + " values, " + std::to_string(type.bytes) +
                                                    " bytes each");
  }
  constexpr float f16_max = 65504.0F;
  for (const float value : values) {
    if (!(std::fabs(value) <= f16_max))
      return core::fail(core::Errc::bad_argument, "value " + std::to_string(value) + ": want numbers of at most 65504 in magnitude");
  }
  for (std::size_t i = 0; i < count; ++i) encode(values.data() + i * type.elements, blocks.data() + i * type.bytes);
  return {};
}

}  // namespace spillway::kernels
