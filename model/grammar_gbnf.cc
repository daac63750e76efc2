#include "model/grammar_gbnf.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>

namespace spillway::model {

namespace {

constexpr std::size_t rules_max = 4096;
constexpr std::uint32_t depth_max = 100;
constexpr std::uint32_t count_max = 100000;
constexpr std::uint32_t repetitions_max = 8;

bool name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Keeps the first error; everything after it reads nothing.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_{text} {}

  core::Result<GrammarRules> parse() {
    skip_space();
    while (!failed_ && !at_end()) parse_rule();
    if (!failed_) check_rules();
    if (failed_) return tl::make_unexpected(*failed_);
    rules_.root = indices_.at("root");
    return std::move(rules_);
  }

 private:
  bool at_end() const { return at_ >= text_.size(); }
  char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (failed_ || peek() != c || at_end()) return false;
    ++at_;
    return true;
  }

  void fail(const std::string& what) {
    if (failed_) return;
    const auto before = text_.substr(0, std::min(at_, text_.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto column = before.size() - (before.rfind('\n') == before.npos ? 0 : before.rfind('\n') + 1) + 1;
    fail_bare("line " + std::to_string(line) + ", column " + std::to_string(column) + ": " + what);
  }
  void fail_bare(const std::string& what) { failed_ = core::Error{core::Errc::bad_argument, "grammar: " + what, {}}; }
  std::string came() const { return at_end() ? "the end" : "'" + std::string(1, peek()) + "'"; }

  void skip_space() {
    while (!at_end()) {
      const char c = peek();
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        ++at_;
      } else {
        return;
      }
    }
  }

  std::string_view take_name() {
    const std::size_t first = at_;
    while (!at_end() && name_char(peek())) ++at_;
    return text_.substr(first, at_ - first);
  }

  /// The name at hand belongs to the next rule.
  bool at_rule_head() {
    const std::size_t before = at_;
    take_name();
    skip_space();
    const bool head = text_.substr(at_, 3) == "::=";
    at_ = before;
    return head;
  }

  std::uint32_t index_of(std::string_view name) {
    const auto [found, added] = indices_.try_emplace(std::string(name), static_cast<std::uint32_t>(rules_.rules.size()));
    if (added) {
      if (rules_.rules.size() == rules_max) fail("more than " + std::to_string(rules_max) + " rules");
      rules_.rules.push_back({std::string(name), {}});
      defined_.push_back(false);
    }
    return found->second;
  }

  void parse_rule() {
    const auto name = take_name();
    if (name.empty()) return fail("came " + came() + ", want the name of a rule");
    skip_space();
    if (text_.substr(at_, 3) != "::=") return fail("came " + came() + ", want ::= behind the rule's name '" + std::string(name) + "'");
    at_ += 3;
    const auto index = index_of(name);
    if (failed_) return;
    if (defined_[index]) return fail("the rule '" + std::string(name) + "' is there twice");
    defined_[index] = true;
    skip_space();
    auto body = parse_choice(0);
    if (!failed_ && !at_end() && !at_rule_head()) fail("came " + came() + ", want a rule or the end");
    rules_.rules[index].body = std::move(body);
  }

  GrammarExpr parse_choice(std::uint32_t depth) {
    std::vector<GrammarExpr> parts;
    do {
      skip_space();
      parts.push_back(parse_sequence(depth));
    } while (take('|'));
    return parts.size() == 1 ? std::move(parts.front()) : GrammarExpr::choice(std::move(parts));
  }

  GrammarExpr parse_sequence(std::uint32_t depth) {
    std::vector<GrammarExpr> parts;
    while (!failed_) {
      auto part = parse_primary(depth);
      if (!part) break;
      parts.push_back(parse_repetition(std::move(*part)));
      skip_space();
    }
    return GrammarExpr::sequence(std::move(parts));
  }

  std::optional<GrammarExpr> parse_primary(std::uint32_t depth) {
    if (take('"')) return parse_literal();
    if (take('[')) return parse_class();
    if (take('.')) return GrammarExpr::of_chars({{0, code_point_max}});
    if (take('(')) {
      if (depth == depth_max) fail("groups deeper than " + std::to_string(depth_max));
      if (failed_) return std::nullopt;
      auto group = parse_choice(depth + 1);
      if (!take(')')) fail("came " + came() + ", want )");
      return group;
    }
    if (at_end() || !name_char(peek()) || at_rule_head()) return std::nullopt;
    return GrammarExpr::of_rule(index_of(take_name()));
  }

  GrammarExpr parse_literal() {
    std::string bytes;
    while (!failed_ && !take('"')) {
      if (at_end() || peek() == '\n') {
        fail("a text without its closing quote");
      } else if (peek() == '\\') {
        append_utf8(parse_escape(), bytes);
      } else {
        bytes.push_back(text_[at_++]);
      }
    }
    return GrammarExpr::of_text(std::move(bytes));
  }

  GrammarExpr parse_class() {
    const bool negated = take('^');
    std::vector<CharRange> ranges;
    while (!failed_ && !take(']')) {
      if (at_end()) {
        fail("a class without its closing ]");
        break;
      }
      const char32_t first = parse_char();
      char32_t last = first;
      if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
        ++at_;
        last = parse_char();
        if (last < first) fail("a range that ends before it begins");
      }
      ranges.push_back({first, last});
    }
    return GrammarExpr::of_chars(negated ? complement(std::move(ranges)) : normal_ranges(std::move(ranges)));
  }

