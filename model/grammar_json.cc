#include "model/grammar_json.h"

#include <algorithm>
#include <string_view>

#include "core/assert.h"

namespace spillway::model {

namespace {

using Expr = GrammarExpr;

Expr text(std::string bytes) {
  return Expr::of_text(std::move(bytes));
}
Expr chars(std::vector<CharRange> ranges) {
  return Expr::of_chars(normal_ranges(std::move(ranges)));
}
Expr optional(Expr part) {
  return Expr::repeat(std::move(part), 0, 1);
}
Expr digit() {
  return chars({{'0', '9'}});
}
Expr hex_digit() {
  return chars({{'0', '9'}, {'a', 'f'}, {'A', 'F'}});
}

const std::vector<CharRange>& plain_chars() {
  static const auto ranges = complement({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});
  return ranges;
}

template <class... Parts>
Expr sequence(Parts... parts) {
  std::vector<Expr> all;
  (all.push_back(std::move(parts)), ...);
  return Expr::sequence(std::move(all));
}
template <class... Parts>
Expr choice(Parts... parts) {
  std::vector<Expr> all;
  (all.push_back(std::move(parts)), ...);
  return Expr::choice(std::move(all));
}

}  // namespace

std::uint32_t JsonRules::add(std::string name, GrammarExpr body) {
  rules_.rules.push_back({std::move(name), std::move(body)});
  return static_cast<std::uint32_t>(rules_.rules.size() - 1);
}

GrammarRules JsonRules::take(std::uint32_t root) {
  rules_.root = root;
  return std::move(rules_);
}

template <class Body>
GrammarExpr JsonRules::shared(const std::string& name, Body&& body) {
  const auto found = shared_.find(name);
  if (found != shared_.end()) return Expr::of_rule(found->second);
  const auto rule = add(name);
  shared_.emplace(name, rule);  // before the body, which may call it
  set(rule, body());
  return Expr::of_rule(rule);
}

GrammarExpr JsonRules::blank() {
  return shared("(white space)", [] { return optional(choice(text(" "), sequence(text("\n"), Expr::repeat(text(" "), 0, 20)))); });
}

GrammarExpr JsonRules::character() {
  return shared("(character)", [] {
    // No code points D800 to DFFF, which are halves.
    auto unit = choice(sequence(chars({{'0', '9'}, {'a', 'c'}, {'e', 'f'}, {'A', 'C'}, {'E', 'F'}}), hex_digit()),
                       sequence(chars({{'d', 'd'}, {'D', 'D'}}), chars({{'0', '7'}})));
    auto escape = choice(chars({{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'}, {'f', 'f'}, {'n', 'n'}, {'r', 'r'}, {'t', 't'}}),
                         sequence(text("u"), std::move(unit), hex_digit(), hex_digit()));
    return choice(Expr::of_chars(plain_chars()), sequence(text("\\"), std::move(escape)));
  });
}

GrammarExpr JsonRules::string() {
  return shared("(string)", [this] { return sequence(text("\""), Expr::repeat(character(), 0, no_max), text("\"")); });
}

GrammarExpr JsonRules::integer() {
  return shared("(integer)", [] {
    return sequence(optional(text("-")), choice(text("0"), sequence(chars({{'1', '9'}}), Expr::repeat(digit(), 0, 17))));
  });
}

GrammarExpr JsonRules::number() {
  return shared("(number)", [this] {
    auto fraction = sequence(text("."), Expr::repeat(digit(), 1, 17));
    auto exponent = sequence(chars({{'e', 'e'}, {'E', 'E'}}), optional(chars({{'+', '+'}, {'-', '-'}})), Expr::repeat(digit(), 1, 2));
    return sequence(integer(), optional(std::move(fraction)), optional(std::move(exponent)));
  });
}

GrammarExpr JsonRules::any() {
  return shared("(value)", [this] { return choice(object(), array(), string(), number(), text("true"), text("false"), text("null")); });
}

GrammarExpr JsonRules::object() {
  return shared("(object)", [this] {
    auto one = member(string(), any());
    auto more = Expr::repeat(sequence(comma(), one), 0, no_max);
    return bracketed('{', optional(sequence(std::move(one), std::move(more))), '}');
  });
}

GrammarExpr JsonRules::array() {
  return shared("(array)", [this] {
    auto more = Expr::repeat(sequence(comma(), any()), 0, no_max);
    return bracketed('[', optional(sequence(any(), std::move(more))), ']');
  });
}

GrammarExpr JsonRules::member(GrammarExpr key, GrammarExpr value) {
  return sequence(std::move(key), blank(), text(":"), blank(), std::move(value));
}

GrammarExpr JsonRules::comma() {
  return sequence(blank(), text(","), blank());
}

GrammarExpr JsonRules::bracketed(char open, GrammarExpr inside, char close) {
  return sequence(text(std::string(1, open)), blank(), std::move(inside), blank(), text(std::string(1, close)));
}

namespace {

Expr digits_of(std::size_t count) {
  const auto n = static_cast<std::uint32_t>(count);
  return Expr::repeat(digit(), n, n);
}

/// Digits in (after, before), if there are any, and `count` more behind.
void add_between(char after, char before, std::size_t count, std::vector<Expr>& ways) {
  if (after + 1 > before - 1) return;
  ways.push_back(sequence(chars({{static_cast<char32_t>(after + 1), static_cast<char32_t>(before - 1)}}), digits_of(count)));
}

/// As many digits as `bound` has, from it upward, or down from it.
Expr bounded_digits(std::string_view bound, bool upward) {
  if (bound.empty()) return {};
  std::vector<Expr> ways;
  add_between(upward ? bound[0] : static_cast<char>('0' - 1), upward ? static_cast<char>('9' + 1) : bound[0], bound.size() - 1, ways);
  ways.push_back(sequence(text(std::string(1, bound[0])), bounded_digits(bound.substr(1), upward)));
  return Expr::choice(std::move(ways));
}

Expr digits_between(std::string_view first, std::string_view last) {
  if (first == last) return text(std::string(first));
  if (first[0] == last[0]) return sequence(text(std::string(1, first[0])), digits_between(first.substr(1), last.substr(1)));
  std::vector<Expr> ways;
  ways.push_back(sequence(text(std::string(1, first[0])), bounded_digits(first.substr(1), true)));
  add_between(first[0], last[0], first.size() - 1, ways);
  ways.push_back(sequence(text(std::string(1, last[0])), bounded_digits(last.substr(1), false)));
  return Expr::choice(std::move(ways));
}

/// Of numbers that are not negative.
void add_magnitudes(std::int64_t first, std::int64_t last, std::vector<Expr>& ways) {
  for (std::int64_t low = first; low <= last;) {
    const std::string digits = std::to_string(low);
    const std::int64_t high = std::min(last, static_cast<std::int64_t>(std::stoll(std::string(digits.size(), '9'))));
    ways.push_back(digits_between(digits, std::to_string(high)));
    low = high + 1;
  }
}

/// What may stand behind `prefix`, the first `at` characters of those names, so that none of them comes of it; the closing quote too.
Expr rest_except(const std::vector<std::u32string>& names, std::size_t at) {
  std::map<char32_t, std::vector<std::u32string>> by_next;
  bool is_name = false;
  for (const auto& name : names) {
    if (name.size() == at) {
      is_name = true;
    } else {
      by_next[name[at]].push_back(name);
    }
  }
  std::vector<Expr> ways;
  if (!is_name) ways.push_back(text("\""));
  std::vector<CharRange> taken;
  for (const auto& [next, longer] : by_next) {
    taken.push_back({next, next});
    ways.push_back(sequence(chars({{next, next}}), rest_except(longer, at + 1)));
  }
  auto others = intersection(complement(std::move(taken)), plain_chars());
  ways.push_back(sequence(Expr::of_chars(std::move(others)), Expr::repeat(Expr::of_chars(plain_chars()), 0, no_max), text("\"")));
  return Expr::choice(std::move(ways));
}

std::u32string code_points(std::string_view utf8) {
  std::u32string points;
  for (std::size_t at = 0; at < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[at]);
    const std::size_t length = lead < 0x80 ? 1 : lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    char32_t point = length == 1 ? lead : lead & (0xFFU >> (length + 1));
    for (std::size_t i = 1; i < length && at + i < utf8.size(); ++i)
      point = point << 6 | (static_cast<unsigned char>(utf8[at + i]) & 0x3FU);
    points.push_back(point);
    at += length;
  }
  return points;
}

}  // namespace

GrammarExpr integer_range(std::int64_t first, std::int64_t last) {
  SPILLWAY_ASSERT(first <= last && first >= -integer_most && last <= integer_most);
  std::vector<Expr> ways;
  if (first < 0) {
    std::vector<Expr> negative;
    add_magnitudes(std::max<std::int64_t>(1, -last), -first, negative);
    ways.push_back(sequence(text("-"), Expr::choice(std::move(negative))));
  }
  if (last >= 0) add_magnitudes(std::max<std::int64_t>(0, first), last, ways);
  return Expr::choice(std::move(ways));
}

GrammarExpr string_except(const std::vector<std::string>& names) {
  std::vector<std::u32string> points;
  for (const auto& name : names) {
    points.push_back(code_points(name));
    // A name that is not written in plain characters comes of none.
    const auto plain = [](char32_t point) { return !intersection({{point, point}}, plain_chars()).empty(); };
    if (!std::all_of(points.back().begin(), points.back().end(), plain)) points.pop_back();
  }
  return sequence(text("\""), rest_except(points, 0));
}

}  // namespace spillway::model
