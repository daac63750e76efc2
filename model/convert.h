#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"
#include "kernels/dequantize.h"
#include "model/gguf.h"

namespace spillway::model {

struct Converted {
  std::uint64_t tensors = 0;       ///< brought to the type
  std::vector<std::string> kept;   ///< matrices left as they were, each with why
  std::uint64_t bytes_before = 0;  ///< of all tensors
  std::uint64_t bytes_after = 0;
};

/// Writes `file`'s model to `path` (one file, whole or not at all) with its matrices brought to `type` by plain rounding
/// (kernels/encode_blocks.h). Vectors and the routers of experts stay as they are, and so does a matrix whose rows are no whole
/// blocks. Metadata is copied but for what tells of the file itself: general.file_type, split.*.
/// Errors: unsupported (a type that cannot be made; a matrix that is not F32, F16 or BF16), bad_file (values), io.
core::Result<Converted> convert_model(const GgufFile& file, const kernels::BlockType& type, const std::string& path);

}  // namespace spillway::model
