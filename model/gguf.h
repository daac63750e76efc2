#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "kernels/dequantize.h"

/// Reader of GGUF version 3 (little-endian): header, metadata, tensor table. The file is mapped read-only; strings, arrays
/// and tensors are views into the mapping. Every count, size, offset, length and type is checked before use, and nothing is
/// allocated in proportion to a number that the file merely claims.
namespace spillway::model {

/// Value types of the metadata, numbered as in the file.
enum class GgufType : std::uint32_t { u8 = 0, i8, u16, i16, u32, i32, f32, boolean, string, array, u64, i64, f64 };
inline constexpr std::uint32_t gguf_types = 13;
std::string_view to_string(GgufType type);

/// Named limits of the decoder; a file beyond one is refused by name.
inline constexpr std::uint64_t gguf_metadata_max = 65'536;  ///< key-value pairs
inline constexpr std::uint64_t gguf_tensors_max = 65'536;
inline constexpr std::uint64_t gguf_key_bytes_max = 1'024;
inline constexpr std::uint64_t gguf_tensor_name_bytes_max = 255;
inline constexpr std::uint32_t gguf_dims_max = 4;
inline constexpr std::uint32_t gguf_array_depth_max = 4;
inline constexpr std::uint64_t gguf_alignment_max = 1U << 20;  ///< bytes
inline constexpr std::uint64_t gguf_parts_max = 1'024;         ///< files of a split model

/// Why a file was refused; each is one branch of the decoder. Append only, `count` last.
enum class GgufFault : std::uint8_t {
  open,
  not_a_file,
  too_small,
  map,
  magic,
  byte_order,
  version,
  truncated,
  tensor_count,
  metadata_count,
  key_length,
  key_text,
  key_repeated,
  value_type,
  bool_value,
  string_length,
  array_type,
  array_depth,
  array_length,
  alignment_type,
  alignment_value,
  tensor_name_length,
  tensor_name_text,
  tensor_repeated,
  dims_count,
  dim_zero,
  dims_product,
  row_length,
  tensor_size,
  offset_alignment,
  offset_range,
  tensor_range,
  tensor_overlap,
  group_size,
  count
};
std::string_view to_string(GgufFault fault);

/// `field` names the place in the file ("metadata[3] \"general.name\" value length"); `message` is the whole sentence.
struct GgufError {
  GgufFault fault = GgufFault::open;
  std::string field;
  std::string message;
};

/// Ids of the types this version computes with.
inline constexpr std::uint32_t tensor_f32 = 0;
inline constexpr std::uint32_t tensor_f16 = 1;
inline constexpr std::uint32_t tensor_q4_1 = 3;
inline constexpr std::uint32_t tensor_q8_0 = 8;

/// One entry of the tensor table. dims[0] is the contiguous (k) dimension; dims beyond `dims_count` are 1.
struct GgufTensor {
  std::string_view name;
  std::uint32_t dims_count = 0;
  std::array<std::uint64_t, gguf_dims_max> dims{1, 1, 1, 1};
  std::uint32_t type = 0;                      ///< id, perhaps unknown: refused by name when its bytes are asked for
  const kernels::BlockType* layout = nullptr;  ///< nullptr: not known to this build
  std::uint32_t part = 0;                      ///< file of a split model that holds it, from 0
  std::uint64_t offset = 0;                    ///< from the start of that file's tensor data
  std::uint64_t elements = 0;
  std::uint64_t bytes = 0;  ///< 0 when the layout is not known

