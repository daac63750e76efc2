#include "model/template_format.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <optional>

#include "model/template_arithmetic.h"
#include "model/template_attributes.h"
#include "model/template_repr.h"

namespace spillway::model::jinja {

namespace {

constexpr int precision_max = 300;
constexpr std::int64_t width_max = 1'000'000;

/// How one value is to be written; of `%` and of format() alike.
struct Style {
  std::string fill = " ";
  char align = 0;  ///< '<', '>', '^', '=' (behind the sign), 0 = by the kind of value
  char sign = '-';
  bool alternate = false;
  char grouping = 0;
  std::int64_t width = 0;
  int precision = -1;
  char type = 0;
};

std::string grouped(std::string digits, char by, std::size_t every) {
  std::size_t end = digits.find_first_of(".eE%");
  if (end == digits.npos) end = digits.size();
  while (end > every) {
    end -= every;
    digits.insert(end, 1, by);
  }
  return digits;
}

std::string whole_digits(std::uint64_t value, unsigned base, bool upper) {
  const std::string_view digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  do {
    out += digits[value % base];
    value /= base;
  } while (value != 0);
  std::reverse(out.begin(), out.end());
  return out;
}

std::string real_digits(double value, const Style& style) {
  char type = style.type;
  if (type == 0 && style.precision < 0) return real_text(value);
  const bool percent = type == '%';
  if (percent) type = 'f', value *= 100;
  if (std::isnan(value) || std::isinf(value)) {
    std::string name = std::isnan(value) ? "nan" : "inf";
    if (type == 'F' || type == 'E' || type == 'G') std::transform(name.begin(), name.end(), name.begin(), ::toupper);
    return name + (percent ? "%" : "");
  }
  const int precision = style.precision < 0 ? 6 : style.precision;
  const char form[] = {'%',
                       style.alternate ? '#' : '.',
                       style.alternate ? '.' : '*',
                       style.alternate ? '*' : (type == 0 || type == 'n' ? 'g' : type),
                       style.alternate ? (type == 0 || type == 'n' ? 'g' : type) : '\0',
                       '\0'};
  char buffer[700];
  const int size = std::snprintf(buffer, sizeof buffer, form, precision, value);
  std::string out(buffer, static_cast<std::size_t>(std::clamp(size, 0, 699)));
  if (type == 0 && out.find_first_of(".e") == out.npos) out += ".0";
  return out + (percent ? "%" : "");
}

void write_padded(TextBuilder& out, const Style& style, char align, std::string_view sign, const std::string& digits) {
  const auto size = static_cast<std::int64_t>(sign.size() + digits.size());
  const std::int64_t padding = std::max<std::int64_t>(style.width - size, 0);
  const auto pad = [&](std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) out.add(style.fill);
  };
  if (align == '>') pad(padding);
  if (align == '^') pad(padding / 2);
  out.add(sign);
  if (align == '=') pad(padding);
  out.add(digits);
  if (align == '<') pad(padding);
  if (align == '^') pad(padding - padding / 2);
}

std::string_view sign_of(bool negative, const Style& style) {
  return negative ? "-" : style.sign == '+' ? "+" : style.sign == ' ' ? " " : "";
}

void write_whole(TextBuilder& out, std::int64_t value, const Style& style) {
  const std::uint64_t magnitude = value < 0 ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
  std::string sign(sign_of(value < 0, style));
  std::string digits;
  std::string prefix;
  switch (style.type) {
    case 'x':
    case 'X': digits = whole_digits(magnitude, 16, style.type == 'X'), prefix = style.type == 'X' ? "0X" : "0x"; break;
    case 'o': digits = whole_digits(magnitude, 8, false), prefix = "0o"; break;
    case 'b': digits = whole_digits(magnitude, 2, false), prefix = "0b"; break;
    default: digits = std::to_string(magnitude);
  }
  if (style.grouping != 0) digits = grouped(digits, style.grouping, prefix.empty() ? 3 : 4);
  if (style.alternate) sign += prefix;
  write_padded(out, style, style.align == 0 ? '>' : style.align, sign, digits);
}

void write_real(TextBuilder& out, double value, const Style& style) {
  const bool negative = std::signbit(value) && !std::isnan(value);
  std::string digits = real_digits(std::abs(value), style);
  if (style.grouping != 0) digits = grouped(digits, style.grouping, 3);
  write_padded(out, style, style.align == 0 ? '>' : style.align, sign_of(negative, style), digits);
}

void write_text(Heap& heap, TextBuilder& out, TextPtr text, const Style& style, char usual) {
  std::size_t length = text->length();
  if (style.precision >= 0 && static_cast<std::size_t>(style.precision) < length) {
    length = static_cast<std::size_t>(style.precision);
    text = slice_text(heap, text, 0, text->offset(length));
  }
  const std::int64_t padding = std::max<std::int64_t>(style.width - static_cast<std::int64_t>(length), 0);
  const char align = style.align == 0 ? usual : style.align;
  const std::int64_t before = align == '>' ? padding : align == '^' ? padding / 2 : 0;
  for (std::int64_t i = 0; i < before; ++i) out.add(style.fill);
  out.add(*text);
  for (std::int64_t i = before; i < padding; ++i) out.add(style.fill);
}

/// Takes the values of `%` in order.
class PercentFormatter {
 public:
  PercentFormatter(Heap& heap, const TextPtr& text, const Value& value) : heap_(heap), text_(text), value_(value), out_(heap) {
    if (const auto* list = value.as<ListObject>(); list != nullptr && !list->is_list()) tuple_ = list;
  }

