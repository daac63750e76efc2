#include "model/template_lexer.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "model/template_text.h"
#include "model/template_value.h"

namespace spillway::model::jinja {

namespace {

constexpr std::size_t tokens_max = 2'000'000;

/// Line ends become "\n"; the last one goes.
std::string normalised(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (std::size_t i = 0; i < source.size(); ++i) {
    if (source[i] == '\r') {
      out += '\n';
      if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
    } else {
      out += source[i];
    }
  }
  if (out.ends_with('\n')) out.pop_back();
  return out;
}

bool is_digit_of(char c, int base) {
  if (base == 16) return std::isxdigit(static_cast<unsigned char>(c)) != 0;
  return c >= '0' && c < '0' + base;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : text_(normalised(source)), source_(text_) {}

  std::vector<Token> run() {
    while (at_ < source_.size()) root();
    add(TokenKind::end, "");
    return std::move(tokens_);
  }

 private:
  [[noreturn]] void error(std::string message, std::uint32_t line) const { throw Failure{Fault::syntax, std::move(message), line, {}}; }
  [[noreturn]] void error(std::string message) const { error(std::move(message), line_); }

  void add(TokenKind kind, std::string value) {
    if (tokens_.size() >= tokens_max) error("the template has more than " + std::to_string(tokens_max) + " tokens");
    tokens_.push_back({kind, std::move(value), line_, 0, 0});
  }
  void add_data(std::string_view data) {
    if (!data.empty()) add(TokenKind::data, std::string(data));
  }
  /// Moves on to `to`, counting lines.
  void move(std::size_t to) {
    line_ += static_cast<std::uint32_t>(
        std::count(source_.begin() + static_cast<std::ptrdiff_t>(at_), source_.begin() + static_cast<std::ptrdiff_t>(to), '\n'));
    line_starting_ = to > at_ ? source_[to - 1] == '\n' : line_starting_;
    at_ = to;
  }
  std::size_t behind_space(std::size_t at) const {
    while (at < source_.size()) {
      std::size_t behind = at;
      if (!is_space(next_point(source_, behind))) break;
      at = behind;
    }
    return at;
  }
  char sign_at(std::size_t at) const { return at < source_.size() && (source_[at] == '-' || source_[at] == '+') ? source_[at] : '\0'; }

  /// The data in front of a tag: `-` takes all white space, else a tag alone on its line takes the line's beginning.
  std::string_view before_tag(std::size_t tag, char sign, bool variable) const {
    const std::string_view data = source_.substr(at_, tag - at_);
    if (sign == '-') {
      std::size_t end = data.size();
      while (end > 0) {
        const std::size_t start = before_point(data, end);
        std::size_t behind = start;
        if (!is_space(next_point(data, behind))) break;
        end = start;
      }
      return data.substr(0, end);
    }
    if (sign == '+' || variable) return data;
    const std::size_t new_line = data.rfind('\n');
    const std::size_t start = new_line == data.npos ? 0 : new_line + 1;
    if (start == 0 && !line_starting_) return data;
    for (std::size_t i = start; i < data.size();) {
      if (!is_space(next_point(data, i))) return data;
    }
    return data.substr(0, start);
  }

  void root() {
    std::size_t tag = at_;
    for (;; ++tag) {
      tag = source_.find('{', tag);
      if (tag == source_.npos || tag + 1 >= source_.size()) {
        add_data(source_.substr(at_));
        return move(source_.size());
      }
      const char c = source_[tag + 1];
      if (c == '{' || c == '%' || c == '#') break;
    }
    const char kind = source_[tag + 1];
    const char sign = sign_at(tag + 2);
    add_data(before_tag(tag, sign, kind == '{'));
    const std::size_t inside = tag + 2 + (sign == 0 ? 0 : 1);
    if (kind == '#') return comment(inside);
    if (kind == '%') {
      if (const std::size_t behind = raw_begin(inside); behind != source_.npos) return raw(behind);
    }
    move(tag);
    add(kind == '%' ? TokenKind::block_begin : TokenKind::variable_begin, kind == '%' ? "{%" : "{{");
    move(inside);
    tag_body(kind == '%');
  }

  /// Behind "-%}" and white space, "+%}", or "%}" and one line end; npos when no tag ends at `at`.
  std::size_t tag_end(std::size_t at, std::string_view mark, bool trims) const {
    const char sign = sign_at(at);
    const std::size_t closing = sign == 0 ? at : at + 1;
    if (source_.substr(closing, 2) != mark || (sign == '+' && !trims)) return source_.npos;
    const std::size_t behind = closing + 2;
    if (sign == '-') return behind_space(behind);
    if (trims && sign == 0 && behind < source_.size() && source_[behind] == '\n') return behind + 1;
    return behind;
  }

  void comment(std::size_t from) {
    for (std::size_t at = from; (at = source_.find("#}", at)) != source_.npos; ++at) {
      // A sign directly in front of the end belongs to it, when it is not the one at the beginning.
      const std::size_t start = at > from && sign_at(at - 1) != 0 ? at - 1 : at;
      return move(tag_end(start, "#}", true));
    }
    if (from < source_.size()) error("Missing end of comment tag");
    move(from);  // nothing behind it: nothing is missing
  }

  std::size_t raw_begin(std::size_t at) const {
    at = behind_space(at);
    if (source_.substr(at, 3) != "raw") return source_.npos;
    at = behind_space(at + 3);
    if (source_.substr(at, 2) == "%}") return at + 2;
    return source_.substr(at, 3) == "-%}" ? behind_space(at + 3) : source_.npos;
  }

  void raw(std::size_t from) {
    move(from);
    for (std::size_t tag = from; (tag = source_.find("{%", tag)) != source_.npos; ++tag) {
      const char sign = sign_at(tag + 2);
      std::size_t at = behind_space(tag + 2 + (sign == 0 ? 0 : 1));
      if (source_.substr(at, 6) != "endraw") continue;
      at = behind_space(at + 6);
      const std::size_t end = tag_end(at, "%}", true);
      if (end == source_.npos) continue;
      add_data(before_tag(tag, sign, false));
      return move(end);
    }
    if (from < source_.size()) error("Missing end of raw directive");
  }

  void tag_body(bool block) {
    std::string open;  // brackets that wait to be closed
    while (at_ < source_.size()) {
      if (open.empty()) {
        const std::size_t end = tag_end(at_, block ? "%}" : "}}", block);
        if (end != source_.npos) {
          add(block ? TokenKind::block_end : TokenKind::variable_end, block ? "%}" : "}}");
          return move(end);
        }
      }
      if (const std::size_t behind = behind_space(at_); behind > at_) {
        move(behind);
        continue;
      }
      token(open);
    }
  }

  void token(std::string& open) {
    std::size_t behind = at_;
    const char32_t point = next_point(source_, behind);
    if (point >= '0' && point <= '9') return number();
    if (is_word(point)) return name();
    if (point == '\'' || point == '"') return text(static_cast<char>(point));
    for (const std::string_view symbol : {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[",
                                          "]",  "(",  ")",  "{",  "}",  ">",  "<", "=", ".", ":", "|", ",", ";"}) {
      if (!source_.substr(at_).starts_with(symbol)) continue;
      balance(symbol, open);
      add(TokenKind::symbol, std::string(symbol));
      return move(at_ + symbol.size());
    }
    error("unexpected char '" + std::string(source_.substr(at_, behind - at_)) + "'");
  }

  void balance(std::string_view symbol, std::string& open) const {
    const char c = symbol.front();
    if (symbol.size() > 1) return;
    if (c == '(' || c == '[' || c == '{') open += c == '(' ? ')' : c == '[' ? ']' : '}';
    if (c != ')' && c != ']' && c != '}') return;
    if (open.empty()) error(std::string("unexpected '") + c + "'");
    if (open.back() != c) error(std::string("unexpected '") + c + "', expected '" + open.back() + "'");
    open.pop_back();
  }

  void name() {
    std::size_t behind = at_;
    while (behind < source_.size()) {
      std::size_t next = behind;
      if (!is_word(next_point(source_, next))) break;
      behind = next;
    }
    add(TokenKind::name, std::string(source_.substr(at_, behind - at_)));
    move(behind);
  }

  /// Digits with single underscores between them.
  std::size_t behind_digits(std::size_t at, int base, std::string& digits) const {
    while (at < source_.size()) {
      const bool gap = source_[at] == '_' && at + 1 < source_.size() && is_digit_of(source_[at + 1], base);
      if (!gap && !is_digit_of(source_[at], base)) break;
      if (!gap) digits += source_[at];
      ++at;
    }
    return at;
  }

  void number() {
    std::string digits;
    int base = 10;
    std::size_t at = at_;
    const char second = at + 1 < source_.size() ? static_cast<char>(source_[at + 1] | 0x20) : '\0';
    if (source_[at] == '0' && (second == 'x' || second == 'o' || second == 'b')) {
      base = second == 'x' ? 16 : second == 'o' ? 8 : 2;
      at = behind_digits(at + 2, base, digits);
      if (digits.empty()) base = 10, at = at_;
    }
    if (base == 10) at = behind_digits(at_, 10, digits);
    bool real = false;
    const bool may_be_real = base == 10 && !(at_ > 0 && source_[at_ - 1] == '.');
    if (may_be_real && at + 1 < source_.size() && source_[at] == '.' && is_digit_of(source_[at + 1], 10)) {
      digits += '.';
      at = behind_digits(at + 1, 10, digits);
      real = true;
    }
    if (may_be_real && at < source_.size() && (source_[at] | 0x20) == 'e') {
      std::string power = "e";
      std::size_t behind = at + 1;
      if (sign_at(behind) != 0) power += source_[behind++];
      std::string power_digits;
      behind = behind_digits(behind, 10, power_digits);
      if (!power_digits.empty()) at = behind, digits += power + power_digits, real = true;
    }
    if (!real && base == 10 && digits.size() > 1 && digits[0] == '0' && digits.find_first_not_of('0') != digits.npos) {
      // "0" and "123" are two tokens; nothing can come of them.
      error("unexpected integer after 0");
    }
    add(real ? TokenKind::real : TokenKind::integer, digits);
    if (real) {
      tokens_.back().real = std::strtod(digits.c_str(), nullptr);
    } else {
      const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), tokens_.back().integer, base);
      if (read.ec != std::errc{}) error("the number " + digits + " is outside the 64 bits of a whole number");
    }
    move(at);
  }

