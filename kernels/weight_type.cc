#include "kernels/weight_type.h"

#include <limits>

namespace spillway::kernels {

namespace {

struct Traits {
  std::size_t elements;
  std::size_t bytes;
};

Traits traits(WeightType type) {
  switch (type) {
    case WeightType::f32: return {1, 4};
    case WeightType::f16: return {1, 2};
    case WeightType::q4_1: return {32, 20};
    case WeightType::q8_0: return {32, 34};
  }
  return {1, 4};
}

}  // namespace

std::optional<WeightType> weight_type_from_gguf(std::uint32_t id) {
  switch (id) {
    case 0: return WeightType::f32;
    case 1: return WeightType::f16;
    case 3: return WeightType::q4_1;
    case 8: return WeightType::q8_0;
    default: return std::nullopt;
  }
}

std::string_view to_string(WeightType type) {
  switch (type) {
    case WeightType::f32: return "F32";
    case WeightType::f16: return "F16";
    case WeightType::q4_1: return "Q4_1";
    case WeightType::q8_0: return "Q8_0";
  }
  return "?";
}

bool takes_quantized(WeightType type) {
  return type == WeightType::q4_1 || type == WeightType::q8_0;
}

std::optional<std::size_t> row_bytes(WeightType type, std::size_t k) {
  const auto t = traits(type);
  if (k % t.elements != 0) return std::nullopt;
  const auto blocks = k / t.elements;
  if (blocks > std::numeric_limits<std::size_t>::max() / t.bytes) return std::nullopt;
  return blocks * t.bytes;
}

}  // namespace spillway::kernels
