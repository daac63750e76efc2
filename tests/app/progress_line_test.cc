#include "app/progress_line.h"

#include <boost/test/unit_test.hpp>

using namespace spillway::app;

BOOST_AUTO_TEST_SUITE(progress_line)

BOOST_AUTO_TEST_CASE(what_is_left_takes_as_long_as_what_is_done) {
  BOOST_TEST(progress_text(1, 4, "runs", 2.0) == "1 of 4 runs, about 6 s to go");
  BOOST_TEST(progress_text(4, 4, "points", 100.0) == "4 of 4 points, about 0 s to go");
}

BOOST_AUTO_TEST_SUITE_END()
