#include <sys/mman.h>

#include <cstring>
#include <utility>

#include "model/gguf.h"

namespace spillway::model {

namespace {

template <class T>
T load(core::Bytes bytes, std::uint64_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

bool is_integer(GgufType type) {
  return type != GgufType::f32 && type != GgufType::f64 && type != GgufType::boolean && type != GgufType::string && type != GgufType::array;
}
bool is_float(GgufType type) {
  return type == GgufType::f32 || type == GgufType::f64;
}

std::uint64_t width(GgufType type) {
  switch (type) {
    case GgufType::u8:
    case GgufType::i8:
    case GgufType::boolean: return 1;
    case GgufType::u16:
    case GgufType::i16: return 2;
    case GgufType::u32:
    case GgufType::i32:
    case GgufType::f32: return 4;
    default: return 8;
  }
}

std::string describe(const GgufValue& value) {
  return value.type == GgufType::array ? "array of " + std::string(to_string(value.element)) : std::string(to_string(value.type));
}

auto missing(std::string_view key) {
  return core::fail(core::Errc::bad_file, "metadata " + in_quotes(key) + " is missing; the model file is incomplete");
}
auto wrong_type(std::string_view key, const GgufValue& value, std::string_view wanted) {
  return core::fail(core::Errc::bad_file, "metadata " + in_quotes(key) + " has type " + describe(value) + ": want " + std::string(wanted));
}

}  // namespace

GgufFile::GgufFile(GgufFile&& other) noexcept {
  *this = std::move(other);
}

GgufFile& GgufFile::operator=(GgufFile&& other) noexcept {
  if (this == &other) return *this;
  unmap();
  bytes_ = std::exchange(other.bytes_, {});
  mapping_ = std::exchange(other.mapping_, nullptr);
  alignment_ = other.alignment_;
  data_start_ = other.data_start_;
  metadata_ = std::move(other.metadata_);
  tensors_ = std::move(other.tensors_);
  tensor_index_ = std::move(other.tensor_index_);
  parts_ = std::move(other.parts_);
  return *this;
}

GgufFile::~GgufFile() {
  unmap();
}

void GgufFile::unmap() {
  if (mapping_ != nullptr) ::munmap(mapping_, bytes_.size());
  mapping_ = nullptr;
}

const GgufValue* GgufFile::find(std::string_view key) const {
  const auto found = metadata_.find(key);
  return found == metadata_.end() ? nullptr : &found->second;
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
  const auto found = tensor_index_.find(name);
  return found == tensor_index_.end() ? nullptr : &tensors_[found->second];
}

std::int64_t GgufFile::int_at(GgufType type, std::uint64_t at) const {
  switch (type) {
    case GgufType::u8: return load<std::uint8_t>(bytes_, at);
    case GgufType::i8: return load<std::int8_t>(bytes_, at);
    case GgufType::u16: return load<std::uint16_t>(bytes_, at);
    case GgufType::i16: return load<std::int16_t>(bytes_, at);
    case GgufType::u32: return load<std::uint32_t>(bytes_, at);
    case GgufType::i32: return load<std::int32_t>(bytes_, at);
    default: return load<std::int64_t>(bytes_, at);  // u64 beyond 2^63 reads as negative and is refused where it matters
  }
}

double GgufFile::float_at(GgufType type, std::uint64_t at) const {
  return type == GgufType::f32 ? static_cast<double>(load<float>(bytes_, at)) : load<double>(bytes_, at);
}

core::Result<std::uint64_t> GgufFile::get_u64(std::string_view key, std::optional<std::uint64_t> fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return missing(key);
  }
  if (!is_integer(value->type)) return wrong_type(key, *value, "an integer");
  const std::int64_t number = int_at(value->type, value->at);
  if (number < 0)
    return core::fail(core::Errc::bad_file, "metadata " + in_quotes(key) + " = " + std::to_string(number) + ": want 0 to 2^63 - 1");
  return static_cast<std::uint64_t>(number);
}

core::Result<float> GgufFile::get_f32(std::string_view key, std::optional<float> fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return missing(key);
  }
  if (!is_float(value->type)) return wrong_type(key, *value, "f32");
  return static_cast<float>(float_at(value->type, value->at));
}