  Value run() {
    const std::string_view bytes = text_->bytes();
    while (at_ < bytes.size()) {
      const std::size_t percent = std::min(bytes.find('%', at_), bytes.size());
      out_.add(*text_, at_, percent);
      at_ = percent;
      if (at_ < bytes.size()) conversion();
    }
    const bool all = tuple_ != nullptr ? taken_ >= tuple_->items.size() : taken_ > 0 || named_ || is_mapping_like();
    if (!all) fail("not all arguments converted during string formatting");
    return out_.finish(text_->markup());
  }

 private:
  /// Python does not miss the use of what can be indexed.
  bool is_mapping_like() const {
    return value_.is_undefined() || value_.as<DictObject>() != nullptr || value_.as<ListObject>() != nullptr ||
           value_.as<RangeObject>() != nullptr;
  }
  char take() {
    if (at_ >= text_->bytes().size()) fail("incomplete format");
    return text_->bytes()[at_++];
  }
  Value argument() {
    if (tuple_ == nullptr) {
      if (taken_++ > 0) fail("not enough arguments for format string");
      return value_;
    }
    if (taken_ >= tuple_->items.size()) fail("not enough arguments for format string");
    return tuple_->items[taken_++];
  }
  std::int64_t number(char& c) {
    if (c == '*') {
      std::int64_t given = 0;
      if (!to_integer(argument(), given)) fail("* wants int");
      c = take();
      return std::clamp(given, -width_max, width_max);
    }
    std::int64_t n = 0;
    for (; c >= '0' && c <= '9'; c = take()) n = std::min(n * 10 + (c - '0'), width_max);
    return n;
  }

  void conversion() {
    const std::size_t start = at_++;
    char c = take();
    std::optional<Value> given;
    if (c == '(') {
      const std::size_t close = text_->bytes().find(')', at_);
      if (close == std::string_view::npos) fail("incomplete format key");
      auto* dict = value_.as<DictObject>();
      if (dict == nullptr) fail("format requires a mapping");
      const std::string_view key = text_->bytes().substr(at_, close - at_);
      const Value* const found = dict->find(key);
      if (found == nullptr) fail("'" + std::string(key) + "' is not in the mapping of the format");
      given = *found;
      named_ = true;
      at_ = close + 1;
      c = take();
    }
    Style style;
    for (bool flags = true; flags;) {
      switch (c) {
        case '-': style.align = '<'; break;
        case '+': style.sign = '+'; break;
        case ' ': style.sign = style.sign == '+' ? '+' : ' '; break;
        case '#': style.alternate = true; break;
        case '0': style.fill = "0"; break;
        default: flags = false; continue;
      }
      c = take();
    }
    style.width = number(c);
    if (style.width < 0) style.align = '<', style.width = -style.width;
    if (c == '.') {
      c = take();
      style.precision = static_cast<int>(std::max<std::int64_t>(number(c), 0));
    }
    while (c == 'h' || c == 'l' || c == 'L') c = take();
    if (c == '%') return out_.add(*text_, start, start + 1);
    write(given ? *given : argument(), style, c);
  }

