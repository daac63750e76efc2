#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "kernels/dequantize.h"

namespace spillway::model {

/// Shape of a known model, for files with random weights: as large and as slow as the model, without its sense.
struct ModelShape {
  std::string_view name;
  std::string_view architecture;  ///< as in general.architecture: llama, qwen3, gemma3
  std::uint32_t layers = 0;
  std::uint32_t width = 0;
  std::uint32_t heads = 0;
  std::uint32_t kv_heads = 0;
  std::uint32_t head_dim = 0;
  std::uint32_t hidden = 0;
  std::uint32_t vocabulary = 0;
  std::uint32_t context = 0;
  std::uint32_t window = 0;  ///< of sliding attention; 0 = none
  float rope_base = 10000.0F;
  float norm_epsilon = 1e-5F;
  bool tied = true;  ///< no output matrix of its own
};

const ModelShape* find_model_shape(std::string_view name);
/// The names, parted by ", ".
std::string model_shape_names();

struct RandomModel {
  std::uint64_t tensors = 0;
  std::uint64_t bytes = 0;        ///< of all tensors
  std::vector<std::string> kept;  ///< matrices whose rows are no whole blocks of the type: Q8_0 instead
};

/// Writes a GGUF file of that shape to `path`, whole or not at all: matrices of `type` with random codes, scaled so that a value's
/// deviation is 1 / sqrt(row length), norms of ones, and a byte-level vocabulary padded to the model's size. A pure function of
/// (shape, type, seed). Errors: unsupported (a type that cannot be decoded), io.
core::Result<RandomModel> write_random_model(const ModelShape& shape, const kernels::BlockType& type, std::uint64_t seed,
                                             const std::string& path);

}  // namespace spillway::model