core::Result<bool> GgufFile::get_bool(std::string_view key, std::optional<bool> fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return missing(key);
  }
  if (value->type != GgufType::boolean) return wrong_type(key, *value, "bool");
  return load<std::uint8_t>(bytes_, value->at) != 0;
}

core::Result<std::string_view> GgufFile::get_string(std::string_view key, std::optional<std::string_view> fallback) const {
  const GgufValue* value = find(key);
  if (value == nullptr) {
    if (fallback) return *fallback;
    return missing(key);
  }
  if (value->type != GgufType::string) return wrong_type(key, *value, "string");
  return core::as_text(bytes_.subspan(value->at, value->count));
}

core::Result<std::optional<core::TokenId>> GgufFile::get_token_id(std::string_view key, std::uint64_t vocabulary) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return std::optional<core::TokenId>{};
  if (!is_integer(value->type)) return wrong_type(key, *value, "an integer token id");
  const std::int64_t id = int_at(value->type, value->at);
  if (id == 0xffffffffLL || id == -1) return std::optional<core::TokenId>{};
  if (id < 0 || static_cast<std::uint64_t>(id) >= vocabulary) {
    return core::fail(core::Errc::bad_file, "metadata " + in_quotes(key) + " = " + std::to_string(id) +
                                                ": want a token id below the vocabulary's " + std::to_string(vocabulary) +
                                                ", or 4294967295 for none");
  }
  return std::optional<core::TokenId>{static_cast<core::TokenId>(id)};
}

core::Result<std::vector<std::string_view>> GgufFile::get_strings(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return missing(key);
  if (value->type != GgufType::array || value->element != GgufType::string) return wrong_type(key, *value, "array of string");
  constexpr std::uint64_t strings_max = 1U << 22;  // a view takes twice the 8 bytes that an empty string has in the file
  if (value->count > strings_max) {
    return core::fail(core::Errc::bad_file, "metadata " + in_quotes(key) + " has " + std::to_string(value->count) +
                                                " strings: want at most " + std::to_string(strings_max));
  }
  std::vector<std::string_view> strings;
  strings.reserve(value->count);  // the decoder has walked them: at least 8 bytes of file each
  std::uint64_t at = value->at;
  for (std::uint64_t i = 0; i < value->count; ++i) {
    const auto bytes = load<std::uint64_t>(bytes_, at);
    strings.push_back(core::as_text(bytes_.subspan(at + 8, bytes)));
    at += 8 + bytes;
  }
  return strings;
}

core::Result<std::vector<float>> GgufFile::get_f32s(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return missing(key);
  if (value->type != GgufType::array || !is_float(value->element)) return wrong_type(key, *value, "array of f32");
  std::vector<float> floats;
  floats.reserve(value->count);
  for (std::uint64_t i = 0; i < value->count; ++i) {
    floats.push_back(static_cast<float>(float_at(value->element, value->at + i * width(value->element))));
  }
  return floats;
}

core::Result<std::vector<std::int64_t>> GgufFile::get_ints(std::string_view key) const {
  const GgufValue* value = find(key);
  if (value == nullptr) return missing(key);
  const GgufType type = value->type == GgufType::array ? value->element : value->type;
  if (!is_integer(type)) return wrong_type(key, *value, "integers");
  std::vector<std::int64_t> ints;
  // An array of u8 grows eightfold; no reader needs more than one entry per layer or token, so a huge one is refused.
  constexpr std::uint64_t ints_max = 1U << 20;
  if (value->count > ints_max) {
    return core::fail(core::Errc::bad_file, "metadata " + in_quotes(key) + " has " + std::to_string(value->count) +
                                                " elements: want at most " + std::to_string(ints_max));
  }
  ints.reserve(value->count);
  for (std::uint64_t i = 0; i < value->count; ++i) ints.push_back(int_at(type, value->at + i * width(type)));
  return ints;
}

core::Result<core::Bytes> GgufFile::tensor_bytes(const GgufTensor& tensor) const {
  if (tensor.bytes == 0) {
    return core::fail(core::Errc::unsupported, "tensor " + in_quotes(tensor.name) + " has type " + tensor.type_name() +
                                                   ", which this build does not read; convert the model to Q8_0 or Q4_1");
  }
  const GgufFile& file = tensor.part == 0 ? *this : parts_[tensor.part - 1];
  return file.bytes_.subspan(file.data_start_ + tensor.offset, tensor.bytes);
}

}  // namespace spillway::model