  void write(const Value& value, Style style, char type) {
    style.type = type;
    switch (type) {
      case 's':
      case 'r':
      case 'a': {
        style.fill = " ";
        if (type == 's') return write_text(heap_, out_, text_->markup() ? escaped(heap_, value) : to_text(heap_, value), style, '>');
        TextBuilder repr(heap_);
        write_repr(heap_, value, repr);
        return write_text(heap_, out_, repr.finish(), style, '>');
      }
      case 'c': {
        std::int64_t point = 0;
        TextPtr one = value.text() != nullptr ? *value.text() : nullptr;
        if (one == nullptr && to_integer(value, point) && point >= 0 && point < 0x110000) {
          std::string bytes;
          append_point(bytes, static_cast<char32_t>(point));
          one = *heap_.text(bytes).text();
        }
        if (one == nullptr || one->length() != 1) fail("%c requires int or char");
        return write_text(heap_, out_, one, style, '>');
      }
      case 'd':
      case 'i':
      case 'u':
      case 'x':
      case 'X':
      case 'o': return write_number(value, style);
      case 'e':
      case 'E':
      case 'f':
      case 'F':
      case 'g':
      case 'G': {
        double real = 0;
        require_defined(value);
        if (!to_real(value, real)) fail("must be real number, not " + type_name(value));
        if (style.precision > precision_max) fail("precision too big");
        if (style.align == 0 && style.fill == "0") style.align = '=';
        if (style.align == '<') style.fill = " ";
        return write_real(out_, real, style);
      }
      default: fail(std::string("unsupported format character '") + type + "'");
    }
  }

  void write_number(const Value& value, Style style) {
    require_defined(value);
    std::int64_t whole = 0;
    if (!to_integer(value, whole)) {
      const bool decimal = style.type == 'd' || style.type == 'i' || style.type == 'u';
      const double* const real = value.real();
      if (real == nullptr || !decimal) fail(std::string("%") + style.type + " format: a number is required, not " + type_name(value));
      if (!(std::abs(*real) < 9.2e18)) fail("cannot convert float to a whole number of 64 bits");
      whole = static_cast<std::int64_t>(*real);
    }
    if (style.precision > 0) {
      const std::string digits = std::to_string(whole < 0 ? 0 - static_cast<std::uint64_t>(whole) : static_cast<std::uint64_t>(whole));
      if (style.precision > precision_max) fail("precision too big");
      const auto wanted = static_cast<std::size_t>(style.precision);
      const std::string zeros(wanted > digits.size() ? wanted - digits.size() : 0, '0');
      return write_padded(out_, style, style.align == 0 ? (style.fill == "0" ? '=' : '>') : style.align, sign_of(whole < 0, style),
                          zeros + digits);
    }
    if (style.align == 0 && style.fill == "0") style.align = '=';
    if (style.align == '<') style.fill = " ";
    write_whole(out_, whole, style);
  }

  Heap& heap_;
  const TextPtr& text_;
  const Value& value_;
  TextBuilder out_;
  const ListObject* tuple_ = nullptr;
  std::size_t taken_ = 0;
  std::size_t at_ = 0;
  bool named_ = false;
};

/// "[[fill]align][sign][#][0][width][grouping][.precision][type]".
Style parse_style(std::string_view spec) {
  Style style;
  std::size_t at = 0;
  const auto is_align = [](char c) { return c == '<' || c == '>' || c == '^' || c == '='; };
  if (!spec.empty()) {
    std::size_t behind = 0;
    next_point(spec, behind);
    if (behind < spec.size() && is_align(spec[behind])) {
      style.fill = spec.substr(0, behind);
      style.align = spec[behind];
      at = behind + 1;
    } else if (is_align(spec[0])) {
      style.align = spec[0];
      at = 1;
    }
  }
  const auto now = [&] { return at < spec.size() ? spec[at] : '\0'; };
  if (now() == '+' || now() == '-' || now() == ' ') style.sign = spec[at++];
  if (now() == '#') style.alternate = true, ++at;
  if (now() == '0') {
    if (style.align == 0) style.fill = "0", style.align = '=';
    ++at;
  }
  for (; now() >= '0' && now() <= '9'; ++at) style.width = std::min(style.width * 10 + (spec[at] - '0'), width_max);
  if (now() == ',' || now() == '_') style.grouping = spec[at++];
  if (now() == '.') {
    ++at;
    style.precision = 0;
    if (!(now() >= '0' && now() <= '9')) fail("Format specifier missing precision");
    for (; now() >= '0' && now() <= '9'; ++at) style.precision = std::min(style.precision * 10 + (spec[at] - '0'), 1'000'000);
  }
  if (at < spec.size()) style.type = spec[at++];
  if (at < spec.size()) fail("Invalid format specifier '" + std::string(spec) + "'");
  return style;
}

class BraceFormatter {
 public:
  BraceFormatter(Heap& heap, const TextPtr& text, const Args& args) : heap_(heap), text_(text), args_(args) {}

