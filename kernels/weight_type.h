#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace spillway::kernels {

/// Types of weights as a GGUF file numbers them (ggml type ids). All little endian; d and m are f16.
///   f32, f16  one element
///   q4_1      32 elements in 20 bytes: d, m, 16 bytes of which byte j has element j low and element j+16 high; d*q + m
///   q8_0      32 elements in 34 bytes: d, 32 int8; d*q
enum class WeightType : std::uint32_t { f32 = 0, f16 = 1, q4_1 = 3, q8_0 = 8 };

/// Elements along k that share a scale, in weights and in quantised activations.
inline constexpr std::size_t group_elements = 32;

/// The type of a GGUF id; nothing if this build has no kernels for it.
std::optional<WeightType> weight_type_from_gguf(std::uint32_t id);
std::string_view to_string(WeightType type);
/// True if matmul takes int8 activations for this type (QuantizedRows), false if it takes the f32 rows.
bool takes_quantized(WeightType type);
/// Bytes of one row of k elements in the file; nothing if k is not whole blocks or the size overflows.
std::optional<std::size_t> row_bytes(WeightType type, std::size_t k);

}  // namespace spillway::kernels
