#include "kernels/weight_type.h"

#include <array>
#include <limits>

#include "core/assert.h"

namespace spillway::kernels {

namespace {

constexpr std::array<std::string_view, weight_type_count> names = {"F32",   "F16",   "BF16",  "Q4_0",  "Q4_1", "Q5_0", "Q5_1",
                                                                   "Q8_0",  "Q2_K",  "Q3_K",  "Q4_K",  "Q5_K", "Q6_K", "IQ4_NL",
                                                                   "TQ1_0", "TQ2_0", "MXFP4", "NVFP4", "Q1_0", "Q2_0", "Q2_0_G128"};

}  // namespace

std::optional<WeightType> weight_type_of(const BlockType& layout) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == layout.name) return static_cast<WeightType>(i);
  return std::nullopt;
}

const BlockType& block_type(WeightType type) {
  const auto* layout = find_block_type(to_string(type));
  SPILLWAY_ASSERT(layout != nullptr);
  return *layout;
}

std::string_view to_string(WeightType type) {
  return names[static_cast<std::size_t>(type)];
}

bool takes_quantized(WeightType type) {
  return type != WeightType::f32 && type != WeightType::f16 && type != WeightType::bf16;
}

std::optional<std::size_t> row_bytes(WeightType type, std::size_t k) {
  const auto& layout = block_type(type);
  if (k % layout.elements != 0) return std::nullopt;
  const auto blocks = k / layout.elements;
  if (blocks > std::numeric_limits<std::size_t>::max() / layout.bytes) return std::nullopt;
  return blocks * layout.bytes;
}

}  // namespace spillway::kernels
