#include "model/gguf.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>

namespace spillway::model {

static_assert(std::endian::native == std::endian::little, "GGUF is read in place");

namespace {

constexpr std::uint64_t header_bytes = 24;
constexpr std::uint32_t magic_gguf = 0x46554747;
constexpr std::uint32_t version_wanted = 3;

using Refusal = std::optional<GgufError>;

std::string number(std::uint64_t value) {
  return std::to_string(value);
}

/// Bytes of a scalar value; 0 for strings, arrays and unknown types.
std::uint64_t scalar_bytes(std::uint32_t type) {
  constexpr std::uint8_t sizes[gguf_types] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
  return type < gguf_types ? sizes[type] : 0;
}

}  // namespace

/// Walks the file once from front to back. Each method returns the refusal, or nothing when the part is sound.
class GgufDecoder {
 public:
  explicit GgufDecoder(core::Bytes bytes) { file_.bytes_ = bytes; }

  tl::expected<GgufFile, GgufError> run() {
    if (Refusal no = header()) return tl::make_unexpected(std::move(*no));
    for (std::uint64_t i = 0; i < metadata_count_; ++i) {
      if (Refusal no = pair(i)) return tl::make_unexpected(std::move(*no));
    }
    if (Refusal no = alignment()) return tl::make_unexpected(std::move(*no));
    for (std::uint64_t i = 0; i < tensor_count_; ++i) {
      if (Refusal no = tensor(i)) return tl::make_unexpected(std::move(*no));
    }
    if (Refusal no = place_data()) return tl::make_unexpected(std::move(*no));
    return std::move(file_);
  }

 private:
  std::uint64_t size() const { return file_.bytes_.size(); }
  std::uint64_t left() const { return size() - at_; }

  /// The error: "FIELD = CAME at byte N: want WANTED".
  GgufError refuse(GgufFault fault, const std::string& field, const std::string& came, const std::string& wanted) const {
    return {fault, field, field + " = " + came + " at byte " + number(at_) + ": want " + wanted};
  }

