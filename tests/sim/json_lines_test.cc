#include "sim/json_lines.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/sim/tiny_profile.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;

namespace {

const JsonFields fields{.numbers = {"a"}, .texts = {"t"}, .lists = {"l"}};

struct WrongCase {
  const char* name;
  const char* text;
  const char* place;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const WrongCase& c) { return out << c.name; }
};

const WrongCase wrong_cases[] = {
    {"no line", "\n\n", ":1:", "no line"},
    {"a line that is cut off", "{\"a\": 1}\n{\"a\": 1\n", ":2:", "no JSON"},
    {"a line that is no object", "[1]\n", ":1:", "no object"},
    {"a number missing", "{\"b\": 1}\n", ":1:", "no key a"},
    {"a number in quotes", "{\"a\": \"1\"}\n", ":1:", "a is \"1\": want a number"},
    {"a text that is none", "{\"a\": 1, \"t\": 2}\n", ":1:", "want a text"},
    {"a list that is none", "{\"a\": 1, \"l\": 2}\n", ":1:", "l: want a list"},
    {"a list of texts", "{\"a\": 1, \"l\": [\"x\"]}\n", ":1:", "l holds \"x\""},
    {"a list of fractions", "{\"a\": 1, \"l\": [1.5]}\n", ":1:", "want whole numbers"},
    {"a list below 0", "{\"a\": 1, \"l\": [-1]}\n", ":1:", "l holds -1"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(json_lines)

BOOST_AUTO_TEST_CASE(what_is_asked_for_is_read_and_the_rest_ignored) {
  const TestFolder folder;
  folder.write("w.jsonl", "{\"x\": {}, \"l\": [0, 18446744073709551615], \"a\": 2.5, \"t\": \"id\"}\r\n\n{\"a\": 7}");
  const auto lines = read_json_lines(folder.file("w.jsonl"), fields);
  BOOST_REQUIRE_MESSAGE(lines.has_value(), (lines ? "" : lines.error().message));
  BOOST_REQUIRE(lines->rows.size() == 2U);
  BOOST_TEST(lines->rows[0].numbers[0] == 2.5);
  BOOST_TEST(lines->rows[0].texts[0] == "id");
  BOOST_TEST((lines->rows[0].lists[0] == std::vector<std::uint64_t>{0, ~std::uint64_t{0}}));
  BOOST_TEST(lines->rows[1].line == 3U);
  BOOST_TEST(lines->rows[1].texts[0].empty());
  BOOST_TEST(lines->rows[1].lists[0].empty());
  BOOST_TEST(lines->whole(lines->rows[1], 0, 1, 7).value() == 7);
  BOOST_TEST(says(lines->whole(lines->rows[1], 0, 1, 6).error(), "w.jsonl:3:", "want a whole number from 1 to 6"));
  BOOST_TEST(!lines->whole(lines->rows[0], 0, 1, 7).has_value());
}

BOOST_DATA_TEST_CASE(a_malformed_line_is_refused, bdata::make(wrong_cases), c) {
  const TestFolder folder;
  folder.write("w.jsonl", c.text);
  const auto lines = read_json_lines(folder.file("w.jsonl"), fields);
  BOOST_REQUIRE(!lines.has_value());
  BOOST_TEST(says(lines.error(), "w.jsonl" + std::string(c.place), c.says));
}

BOOST_AUTO_TEST_SUITE_END()
