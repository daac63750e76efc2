#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace spillway::core {

using Bytes = std::span<const std::byte>;
using MutableBytes = std::span<std::byte>;
using ByteVector = std::vector<std::byte>;
/// Immutable bytes shared between actors and the network without a copy.
using SharedBytes = std::shared_ptr<const ByteVector>;

inline Bytes as_bytes(std::string_view text) {
  return std::as_bytes(std::span{text.data(), text.size()});
}
inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline SharedBytes share(ByteVector&& bytes) {
  return std::make_shared<const ByteVector>(std::move(bytes));
}

}  // namespace spillway::core
