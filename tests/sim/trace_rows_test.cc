#include "sim/trace_rows.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <sstream>

#include "tests/sim/test_folder.h"

using namespace spillway::sim;
namespace bdata = boost::unit_test::data;

namespace {

/// Reads number, name (may be absent) and ids of all rows: "1/x/3,4;" a row; an error instead where one stands.
std::string read(const std::string& text) {
  std::istringstream in(text);
  TraceRows rows(in, "f", "a test file", {{"number"}, {"name", false}, {"ids", false}});
  std::string out;
  while (rows.next()) {
    out += std::to_string(rows.whole(0, 0, 100, "things")) + "/" + rows.text(1) + "/";
    const auto ids = rows.list(2);
    for (std::size_t i = 0; i < ids.size(); ++i) out += (i > 0 ? "," : "") + std::to_string(ids[i]);
    out += ";";
  }
  return rows.failed() ? rows.error().message : out;
}

struct RowCase {
  const char* name;  // the rule
  std::string text;
  const char* want;
  friend std::ostream& operator<<(std::ostream& out, const RowCase& c) { return out << c.name; }
};

const RowCase row_cases[] = {
    {"columns by name", "number,name,ids\n1,x,3 4\n", "1/x/3,4;"},
    {"in any order, others skipped", "ids,junk,number\n7,?,2\n", "2//7;"},
    {"a unit behind the name", "number(s),name (text),(ids)\n1,x,9\n", "1/x/;"},
    {"lists with commas and brackets", "number,ids\n1,\"[3, 4]\"\n2,[]\n3,[5]\n", "1//3,4;2//;3//5;"},
    {"carriage returns", "number,name\r\n1,x\r\n2,y\r\n", "1/x/;2/y/;"},
    {"no newline at the end", "number\n1\n2", "1//;2//;"},
    {"a mark at the start of the file", "\xef\xbb\xbfnumber\n1\n", "1//;"},
    {"spaces round names and values", " number , name\n 1 ,  x y \n", "1/x y/;"},
    {"empty lines are skipped", "\n\nnumber\n\n1\n  \n2\n", "1//;2//;"},
    {"quotes", "number,\"name\"\n1,\"a,\"\"b\"\"\"\n", "1/a,\"b\"/;"},
    {"whole numbers as exporters write them", "number\n1.0\n", "1//;"},
    {"JSON", "{\"number\": 1, \"ids\": [3, 4]}\r\n\n{\"name\": \"x\", \"number\": 2}", "1//3,4;2/x/;"},
    {"nothing at all", "", "f: is empty: want a test file"},
    {"empty lines alone", "\n \n", "f:2: is empty: want a test file"},
    {"a column that is not there", "Number,name\n1,x\n",
     "f:1: no column number: want the header of a test file; the file has Number, name; is it `Number`?"},
    {"a column twice", "number,number\n1,2\n", "f:1: column number stands twice: want it once"},
    {"an open quote in the header", "\"number\n", "f:1: a quote is not closed: want the header of a test file"},
    {"a column too few", "number,name\n1,x\n2\n", "f:3: 1 columns: want 2, as in the header"},
    {"a column too many", "number\n1,\n", "f:2: 2 columns: want 1, as in the header"},
    {"an open quote", "number,name\n1,\"x\n", "f:2: a quote is not closed, or text follows it: want a row of a test file"},
    {"text behind a quote", "number,name\n1,\"x\"y\n", "f:2: a quote is not closed, or text follows it: want a row of a test file"},
    {"an empty cell of a required column", "number,name\n,x\n", "f:2: number is missing: want it in each row of a test file"},
    {"a key that is missing", "{\"number\": 1}\n{\"name\": \"x\"}\n", "f:2: number is missing: want it in each row of a test file"},
    {"no number", "number\nten\n", "f:2: number = ten: want a whole number from 0 to 100 (things)"},
    {"beyond the range", "number\n101\n", "f:2: number = 101: want a whole number from 0 to 100 (things)"},
    {"below it", "number\n-1\n", "f:2: number = -1: want a whole number from 0 to 100 (things)"},
    {"a number in quotes", "{\"number\": \"1\"}\n", "f:1: number = \"1\": want a whole number from 0 to 100 (things)"},
    {"a list instead of a number", "{\"number\": [1, 2]}\n", "f:1: number = a list of 2: want a whole number from 0 to 100 (things)"},
    {"a list instead of a text", "{\"number\": 1, \"name\": [1]}\n",
     "f:1: name = a list of 1: want a text without control characters, or a number"},
    {"control characters", "{\"number\": 1, \"name\": \"a\\nb\"}\n",
     "f:1: name = \"a?b\": want a text without control characters, or a number"},
    {"a number instead of a list", "{\"number\": 1, \"ids\": 5}\n", "f:1: ids = 5: want a list of whole numbers"},
    {"a list with a text", "{\"number\": 1, \"ids\": [\"a\"]}\n", "f:1: ids = a list or object: want a list of whole numbers"},
    {"a broken line", "{\"number\": 1}\n{\"number\": \n",
     "f:2: the line is not JSON (incomplete JSON at byte 12): want one object, a row of a test file"},
    {"a CSV line among JSON", "{\"number\": 1}\n2,x\n",
     "f:2: the line is not one JSON object: something stands behind it: want one object, a row of a test file"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(trace_rows)

BOOST_DATA_TEST_CASE(rows_are_read_by_name_or_named_in_an_error, bdata::make(row_cases), c) {
  BOOST_TEST(read(c.text) == c.want);
}

BOOST_AUTO_TEST_CASE(the_first_error_stays_and_values_are_quiet_behind_it) {
  std::istringstream in("number,name\nx,a\n5,b\n");
  TraceRows rows(in, "f", "a test file", {{"number"}, {"name"}});
  BOOST_REQUIRE(rows.next());
  BOOST_TEST(rows.whole(0, 3, 9, "") == 3U);
  BOOST_TEST(rows.failed());
  rows.wrong(1, "want something else");
  BOOST_TEST(rows.error().message == "f:2: number = x: want a whole number from 3 to 9");
  BOOST_TEST(rows.text(1) == "");
  BOOST_TEST(!rows.next());
}

BOOST_AUTO_TEST_CASE(decimals_reals_and_ids_have_their_ranges) {
  const auto error_of = [](const std::string& value, auto&& get) {
    std::istringstream in("v\n" + value + "\n");
    TraceRows rows(in, "f", "a test file", {{"v"}});
    BOOST_REQUIRE(rows.next());
    get(rows);
    return rows.failed() ? rows.error().message : std::string{};
  };
  const auto seconds = [](TraceRows& rows) { return rows.decimal(0, 9, 5'000'000'000, "s"); };
  BOOST_TEST(error_of("5", seconds) == "");
  BOOST_TEST(error_of("5.000000001", seconds) == "f:2: v = 5.000000001: want a number from 0 to 5 (s)");
  BOOST_TEST(error_of("-0.1", seconds) == "f:2: v = -0.1: want a number from 0 to 5 (s)");
  const auto real = [](TraceRows& rows) { return rows.real(0, 0.001, 7.5, "shape"); };
  BOOST_TEST(error_of("7.5", real) == "");
  BOOST_TEST(error_of("0", real) == "f:2: v = 0: want a number from 0.001 to 7.5 (shape)");
  BOOST_TEST(error_of("nan", real) == "f:2: v = nan: want a number from 0.001 to 7.5 (shape)");
  const auto id = [](TraceRows& rows) { return rows.id(0); };
  BOOST_TEST(error_of("-1", id) == "");
  BOOST_TEST(error_of("1.5", id) == "f:2: v = 1.5: want a whole number");
}

BOOST_AUTO_TEST_CASE(a_file_is_read_row_by_row_until_somebody_complains) {
  const test::TestFolder folder;
  const auto path = folder.write("t.csv", "number\n1\n2\n3\n");
  std::vector<std::uint64_t> seen;
  const auto all = for_each_row(path, "a test file", {{"number"}}, [&](TraceRows& rows) { seen.push_back(rows.whole(0, 0, 9, "")); });
  BOOST_REQUIRE(all.has_value());
  BOOST_TEST(*all == 3U);
  BOOST_TEST((seen == std::vector<std::uint64_t>{1, 2, 3}));
  const auto two = for_each_row(path, "a test file", {{"number"}}, [](TraceRows& rows) {
    if (rows.line() == 3) rows.wrong(0, "want 1");
    BOOST_TEST(rows.line() < 4U);
  });
  BOOST_TEST(two.error().message == path + ":3: number = 2: want 1");
  const auto ignore = [](TraceRows&) {};
  const auto none = for_each_row(folder.write("h.csv", "number\n"), "a test file", {{"number"}}, ignore);
  BOOST_TEST(none.error().message == folder.file("h.csv") + ":1: no row: want at least one of a test file");
  const auto missing = for_each_row(folder.file("no.csv"), "a test file", {{"number"}}, ignore);
  BOOST_TEST(missing.error().message == folder.file("no.csv") + ": cannot be opened: want a test file");
}

BOOST_AUTO_TEST_SUITE_END()
