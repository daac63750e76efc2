#include "cluster-config/values.h"

#include <boost/test/unit_test.hpp>

namespace spillway::config {

BOOST_AUTO_TEST_SUITE(values)

BOOST_AUTO_TEST_CASE(names) {
  for (const auto* good : {"a", "a-1", "A_b.c", "9"}) BOOST_TEST(is_name(good));
  for (const auto* bad : {"", "-a", ".a", "a b", "a/b", "\xc3\xa9"}) BOOST_TEST(!is_name(bad));
  BOOST_TEST(is_name(std::string(63, 'a')));
  BOOST_TEST(!is_name(std::string(64, 'a')));
  BOOST_TEST(is_model_name("org/model:q4"));
  BOOST_TEST(!is_model_name("/model"));
}

BOOST_AUTO_TEST_CASE(addresses) {
  for (const auto* good : {"127.0.0.1", "0.0.0.0", "[::1]", "[fe80::1]", "localhost", "node-1.studio.example", "a"})
    BOOST_TEST(is_address(good));
  for (const auto* bad :
       {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "::1", "[::g]", "[]", "a..b", "a.", "-a.b", "a-", "a b", "a:80", "tcp://a"}) {
    BOOST_TEST_CONTEXT(bad) BOOST_TEST(!is_address(bad));
  }
  BOOST_TEST(!is_address(std::string(300, 'a')));
}

BOOST_AUTO_TEST_CASE(loopback) {
  for (const auto* inside : {"127.0.0.1", "127.9.9.9", "localhost", "[::1]"}) BOOST_TEST(is_loopback(inside));
  for (const auto* outside : {"0.0.0.0", "10.0.0.1", "128.0.0.1", "[::]", "[::2]", "localhost.example", "node", "", "["})
    BOOST_TEST(!is_loopback(outside));
}

BOOST_AUTO_TEST_CASE(ranges_of_names) {
  const auto range = parse_range("edge-[09-11].x");
  BOOST_REQUIRE(range.has_value());
  BOOST_TEST(range->name(9) == "edge-09.x");
  BOOST_TEST(range->name(11) == "edge-11.x");
  BOOST_TEST(parse_range("e[1-1024]").has_value());
  for (const auto* bad : {"edge", "e[1]", "e[1-]", "e[-1]", "e[2-1]", "e[a-b]", "e[1-2", "e]1-2[", "e[1-1025]", "e[1-9999999]", "[1-2]]",
                          "e[1-2][3-4]", "-[1-2]", "e[1--2]", "e[0x1-2]"}) {
    BOOST_TEST_CONTEXT(bad) BOOST_TEST(!parse_range(bad).has_value());
  }
}

BOOST_AUTO_TEST_CASE(secrets_are_hex) {
  BOOST_TEST(is_secret(std::string(32, 'a') + std::string(32, 'F')));
  BOOST_TEST(!is_secret(std::string(64, 'g')));
  BOOST_TEST(!is_secret(std::string(63, 'a')));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