  /// "Q4_1", or "type 99".
  std::string type_name() const;
};

/// Where a metadata value lies. Scalars: `count` 1. Strings: `count` bytes. Arrays: `count` elements of `element`.
struct GgufValue {
  GgufType type = GgufType::u8;
  GgufType element = GgufType::u8;
  std::uint64_t count = 0;
  std::uint64_t at = 0;     ///< byte offset in the file of the first byte of the payload
  std::uint64_t begin = 0;  ///< the whole value as it is written, with lengths and the type of elements: [begin, end) in the file
  std::uint64_t end = 0;
};

class GgufFile {
 public:
  /// Maps and checks `path`. The first part of a split model (NAME-00001-of-0000N.gguf) brings the others, which lie beside it:
  /// metadata of the first, tensors of all. Errors: io (cannot open or map), bad_file (field, what came, what was wanted; a part
  /// that is not the first, or that belongs to another model).
  static core::Result<GgufFile> open(const std::string& path);
  /// As `open` for one file, telling which branch refused.
  static tl::expected<GgufFile, GgufError> map(const std::string& path);
  /// Checks bytes that the caller keeps alive and unchanged. Tensor data has the alignment of `bytes`.
  static tl::expected<GgufFile, GgufError> parse(core::Bytes bytes);

  GgufFile(GgufFile&& other) noexcept;
  GgufFile& operator=(GgufFile&& other) noexcept;
  GgufFile(const GgufFile&) = delete;
  GgufFile& operator=(const GgufFile&) = delete;
  ~GgufFile();

  core::Bytes bytes() const { return bytes_; }
  /// Bytes of this file and, if it is split, of the others.
  std::uint64_t total_bytes() const;
  std::uint64_t alignment() const { return alignment_; }
  std::uint64_t data_start() const { return data_start_; }

  const std::map<std::string_view, GgufValue>& metadata() const { return metadata_; }
  const GgufValue* find(std::string_view key) const;
  bool has(std::string_view key) const { return find(key) != nullptr; }

  /// Typed access. A missing key gives `fallback`, or bad_file naming the key if there is none. Integers of any width are
  /// accepted where they fit, f64 for f32; any other type is bad_file with the type that came and the one wanted.
  core::Result<std::uint64_t> get_u64(std::string_view key, std::optional<std::uint64_t> fallback = {}) const;
  core::Result<float> get_f32(std::string_view key, std::optional<float> fallback = {}) const;
  core::Result<bool> get_bool(std::string_view key, std::optional<bool> fallback = {}) const;
  core::Result<std::string_view> get_string(std::string_view key, std::optional<std::string_view> fallback = {}) const;
  /// Token id below `vocabulary`; nothing when the key is missing or holds 0xFFFFFFFF (none). Out of range: bad_file.
  core::Result<std::optional<core::TokenId>> get_token_id(std::string_view key, std::uint64_t vocabulary) const;
  /// Arrays; a missing key is bad_file. Views stay valid as long as the file.
  core::Result<std::vector<std::string_view>> get_strings(std::string_view key) const;
  core::Result<std::vector<float>> get_f32s(std::string_view key) const;
  /// Array of integers of any width, or a scalar integer as an array of one.
  core::Result<std::vector<std::int64_t>> get_ints(std::string_view key) const;

  const std::vector<GgufTensor>& tensors() const { return tensors_; }
  const GgufTensor* find_tensor(std::string_view name) const;
  /// The tensor's bytes. bad_file naming tensor and type when the type is unknown to this build.
  core::Result<core::Bytes> tensor_bytes(const GgufTensor& tensor) const;

 private:
  friend class GgufDecoder;
  GgufFile() = default;
  static core::Result<GgufFile> join(GgufFile first, const std::string& path);
  core::Result<void> take(GgufFile part, const std::string& path);
  void unmap();
  std::int64_t int_at(GgufType type, std::uint64_t at) const;
  double float_at(GgufType type, std::uint64_t at) const;

  core::Bytes bytes_;
  void* mapping_ = nullptr;  // owned when set
  std::uint64_t alignment_ = 32;
  std::uint64_t data_start_ = 0;
  std::map<std::string_view, GgufValue> metadata_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string_view, std::uint32_t> tensor_index_;
  std::vector<GgufFile> parts_;  // of a split model, but for this one
};

/// Path of part `part` (from 1) of `parts`, given the path of any: NAME-00002-of-00009.gguf. Nothing when `path` is not named so.
std::optional<std::string> gguf_part_path(std::string_view path, std::uint64_t part, std::uint64_t parts);

/// Text from a file, for messages: quoted, control and non-ASCII bytes escaped, at most 64 bytes of it.
std::string in_quotes(std::string_view text);

}  // namespace spillway::model
