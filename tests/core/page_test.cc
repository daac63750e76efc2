#include "core/page.h"

#include <boost/test/unit_test.hpp>

using namespace spillway::core;

BOOST_AUTO_TEST_SUITE(page)

BOOST_AUTO_TEST_CASE(format_names_go_there_and_back) {
  for (const auto format : {PageFormat::raw32, PageFormat::raw16}) {
    PageFormat parsed = format == PageFormat::raw32 ? PageFormat::raw16 : PageFormat::raw32;
    BOOST_TEST(parse_page_format(to_string(format), parsed));
    BOOST_TEST((parsed == format));
  }
  PageFormat untouched = PageFormat::raw32;
  BOOST_TEST(!parse_page_format("raw64", untouched));
  BOOST_TEST(!parse_page_format("", untouched));
  BOOST_TEST((untouched == PageFormat::raw32));
}

BOOST_AUTO_TEST_CASE(format_values_are_part_of_the_wire) {
  BOOST_TEST(static_cast<int>(PageFormat::raw32) == 0);
  BOOST_TEST(static_cast<int>(PageFormat::raw16) == 1);
}

BOOST_AUTO_TEST_SUITE_END()
