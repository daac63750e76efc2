#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

/// A context-free grammar over characters, as GBNF and JSON Schema are read into it. Plain data.
namespace spillway::model {

/// Code points [first, last].
struct CharRange {
  char32_t first = 0;
  char32_t last = 0;
  friend bool operator==(const CharRange&, const CharRange&) = default;
};

inline constexpr char32_t code_point_max = 0x10FFFF;
inline constexpr std::uint32_t no_max = std::numeric_limits<std::uint32_t>::max();

struct GrammarExpr {
  enum class Kind : std::uint8_t {
    text,      ///< these bytes
    chars,     ///< one character of these ranges; none: nothing matches
    sequence,  ///< all parts; none: the empty text
    choice,    ///< one of the parts
    repeat,    ///< the one part, min to max times (no_max: without end)
    rule,
  };
  Kind kind = Kind::sequence;
  std::string text{};
  std::vector<CharRange> chars{};
  std::vector<GrammarExpr> parts{};
  std::uint32_t min = 0;
  std::uint32_t max = 0;
  std::uint32_t rule = 0;  ///< index into GrammarRules

  static GrammarExpr of_text(std::string bytes) { return {.kind = Kind::text, .text = std::move(bytes)}; }
  static GrammarExpr of_chars(std::vector<CharRange> ranges) { return {.kind = Kind::chars, .chars = std::move(ranges)}; }
  static GrammarExpr of_rule(std::uint32_t index) { return {.kind = Kind::rule, .rule = index}; }
  static GrammarExpr sequence(std::vector<GrammarExpr> parts) { return {.kind = Kind::sequence, .parts = std::move(parts)}; }
  static GrammarExpr choice(std::vector<GrammarExpr> parts) { return {.kind = Kind::choice, .parts = std::move(parts)}; }
  static GrammarExpr repeat(GrammarExpr part, std::uint32_t min, std::uint32_t max) {
    GrammarExpr made{.kind = Kind::repeat, .min = min, .max = max};
    made.parts.push_back(std::move(part));
    return made;
  }
};

struct GrammarRules {
  struct Rule {
    std::string name;  ///< for messages
    GrammarExpr body;
  };
  std::vector<Rule> rules;
  std::uint32_t root = 0;
};

/// The ranges sorted and joined.
std::vector<CharRange> normal_ranges(std::vector<CharRange> ranges);
/// All code points but those of the ranges.
std::vector<CharRange> complement(std::vector<CharRange> ranges);
/// Code points in both.
std::vector<CharRange> intersection(const std::vector<CharRange>& a, const std::vector<CharRange>& b);
/// Appends the code point as UTF-8.
void append_utf8(char32_t code_point, std::string& out);

}  // namespace spillway::model
