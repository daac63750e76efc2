#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// Numbers with units as they stand in the cluster file: digits, at most six decimals, a unit, nothing else.
namespace spillway::config {

/// Bytes of "512MiB", "4KiB", "1.5GB", "17B". Binary units B, KiB, MiB, GiB, TiB; decimal kB, MB, GB, TB.
/// Nothing when it does not parse, is no whole number of bytes or does not fit 63 bits.
std::optional<std::uint64_t> parse_size(std::string_view text);
/// Nanoseconds of "250ms", "1.5s", "2min". Units ns, us, ms, s, min, h.
std::optional<std::uint64_t> parse_duration(std::string_view text);
/// Bytes per second of "100MB/s": a size and "/s".
std::optional<std::uint64_t> parse_bandwidth(std::string_view text);

/// Shortest exact form, which the parser above reads back to the same number: 268435456 -> "256MiB".
std::string format_size(std::uint64_t bytes);
std::string format_duration(std::uint64_t nanoseconds);
std::string format_bandwidth(std::uint64_t bytes_per_second);

}  // namespace spillway::config
