#include "cluster-config/units.h"

#include <array>
#include <cstddef>
#include <limits>
#include <span>

namespace spillway::config {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

constexpr std::array<Unit, 9> size_units{{{"B", 1},
                                          {"kB", 1000ULL},
                                          {"KiB", 1ULL << 10},
                                          {"MB", 1000ULL * 1000},
                                          {"MiB", 1ULL << 20},
                                          {"GB", 1000ULL * 1000 * 1000},
                                          {"GiB", 1ULL << 30},
                                          {"TB", 1000ULL * 1000 * 1000 * 1000},
                                          {"TiB", 1ULL << 40}}};
constexpr std::array<Unit, 6> duration_units{
    {{"ns", 1}, {"us", 1000}, {"ms", 1'000'000}, {"s", 1'000'000'000}, {"min", 60'000'000'000}, {"h", 3'600'000'000'000}}};
constexpr std::uint64_t number_max = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
constexpr std::size_t decimals_max = 6;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// The digits at the front of `text`, taken away from it. Nothing when there are none or they exceed `number_max`.
std::optional<std::uint64_t> take_digits(std::string_view& text) {
  std::uint64_t value = 0;
  std::size_t used = 0;
  for (; used < text.size() && is_digit(text[used]); ++used) {
    const auto digit = static_cast<std::uint64_t>(text[used] - '0');
    if (value > (number_max - digit) / 10) return std::nullopt;
    value = value * 10 + digit;
  }
  if (used == 0) return std::nullopt;
  text.remove_prefix(used);
  return value;
}

std::optional<std::uint64_t> parse_number(std::string_view text, std::span<const Unit> units) {
  const auto whole = take_digits(text);
  if (!whole) return std::nullopt;
  std::uint64_t decimals = 0;
  std::uint64_t scale = 1;
  if (!text.empty() && text.front() == '.') {
    text.remove_prefix(1);
    const auto before = text.size();
    const auto digits = take_digits(text);
    if (!digits || before - text.size() > decimals_max) return std::nullopt;
    decimals = *digits;
    for (auto left = before - text.size(); left > 0; --left) scale *= 10;
  }
  for (const auto& unit : units) {
    if (unit.name != text) continue;
    if (*whole > number_max / unit.factor) return std::nullopt;
    // decimals < 10^6 and factor < 2^42, so the product stays below 2^62.
    if (decimals * unit.factor % scale != 0) return std::nullopt;
    const auto fraction = decimals * unit.factor / scale;
    const auto product = *whole * unit.factor;
    if (fraction > number_max - product) return std::nullopt;
    return product + fraction;
  }
  return std::nullopt;
}

/// The unit that gives the smallest whole number; the first of the list for 0.
std::string format_number(std::uint64_t value, std::span<const Unit> units) {
  const auto* best = &units.front();
  for (const auto& unit : units) {
    if (value != 0 && value % unit.factor == 0 && unit.factor > best->factor) best = &unit;
  }
  return std::to_string(value / best->factor) + std::string{best->name};
}

}  // namespace

std::optional<std::uint64_t> parse_size(std::string_view text) {
  return parse_number(text, size_units);
}
std::optional<std::uint64_t> parse_duration(std::string_view text) {
  return parse_number(text, duration_units);
}

std::optional<std::uint64_t> parse_bandwidth(std::string_view text) {
  constexpr std::string_view per_second = "/s";
  if (!text.ends_with(per_second)) return std::nullopt;
  text.remove_suffix(per_second.size());
  return parse_number(text, size_units);
}

std::string format_size(std::uint64_t bytes) {
  return format_number(bytes, size_units);
}
std::string format_duration(std::uint64_t nanoseconds) {
  return format_number(nanoseconds, duration_units);
}
std::string format_bandwidth(std::uint64_t bytes_per_second) {
  return format_size(bytes_per_second) + "/s";
}

}  // namespace spillway::config
