#include "model/gguf_output.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/assert.h"

namespace spillway::model {

namespace {

template <class T>
void put(core::ByteVector& out, T value) {
  const auto bytes = std::as_bytes(std::span{&value, 1});
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void put_text(core::ByteVector& out, std::string_view text) {
  put(out, std::uint64_t{text.size()});
  const auto bytes = core::as_bytes(text);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class T>
core::ByteVector array_of(GgufType element, std::span<const T> values) {
  core::ByteVector payload;
  put(payload, static_cast<std::uint32_t>(element));
  put(payload, std::uint64_t{values.size()});
  const auto bytes = std::as_bytes(values);
  payload.insert(payload.end(), bytes.begin(), bytes.end());
  return payload;
}

std::uint64_t padded(std::uint64_t bytes, std::uint64_t alignment) {
  return (bytes + alignment - 1) / alignment * alignment;
}

}  // namespace

std::uint64_t GgufOutputTensor::bytes() const {
  std::uint64_t elements = 1;
  for (const std::uint64_t dim : dims) elements *= dim;
  return elements / layout->elements * layout->bytes;
}

GgufOutput::GgufOutput(std::uint64_t alignment) : alignment_(alignment) {
  if (alignment != 32) add_u32("general.alignment", static_cast<std::uint32_t>(alignment));
}

GgufOutput& GgufOutput::add_raw(std::string_view key, GgufType type, core::Bytes payload) {
  SPILLWAY_ASSERT(!has(key));
  pairs_.push_back({std::string(key), type, {payload.begin(), payload.end()}});
  return *this;
}

GgufOutput& GgufOutput::add_u32(std::string_view key, std::uint32_t value) {
  return add_raw(key, GgufType::u32, std::as_bytes(std::span{&value, 1}));
}

GgufOutput& GgufOutput::add_f32(std::string_view key, float value) {
  return add_raw(key, GgufType::f32, std::as_bytes(std::span{&value, 1}));
}

GgufOutput& GgufOutput::add_bool(std::string_view key, bool value) {
  const std::uint8_t byte = value ? 1 : 0;
  return add_raw(key, GgufType::boolean, std::as_bytes(std::span{&byte, 1}));
}

GgufOutput& GgufOutput::add_string(std::string_view key, std::string_view value) {
  core::ByteVector payload;
  put_text(payload, value);
  return add_raw(key, GgufType::string, payload);
}

GgufOutput& GgufOutput::add_strings(std::string_view key, std::span<const std::string> values) {
  core::ByteVector payload;
  put(payload, static_cast<std::uint32_t>(GgufType::string));
  put(payload, std::uint64_t{values.size()});
  for (const std::string& value : values) put_text(payload, value);
  return add_raw(key, GgufType::array, payload);
}

GgufOutput& GgufOutput::add_i32s(std::string_view key, std::span<const std::int32_t> values) {
  return add_raw(key, GgufType::array, array_of(GgufType::i32, values));
}

GgufOutput& GgufOutput::add_f32s(std::string_view key, std::span<const float> values) {
  return add_raw(key, GgufType::array, array_of(GgufType::f32, values));
}

bool GgufOutput::has(std::string_view key) const {
  return std::any_of(pairs_.begin(), pairs_.end(), [&](const Pair& pair) { return pair.key == key; });
}

GgufOutput& GgufOutput::add_tensor(GgufOutputTensor tensor) {
  SPILLWAY_ASSERT(tensor.layout != nullptr && !tensor.dims.empty() && tensor.dims[0] % tensor.layout->elements == 0);
  tensors_.push_back(std::move(tensor));
  return *this;
}

core::ByteVector GgufOutput::head() const {
  core::ByteVector out;
  put(out, std::uint32_t{0x46554747});  // "GGUF"
  put(out, std::uint32_t{3});
  put(out, std::uint64_t{tensors_.size()});
  put(out, std::uint64_t{pairs_.size()});
  for (const Pair& pair : pairs_) {
    put_text(out, pair.key);
    put(out, static_cast<std::uint32_t>(pair.type));
    out.insert(out.end(), pair.payload.begin(), pair.payload.end());
  }
  std::uint64_t offset = 0;
  for (const GgufOutputTensor& tensor : tensors_) {
    put_text(out, tensor.name);
    put(out, static_cast<std::uint32_t>(tensor.dims.size()));
    for (const std::uint64_t dim : tensor.dims) put(out, dim);
    put(out, tensor.layout->id);
    put(out, offset);
    offset += padded(tensor.bytes(), alignment_);
  }
  if (!tensors_.empty()) out.resize(padded(out.size(), alignment_));
  return out;
}

core::Result<void> GgufOutput::write(const std::string& path) const {
  const std::string part = path + ".part";
  std::error_code error;
  const auto give_up = [&](core::Error why) -> core::Result<void> {
    std::filesystem::remove(part, error);
    return tl::make_unexpected(std::move(why));
  };
  const core::Error unwritten{core::Errc::io, "cannot write " + path + ": want a folder that can be written and room on the disk", {}};
  std::ofstream out(part, std::ios::binary);
  const auto append = [&out](core::Bytes bytes) {
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  };
  append(head());
  for (const GgufOutputTensor& tensor : tensors_) {
    if (!out) return give_up(unwritten);
    auto bytes = tensor.make();
    if (!bytes) return give_up(bytes.error());
    SPILLWAY_ASSERT(bytes->size() == tensor.bytes());
    bytes->resize(padded(bytes->size(), alignment_));
    append(*bytes);
  }
  out.close();
  if (!out) return give_up(unwritten);
  std::filesystem::rename(part, path, error);
  if (error) return give_up(unwritten);
  return {};
}

}  // namespace spillway::model