  void text(char quote) {
    std::size_t end = at_ + 1;
    while (end < source_.size() && source_[end] != quote) end += source_[end] == '\\' ? 2 : 1;
    if (end >= source_.size()) error(std::string("unexpected char ") + quote + ": the string is not closed");
    add(TokenKind::text, unescaped(source_.substr(at_ + 1, end - at_ - 1)));
    move(end + 1);
  }

  std::string unescaped(std::string_view raw) const {
    std::string out;
    for (std::size_t i = 0; i < raw.size(); ++i) {
      if (raw[i] != '\\' || i + 1 >= raw.size()) {
        out += raw[i];
        continue;
      }
      const char c = raw[++i];
      constexpr std::string_view from = "abfnrtv\\'\"";
      constexpr std::string_view to = "\a\b\f\n\r\t\v\\'\"";
      if (const std::size_t known = from.find(c); known != from.npos) out += to[known];
      else if (c == '\n') continue;
      else if (c >= '0' && c <= '7') octal(raw, i, out);
      else if (c == 'x' || c == 'u' || c == 'U') hexadecimal(raw, i, c == 'x' ? 2 : c == 'u' ? 4 : 8, out);
      else if (c == 'N') error("\\N{...} in a string is not supported: write the character itself");
      else (out += '\\') += c;
    }
    return out;
  }

  static void octal(std::string_view raw, std::size_t& i, std::string& out) {
    char32_t point = 0;
    const std::size_t end = std::min(i + 3, raw.size());
    for (; i < end && raw[i] >= '0' && raw[i] <= '7'; ++i) point = point * 8 + static_cast<char32_t>(raw[i] - '0');
    --i;
    append_point(out, point);
  }

  void hexadecimal(std::string_view raw, std::size_t& i, std::size_t digits, std::string& out) const {
    const std::string_view code = raw.substr(i + 1, digits);
    std::uint32_t point = 0;
    const auto read = std::from_chars(code.data(), code.data() + code.size(), point, 16);
    if (code.size() != digits || read.ptr != code.data() + code.size())
      error("truncated \\" + std::string(1, raw[i]) + " escape in a string");
    if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
      error("\\" + std::string(1, raw[i]) + std::string(code) + " is no character");
    append_point(out, point);
    i += digits;
  }

  std::string text_;
  std::string_view source_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source) {
  return Lexer(source).run();
}

}  // namespace spillway::model::jinja
