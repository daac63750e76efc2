#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/bytes.h"

namespace spillway::model::test {

/// Place of one field inside the written bytes, for tests that mutate them.
struct GgufMark {
  std::string field;  ///< "tensor count", "general.name value length", ...
  std::size_t at = 0;
  std::size_t bytes = 0;
};

/// Builds a GGUF version 3 file in memory, in the order of the calls. No checks: tests also write wrong files.
class GgufWriter {
 public:
  GgufWriter& add_u32(std::string_view key, std::uint32_t value) { return scalar(key, 4, value); }
  GgufWriter& add_i32(std::string_view key, std::int32_t value) { return scalar(key, 5, value); }
  GgufWriter& add_u64(std::string_view key, std::uint64_t value) { return scalar(key, 10, value); }
  GgufWriter& add_f32(std::string_view key, float value) { return scalar(key, 6, value); }
  GgufWriter& add_f64(std::string_view key, double value) { return scalar(key, 12, value); }
  GgufWriter& add_bool(std::string_view key, bool value) { return scalar(key, 7, static_cast<std::uint8_t>(value)); }
  GgufWriter& add_string(std::string_view key, std::string_view value);
  GgufWriter& add_strings(std::string_view key, std::span<const std::string> values);
  GgufWriter& add_f32s(std::string_view key, std::span<const float> values) { return array(key, 6, values); }
  GgufWriter& add_i32s(std::string_view key, std::span<const std::int32_t> values) { return array(key, 5, values); }
  GgufWriter& add_u32s(std::string_view key, std::span<const std::uint32_t> values) { return array(key, 4, values); }
  /// Raw payload of any type id, right or wrong.
  GgufWriter& add_raw(std::string_view key, std::uint32_t type, core::Bytes payload);

  /// Tensor whose bytes the caller has laid out for `type`; dims[0] is the contiguous dimension.
  GgufWriter& add_tensor(std::string_view name, std::vector<std::uint64_t> dims, std::uint32_t type, core::Bytes data);
  GgufWriter& add_tensor_f32(std::string_view name, std::vector<std::uint64_t> dims, std::span<const float> values) {
    return add_tensor(name, std::move(dims), 0, std::as_bytes(values));
  }

  /// Also written as "general.alignment" unless it is 32.
  GgufWriter& set_alignment(std::uint32_t bytes);

  /// The whole file.
  core::ByteVector finish() const;
  /// As `finish`, telling where every count, size, offset, type and length lies.
  core::ByteVector finish(std::vector<GgufMark>& marks) const;
  /// Writes `finish()` to `path`; false when the system refuses.
  bool write(const std::string& path) const;

 private:
  struct Pair {
    std::string key;
    std::uint32_t type = 0;
    core::ByteVector payload;
    std::vector<GgufMark> marks;  // within the payload
  };
  struct Tensor {
    std::string name;
    std::vector<std::uint64_t> dims;
    std::uint32_t type = 0;
    core::ByteVector data;
  };
  template <class T>
  GgufWriter& scalar(std::string_view key, std::uint32_t type, T value) {
    return add_raw(key, type, std::as_bytes(std::span{&value, 1}));
  }
  template <class T>
  GgufWriter& array(std::string_view key, std::uint32_t type, std::span<const T> values) {
    return add_array(key, type, values.size(), std::as_bytes(values));
  }
  GgufWriter& add_array(std::string_view key, std::uint32_t type, std::uint64_t count, core::Bytes values);

  std::vector<Pair> pairs_;
  std::vector<Tensor> tensors_;
  std::uint32_t alignment_ = 32;
};

}  // namespace spillway::model::test