  Value run() {
    TextBuilder out(heap_);
    write(*text_, 2, out);
    return out.finish(text_->markup());
  }

 private:
  void write(const Text& text, int levels, TextBuilder& out) {
    if (levels == 0) fail("Max string recursion exceeded");
    const std::string_view bytes = text.bytes();
    for (std::size_t at = 0; at < bytes.size();) {
      const std::size_t brace = std::min(bytes.find_first_of("{}", at), bytes.size());
      out.add(text, at, brace);
      if (brace == bytes.size()) return;
      if (brace + 1 < bytes.size() && bytes[brace + 1] == bytes[brace]) {
        out.add(text, brace, brace + 1);
        at = brace + 2;
        continue;
      }
      if (bytes[brace] == '}') fail("Single '}' encountered in format string");
      std::size_t end = brace + 1;
      for (int open = 1; end < bytes.size(); ++end) {
        open += bytes[end] == '{' ? 1 : bytes[end] == '}' ? -1 : 0;
        if (open == 0) break;
      }
      if (end >= bytes.size()) fail("expected '}' before end of string");
      field(bytes.substr(brace + 1, end - brace - 1), levels, out);
      at = end + 1;
    }
  }

  void field(std::string_view field, int levels, TextBuilder& out) {
    std::size_t name_end = 0;
    for (bool bracket = false; name_end < field.size(); ++name_end) {
      if (field[name_end] == '[') bracket = true;
      if (field[name_end] == ']') bracket = false;
      if (!bracket && (field[name_end] == '!' || field[name_end] == ':')) break;
    }
    std::string_view rest = field.substr(name_end);
    char conversion = 0;
    if (rest.starts_with('!')) {
      if (rest.size() < 2 || (rest.size() > 2 && rest[2] != ':')) fail("expected ':' after conversion specifier");
      conversion = rest[1];
      rest.remove_prefix(2);
    }
    if (rest.starts_with(':')) rest.remove_prefix(1);
    Value value = look_up(field.substr(0, name_end));
    std::string spec(rest);
    if (spec.find_first_of("{}") != spec.npos) {
      TextBuilder inner(heap_);
      write(**heap_.text(rest).text(), levels - 1, inner);
      spec = inner.finish()->bytes();
    }
    if (conversion == 's') value = to_text(heap_, value);
    else if (conversion == 'r' || conversion == 'a') {
      TextBuilder repr(heap_);
      write_repr(heap_, value, repr);
      value = repr.finish();
    } else if (conversion != 0) {
      fail(std::string("Unknown conversion specifier ") + conversion);
    }
    write_value(value, spec, out);
  }

