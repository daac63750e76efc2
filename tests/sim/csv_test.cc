#include "sim/csv.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/sim/tiny_profile.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;

namespace {

struct WrongCase {
  const char* name;
  const char* text;
  const char* place;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const WrongCase& c) { return out << c.name; }
};

const WrongCase wrong_cases[] = {
    {"an empty file has no header", "", ":1:", "empty"},
    {"a header alone is no table", "a,b\n", ":2:", "no rows"},
    {"a required column must be there", "a,c\n1,2\n", ":1:", "no column b"},
    {"a column stands there once", "a,b,a\n1,2,3\n", ":1:", "the column a stands there twice"},
    {"a row has as many cells as the header", "a,b\n1,2\n1\n", ":3:", "1 cells: want 2"},
    {"quotes are not read", "a,b\n1,\"2\"\n", ":2:", "a quoted cell"},
};

struct CellCase {
  const char* name;
  const char* cell;
  bool number;
  bool whole;
  friend std::ostream& operator<<(std::ostream& out, const CellCase& c) { return out << c.name; }
};

const CellCase cell_cases[] = {
    {"a whole number is both", "16", true, true},     {"also with a point", "16.0", true, true},
    {"a fraction is not whole", "16.5", true, false}, {"text is neither", "x", false, false},
    {"an empty cell is neither", "", false, false},   {"too small is neither", "-1", false, false},
    {"too large is neither", "101", false, false},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(csv)

BOOST_AUTO_TEST_CASE(columns_are_found_by_name_in_any_order_and_others_are_ignored) {
  const TestFolder folder;
  folder.write("t.csv", "z,b , a\r\n9, 2,1\r\n\r\n8,4,3\r\n");
  const auto table = read_csv(folder.file("t.csv"), {"a", "b"}, {"not_there"});
  BOOST_REQUIRE(table.has_value());
  BOOST_REQUIRE(table->rows.size() == 2U);
  BOOST_TEST((table->rows[0].cells == std::vector<std::string>{"1", "2", ""}));
  BOOST_TEST((table->rows[1].cells == std::vector<std::string>{"3", "4", ""}));
  BOOST_TEST(table->rows[1].line == 4U);
}

BOOST_DATA_TEST_CASE(a_malformed_table_is_refused_at_its_line, bdata::make(wrong_cases), c) {
  const TestFolder folder;
  folder.write("t.csv", c.text);
  const auto table = read_csv(folder.file("t.csv"), {"a", "b"});
  BOOST_REQUIRE(!table.has_value());
  BOOST_TEST(says(table.error(), "t.csv" + std::string(c.place), c.says));
}

BOOST_DATA_TEST_CASE(a_cell_is_a_number_in_its_range_or_refused, bdata::make(cell_cases), c) {
  const TestFolder folder;
  folder.write("t.csv", "a,b\n0," + std::string(c.cell) + "\n");
  const auto table = read_csv(folder.file("t.csv"), {"a", "b"});
  BOOST_REQUIRE(table.has_value());
  const auto number = table->number(table->rows[0], 1, 0, 100);
  const auto whole = table->whole(table->rows[0], 1, 0, 100);
  BOOST_TEST(number.has_value() == c.number);
  BOOST_TEST(whole.has_value() == c.whole);
  if (!whole) BOOST_TEST(says(whole.error(), "t.csv:2:", "b is \"" + std::string(c.cell) + "\": want a whole number from 0 to 100"));
  if (whole) BOOST_TEST(*whole == 16);
}

BOOST_AUTO_TEST_SUITE_END()