  template <class T>
  Refusal read(const std::string& field, T& value) {
    if (left() < sizeof(T)) {
      return refuse(GgufFault::truncated, field, "end of file", number(sizeof(T)) + " bytes, " + number(left()) + " are left");
    }
    std::memcpy(&value, file_.bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return {};
  }

  std::string_view text(std::uint64_t bytes) {
    const std::string_view view = core::as_text(file_.bytes_.subspan(at_, bytes));
    at_ += bytes;
    return view;
  }

  Refusal header() {
    if (size() < header_bytes) {
      return refuse(GgufFault::too_small, "file size", number(size()), "at least the 24 bytes of a GGUF header");
    }
    std::uint32_t magic = 0;
    std::uint32_t version = 0;
    std::memcpy(&magic, file_.bytes_.data(), 4);
    if (magic != magic_gguf) {
      return refuse(GgufFault::magic, "magic", in_quotes(text(4)), "\"GGUF\"; this is not a GGUF file");
    }
    at_ = 4;
    if (Refusal no = read("version", version)) return no;
    if (version != 0 && (version & 0xffffU) == 0) {
      return refuse(GgufFault::byte_order, "version", number(version), "3; the file is big-endian, convert it to little-endian");
    }
    if (version != version_wanted) return refuse(GgufFault::version, "version", number(version), "3");
    if (Refusal no = read("tensor count", tensor_count_)) return no;
    if (tensor_count_ > gguf_tensors_max) {
      return refuse(GgufFault::tensor_count, "tensor count", number(tensor_count_), "at most " + number(gguf_tensors_max));
    }
    if (Refusal no = read("metadata count", metadata_count_)) return no;
    if (metadata_count_ > gguf_metadata_max) {
      return refuse(GgufFault::metadata_count, "metadata count", number(metadata_count_), "at most " + number(gguf_metadata_max));
    }
    return {};
  }

  Refusal pair(std::uint64_t index) {
    std::string field = "metadata[" + number(index) + "]";
    std::uint64_t length = 0;
    if (Refusal no = read(field + " key length", length)) return no;
    if (length == 0 || length > gguf_key_bytes_max || length > left()) {
      return refuse(GgufFault::key_length, field + " key length", number(length),
                    "1 to " + number(gguf_key_bytes_max) + " and at most the " + number(left()) + " bytes left");
    }
    const std::string_view key = text(length);
    field += " " + in_quotes(key);
    if (key.find('\0') != key.npos) return refuse(GgufFault::key_text, field + " key", in_quotes(key), "text without a zero byte");
    GgufValue value;
    std::uint32_t type = 0;
    if (Refusal no = read(field + " type", type)) return no;
    if (type >= gguf_types) return refuse(GgufFault::value_type, field + " type", number(type), "0 to 12");
    value.type = static_cast<GgufType>(type);
    value.begin = at_;
    if (Refusal no = payload(field, value)) return no;
    value.end = at_;
    if (!file_.metadata_.emplace(key, value).second) {
      return refuse(GgufFault::key_repeated, field + " key", in_quotes(key), "each key once");
    }
    return {};
  }

  Refusal payload(const std::string& field, GgufValue& value) {
    if (value.type == GgufType::array) return array(field, value, 1);
    if (value.type == GgufType::string) {
      value.at = at_ + 8;
      return string(field + " value", value.count);
    }
    value.at = at_;
    value.count = 1;
    return scalars(field, " value", value.type, 1, GgufFault::truncated);
  }

  /// Skips a string; `bytes` is its length.
  Refusal string(const std::string& field, std::uint64_t& bytes) {
    if (Refusal no = read(field + " length", bytes)) return no;
    if (bytes > left()) {
      return refuse(GgufFault::string_length, field + " length", number(bytes), "at most the " + number(left()) + " bytes left");
    }
    at_ += bytes;
    return {};
  }

  /// Skips `count` scalars in a row; `part` of the field tells how many there are.
  Refusal scalars(const std::string& field, const char* part, GgufType type, std::uint64_t count, GgufFault fault) {
    const std::uint64_t each = scalar_bytes(static_cast<std::uint32_t>(type));
    if (count > left() / each) {
      return refuse(fault, field + part, number(count) + " x " + std::string(to_string(type)),
                    "at most the " + number(left()) + " bytes left");
    }
    if (type == GgufType::boolean) {
      for (std::uint64_t i = 0; i < count; ++i) {
        const auto byte = std::to_integer<unsigned>(file_.bytes_[at_ + i]);
        if (byte > 1) return refuse(GgufFault::bool_value, field + " value", number(byte), "0 or 1");
      }
    }
    at_ += each * count;
    return {};
  }

  Refusal array(const std::string& field, GgufValue& value, std::uint32_t depth) {
    if (depth > gguf_array_depth_max) {
      return refuse(GgufFault::array_depth, field + " array nesting", number(depth), "at most " + number(gguf_array_depth_max));
    }
    std::uint32_t element = 0;
    if (Refusal no = read(field + " element type", element)) return no;
    if (element >= gguf_types) return refuse(GgufFault::array_type, field + " element type", number(element), "0 to 12");
    value.element = static_cast<GgufType>(element);
    if (Refusal no = read(field + " array length", value.count)) return no;
    value.at = at_;
    if (scalar_bytes(element) != 0) return scalars(field, " array length", value.element, value.count, GgufFault::array_length);
    // A string takes at least its 8 length bytes, an inner array 12: a count that cannot fit is refused before the walk.
    const std::uint64_t least = value.element == GgufType::string ? 8 : 12;
    if (value.count > left() / least) {
      return refuse(GgufFault::array_length, field + " array length", number(value.count), "at most the " + number(left()) + " bytes left");
    }
    for (std::uint64_t i = 0; i < value.count; ++i) {
      std::uint64_t bytes = 0;
      GgufValue inner;
      if (Refusal no = value.element == GgufType::string ? string_of(field, i, bytes) : array(field, inner, depth + 1)) return no;
    }
    return {};
  }

  /// As `string`; the field's name is only made when it is needed, since vocabularies have 100,000 of these.
  Refusal string_of(const std::string& field, std::uint64_t index, std::uint64_t& bytes) {
    if (left() >= 8) {
      std::memcpy(&bytes, file_.bytes_.data() + at_, 8);
      if (bytes <= left() - 8) {
        at_ += 8 + bytes;
        return {};
      }
    }
    return string(field + " element " + number(index), bytes);
  }

  Refusal alignment() {
    const GgufValue* value = file_.find("general.alignment");
    if (value == nullptr) return {};
    if (value->type != GgufType::u32) {
      return refuse(GgufFault::alignment_type, "general.alignment type", std::string(to_string(value->type)), "u32");
    }
    std::uint32_t bytes = 0;
    std::memcpy(&bytes, file_.bytes_.data() + value->at, sizeof bytes);
    if (!std::has_single_bit(bytes) || bytes > gguf_alignment_max) {
      return refuse(GgufFault::alignment_value, "general.alignment", number(bytes), "a power of two up to " + number(gguf_alignment_max));
    }
    file_.alignment_ = bytes;
    return {};
  }

  Refusal tensor(std::uint64_t index) {
    std::string field = "tensor[" + number(index) + "]";
    std::uint64_t length = 0;
    if (Refusal no = read(field + " name length", length)) return no;
    if (length == 0 || length > gguf_tensor_name_bytes_max || length > left()) {
      return refuse(GgufFault::tensor_name_length, field + " name length", number(length),
                    "1 to " + number(gguf_tensor_name_bytes_max) + " and at most the " + number(left()) + " bytes left");
    }
    GgufTensor tensor;
    tensor.name = text(length);
    field += " " + in_quotes(tensor.name);
    if (tensor.name.find('\0') != tensor.name.npos) {
      return refuse(GgufFault::tensor_name_text, field + " name", in_quotes(tensor.name), "text without a zero byte");
    }
    if (Refusal no = shape(field, tensor)) return no;
    if (Refusal no = read(field + " type", tensor.type)) return no;
    if (Refusal no = read(field + " offset", tensor.offset)) return no;
    if (Refusal no = extent(field, tensor)) return no;
    if (!file_.tensor_index_.emplace(tensor.name, static_cast<std::uint32_t>(file_.tensors_.size())).second) {
      return refuse(GgufFault::tensor_repeated, field + " name", in_quotes(tensor.name), "each name once");
    }
    file_.tensors_.push_back(tensor);
    return {};
  }

  Refusal shape(const std::string& field, GgufTensor& tensor) {
    if (Refusal no = read(field + " dimension count", tensor.dims_count)) return no;
    if (tensor.dims_count == 0 || tensor.dims_count > gguf_dims_max) {
      return refuse(GgufFault::dims_count, field + " dimension count", number(tensor.dims_count), "1 to " + number(gguf_dims_max));
    }
    tensor.elements = 1;
    for (std::uint32_t d = 0; d < tensor.dims_count; ++d) {
      const std::string dim = field + " dimension " + number(d);
      if (Refusal no = read(dim, tensor.dims[d])) return no;
      if (tensor.dims[d] == 0) return refuse(GgufFault::dim_zero, dim, "0", "at least 1");
      constexpr auto elements_max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
      if (tensor.dims[d] > elements_max / tensor.elements) {
        return refuse(GgufFault::dims_product, dim, number(tensor.dims[d]), "a product of dimensions below 2^63");
      }
      tensor.elements *= tensor.dims[d];
    }
    return {};
  }

  /// Bytes of the tensor, from type and shape.
  Refusal extent(const std::string& field, GgufTensor& tensor) {
    const kernels::BlockType* type = kernels::find_block_type(tensor.type);
    if (type != nullptr) {
      if (tensor.dims[0] % type->elements != 0) {
        return refuse(GgufFault::row_length, field + " dimension 0", number(tensor.dims[0]),
                      "a multiple of the " + number(type->elements) + " elements in a block of " + std::string(type->name));
      }
      if (__builtin_mul_overflow(tensor.elements / type->elements, std::uint64_t{type->bytes}, &tensor.bytes) || tensor.bytes > size()) {
        return refuse(GgufFault::tensor_size, field + " size", number(tensor.elements) + " elements of " + std::string(type->name),
                      "at most the file's " + number(size()) + " bytes");
      }
      tensor.layout = type;
    }
    if (tensor.offset % file_.alignment_ != 0) {
      return refuse(GgufFault::offset_alignment, field + " offset", number(tensor.offset), "a multiple of " + number(file_.alignment_));
    }
    if (tensor.offset > size()) {
      return refuse(GgufFault::offset_range, field + " offset", number(tensor.offset), "at most the file's " + number(size()) + " bytes");
    }
    return {};
  }

  /// The data begins at the next multiple of the alignment; every tensor must lie inside the file, none over another.
  Refusal place_data() {
    const std::uint64_t mask = file_.alignment_ - 1;
    file_.data_start_ = (at_ + mask) & ~mask;
    std::vector<GgufTensor*> order;
    for (GgufTensor& tensor : file_.tensors_) order.push_back(&tensor);
    std::sort(order.begin(), order.end(), [](const GgufTensor* a, const GgufTensor* b) { return a->offset < b->offset; });
    if (Refusal no = group_sizes(order)) return no;
    for (const GgufTensor& tensor : file_.tensors_) {
      const std::uint64_t end = file_.data_start_ + tensor.offset + tensor.bytes;  // three values below 2^63 / 2: no overflow
      if (end > size()) {
        return refuse(GgufFault::tensor_range, "tensor " + in_quotes(tensor.name) + " data",
                      number(tensor.bytes) + " bytes at offset " + number(tensor.offset),
                      "an end within the file, it has " + number(size()) + " bytes and the data begins at " + number(file_.data_start_));
      }
    }
    for (std::size_t i = 1; i < order.size(); ++i) {
      if (order[i - 1]->offset + order[i - 1]->bytes > order[i]->offset) {
        return refuse(GgufFault::tensor_overlap, "tensor " + in_quotes(order[i]->name) + " offset", number(order[i]->offset),
                      "an offset behind the data of " + in_quotes(order[i - 1]->name));
      }
    }
    return {};
  }

  /// Q2_0 has two layouts under one id. All such tensors of a file have the same: the one whose sizes fill the room up to the
  /// next tensor or the end of the file, but for padding. `order` is by offset.
  Refusal group_sizes(const std::vector<GgufTensor*>& order) {
    Refusal no;
    for (const std::string_view name : {"Q2_0", "Q2_0_G128"}) {
      const kernels::BlockType& layout = *kernels::find_block_type(name);
      const GgufTensor* unfit = nullptr;
      for (std::size_t i = 0; i < order.size(); ++i) {
        GgufTensor& tensor = *order[i];
        if (tensor.type != layout.id) continue;
        const std::uint64_t end = i + 1 < order.size() ? order[i + 1]->offset : size() - std::min(size(), file_.data_start_);
        const std::uint64_t room = end - std::min(end, tensor.offset);
        tensor.layout = &layout;
        tensor.bytes = tensor.elements / layout.elements * layout.bytes;  // below the file's size: `extent` saw to the larger of both
        const bool fits = tensor.dims[0] % layout.elements == 0 && tensor.bytes <= room && room - tensor.bytes < file_.alignment_;
        if (fits || unfit != nullptr) continue;
        unfit = &tensor;
        if (!no) {
          no = refuse(GgufFault::group_size, "tensor " + in_quotes(tensor.name) + " size",
                      number(room) + " bytes for " + number(tensor.elements) + " elements of Q2_0",
                      "blocks of 18 bytes for 64 elements or of 34 for 128");
        }
      }
      if (unfit == nullptr) return {};
    }
    return no;
  }

  GgufFile file_;
  std::uint64_t at_ = 0;
  std::uint64_t tensor_count_ = 0;
  std::uint64_t metadata_count_ = 0;
};

tl::expected<GgufFile, GgufError> GgufFile::parse(core::Bytes bytes) {
  return GgufDecoder(bytes).run();
}

tl::expected<GgufFile, GgufError> GgufFile::map(const std::string& path) {
  const auto refuse = [&](GgufFault fault, const std::string& why) {
    return tl::make_unexpected(GgufError{fault, "file", path + ": " + why});
  };
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return refuse(GgufFault::open, std::string("cannot open: ") + std::strerror(errno));
  struct stat status {};
  const bool known = ::fstat(fd, &status) == 0;
  if (!known || !S_ISREG(status.st_mode)) {
    ::close(fd);
    return refuse(GgufFault::not_a_file, "want a regular file");
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  void* mapping = size == 0 ? nullptr : ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int map_error = errno;
  ::close(fd);
  if (mapping == MAP_FAILED) return refuse(GgufFault::map, std::string("cannot map: ") + std::strerror(map_error));
  auto file = parse({static_cast<const std::byte*>(mapping), size});
  if (!file) {
    if (mapping != nullptr) ::munmap(mapping, size);
    file.error().message = path + ": " + file.error().message;
    return file;
  }
  file->mapping_ = mapping;
  return file;
}

core::Result<GgufFile> GgufFile::open(const std::string& path) {
  auto file = map(path);
  if (file) return join(std::move(*file), path);
  const GgufFault fault = file.error().fault;
  const bool system = fault == GgufFault::open || fault == GgufFault::not_a_file || fault == GgufFault::map;
  return core::fail(system ? core::Errc::io : core::Errc::bad_file, std::move(file.error().message));
}

}  // namespace spillway::model
