#include "tests/model/gguf_writer.h"

#include <cstdio>

namespace spillway::model::test {

namespace {

template <class T>
void put(core::ByteVector& out, T value) {
  const auto* bytes = reinterpret_cast<const std::byte*>(&value);
  out.insert(out.end(), bytes, bytes + sizeof value);
}

void put_bytes(core::ByteVector& out, core::Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

template <class T>
void put_field(core::ByteVector& out, std::vector<GgufMark>& marks, std::string field, T value) {
  marks.push_back({std::move(field), out.size(), sizeof value});
  put(out, value);
}

void pad(core::ByteVector& out, std::size_t alignment) {
  while (out.size() % alignment != 0) out.push_back(std::byte{0});
}

}  // namespace

GgufWriter& GgufWriter::add_raw(std::string_view key, std::uint32_t type, core::Bytes payload) {
  pairs_.push_back({std::string(key), type, {payload.begin(), payload.end()}, {}});
  return *this;
}

GgufWriter& GgufWriter::add_string(std::string_view key, std::string_view value) {
  Pair pair{std::string(key), 8, {}, {}};
  put_field(pair.payload, pair.marks, "value length", std::uint64_t{value.size()});
  put_bytes(pair.payload, core::as_bytes(value));
  pairs_.push_back(std::move(pair));
  return *this;
}

GgufWriter& GgufWriter::add_strings(std::string_view key, std::span<const std::string> values) {
  Pair pair{std::string(key), 9, {}, {}};
  put_field(pair.payload, pair.marks, "element type", std::uint32_t{8});
  put_field(pair.payload, pair.marks, "array length", std::uint64_t{values.size()});
  for (const std::string& value : values) {
    put_field(pair.payload, pair.marks, "element length", std::uint64_t{value.size()});
    put_bytes(pair.payload, core::as_bytes(value));
  }
  pairs_.push_back(std::move(pair));
  return *this;
}

GgufWriter& GgufWriter::add_array(std::string_view key, std::uint32_t type, std::uint64_t count, core::Bytes values) {
  Pair pair{std::string(key), 9, {}, {}};
  put_field(pair.payload, pair.marks, "element type", type);
  put_field(pair.payload, pair.marks, "array length", count);
  put_bytes(pair.payload, values);
  pairs_.push_back(std::move(pair));
  return *this;
}

GgufWriter& GgufWriter::add_tensor(std::string_view name, std::vector<std::uint64_t> dims, std::uint32_t type, core::Bytes data) {
  tensors_.push_back({std::string(name), std::move(dims), type, {data.begin(), data.end()}});
  return *this;
}

GgufWriter& GgufWriter::set_alignment(std::uint32_t bytes) {
  alignment_ = bytes;
  return bytes == 32 ? *this : add_u32("general.alignment", bytes);
}

core::ByteVector GgufWriter::finish() const {
  std::vector<GgufMark> marks;
  return finish(marks);
}

core::ByteVector GgufWriter::finish(std::vector<GgufMark>& marks) const {
  core::ByteVector out;
  put_field(out, marks, "magic", std::uint32_t{0x46554747});
  put_field(out, marks, "version", std::uint32_t{3});
  put_field(out, marks, "tensor count", std::uint64_t{tensors_.size()});
  put_field(out, marks, "metadata count", std::uint64_t{pairs_.size()});
  for (const Pair& pair : pairs_) {
    put_field(out, marks, pair.key + " key length", std::uint64_t{pair.key.size()});
    put_bytes(out, core::as_bytes(pair.key));
    put_field(out, marks, pair.key + " type", pair.type);
    for (const GgufMark& mark : pair.marks) marks.push_back({pair.key + " " + mark.field, out.size() + mark.at, mark.bytes});
    if (pair.marks.empty()) marks.push_back({pair.key + " value", out.size(), pair.payload.size()});
    put_bytes(out, pair.payload);
  }
  std::uint64_t offset = 0;
  for (const Tensor& tensor : tensors_) {
    put_field(out, marks, tensor.name + " name length", std::uint64_t{tensor.name.size()});
    put_bytes(out, core::as_bytes(tensor.name));
    put_field(out, marks, tensor.name + " dimension count", static_cast<std::uint32_t>(tensor.dims.size()));
    for (const std::uint64_t dim : tensor.dims) put_field(out, marks, tensor.name + " dimension", dim);
    put_field(out, marks, tensor.name + " type", tensor.type);
    put_field(out, marks, tensor.name + " offset", offset);
    offset += (tensor.data.size() + alignment_ - 1) / alignment_ * alignment_;
  }
  if (tensors_.empty()) return out;
  pad(out, alignment_);
  for (const Tensor& tensor : tensors_) {
    put_bytes(out, tensor.data);
    pad(out, alignment_);
  }
  return out;
}

bool GgufWriter::write(const std::string& path) const {
  const core::ByteVector bytes = finish();
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) return false;
  const bool written = std::fwrite(bytes.data(), 1, bytes.size(), file) == bytes.size();
  return std::fclose(file) == 0 && written;
}

}  // namespace spillway::model::test
