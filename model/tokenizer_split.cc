#include "model/tokenizer_split.h"

#include <utf8proc.h>

namespace spillway::model {

namespace {

/// Characters of a text, and one sentinel behind the last that only carries its end.
std::vector<Character> characters_of(std::string_view text) {
  std::vector<Character> characters;
  characters.reserve(text.size() + 1);
  std::size_t at = 0;
  while (at < text.size()) {
    const CodePoint point = decode_utf8(text.substr(at));
    characters.push_back({point.value, static_cast<std::uint32_t>(at), char_class(point.value)});
    at += point.bytes;
  }
  characters.push_back({not_a_character, static_cast<std::uint32_t>(at), CharClass::other});
  return characters;
}

CharClass ascii_class(std::uint32_t code_point) {
  const std::uint32_t lower = code_point | 0x20;
  if (lower >= 'a' && lower <= 'z') return CharClass::letter;
  if (code_point >= '0' && code_point <= '9') return CharClass::number;
  if (code_point == ' ' || (code_point >= 9 && code_point <= 13)) return CharClass::space;
  if (code_point < ' ' || code_point == 0x7f) return CharClass::other;
  constexpr std::string_view symbols = "$+<=>^`|~";
  return symbols.find(static_cast<char>(code_point)) == symbols.npos ? CharClass::punctuation : CharClass::symbol;
}

}  // namespace

CodePoint decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1};
  const std::uint8_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < length) return {not_a_character, 1};
  std::uint32_t value = lead & (0x7fU >> length);
  for (std::uint8_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {not_a_character, 1};
    value = value << 6 | (byte(i) & 63);
  }
  const bool overlong = (length == 3 && value < 0x800) || (length == 4 && value < 0x10000);
  const bool surrogate = value >= 0xd800 && value < 0xe000;
  if (overlong || surrogate || value > 0x10ffff) return {not_a_character, 1};
  return {value, length};
}

CharClass char_class(std::uint32_t code_point) {
  if (code_point < 0x80) return ascii_class(code_point);
  // What stands for broken bytes elsewhere, U+FFFD, is a symbol.
  if (code_point > 0x10ffff) return CharClass::symbol;
  // White_Space beyond ASCII: NEL besides the categories Zs, Zl, Zp.
  if (code_point == 0x85) return CharClass::space;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return CharClass::letter;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME: return CharClass::mark;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return CharClass::number;
    case UTF8PROC_CATEGORY_PC:
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO: return CharClass::punctuation;
    case UTF8PROC_CATEGORY_SM:
    case UTF8PROC_CATEGORY_SC:
    case UTF8PROC_CATEGORY_SK:
    case UTF8PROC_CATEGORY_SO: return CharClass::symbol;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return CharClass::space;
    default: return CharClass::other;
  }
}

void split_words(std::span<const Cut> cuts, std::string_view text, std::vector<std::string_view>& words) {
  words.clear();
  const std::vector<Character> characters = characters_of(text);
  std::vector<std::size_t> lengths;
  if (characters.size() > 1) lengths.push_back(characters.size() - 1);
  std::vector<std::size_t> finer;
  for (const Cut cut : cuts) {
    finer.clear();
    std::size_t at = 0;
    for (const std::size_t length : lengths) {
      cut(Characters{characters}.subspan(at, length), finer);
      at += length;
    }
    lengths.swap(finer);
  }
  std::size_t at = 0;
  for (const std::size_t length : lengths) {
    const std::size_t from = characters[at].start;
    at += length;
    words.push_back(text.substr(from, characters[at].start - from));
  }
}

}  // namespace spillway::model
