#include "cluster-config/errors.h"

#include <array>

namespace spillway::config {

std::string_view to_string(ErrorKind kind) {
  constexpr std::array<std::string_view, error_kinds> names{
      "unreadable",     "too_large",         "too_deep",       "syntax",         "missing_version", "version_not_first", "unknown_version",
      "unknown_key",    "wrong_type",        "missing_key",    "out_of_range",   "bad_unit",        "bad_choice",        "bad_name",
      "bad_address",    "bad_key",           "bad_secret",     "bad_pool",       "duplicate",       "name_collision",    "port_collision",
      "port_overflow",  "unknown_reference", "exclusive",      "not_applicable", "out_of_order",    "missing_nodes",     "key_required",
      "curve_required", "secret_required",   "too_many_errors"};
  const auto index = static_cast<std::size_t>(kind);
  return index < names.size() ? names[index] : "unknown";
}

std::string to_string(const ConfigError& error) {
  auto out = error.file;
  if (error.line > 0) out += ':' + std::to_string(error.line);
  out += ": ";
  if (!error.key.empty()) {
    out += error.key;
    if (!error.value.empty()) out += " = " + error.value;
    out += ": ";
  }
  out += error.want;
  if (!error.fix.empty()) out += "; " + error.fix;
  return out;
}

core::Error to_error(const ConfigErrors& errors) {
  std::string message;
  for (const auto& error : errors) {
    if (!message.empty()) message += '\n';
    message += to_string(error);
  }
  return {core::Errc::bad_config, std::move(message)};
}

}  // namespace spillway::config
