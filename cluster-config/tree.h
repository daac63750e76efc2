#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "cluster-config/errors.h"

namespace spillway::config {

/// A parsed TOML text without the library's types, children in the order of the file.
struct Tree {
  enum class Kind : std::uint8_t { table, list, text, integer, real, boolean, time };
  Kind kind = Kind::table;
  std::string key;         ///< of a table's child
  std::uint32_t line = 0;  ///< of the key, or of the value inside a list; from 1
  std::uint32_t column = 0;
  std::string text;
  std::int64_t integer = 0;
  double real = 0;
  bool boolean = false;
  std::vector<Tree> children;  ///< of a table or list

  const Tree* child(std::string_view name) const;
};

/// Keys and values may lie this many tables or lists deep; our deepest key needs four. A guard against texts that would
/// exhaust the stack, applied before the TOML library sees them.
inline constexpr std::uint32_t depth_max = 16;

/// Parses TOML. Errors: syntax, too_deep, with file and line.
tl::expected<Tree, ConfigError> parse_tree(std::string_view text, std::string_view file);

/// The value as a person would write it, cut at 60 bytes: `"text"`, `12`, `a list of 3`, `a table`.
std::string show(const Tree& tree);

/// Cuts `text` at `bytes_max` bytes, at a character, with "..." behind; control characters become '?'.
std::string clean(std::string_view text, std::size_t bytes_max);

}  // namespace spillway::config
