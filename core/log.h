#pragma once

#include <string_view>

namespace spillway::core {

enum class LogLevel { trace, debug, info, warn, error, off };

/// Sends all log lines of this process to stderr as "HH:MM:SS.mmm name LEVEL text"; `name` is the node's. Call once, early.
void log_init(std::string_view name, LogLevel level);
bool log_enabled(LogLevel level);
void log_line(LogLevel level, std::string_view text);

/// Empty when `text` is none of trace, debug, info, warn, error, off.
bool parse_log_level(std::string_view text, LogLevel& level);

inline void log_debug(std::string_view text) {
  log_line(LogLevel::debug, text);
}
inline void log_info(std::string_view text) {
  log_line(LogLevel::info, text);
}
inline void log_warn(std::string_view text) {
  log_line(LogLevel::warn, text);
}
inline void log_error(std::string_view text) {
  log_line(LogLevel::error, text);
}

}  // namespace spillway::core
