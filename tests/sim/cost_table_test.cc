#include "sim/cost_table.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

using namespace spillway::sim;
namespace bdata = boost::unit_test::data;

namespace {

struct LineCase {
  const char* name;
  Fixed x;
  Picos want;
  friend std::ostream& operator<<(std::ostream& out, const LineCase& c) { return out << c.name; }
};

/// 100 at 16, 300 at 32, 1100 at 64.
const LineCase line_cases[] = {
    {"a point is itself", to_fixed(32), 300},
    {"linear between two", to_fixed(24), 200},
    {"also at a fraction", fixed_ratio(49, 2), 206},
    {"not in the logarithm: 48 is half way from 32 to 64", to_fixed(48), 700},
    {"the first value below the axis", to_fixed(1), 100},
    {"the last line goes on above it", to_fixed(96), 1900},
    {"but not without end", to_fixed(axis_max), 300 + 64 * 800},
};

GridTable::Point point(std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d, Picos time) {
  return {{a, b, c, d}, time};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(cost_table)

BOOST_DATA_TEST_CASE(a_line_is_interpolated_on_its_axis, bdata::make(line_cases), c) {
  LineTable table;
  BOOST_TEST(table.add(64, 1100));
  BOOST_TEST(table.add(16, 100));
  BOOST_TEST(table.add(32, 300));
  BOOST_TEST(!table.add(32, 999));
  BOOST_TEST(table.at(c.x) == c.want);
}

BOOST_AUTO_TEST_CASE(one_point_is_the_same_everywhere) {
  LineTable table;
  table.add(8, 70);
  for (const std::int64_t x : {0, 8, 1000}) BOOST_TEST(table.at(to_fixed(x)) == 70);
}

BOOST_AUTO_TEST_CASE(a_falling_line_ends_at_zero) {
  LineTable table;
  table.add(0, 100);
  table.add(10, 50);
  BOOST_TEST(table.at(to_fixed(40)) == 0);
}

BOOST_AUTO_TEST_CASE(blending_saturates_instead_of_overflowing) {
  BOOST_TEST(blend(picos_max, -picos_max, to_fixed(extrapolation_max)) == -picos_max);
  BOOST_TEST(blend(-picos_max, picos_max, to_fixed(extrapolation_max)) == picos_max);
  BOOST_TEST(blend(100, 200, -fixed_one / 2) == 50);
}

BOOST_AUTO_TEST_CASE(a_grid_gives_a_multilinear_function_back) {
  const auto f = [](std::int64_t a, std::int64_t b, std::int64_t c, std::int64_t d) { return 7 + 3 * a + 5 * b + a * c + 2 * b * d; };
  std::vector<GridTable::Point> points;
  for (const int a : {16, 32, 64}) {
    for (const int b : {0, 128}) {
      for (const int c : {1, 2, 4}) {
        for (const int d : {16, 48}) points.push_back(point(a, b, c, d, f(a, b, c, d)));
      }
    }
  }
  const auto table = GridTable::make(points);
  BOOST_REQUIRE(table.has_value());
  int tried = 0;
  for (const int a : {16, 24, 40, 128}) {  // the last lies above the axis
    for (const int b : {0, 32, 128}) {
      for (const int c : {1, 3, 4}) {
        for (const int d : {16, 24, 64}) {
          const auto got = table->at({to_fixed(a), to_fixed(b), to_fixed(c), to_fixed(d)});
          BOOST_REQUIRE(got.has_value());
          BOOST_TEST(*got == f(a, b, c, d));
          ++tried;
        }
      }
    }
  }
  BOOST_TEST(tried == 108);
}

BOOST_AUTO_TEST_CASE(where_a_corner_was_not_measured_its_neighbour_stands_in) {
  const auto table = GridTable::make(std::vector{point(0, 0, 1, 16, 100), point(0, 0, 1, 32, 200), point(0, 0, 2, 16, 300)});
  BOOST_REQUIRE(table.has_value());
  BOOST_TEST(table->at({0, 0, to_fixed(1), to_fixed(24)}).value() == 150);
  BOOST_TEST(table->at({0, 0, to_fixed(2), to_fixed(24)}).value() == 300);
  BOOST_TEST(table->at({0, 0, to_fixed(2), to_fixed(32)}).value() == 300);
}

BOOST_AUTO_TEST_CASE(an_empty_grid_knows_nothing) {
  BOOST_TEST(!GridTable().at({0, 0, 0, 0}).has_value());
  BOOST_TEST(GridTable::make({})->empty());
}

BOOST_AUTO_TEST_CASE(axes_that_span_too_much_are_refused) {
  std::vector<GridTable::Point> points;
  for (int i = 0; i < 100; ++i) points.push_back(point(i, i, i, i, 1));
  BOOST_TEST(!GridTable::make(points).has_value());
}

BOOST_AUTO_TEST_SUITE_END()
