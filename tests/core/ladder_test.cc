#include "core/ladder.h"

#include <boost/test/unit_test.hpp>
#include <set>

using namespace spillway::core;

BOOST_AUTO_TEST_SUITE(ladder)

BOOST_AUTO_TEST_CASE(every_pressure_has_a_word_of_its_own) {
  std::set<std::string_view> words;
  for (const auto value : {Pressure::none, Pressure::quota, Pressure::deadline, Pressure::saturation}) words.insert(to_string(value));
  BOOST_TEST(words.size() == 4U);
  BOOST_TEST(!words.contains("unknown"));
  BOOST_TEST(to_string(static_cast<Pressure>(9)) == "unknown");
}

BOOST_AUTO_TEST_SUITE_END()