  char32_t parse_char() {
    if (peek() == '\\') return parse_escape();
    const auto lead = static_cast<unsigned char>(peek());
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    char32_t code_point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    bool good = lead < 0x80 || (lead >= 0xC2 && lead <= 0xF4);
    for (std::size_t i = 1; i < length && good; ++i) {
      const auto byte = at_ + i < text_.size() ? static_cast<unsigned char>(text_[at_ + i]) : 0U;
      good = byte >> 6 == 2;
      code_point = code_point << 6 | (byte & 0x3F);
    }
    if (!good || code_point > code_point_max) fail("no UTF-8");
    at_ += failed_ ? 0 : length;
    return code_point;
  }

  char32_t parse_escape() {
    ++at_;
    const char c = peek();
    ++at_;
    switch (c) {
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case '\\':
      case '"':
      case '[':
      case ']':
      case '^':
      case '-': return static_cast<char32_t>(c);
      case 'x': return parse_hex(2);
      case 'u': return parse_hex(4);
      case 'U': return parse_hex(8);
      default: break;
    }
    --at_;
    fail("came \\" + (at_end() ? std::string("(the end)") : std::string(1, c)) + R"(, want \n \r \t \\ \" \[ \] \xHH \uHHHH \UHHHHHHHH)");
    return 0;
  }

  char32_t parse_hex(int digits) {
    std::uint64_t value = 0;
    for (int i = 0; i < digits; ++i) {
      const int digit = hex_value(peek());
      if (digit < 0) {
        fail("came " + came() + ", want " + std::to_string(digits) + " hex digits");
        return 0;
      }
      value = value << 4 | static_cast<unsigned>(digit);
      ++at_;
    }
    if (value > code_point_max || (value >= 0xD800 && value <= 0xDFFF)) fail("an escape that is no code point");
    return static_cast<char32_t>(value);
  }

  GrammarExpr parse_repetition(GrammarExpr part) {
    for (std::uint32_t depth = 0; !failed_; ++depth) {
      skip_space();
      if (depth > repetitions_max) fail("more than " + std::to_string(repetitions_max) + " repetitions of one another");
      if (take('?')) {
        part = GrammarExpr::repeat(std::move(part), 0, 1);
      } else if (take('*')) {
        part = GrammarExpr::repeat(std::move(part), 0, no_max);
      } else if (take('+')) {
        part = GrammarExpr::repeat(std::move(part), 1, no_max);
      } else if (take('{')) {
        part = parse_counts(std::move(part));
      } else {
        break;
      }
    }
    return part;
  }

  GrammarExpr parse_counts(GrammarExpr part) {
    const std::uint32_t min = parse_number();
    std::uint32_t max = min;
    if (take(',')) max = peek() == '}' ? no_max : parse_number();
    if (!failed_ && max < min) fail("a repetition of at least " + std::to_string(min) + " and at most " + std::to_string(max));
    if (!take('}')) fail("came " + came() + ", want }");
    return GrammarExpr::repeat(std::move(part), min, max);
  }

  std::uint32_t parse_number() {
    if (peek() < '0' || peek() > '9') fail("came " + came() + ", want a number");
    std::uint32_t value = 0;
    while (!failed_ && peek() >= '0' && peek() <= '9') {
      value = value * 10 + static_cast<std::uint32_t>(peek() - '0');
      if (value > count_max) fail("a count above " + std::to_string(count_max));
      ++at_;
    }
    return value;
  }

  void check_rules() {
    if (!indices_.contains("root") || !defined_[indices_.at("root")]) return fail_bare("no rule 'root': it is what the whole text matches");
    for (std::size_t i = 0; i < defined_.size(); ++i)
      if (!defined_[i]) return fail_bare("the rule '" + rules_.rules[i].name + "' is asked for and not there");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  GrammarRules rules_;
  std::map<std::string, std::uint32_t> indices_;
  std::vector<bool> defined_;
  std::optional<core::Error> failed_;
};

}  // namespace

core::Result<GrammarRules> parse_gbnf(std::string_view text) {
  return Parser(text).parse();
}

}  // namespace spillway::model
