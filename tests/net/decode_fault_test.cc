#include "net/decode_fault.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

namespace spillway::net {

BOOST_AUTO_TEST_SUITE(decode_fault)

BOOST_AUTO_TEST_CASE(every_fault_has_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < decode_faults; ++i) names.insert(to_string(static_cast<DecodeFault>(i)));
  BOOST_TEST(names.size() == decode_faults);
  BOOST_TEST(!names.contains(""));
  BOOST_TEST(!names.contains("unknown"));
  BOOST_TEST(to_string(DecodeFault::count) == "unknown");
  BOOST_TEST(to_string(DecodeFault::fragment_range) == "fragment_range");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::net
