#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace spillway::config {

/// Each way in which a cluster file can be wrong. The names (to_string) are stable and shown by `config check --json`.
enum class ErrorKind : std::uint8_t {
  unreadable,         ///< the file cannot be opened or read
  too_large,          ///< more bytes than file_bytes_max
  too_deep,           ///< tables or lists nested beyond any key of ours
  syntax,             ///< not TOML
  missing_version,    ///< no `version`
  version_not_first,  ///< `version` stands behind another key
  unknown_version,    ///< a version this build does not read
  unknown_key,
  wrong_type,    ///< a list where a number is wanted, ...
  missing_key,   ///< a required key is absent
  out_of_range,  ///< a number, size, duration or list length outside its range
  bad_unit,      ///< a size, duration or bandwidth that does not parse
  bad_choice,    ///< none of the listed words
  bad_name,      ///< characters or length that a name, text or path may not have
  bad_address,
  bad_key,            ///< not 40 characters of Z85
  bad_secret,         ///< not 64 hex digits
  bad_pool,           ///< no range, a reversed or too long one
  duplicate,          ///< one name, word, key or secret twice
  name_collision,     ///< two names with one 64-bit digest
  port_collision,     ///< two nodes on one address and port
  port_overflow,      ///< a port beyond 65535
  unknown_reference,  ///< a model or tenant that the file does not define, a known model that nobody knows
  exclusive,          ///< two keys that exclude each other
  not_applicable,     ///< a key that has no meaning with another's value
  out_of_order,       ///< two keys that must rise, do not
  missing_nodes,      ///< no node at all, or none with a needed role
  key_required,       ///< off loopback without keys
  curve_required,     ///< curve = false off loopback
  secret_required,    ///< off loopback without a cluster secret
  too_many_errors,    ///< the list was cut
};
inline constexpr std::size_t error_kinds = static_cast<std::size_t>(ErrorKind::too_many_errors) + 1;

std::string_view to_string(ErrorKind kind);

/// One thing wrong. `line` counts from 1; 0 = the file itself (unreadable, too large).
struct ConfigError {
  ErrorKind kind = ErrorKind::syntax;
  std::string file;
  std::uint32_t line = 0;
  std::string key;    ///< full path, "nodes[2].port"; empty for a syntax error
  std::string value;  ///< as written, cut at 60 bytes; empty when absent
  std::string want;
  std::string fix;
};
using ConfigErrors = std::vector<ConfigError>;

/// "file:12: nodes[2].port = 99999: want a port from 1 to 65532; choose one below 32768".
std::string to_string(const ConfigError& error);

/// All of them, one a line, as one core::Error with the code bad_config.
core::Error to_error(const ConfigErrors& errors);

}  // namespace spillway::config
