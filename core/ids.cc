#include "core/ids.h"

#include <xxhash.h>

namespace spillway::core {

std::string to_hex(const U128& value) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(32, '0');
  for (int i = 0; i < 16; ++i) {
    text[static_cast<std::size_t>(15 - i)] = digits[(value.hi >> (4 * i)) & 15U];
    text[static_cast<std::size_t>(31 - i)] = digits[(value.lo >> (4 * i)) & 15U];
  }
  return text;
}

bool from_hex(std::string_view text, U128& value) {
  U128 parsed;
  int digits = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '-' && text.size() == 36 && (i == 8 || i == 13 || i == 18 || i == 23)) continue;
    std::uint64_t digit = 0;
    if (c >= '0' && c <= '9') digit = static_cast<std::uint64_t>(c - '0');
    else if (c >= 'a' && c <= 'f') digit = static_cast<std::uint64_t>(c - 'a') + 10;
    else if (c >= 'A' && c <= 'F') digit = static_cast<std::uint64_t>(c - 'A') + 10;
    else return false;
    if (++digits > 32) return false;
    parsed.hi = (parsed.hi << 4) | (parsed.lo >> 60);
    parsed.lo = (parsed.lo << 4) | digit;
  }
  if (digits != 32) return false;
  value = parsed;
  return true;
}

std::uint64_t name_id(std::string_view name) {
  const std::uint64_t digest = XXH3_64bits(name.data(), name.size());
  return digest == 0 ? 1 : digest;
}

}  // namespace spillway::core