  Value look_up(std::string_view name) {
    const std::size_t first = std::min(name.find_first_of(".["), name.size());
    const std::string_view head = name.substr(0, first);
    Value value;
    if (head.find_first_not_of("0123456789") == head.npos) {
      std::size_t index = next_;
      if (head.empty()) ++next_;
      else index = static_cast<std::size_t>(std::min<unsigned long long>(std::stoull(std::string(head.substr(0, 9))), 1U << 30));
      if (index >= args_.positional.size()) fail("Replacement index " + std::to_string(index) + " out of range for positional args tuple");
      value = args_.positional[index];
    } else {
      const auto found = std::find_if(args_.named.begin(), args_.named.end(), [&](const auto& a) { return a.first == head; });
      if (found == args_.named.end()) fail("format() has no argument '" + std::string(head) + "'");
      value = found->second;
    }
    std::string_view rest = name.substr(first);
    while (!rest.empty()) {
      const bool item = rest.front() == '[';
      const std::size_t end = item ? rest.find(']') : std::min(rest.find_first_of(".[", 1), rest.size());
      if (end == rest.npos) fail("Missing ']' in format string");
      const std::string_view key = rest.substr(1, end - 1);
      const bool index = item && !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == key.npos;
      if (!item) value = get_attribute(heap_, value, key);
      else value = get_item(heap_, value, index ? Value(static_cast<std::int64_t>(std::stoll(std::string(key)))) : heap_.text(key));
      require_defined(value);
      rest.remove_prefix(item ? end + 1 : end);
    }
    return value;
  }

  void write_value(const Value& value, std::string_view spec, TextBuilder& out) {
    if (spec.empty()) return out.add(text_->markup() ? *escaped(heap_, value) : *to_text(heap_, value));
    Style style = parse_style(spec);
    if (style.precision > precision_max && value.text() == nullptr) fail("precision too big");
    std::int64_t whole = 0;
    double real = 0;
    const bool real_type = style.type != 0 && std::string_view("eEfFgG%").find(style.type) != std::string_view::npos;
    if (value.text() != nullptr) {
      if (style.type != 0 && style.type != 's') fail(std::string("Unknown format code '") + style.type + "' for object of type 'str'");
      if (style.align == '=') style.align = '<';
      return write_text(heap_, out, *value.text(), style, '<');
    }
    if (to_integer(value, whole) && !real_type) {
      if (style.type == 'c') {
        std::string bytes;
        if (whole < 0 || whole >= 0x110000) fail("%c arg not in range(0x110000)");
        append_point(bytes, static_cast<char32_t>(whole));
        return write_text(heap_, out, *heap_.text(bytes).text(), style, '<');
      }
      if (style.type != 0 && std::string_view("dxXobn").find(style.type) == std::string_view::npos)
        fail(std::string("Unknown format code '") + style.type + "' for object of type 'int'");
      return write_whole(out, whole, style);
    }
    if (to_real(value, real)) {
      if (style.type != 0 && !real_type && style.type != 'n')
        fail(std::string("Unknown format code '") + style.type + "' for object of type 'float'");
      return write_real(out, real, style);
    }
    fail("unsupported format string passed to " + type_name(value) + ".__format__");
  }

  Heap& heap_;
  const TextPtr& text_;
  const Args& args_;
  std::size_t next_ = 0;
};

}  // namespace

Value percent_format(Heap& heap, const TextPtr& text, const Value& value) {
  return PercentFormatter(heap, text, value).run();
}

Value brace_format(Heap& heap, const TextPtr& text, const Args& args) {
  return BraceFormatter(heap, text, args).run();
}

std::string time_text(const std::string& format, const LocalTime& time) {
  std::tm parts{};
  parts.tm_year = time.year - 1900;
  parts.tm_mon = time.month - 1;
  parts.tm_mday = time.day;
  parts.tm_hour = time.hour;
  parts.tm_min = time.minute;
  parts.tm_sec = time.second;
  parts.tm_isdst = -1;
  std::tm whole = parts;
  if (::timegm(&whole) == -1 && time.year != 1969) fail("strftime_now: the time is out of range");
  parts.tm_wday = whole.tm_wday;
  parts.tm_yday = whole.tm_yday;
  // Python's datetime has no zone here, and microseconds that a second does not have.
  std::string plain;
  for (std::size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%' || i + 1 == format.size()) {
      plain += format[i];
      continue;
    }
    const char what = format[++i];
    if (what == 'f') plain += "000000";
    else if (what != 'z' && what != 'Z') (plain += '%') += what;
  }
  if (plain.empty()) return {};
  char buffer[4096];
  const std::size_t size = std::strftime(buffer, sizeof buffer, (plain + " ").c_str(), &parts);
  if (size == 0) fail("strftime_now: the text is longer than 4096 bytes");
  return {buffer, size - 1};
}

}  // namespace spillway::model::jinja
