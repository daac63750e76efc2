#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// Numbers and times as they stand in traces. Nothing where the whole text is not one.
namespace spillway::sim {

/// Digits, or digits with a fraction of zeros ("12", "12.0"): what some exporters make of counts.
std::optional<std::uint64_t> parse_whole(std::string_view text);

/// The decimal times 10^`shift`, exactly, rounded half up at the last digit: ("1.0000005", 6) = 1000001. A sign, digits, a
/// fraction, an exponent. `shift` 0 to 18. Nothing beyond 63 bits too.
std::optional<std::int64_t> parse_decimal(std::string_view text, int shift);

/// The nearest double of a decimal; nothing for infinities.
std::optional<double> parse_real(std::string_view text);

/// Nanoseconds since 1970 of "2023-11-16 18:17:03.9799600" ("T" between, "Z" or "+00:00" behind are taken too), years 1970 to 2261.
std::optional<std::int64_t> parse_date(std::string_view text);

}  // namespace spillway::sim
