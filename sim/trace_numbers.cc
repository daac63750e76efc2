#include "sim/trace_numbers.h"

#include <charconv>
#include <limits>

namespace spillway::sim {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::string_view take_digits(std::string_view& text) {
  std::size_t count = 0;
  while (count < text.size() && is_digit(text[count])) ++count;
  const auto digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

/// Whether `text` began with `what`, which is then gone.
bool take(std::string_view& text, std::string_view what) {
  if (!text.starts_with(what)) return false;
  text.remove_prefix(what.size());
  return true;
}

/// An exponent of at most three digits, 0 where none stands; nothing when it is broken.
std::optional<int> take_exponent(std::string_view& text) {
  if (!take(text, "e") && !take(text, "E")) return 0;
  const bool negative = take(text, "-");
  if (!negative) take(text, "+");
  const auto digits = take_digits(text);
  if (digits.empty() || digits.size() > 3) return std::nullopt;
  int value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return negative ? -value : value;
}

/// Exactly `count` digits below `limit`.
std::optional<int> take_number(std::string_view& text, std::size_t count, int limit) {
  const auto digits = text.substr(0, count);
  int value = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  if (digits.size() != count || value >= limit) return std::nullopt;
  text.remove_prefix(count);
  return value;
}

/// Days since 1970-01-01 in the Gregorian calendar: years begin in March, so that the leap day comes last.
std::int64_t days_since_1970(int year, int month, int day) {
  const int shifted_year = month <= 2 ? year - 1 : year;
  const int shifted_month = (month + 9) % 12;
  return 365LL * shifted_year + shifted_year / 4 - shifted_year / 100 + shifted_year / 400 + (shifted_month * 306 + 5) / 10 + day - 1 -
         719'468;
}

bool is_date(int year, int month, int day) {
  constexpr int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || day < 1) return false;
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return day <= days[month - 1] + (month == 2 && leap ? 1 : 0);
}

}  // namespace

std::optional<std::uint64_t> parse_whole(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  if (text.empty()) return value;
  if (text.size() < 2 || text.front() != '.' || text.find_first_not_of('0', 1) != text.npos) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_decimal(std::string_view text, int shift) {
  const bool negative = take(text, "-");
  const auto whole = take_digits(text);
  const auto fraction = take(text, ".") ? take_digits(text) : std::string_view{};
  const auto exponent = take_exponent(text);
  if (whole.size() + fraction.size() == 0 || !exponent || !text.empty()) return std::nullopt;
  // The digits in a row, of which the first `kept` are the result; digits that are missing are zeros.
  const std::int64_t kept = static_cast<std::int64_t>(whole.size()) + *exponent + shift;
  const auto digit_at = [&](std::int64_t i) {
    const auto at = static_cast<std::size_t>(i);
    if (i < 0 || at >= whole.size() + fraction.size()) return 0;
    return (at < whole.size() ? whole[at] : fraction[at - whole.size()]) - '0';
  };
  constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() - 1;
  std::int64_t value = 0;
  for (std::int64_t i = 0; i < kept; ++i) {
    const int digit = digit_at(i);
    if (value > (most - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  if (kept >= 0 && digit_at(kept) >= 5) ++value;
  return negative ? -value : value;
}

std::optional<double> parse_real(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!(value >= std::numeric_limits<double>::lowest() && value <= std::numeric_limits<double>::max())) return std::nullopt;
  return value;
}

std::optional<std::int64_t> parse_date(std::string_view text) {
  const auto year = take_number(text, 4, 2262);
  if (!year || *year < 1970 || !take(text, "-")) return std::nullopt;
  const auto month = take_number(text, 2, 13);
  if (!month || !take(text, "-")) return std::nullopt;
  const auto day = take_number(text, 2, 32);
  if (!day || !is_date(*year, *month, *day) || (!take(text, " ") && !take(text, "T"))) return std::nullopt;
  const auto hour = take_number(text, 2, 24);
  if (!hour || !take(text, ":")) return std::nullopt;
  const auto minute = take_number(text, 2, 60);
  if (!minute || !take(text, ":")) return std::nullopt;
  const auto second = take_number(text, 2, 60);
  if (!second) return std::nullopt;
  std::int64_t fraction_ns = 0;
  if (take(text, ".")) {
    const auto digits = take_digits(text);
    if (digits.empty() || digits.size() > 9) return std::nullopt;
    for (std::size_t i = 0; i < 9; ++i) fraction_ns = fraction_ns * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  }
  if (!take(text, "Z")) take(text, "+00:00");
  if (!text.empty()) return std::nullopt;
  const std::int64_t seconds = days_since_1970(*year, *month, *day) * 86'400 + *hour * 3600 + *minute * 60 + *second;
  return seconds * second_ns + fraction_ns;
}

}  // namespace spillway::sim
