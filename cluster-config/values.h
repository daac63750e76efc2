#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cluster-config/report.h"
#include "cluster-config/schema.h"
#include "cluster-config/tree.h"

/// From trees to checked values, by the table of keys.
namespace spillway::config {

/// Letters, digits and . _ -, behind a letter or digit, at most 63.
bool is_name(std::string_view text);
/// As is_name, and / and : inside: models are often named like repositories.
bool is_model_name(std::string_view text);
/// IPv4, IPv6 in brackets, or a host name.
bool is_address(std::string_view text);
/// 127.0.0.0/8, [::1] or localhost.
bool is_loopback(std::string_view address);
/// 64 hex digits of either case.
bool is_secret(std::string_view text);

/// "edge-[01-16]": the text before and behind the range, its numbers, and how many digits they are padded to (0 = none).
struct NameRange {
  std::string before;
  std::string behind;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
  std::uint32_t digits = 0;

  std::string number(std::uint32_t value) const;
  std::string name(std::uint32_t value) const { return before + number(value) + behind; }
};
/// Nothing when there is not exactly one range that rises, has at most nodes_max numbers, and gives names.
std::optional<NameRange> parse_range(std::string_view text);

/// The value of `key` at `path`, or nothing and an error in `report`.
std::optional<Value> read_value(const KeySpec& key, const Tree& tree, const std::string& path, Report& report);

/// Reads all keys of a table into `target`; reports unknown and missing ones. Tables inside are left to the caller.
void read_keys(const Section& section, const Tree& table, const std::string& path, void* target, Report& report);

}  // namespace spillway::config
