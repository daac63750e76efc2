#include "sim/trace_json.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <sstream>

using namespace spillway::sim;
namespace bdata = boost::unit_test::data;

namespace {

/// Cells as text: "-" absent, "b:1" bare, "q:x" quoted, "l:1,2" list, "o" other.
std::string shown(const std::vector<TraceCell>& cells) {
  std::ostringstream out;
  for (const auto& cell : cells) {
    out << (out.tellp() > 0 ? " " : "");
    switch (cell.kind) {
      case TraceCell::Kind::absent: out << '-'; break;
      case TraceCell::Kind::bare: out << "b:" << cell.text; break;
      case TraceCell::Kind::quoted: out << "q:" << cell.text; break;
      case TraceCell::Kind::other: out << 'o'; break;
      case TraceCell::Kind::list:
        out << "l:";
        for (std::size_t i = 0; i < cell.items.size(); ++i) out << (i > 0 ? "," : "") << cell.items[i];
        break;
    }
  }
  return out.str();
}

struct RowCase {
  const char* name;  // the rule
  const char* line;
  const char* want;  // cells, or what is wrong
  friend std::ostream& operator<<(std::ostream& out, const RowCase& c) { return out << c.name; }
};

const RowCase row_cases[] = {
    {"keys in any order", R"({"b": 2, "a": 1})", "b:1 b:2"},
    {"numbers keep their digits", R"({"a": 61.1140000000000001, "b": -1e-3})", "b:61.1140000000000001 b:-1e-3"},
    {"large numbers too", R"({"a": 18446744073709551616, "b": 9007199254740993})", "b:18446744073709551616 b:9007199254740993"},
    {"null is absent", R"({"a": null, "b": true})", "- b:true"},
    {"texts are unescaped", R"({"a": "x\n\u00e9", "b": ""})", "q:x\n\xc3\xa9 q:"},
    {"lists of whole numbers", R"({"a": [1, 2, 30], "b": []})", "l:1,2,30 l:"},
    {"a list of something else", R"({"a": [1, -2], "b": ["1"]})", "o o"},
    {"a list with null", R"({"a": [1, null]})", "o -"},
    {"lists of lists", R"({"a": [1, [2], 3], "b": [{"a": 1}]})", "o o"},
    {"an object is no value", R"({"a": {"b": 5}})", "o -"},
    {"keys that nobody asked for are skipped", R"({"x": {"a": [1, {"b": 2}]}, "y": [[3]], "b": 7})", "- b:7"},
    {"an empty object", "{}", "- -"},
    {"a key twice", R"({"a": 1, "a": 2})", "holds the key a twice"},
    {"a list is no row", "[1]", "is not a JSON object"},
    {"a number is no row", "12", "is not a JSON object"},
    {"two objects", R"({"a": 1} {"a": 2})", "is not one JSON object: something stands behind it"},
    {"cut off", R"({"a": 1)", "is not JSON (incomplete JSON at byte 8)"},
    {"a comma too many", R"({"a": 1,})", "is not JSON (syntax error at byte 9)"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(trace_json)

BOOST_DATA_TEST_CASE(rows_become_cells, bdata::make(row_cases), c) {
  JsonRowParser parser({"a", "b"});
  std::vector<TraceCell> cells;
  // Twice, behind a row that leaves something in every cell: a parser is used for many rows.
  BOOST_TEST(parser.parse(R"({"a": [1], "b": "left over"})", cells) == "");
  const auto wrong = parser.parse(c.line, cells);
  BOOST_TEST((wrong.empty() ? shown(cells) : wrong) == c.want);
}

BOOST_AUTO_TEST_SUITE_END()
