#include "model/grammar_regex.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <optional>
#include <string>

namespace spillway::model {

namespace {

constexpr std::size_t bytes_max = 1000;
constexpr std::uint32_t depth_max = 50;
constexpr std::uint32_t count_max = 10000;
constexpr std::uint32_t repetitions_max = 4;

using Ranges = std::vector<CharRange>;

const Ranges digits{{'0', '9'}};
const Ranges word{{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
const Ranges space{{'\t', '\r'}, {' ', ' '}};
/// What one dialect or the other takes for white space, a line end included.
const Ranges any_space{{'\t', '\r'},     {0x1C, 0x20},     {0x85, 0x85},     {0xA0, 0xA0},     {0x1680, 0x1680}, {0x2000, 0x200A},
                       {0x2028, 0x2029}, {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}, {0xFEFF, 0xFEFF}};
const Ranges line_ends{{'\n', '\n'}, {'\r', '\r'}, {0x85, 0x85}, {0x2028, 0x2029}};
const Ranges ascii{{0, 0x7F}};

/// Class of a letter behind \; nothing for other letters. Digits and words of other scripts are in \d of Python alone.
std::optional<Ranges> shorthand(char letter) {
  switch (letter) {
    case 'd': return digits;
    case 'D': return intersection(complement(digits), ascii);
    case 'w': return word;
    case 'W': return intersection(complement(word), ascii);
    case 's': return space;
    case 'S': return complement(any_space);
    default: return std::nullopt;
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_{text} {}

  core::Result<GrammarExpr> parse() {
    if (text_.size() > bytes_max) fail("it has " + std::to_string(text_.size()) + " bytes, want at most " + std::to_string(bytes_max));
    auto made = parse_choice(0);
    if (!error_ && at_ < text_.size()) fail("a ) without its (");
    if (error_) return core::fail(core::Errc::bad_argument, *error_);
    return made;
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(std::string_view what) {
    if (error_ || !text_.substr(at_).starts_with(what)) return false;
    at_ += what.size();
    return true;
  }
  void fail(const std::string& what) {
    if (!error_) error_ = "at " + std::to_string(at_ + 1) + ": " + what;
  }

  GrammarExpr parse_choice(std::uint32_t depth) {
    std::vector<GrammarExpr> alternates;
    do alternates.push_back(parse_alternate(depth));
    while (take("|"));
    return alternates.size() == 1 ? std::move(alternates.front()) : GrammarExpr::choice(std::move(alternates));
  }

  GrammarExpr parse_alternate(std::uint32_t depth) {
    std::vector<GrammarExpr> parts;
    const auto anything = [&] { return GrammarExpr::repeat(json_chars({{0, code_point_max}}), 0, no_max); };
    if (depth == 0 && !take("^")) parts.push_back(anything());
    bool ended = false;
    while (!error_ && !at_end() && peek() != '|' && peek() != ')') {
      ended = depth == 0 && take("$");
      if (ended) break;
      auto atom = parse_atom(depth);
      parts.push_back(parse_repetition(std::move(atom)));
    }
    if (ended && !at_end() && peek() != '|') fail("$ is understood at an end alone");
    if (depth == 0 && !ended) parts.push_back(anything());
    return GrammarExpr::sequence(std::move(parts));
  }

  GrammarExpr parse_atom(std::uint32_t depth) {
    if (take("(")) {
      if (peek() == '?' && !take("?:")) fail("of groups with ? only (?: ) is understood");
      if (depth == depth_max) fail("groups deeper than " + std::to_string(depth_max));
      if (error_) return {};
      auto group = parse_choice(depth + 1);
      if (!take(")")) fail("a ( without its )");
      return group;
    }
    if (take("[")) return json_chars(parse_class());
    if (take(".")) return json_chars(complement(line_ends));
    if (take("\\")) {
      if (const auto known = shorthand(peek())) {
        ++at_;
        return json_chars(*known);
      }
      const char32_t escaped = parse_escape();
      return json_chars({{escaped, escaped}});
    }
    if (std::string_view("^$*+?{").find(peek()) != std::string_view::npos) {
      fail("'" + std::string(1, peek()) + "' is not understood here");
      return {};
    }
    const char32_t plain = parse_char();
    return json_chars({{plain, plain}});
  }

  Ranges parse_class() {
    const bool negated = take("^");
    bool by_script = false;  // what a shorthand holds beyond ASCII depends on the dialect
    Ranges ranges;
    while (!error_ && !take("]")) {
      if (at_end()) fail("a [ without its ]");
      if (error_) break;
      if (peek() == '\\' && at_ + 1 < text_.size()) {
        if (const auto known = shorthand(text_[at_ + 1])) {
          at_ += 2;
          by_script = true;
          ranges.insert(ranges.end(), known->begin(), known->end());
          continue;
        }
      }
      const char32_t first = parse_class_char();
      char32_t last = first;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        if (peek() == '\\' && at_ + 1 < text_.size() && shorthand(text_[at_ + 1])) fail("a range to a class");
        last = error_ ? first : parse_class_char();
        if (last < first) fail("a range that ends before it begins");
      }
      ranges.push_back({first, last});
    }
    if (!negated) return normal_ranges(std::move(ranges));
    auto others = complement(std::move(ranges));
    return by_script ? intersection(others, ascii) : others;
  }

  char32_t parse_class_char() { return take("\\") ? parse_escape() : parse_char(); }

  char32_t parse_char() {
    const auto lead = static_cast<unsigned char>(peek());
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    char32_t code_point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length && at_ + i < text_.size(); ++i)
      code_point = code_point << 6 | (static_cast<unsigned char>(text_[at_ + i]) & 0x3FU);
    at_ = std::min(at_ + length, text_.size());
    return code_point;  // JSON text is UTF-8: the reader of the schema has checked it
  }

  char32_t parse_escape() {
    const char c = peek();
    ++at_;
    switch (c) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'f': return '\f';
      case 'v': return '\v';
      case '0': return 0;
      case 'x': return parse_hex(2);
      case 'u': return parse_hex(4);
      default: break;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    --at_;
    if (letter || at_end()) fail(at_end() ? "nothing behind \\" : "\\" + std::string(1, c) + " is not understood");
    return error_ ? 0 : parse_char();
  }

  char32_t parse_hex(std::size_t count) {
    char32_t value = 0;
    const auto text = text_.substr(at_, count);
    for (const char c : text) {
      const char lower = static_cast<char>(c | 0x20);
      const bool number = c >= '0' && c <= '9';
      if (!number && (lower < 'a' || lower > 'f')) fail("want " + std::to_string(count) + " hex digits");
      value = value << 4 | static_cast<char32_t>(number ? c - '0' : lower - 'a' + 10);
    }
    if (text.size() < count) fail("want " + std::to_string(count) + " hex digits");
    if (value >= 0xD800 && value <= 0xDFFF) fail("halves of surrogate pairs are not understood");
    at_ += text.size();
    return error_ ? 0 : value;
  }

  GrammarExpr parse_repetition(GrammarExpr part) {
    for (std::uint32_t depth = 0; !error_; ++depth) {
      if (depth > repetitions_max) fail("too many repetitions of one another");
      if (take("?")) {
        part = GrammarExpr::repeat(std::move(part), 0, 1);
      } else if (take("*")) {
        part = GrammarExpr::repeat(std::move(part), 0, no_max);
      } else if (take("+")) {
        part = GrammarExpr::repeat(std::move(part), 1, no_max);
      } else if (take("{")) {
        const std::uint32_t min = parse_number();
        const std::uint32_t max = !take(",") ? min : peek() == '}' ? no_max : parse_number();
        if (max < min || !take("}")) fail("want {m}, {m,} or {m,n}");
        part = GrammarExpr::repeat(std::move(part), min, max);
      } else {
        return part;
      }
      take("?");  // a lazy repetition matches the same texts
    }
    return part;
  }

  std::uint32_t parse_number() {
    std::uint32_t value = 0;
    if (peek() < '0' || peek() > '9') fail("want a number");
    for (; !error_ && peek() >= '0' && peek() <= '9'; ++at_) {
      value = value * 10 + static_cast<std::uint32_t>(peek() - '0');
      if (value > count_max) fail("a count above " + std::to_string(count_max));
    }
    return value;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::optional<std::string> error_;
};

}  // namespace

GrammarExpr json_chars(const std::vector<CharRange>& ranges) {
  static const Ranges plain = complement({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});
  std::vector<GrammarExpr> ways;
  if (auto as_it_is = intersection(ranges, plain); !as_it_is.empty()) ways.push_back(GrammarExpr::of_chars(std::move(as_it_is)));
  for (const auto& range : intersection(ranges, {{0, '"'}, {'\\', '\\'}})) {
    for (char32_t c = range.first; c <= range.last; ++c) {
      if (c == ' ' || c == '!') continue;
      const std::string_view named = "\bb\ff\nn\rr\tt\"\"\\\\";
      const auto at = named.find(static_cast<char>(c));
      std::array<char, 8> hex{};
      std::snprintf(hex.data(), hex.size(), "\\u%04x", static_cast<unsigned>(c));
      // In the list a sign stands before its letter: at an even place.
      ways.push_back(GrammarExpr::of_text(at != named.npos && at % 2 == 0 ? std::string{'\\', named[at + 1]} : std::string(hex.data())));
    }
  }
  return ways.size() == 1 ? std::move(ways.front()) : GrammarExpr::choice(std::move(ways));
}

core::Result<GrammarExpr> json_string_pattern(std::string_view pattern) {
  return Parser(pattern).parse();
}

}  // namespace spillway::model
