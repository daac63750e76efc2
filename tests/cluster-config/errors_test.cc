#include "cluster-config/errors.h"

#include <boost/test/unit_test.hpp>
#include <set>

namespace spillway::config {

BOOST_AUTO_TEST_SUITE(errors)

BOOST_AUTO_TEST_CASE(each_kind_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < error_kinds; ++i) {
    const auto name = to_string(static_cast<ErrorKind>(i));
    BOOST_TEST(!name.empty());
    BOOST_TEST(name != "unknown");
    names.insert(name);
  }
  BOOST_TEST(names.size() == error_kinds);
  // The table of names and the enum run in step: one from each end and the middle.
  BOOST_TEST(to_string(ErrorKind::unreadable) == "unreadable");
  BOOST_TEST(to_string(ErrorKind::bad_name) == "bad_name");
  BOOST_TEST(to_string(ErrorKind::port_overflow) == "port_overflow");
  BOOST_TEST(to_string(ErrorKind::too_many_errors) == "too_many_errors");
}

BOOST_AUTO_TEST_CASE(an_error_names_place_key_value_wish_and_fix) {
  const ConfigError error{ErrorKind::out_of_range, "c.toml", 12, "nodes[2].port", "99999", "want a port from 1 to 65532", "try 7400"};
  BOOST_TEST(to_string(error) == "c.toml:12: nodes[2].port = 99999: want a port from 1 to 65532; try 7400");
  const ConfigError absent{ErrorKind::missing_key, "c.toml", 0, "nodes", "", "is missing", ""};
  BOOST_TEST(to_string(absent) == "c.toml: nodes: is missing");
  const ConfigError file{ErrorKind::unreadable, "c.toml", 0, "", "", "want a file", "check"};
  BOOST_TEST(to_string(file) == "c.toml: want a file; check");
}

BOOST_AUTO_TEST_CASE(many_errors_become_one_with_a_line_each) {
  const ConfigErrors errors{{ErrorKind::syntax, "c", 1, "", "", "a", "b"}, {ErrorKind::syntax, "c", 2, "", "", "d", ""}};
  const auto error = to_error(errors);
  BOOST_TEST((error.code == core::Errc::bad_config));
  BOOST_TEST(error.message == "c:1: a; b\nc:2: d");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
