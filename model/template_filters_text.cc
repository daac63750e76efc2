// Filters that make texts and numbers.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <utility>

#include "model/template_arithmetic.h"
#include "model/template_attributes.h"
#include "model/template_filters.h"
#include "model/template_format.h"
#include "model/template_repr.h"

namespace spillway::model::jinja {

namespace {

__extension__ using Wide = __int128;

Value trim(Heap& heap, const Value& subject, const Args& args) {
  return stripped(heap, to_text(heap, subject), bind("trim", args, {"chars"})[0], true, true);
}

Value upper(Heap& heap, const Value& subject, const Args& args) {
  bind("upper", args, {});
  return upper_text(heap, to_text(heap, subject));
}

Value lower(Heap& heap, const Value& subject, const Args& args) {
  bind("lower", args, {});
  return lower_text(heap, to_text(heap, subject));
}

Value capitalize(Heap& heap, const Value& subject, const Args& args) {
  bind("capitalize", args, {});
  return capitalized(heap, to_text(heap, subject));
}

/// Words begin behind white space, "-" and opening brackets; unlike str.title, nowhere else.
Value title(Heap& heap, const Value& subject, const Args& args) {
  bind("title", args, {});
  const TextPtr text = to_text(heap, subject);
  const std::string_view bytes = text->bytes();
  TextBuilder out(heap);
  bool starts = true;
  for (std::size_t at = 0; at < bytes.size();) {
    const std::size_t from = at;
    const char32_t point = next_point(bytes, at);
    std::string one;
    if (starts) append_upper(one, point);
    else append_lower(one, point);
    out.add_for(*text, from, one);
    starts = is_space(point) || point == '-' || point == '(' || point == '{' || point == '[' || point == '<';
  }
  return out.finish(text->markup());
}

TextPtr with_markup(Heap& heap, const Value& subject, bool markup) {
  TextBuilder out(heap);
  write_str(heap, subject, out);
  return out.finish(markup);
}

Value replace(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("replace", args, {"old", "new", "count"}, 2);
  const TextPtr text = to_text(heap, subject);
  return replaced(heap, text->markup() ? with_markup(heap, subject, false) : text, *to_text(heap, *given[0]), to_text(heap, *given[1]),
                  whole_argument("replace", given[2], -1));
}

Value format(Heap& heap, const Value& subject, const Args& args) {
  if (!args.named.empty() && !args.positional.empty()) fail("can't handle positional and keyword arguments at the same time");
  if (args.named.empty()) return percent_format(heap, to_text(heap, subject), make_list(heap, args.positional, ListKind::tuple));
  auto* dict = heap.make<DictObject>();
  for (const auto& [name, value] : args.named) dict->set(heap, heap.text(name), value);
  return percent_format(heap, to_text(heap, subject), dict);
}

Value string(Heap& heap, const Value& subject, const Args& args) {
  bind("string", args, {});
  return to_text(heap, subject);
}

Value escape(Heap& heap, const Value& subject, const Args& args) {
  bind("escape", args, {});
  return escaped(heap, subject);
}

Value force_escape(Heap& heap, const Value& subject, const Args& args) {
  bind("forceescape", args, {});
  return escaped(heap, with_markup(heap, subject, false));
}

Value safe(Heap& heap, const Value& subject, const Args& args) {
  bind("safe", args, {});
  return with_markup(heap, subject, true);
}

Value indent(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("indent", args, {"width", "first", "blank"});
  require_defined(subject);
  if (subject.text() == nullptr) fail("want str, not " + type_name(subject));
  TextPtr by;
  if (given[0] != nullptr && given[0]->text() != nullptr) {
    by = *given[0]->text();
  } else {
    TextBuilder spaces(heap);
    spaces.fill(' ', static_cast<std::size_t>(std::max<std::int64_t>(whole_argument("indent", given[0], 4), 0)));
    by = spaces.finish();
  }
  const bool first = given[1] != nullptr && truth(*given[1]);
  const bool blank = given[2] != nullptr && truth(*given[2]);
  const TextPtr text = to_text(heap, subject);
  TextBuilder with_end(heap);
  with_end.add(*text);
  with_end.add("\n");
  const auto lines = split_lines(heap, with_end.finish(), false);
  TextBuilder out(heap);
  if (first) out.add(*by);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const Text& line = **lines[i].text();
    if (i > 0) out.add("\n");
    if (i > 0 && (blank || !line.bytes().empty())) out.add(*by);
    out.add(line);
  }
  return out.finish(text->markup());
}

Value center(Heap& heap, const Value& subject, const Args& args) {
  return centered(heap, to_text(heap, subject), whole_argument("center", bind("center", args, {"width"})[0], 80));
}

Value word_count(Heap& heap, const Value& subject, const Args& args) {
  bind("wordcount", args, {});
  const TextPtr text = to_text(heap, subject);
  std::size_t words = 0;
  bool inside = false;
  for (std::size_t at = 0; at < text->bytes().size();) {
    const bool word = is_word(next_point(text->bytes(), at));
    if (word && !inside) ++words;
    inside = word;
  }
  return Value(words);
}

Value truncate(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("truncate", args, {"length", "killwords", "end", "leeway"});
  const std::int64_t most = whole_argument("truncate", given[0], 255);
  const bool kill = given[1] != nullptr && truth(*given[1]);
  const TextPtr end = given[2] != nullptr ? to_text(heap, *given[2]) : to_text(heap, heap.text("..."));
  const std::int64_t leeway = whole_argument("truncate", given[3], 5);
  if (subject.text() == nullptr && static_cast<std::int64_t>(length(subject)) - leeway <= most) return subject;
  TextPtr text = to_text(heap, subject);
  const auto end_length = static_cast<std::int64_t>(end->length());
  if (most < end_length) fail("truncate: expected length >= " + std::to_string(end_length) + ", got " + std::to_string(most));
  if (leeway < 0) fail("truncate: expected leeway >= 0, got " + std::to_string(leeway));
  if (static_cast<std::int64_t>(text->length()) - leeway <= most) return text;
  std::size_t cut = text->offset(static_cast<std::size_t>(most - end_length));
  if (!kill) {
    const std::size_t space = text->bytes().substr(0, cut).rfind(' ');
    if (space != std::string_view::npos) cut = space;
  }
  TextBuilder out(heap);
  out.add(*text, 0, cut);
  out.add(*end);
  return out.finish(text->markup());
}

/// Percent-encoded; in a query, "/" too, and a space is "+".
void write_quoted(Heap& heap, const Value& value, bool query, TextBuilder& out) {
  const TextPtr text = to_text(heap, value);
  for (std::size_t at = 0; at < text->bytes().size(); ++at) {
    const auto c = static_cast<unsigned char>(text->bytes()[at]);
    const bool plain = c < 0x80 && (std::isalnum(c) != 0 || c == '_' || c == '.' || c == '-' || c == '~' || (c == '/' && !query));
    constexpr char hex[] = "0123456789ABCDEF";
    const char code[] = {'%', hex[c >> 4], hex[c & 15]};
    if (query && c == ' ') out.add_for(*text, at, "+");
    else out.add_for(*text, at, plain ? text->bytes().substr(at, 1) : std::string_view(code, 3));
  }
}

Value url_encode(Heap& heap, const Value& subject, const Args& args) {
  bind("urlencode", args, {});
  TextBuilder out(heap);
  if (subject.text() != nullptr || !is_iterable(subject)) {
    write_quoted(heap, subject, false, out);
    return out.finish();
  }
  auto* dict = subject.as<DictObject>();
  const Value pairs = dict == nullptr ? subject : heap.make<ViewObject>(dict, ViewKind::items);
  bool first = true;
  for (const Value& pair : to_items(heap, pairs)) {
    const std::vector<Value> two = to_items(heap, pair);
    if (two.size() != 2) fail("want pairs of name and value");
    if (!std::exchange(first, false)) out.add("&");
    write_quoted(heap, two[0], true, out);
    out.add("=");
    write_quoted(heap, two[1], true, out);
  }
  return out.finish();
}

Value to_json(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("tojson", args, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ascii = given[0] != nullptr && truth(*given[0]);
  style.indented = given[1] != nullptr && !given[1]->is_none();
  style.sorted = given[3] != nullptr && truth(*given[3]);
  if (style.indented) {
    const auto* text = given[1]->text();
    const std::int64_t width = text == nullptr ? whole_argument("tojson", given[1], 0) : 0;
    if (width > 1000) fail("tojson: an indent of more than 1000 spaces");
    style.indent =
        text != nullptr ? std::string((*text)->bytes()) : std::string(static_cast<std::size_t>(std::max<std::int64_t>(width, 0)), ' ');
  }
  style.item_end = style.indented ? "," : ", ";
  style.key_end = ": ";
  if (given[2] != nullptr && !given[2]->is_none()) {
    const auto two = to_items(heap, *given[2]);
    if (two.size() != 2) fail("tojson: separators are two");
    style.item_end = to_text(heap, two[0])->bytes();
    style.key_end = to_text(heap, two[1])->bytes();
  }
  TextBuilder out(heap);
  write_json(heap, subject, style, out);
  return out.finish();
}

/// Python's int(text, base): the number, or nothing when it is none; fails beyond 64 bits.
std::optional<std::int64_t> parse_whole(std::string_view text, std::int64_t base) {
  std::string digits(text);
  const auto space = [](char c) { return is_space(static_cast<unsigned char>(c)); };
  while (!digits.empty() && space(digits.back())) digits.pop_back();
  digits.erase(0, static_cast<std::size_t>(std::find_if_not(digits.begin(), digits.end(), space) - digits.begin()));
  const bool negative = digits.starts_with('-');
  if (negative || digits.starts_with('+')) digits.erase(0, 1);
  if (digits.size() > 2 && digits[0] == '0') {
    const char mark = static_cast<char>(digits[1] | 0x20);
    const std::int64_t marked = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 0;
    if (marked != 0 && (base == marked || base == 0)) {
      base = marked;
      digits.erase(0, 2);
      if (digits.starts_with('_')) digits.erase(0, 1);
    }
  }
  if (base == 0) base = 10;
  if (digits.empty() || digits.front() == '_' || digits.back() == '_') return std::nullopt;
  Wide value = 0;
  char before = 0;
  for (const char c : digits) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'z' ? c - 'a' + 10 : c >= 'A' && c <= 'Z' ? c - 'A' + 10 : 99;
    if (c == '_' ? before == '_' : digit >= base) return std::nullopt;
    before = c;
    if (c == '_') continue;
    value = std::min<Wide>(value * base + digit, Wide{1} << 70);
  }
  if (negative) value = -value;
  if (value > INT64_MAX || value < INT64_MIN) fail("int: the number is outside the 64 bits of a whole number");
  return static_cast<std::int64_t>(value);
}

/// Python's float(text).
std::optional<double> parse_real(std::string_view text) {
  std::string number;
  std::size_t from = 0, to = text.size();
  while (from < to && is_space(static_cast<unsigned char>(text[from]))) ++from;
  while (to > from && is_space(static_cast<unsigned char>(text[to - 1]))) --to;
  const auto digit = [&](std::size_t at) { return at > from && at < to && text[at] >= '0' && text[at] <= '9'; };
  for (std::size_t i = from; i < to; ++i) {
    const char c = text[i];
    if (c == '_') {
      const bool between = (digit(i - 1) || (i - 1 == from && text[from] >= '0' && text[from] <= '9')) && digit(i + 1);
      if (!between) return std::nullopt;
      continue;
    }
    number += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  const std::string_view bare = std::string_view(number).substr(number.starts_with('-') || number.starts_with('+') ? 1 : 0);
  const bool named = bare == "inf" || bare == "infinity" || bare == "nan";
  if (!named && (bare.empty() || bare.find_first_not_of("0123456789.e+-") != bare.npos || bare[0] == '+' || bare[0] == '-'))
    return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(number.c_str(), &end);
  return end == number.c_str() + number.size() ? std::optional(value) : std::nullopt;
}

std::optional<std::int64_t> whole_of_real(double value) {
  if (std::isnan(value) || std::isinf(value)) return std::nullopt;
  if (!(value > -9223372036854775809.0 && value < 9223372036854775808.0)) fail("int: the number is outside the 64 bits of a whole number");
  return static_cast<std::int64_t>(value);
}

Value to_int(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("int", args, {"default", "base"});
  require_defined(subject);
  const Value usual = given[0] != nullptr ? *given[0] : Value(std::int64_t{0});
  std::int64_t whole = 0;
  if (to_integer(subject, whole)) return Value(whole);
  std::optional<double> real;
  if (const auto* text = subject.text()) {
    heap.spend((*text)->bytes().size() / 64);
    if (const auto parsed = parse_whole((*text)->bytes(), whole_argument("int", given[1], 10))) return Value(*parsed);
    real = parse_real((*text)->bytes());
  } else if (const auto* d = subject.real()) {
    if (std::isinf(*d)) fail("cannot convert float infinity to integer");
    real = *d;
  }
  const auto converted = real ? whole_of_real(*real) : std::nullopt;
  return converted ? Value(*converted) : usual;
}

Value to_float(Heap& /*heap*/, const Value& subject, const Args& args) {
  const auto given = bind("float", args, {"default"});
  require_defined(subject);
  double real = 0;
  if (to_real(subject, real)) return Value(real);
  if (const auto* text = subject.text()) {
    if (const auto parsed = parse_real((*text)->bytes())) return Value(*parsed);
  }
  return given[0] != nullptr ? *given[0] : Value(0.0);
}

Value absolute(Heap& /*heap*/, const Value& subject, const Args& args) {
  bind("abs", args, {});
  require_defined(subject);
  std::int64_t whole = 0;
  if (to_integer(subject, whole)) return whole < 0 ? negated(Value(whole)) : Value(whole);
  if (const auto* d = subject.real()) return Value(std::abs(*d));
  fail("bad operand type for abs(): '" + type_name(subject) + "'");
}

double rounded(double value, std::int64_t precision) {
  if (std::isnan(value) || std::isinf(value) || precision > 300) return value;
  if (precision >= 0) {
    char buffer[700];
    std::snprintf(buffer, sizeof buffer, "%.*f", static_cast<int>(precision), value);  // exact, half to even
    return std::strtod(buffer, nullptr);
  }
  const double power = std::pow(10.0, static_cast<double>(-precision));
  return std::isinf(power) ? 0.0 * value : std::nearbyint(value / power) * power;
}

Value round(Heap& /*heap*/, const Value& subject, const Args& args) {
  const auto given = bind("round", args, {"precision", "method"});
  const std::int64_t precision = whole_argument("round", given[0], 0);
  const std::string_view method = given[1] == nullptr || given[1]->text() == nullptr ? "common" : (*given[1]->text())->bytes();
  if (method != "common" && method != "ceil" && method != "floor") fail("round: method must be common, ceil or floor");
  require_defined(subject);
  double real = 0;
  std::int64_t whole = 0;
  if (!to_real(subject, real)) fail("round: type " + type_name(subject) + " doesn't define __round__ method");
  if (method != "common") {
    const double power = std::pow(10.0, static_cast<double>(precision));
    return Value((method == "ceil" ? std::ceil(real * power) : std::floor(real * power)) / power);
  }
  if (!to_integer(subject, whole)) return Value(rounded(real, precision));
  if (precision >= 0) return Value(whole);
  if (precision < -18) return Value(std::int64_t{0});
  std::int64_t power = 1;
  for (std::int64_t i = precision; i < 0; ++i) power *= 10;
  const Wide rest = ((whole % power) + power) % power;
  const Wide down = whole - rest;
  const bool up = rest * 2 > power || (rest * 2 == power && (down / power) % 2 != 0);
  const Wide result = up ? down + power : down;
  if (result > INT64_MAX || result < INT64_MIN) fail("round: the number is outside the 64 bits of a whole number");
  return Value(static_cast<std::int64_t>(result));
}

Value file_size(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("filesizeformat", args, {"binary"});
  const bool binary = given[0] != nullptr && truth(*given[0]);
  double bytes = 0;
  if (!to_real(subject, bytes)) {
    const auto parsed = subject.text() != nullptr ? parse_real((*subject.text())->bytes()) : std::nullopt;
    if (!parsed) fail("filesizeformat: want a number, not " + type_name(subject));
    bytes = *parsed;
  }
  const double base = binary ? 1024 : 1000;
  if (bytes == 1) return heap.text("1 Byte");
  char buffer[64];
  if (bytes < base) {
    std::snprintf(buffer, sizeof buffer, "%.0f Bytes", std::trunc(bytes));
    return heap.text(buffer);
  }
  constexpr const char* names[] = {"k", "M", "G", "T", "P", "E", "Z", "Y"};
  double unit = base;
  std::size_t i = 0;
  while (i + 1 < 8 && bytes >= unit * base) unit *= base, ++i;
  std::string name = names[i];
  if (binary) name = (i == 0 ? "K" : name) + "i";
  std::snprintf(buffer, sizeof buffer, "%.1f %sB", bytes / unit, name.c_str());
  return heap.text(buffer);
}

}  // namespace

std::vector<NamedFilter> text_filters() {
  return {{"trim", trim},
          {"upper", upper},
          {"lower", lower},
          {"capitalize", capitalize},
          {"title", title},
          {"replace", replace},
          {"format", format},
          {"string", string},
          {"escape", escape},
          {"e", escape},
          {"forceescape", force_escape},
          {"safe", safe},
          {"indent", indent},
          {"center", center},
          {"wordcount", word_count},
          {"truncate", truncate},
          {"urlencode", url_encode},
          {"tojson", to_json},
          {"int", to_int},
          {"float", to_float},
          {"abs", absolute},
          {"round", round},
          {"filesizeformat", file_size}};
}

}  // namespace spillway::model::jinja
