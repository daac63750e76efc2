#include "core/log.h"

#include <boost/test/unit_test.hpp>

using namespace spillway::core;

BOOST_AUTO_TEST_SUITE(log_)

BOOST_AUTO_TEST_CASE(levels_are_read_by_name) {
  LogLevel level = LogLevel::off;
  BOOST_TEST(parse_log_level("trace", level));
  BOOST_TEST((level == LogLevel::trace));
  BOOST_TEST(parse_log_level("error", level));
  BOOST_TEST((level == LogLevel::error));
  BOOST_TEST(!parse_log_level("Error", level));
  BOOST_TEST(!parse_log_level("", level));
  BOOST_TEST((level == LogLevel::error));
}

BOOST_AUTO_TEST_CASE(lines_below_the_level_are_off) {
  log_init("node-a", LogLevel::warn);
  BOOST_TEST(!log_enabled(LogLevel::info));
  BOOST_TEST(log_enabled(LogLevel::warn));
  BOOST_TEST(log_enabled(LogLevel::error));
  log_init("node-a", LogLevel::off);
  BOOST_TEST(!log_enabled(LogLevel::error));
  log_error("never shown: a brace {} in a text is no format");
}

BOOST_AUTO_TEST_SUITE_END()
