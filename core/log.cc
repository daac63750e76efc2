#include "core/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <string>

namespace spillway::core {

namespace {

spdlog::level::level_enum spd_level(LogLevel level) {
  switch (level) {
    case LogLevel::trace: return spdlog::level::trace;
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warn: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
    case LogLevel::off: return spdlog::level::off;
  }
  return spdlog::level::info;
}

spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = std::make_shared<spdlog::logger>("spillway", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    made->set_pattern("%H:%M:%S.%e %n %^%l%$ %v");
    made->set_level(spdlog::level::warn);
    return made;
  }();
  return *instance;
}

}  // namespace

void log_init(std::string_view name, LogLevel level) {
  logger().set_pattern("%H:%M:%S.%e " + std::string(name) + " %^%l%$ %v");
  logger().set_level(spd_level(level));
}

bool log_enabled(LogLevel level) {
  return logger().should_log(spd_level(level));
}

void log_line(LogLevel level, std::string_view text) {
  logger().log(spd_level(level), text);
}

bool parse_log_level(std::string_view text, LogLevel& level) {
  static constexpr std::string_view names[] = {"trace", "debug", "info", "warn", "error", "off"};
  for (int i = 0; i < 6; ++i) {
    if (text != names[i]) continue;
    level = static_cast<LogLevel>(i);
    return true;
  }
  return false;
}

}  // namespace spillway::core
