#include "core/error.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

#include "core/result.h"

using namespace spillway::core;

BOOST_AUTO_TEST_SUITE(error)

BOOST_AUTO_TEST_CASE(every_code_has_a_name_of_its_own) {
  std::set<std::string> names;
  for (std::uint16_t code = 0; code <= static_cast<std::uint16_t>(Errc::draining); ++code) {
    const std::string name(to_string(static_cast<Errc>(code)));
    BOOST_TEST(name != "unknown", "code " << code);
    BOOST_TEST(names.insert(name).second, name << " stands twice");
  }
  BOOST_TEST(to_string(static_cast<Errc>(0xffff)) == "unknown");
}

BOOST_AUTO_TEST_CASE(codes_on_the_wire_never_change) {
  BOOST_TEST(static_cast<int>(Errc::bad_frame) == 5);
  BOOST_TEST(static_cast<int>(Errc::queue_full) == 10);
  BOOST_TEST(static_cast<int>(Errc::unavailable) == 16);
  BOOST_TEST(static_cast<int>(Errc::draining) == 20);
}

BOOST_AUTO_TEST_CASE(fail_makes_the_error_of_a_result) {
  const Result<int> result = fail(Errc::queue_full, "queue of node a is full", 250ms);
  BOOST_REQUIRE(!result.has_value());
  BOOST_TEST((result.error().code == Errc::queue_full));
  BOOST_TEST(result.error().message == "queue of node a is full");
  BOOST_TEST(result.error().retry_after.count() == 250'000'000);
}

BOOST_AUTO_TEST_SUITE_END()
