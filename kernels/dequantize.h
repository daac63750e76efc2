#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/bytes.h"
#include "core/result.h"

/// Tensor types as GGUF files hold them, and what their bytes mean: the scalar reference that every faster kernel is held
/// against.
namespace spillway::kernels {

/// Decodes one block: `block` has the type's `bytes`, `values` room for its `elements`, in the order of the tensor.
using DecodeBlock = void (*)(const std::byte* block, float* values);

/// How a type stores its elements: blocks of `elements` in `bytes`, little endian. Two layouts share the id of Q2_0 (42):
/// groups of 64, and "Q2_0_G128". A file's sizes tell which it has.
struct BlockType {
  std::uint32_t id = 0;  ///< as in the file (ggml type id)
  std::string_view name;
  std::uint32_t elements = 1;
  std::uint32_t bytes = 0;
  DecodeBlock decode = nullptr;  ///< nullptr: the layout's size is known, its meaning is not
};

std::span<const BlockType> block_types();
/// Entry of `id`, of Q2_0 the one with groups of 64; nothing for an id that this build does not know.
const BlockType* find_block_type(std::uint32_t id);
/// Type of a name such as "Q4_1" (any case).
const BlockType* find_block_type(std::string_view name);
/// Names of the types that can be decoded, parted by ", ".
std::string decodable_types();

/// The values of whole blocks. Products are taken left to right in f32 without fma: (d * scale) * q - (dmin * min).
/// Scales that are f16 are taken as they are, subnormals, infinities and NaN included.
/// Errors: unsupported (a type without `decode`), bad_argument (bytes that are no whole blocks, or no room for their values).
core::Result<void> dequantize(const BlockType& type, core::Bytes blocks, std::span<float> values);

}  // namespace spillway::kernels
