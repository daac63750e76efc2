#include "sim/report_text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace spillway::sim {

namespace {

std::string converted(double value, std::chars_format format, int digits) {
  std::array<char, 400> buffer;  // the longest double has 309 digits before the point
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, format, digits);
  return error == std::errc{} ? std::string(buffer.data(), end) : std::string{};
}

}  // namespace

std::string number_text(double value) {
  if (!std::isfinite(value)) return "";
  const double size = std::fabs(value);
  if (value == 0) return "0";
  if (size >= 1e5 && size < 1e12) return converted(value, std::chars_format::fixed, 0);
  return converted(value, std::chars_format::general, 6);
}

std::string number_json(double value) {
  return std::isfinite(value) ? number_text(value) : "null";
}

std::string fixed_text(double value, int digits) {
  return std::isfinite(value) ? converted(value, std::chars_format::fixed, digits) : "-";
}

std::string short_text(double value) {
  if (!std::isfinite(value)) return "-";
  const double size = std::fabs(value);
  if (size != 0 && size < 0.001) return converted(value, std::chars_format::general, 3);
  std::string text = converted(value, std::chars_format::fixed,
                               size >= 100 || size == std::floor(size) ? 0
                               : size >= 10                            ? 1
                               : size >= 1                             ? 2
                                                                       : 3);
  const std::size_t first = text.front() == '-' ? 1 : 0;
  const std::size_t point = std::min(text.find('.'), text.size());
  for (std::size_t at = point; at > first + 3;) text.insert(at -= 3, ",");
  return text;
}

std::string csv_text(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + '"';
}

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

}  // namespace spillway::sim
