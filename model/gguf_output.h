#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/result.h"
#include "kernels/dequantize.h"
#include "model/gguf.h"

namespace spillway::model {

/// A tensor to be written. `make` gives its bytes and is asked when its turn comes, so that one tensor is held at a time.
struct GgufOutputTensor {
  std::string name;
  std::vector<std::uint64_t> dims;  ///< dims[0] is the contiguous one, whole blocks of `layout`
  const kernels::BlockType* layout = nullptr;
  std::function<core::Result<core::ByteVector>()> make;

  std::uint64_t bytes() const;
};

/// Puts a GGUF version 3 file together: metadata and tensors in the order in which they were added.
class GgufOutput {
 public:
  /// Also written as "general.alignment" unless it is 32; a power of two.
  explicit GgufOutput(std::uint64_t alignment = 32);

  /// `payload` as GGUF writes a value of `type`.
  GgufOutput& add_raw(std::string_view key, GgufType type, core::Bytes payload);
  GgufOutput& add_u32(std::string_view key, std::uint32_t value);
  GgufOutput& add_f32(std::string_view key, float value);
  GgufOutput& add_bool(std::string_view key, bool value);
  GgufOutput& add_string(std::string_view key, std::string_view value);
  GgufOutput& add_strings(std::string_view key, std::span<const std::string> values);
  GgufOutput& add_i32s(std::string_view key, std::span<const std::int32_t> values);
  GgufOutput& add_f32s(std::string_view key, std::span<const float> values);
  bool has(std::string_view key) const;
  GgufOutput& add_tensor(GgufOutputTensor tensor);

  /// Writes `path`, whole or not at all. Errors: io (cannot be written), or what `make` of a tensor said.
  core::Result<void> write(const std::string& path) const;

 private:
  struct Pair {
    std::string key;
    GgufType type;
    core::ByteVector payload;
  };
  core::ByteVector head() const;

  std::uint64_t alignment_;
  std::vector<Pair> pairs_;
  std::vector<GgufOutputTensor> tensors_;
};

}  // namespace spillway::model
