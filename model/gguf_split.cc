#include <cstdio>

#include "model/gguf.h"

namespace spillway::model {

namespace {

/// "-00001-of-00003.gguf"
std::string part_suffix(std::uint64_t part, std::uint64_t parts) {
  char text[64];
  std::snprintf(text, sizeof text, "-%05llu-of-%05llu.gguf", static_cast<unsigned long long>(part), static_cast<unsigned long long>(parts));
  return text;
}

/// "split.no" and its like are written as integers of any width.
core::Result<std::uint64_t> split_number(const GgufFile& file, const std::string& path, std::string_view key, std::uint64_t want) {
  auto number = file.get_u64(key);
  if (!number) return core::fail(core::Errc::bad_file, path + ": " + number.error().message);
  if (*number != want) {
    return core::fail(core::Errc::bad_file, path + ": " + std::string(key) + " = " + std::to_string(*number) + ": want " +
                                                std::to_string(want) + ", as the first part says");
  }
  return number;
}

}  // namespace

std::optional<std::string> gguf_part_path(std::string_view path, std::uint64_t part, std::uint64_t parts) {
  const std::string any = part_suffix(1, parts);
  if (path.size() <= any.size()) return std::nullopt;
  const std::string_view suffix = path.substr(path.size() - any.size());
  for (std::size_t i = 0; i < any.size(); ++i) {
    const bool digit = i >= 1 && i <= 5;  // the number of this part
    if (digit ? suffix[i] < '0' || suffix[i] > '9' : suffix[i] != any[i]) return std::nullopt;
  }
  return std::string(path.substr(0, path.size() - any.size())) + part_suffix(part, parts);
}

core::Result<GgufFile> GgufFile::join(GgufFile first, const std::string& path) {
  const auto count = first.get_u64("split.count", 0);
  if (!count) return core::fail(core::Errc::bad_file, path + ": " + count.error().message);
  if (*count <= 1) return first;
  if (*count > gguf_parts_max) {
    return core::fail(core::Errc::bad_file,
                      path + ": split.count = " + std::to_string(*count) + ": want at most " + std::to_string(gguf_parts_max));
  }
  const auto first_path = gguf_part_path(path, 1, *count);
  if (!first_path) {
    return core::fail(core::Errc::bad_file, path + " is one of " + std::to_string(*count) + " parts: want a name that ends with " +
                                                part_suffix(1, *count) + ", the others beside it");
  }
  const auto number = first.get_u64("split.no", 0);
  if (!number) return core::fail(core::Errc::bad_file, path + ": " + number.error().message);
  if (*number != 0) return core::fail(core::Errc::bad_file, path + " is not the first part of its model: want " + *first_path);
  for (std::uint64_t part = 1; part < *count; ++part) {
    const std::string part_path = *gguf_part_path(path, part + 1, *count);
    auto next = map(part_path);
    if (!next)
      return core::fail(core::Errc::bad_file,
                        next.error().message + "; it is one of the " + std::to_string(*count) + " parts of the model");
    if (const auto same = split_number(*next, part_path, "split.count", *count); !same) return tl::make_unexpected(same.error());
    if (const auto own = split_number(*next, part_path, "split.no", part); !own) return tl::make_unexpected(own.error());
    if (const auto taken = first.take(std::move(*next), part_path); !taken) return tl::make_unexpected(taken.error());
  }
  const auto tensors = first.get_u64("split.tensors.count", first.tensors_.size());
  if (!tensors || *tensors != first.tensors_.size()) {
    return core::fail(core::Errc::bad_file, path + ": the parts hold " + std::to_string(first.tensors_.size()) +
                                                " tensors: want the number in split.tensors.count" +
                                                (tensors ? ", " + std::to_string(*tensors) : std::string()));
  }
  return first;
}

core::Result<void> GgufFile::take(GgufFile part, const std::string& path) {
  for (GgufTensor tensor : part.tensors_) {
    tensor.part = static_cast<std::uint32_t>(parts_.size()) + 1;
    if (!tensor_index_.emplace(tensor.name, static_cast<std::uint32_t>(tensors_.size())).second)
      return core::fail(core::Errc::bad_file, path + ": tensor " + in_quotes(tensor.name) + " stands in another part too: want each once");
    tensors_.push_back(tensor);
  }
  parts_.push_back(std::move(part));
  return {};
}

std::uint64_t GgufFile::total_bytes() const {
  std::uint64_t bytes = bytes_.size();
  for (const GgufFile& part : parts_) bytes += part.bytes_.size();
  return bytes;
}

}  // namespace spillway::model
