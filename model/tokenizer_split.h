#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

/// Cutting a text into the words that byte-level BPE merges within. Scanners written by hand over the Unicode categories;
/// linear in the text.
namespace spillway::model {

/// One code point of a text. Bytes that are no well-formed UTF-8 are taken one by one: `value` is `not_a_character`, and
/// they belong to the class of symbols, so that any bytes survive tokenising and detokenising.
struct CodePoint {
  std::uint32_t value = 0;
  std::uint8_t bytes = 1;
};
inline constexpr std::uint32_t not_a_character = 0xffffffffU;

/// First code point of `text`, which is not empty.
CodePoint decode_utf8(std::string_view text);
/// Appends the UTF-8 form of `value` (at most 0x10ffff) to `out`.
template <class Out>
void append_utf8(std::uint32_t value, Out& out) {
  const auto put = [&](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (value < 0x80) {
    put(value);
  } else if (value < 0x800) {
    put(0xc0 | value >> 6), put(0x80 | (value & 63));
  } else if (value < 0x10000) {
    put(0xe0 | value >> 12), put(0x80 | (value >> 6 & 63)), put(0x80 | (value & 63));
  } else {
    put(0xf0 | value >> 18), put(0x80 | (value >> 12 & 63)), put(0x80 | (value >> 6 & 63)), put(0x80 | (value & 63));
  }
}

/// \p{L}, \p{M}, \p{N}, \p{P}, \p{S}, White_Space (whatever its category) or anything else.
enum class CharClass : std::uint8_t { letter, mark, number, punctuation, symbol, space, other };
CharClass char_class(std::uint32_t code_point);

/// A character of a text that is being cut.
struct Character {
  std::uint32_t value = 0;
  std::uint32_t start = 0;  ///< byte offset in the text
  CharClass kind = CharClass::other;
};
using Characters = std::span<const Character>;

/// One step of a rule: cuts a piece (never empty) into pieces, whose lengths in characters it appends in order.
using Cut = void (*)(Characters piece, std::vector<std::size_t>& lengths);

/// The words of `text` in order; together they are the text. The first cut is made on the whole text, each further one on all
/// pieces that the one before it left. `words` is cleared first.
void split_words(std::span<const Cut> cuts, std::string_view text, std::vector<std::string_view>& words);

}  // namespace spillway::model
