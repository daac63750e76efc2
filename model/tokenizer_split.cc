#include "model/tokenizer_split.h"

#include <utf8proc.h>

namespace spillway::model {

namespace {

struct Character {
  std::uint32_t value = 0;
  std::uint32_t start = 0;  // byte offset
  CharClass kind = CharClass::other;
};

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

/// Length in characters of 's 't 're 've 'm 'll 'd at `at`, or 0.
std::size_t contraction(const std::vector<Character>& text, std::size_t at, std::size_t end) {
  if (text[at].value != '\'' || at + 1 >= end) return 0;
  const std::uint32_t a = text[at + 1].value;
  if (a == 's' || a == 't' || a == 'm' || a == 'd') return 2;
  if (at + 2 >= end) return 0;
  const std::uint32_t b = text[at + 2].value;
  return (a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l') ? 3 : 0;
}

/// End of the gpt2 word that begins at `at`; the rule sees nothing behind `end`.
std::size_t gpt2_word_end(const std::vector<Character>& text, std::size_t at, std::size_t end) {
  if (const std::size_t length = contraction(text, at, end); length != 0) return at + length;
  // " ?" takes one plain space along if a letter, number or symbol follows.
  std::size_t first = at;
  if (text[at].value == ' ' && at + 1 < end) ++first;
  const CharClass kind = text[first].kind;
  if (kind != CharClass::space) {
    std::size_t stop = first + 1;
    while (stop < end && text[stop].kind == kind) ++stop;
    return stop;
  }
  std::size_t stop = at;
  while (stop < end && text[stop].kind == CharClass::space) ++stop;
  // \s+(?!\S): leave the last space to the word behind it, if there is one and another space to take.
  return stop < end && stop - at > 1 ? stop - 1 : stop;
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
  if (code_point < 0x80) {
    const std::uint32_t lower = code_point | 0x20;
    if (lower >= 'a' && lower <= 'z') return CharClass::letter;
    if (code_point >= '0' && code_point <= '9') return CharClass::number;
    return code_point == ' ' || (code_point >= 9 && code_point <= 13) ? CharClass::space : CharClass::other;
  }
  if (code_point > 0x10ffff) return CharClass::other;
  // White_Space beyond ASCII: NEL besides the categories Zs, Zl, Zp.
  if (code_point == 0x85) return CharClass::space;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return CharClass::letter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return CharClass::number;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP: return CharClass::space;
    default: return CharClass::other;
  }
}

void split_words(SplitRule rule, std::string_view text, std::vector<std::string_view>& words) {
  words.clear();
  const std::vector<Character> characters = characters_of(text);
  const std::size_t count = characters.size() - 1;
  const auto push = [&](std::size_t from, std::size_t to) {
    words.push_back(text.substr(characters[from].start, characters[to].start - characters[from].start));
  };
  const auto alone = [&](std::size_t i) { return rule == SplitRule::smollm && characters[i].kind == CharClass::number; };
  std::size_t at = 0;
  while (at < count) {
    if (alone(at)) {
      push(at, at + 1);
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < count && !alone(end)) ++end;
    while (at < end) {
      const std::size_t stop = gpt2_word_end(characters, at, end);
      push(at, stop);
      at = stop;
    }
  }
}

}  // namespace spillway::model
