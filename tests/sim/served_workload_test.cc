#include "sim/served_workload.h"

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
  const char* line;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const WrongCase& c) { return out << c.name; }
};

const WrongCase wrong_cases[] = {
    {"a prompt of nothing", "{\"input_length\": 0, \"output_length\": 1}", "input_length = 0: want a whole number from 1"},
    {"an answer of nothing", "{\"input_length\": 1, \"output_length\": 0}", "output_length = 0: want a whole number from 1"},
    {"half a token", "{\"input_length\": 1.5, \"output_length\": 1}", "want a whole number"},
    {"a length missing", "{\"input_length\": 1}", "output_length is missing"},
    {"an id of a block that is not full", "{\"input_length\": 31, \"output_length\": 1, \"hash_ids\": [1, 2]}",
     "want at most one for each of the 1 full"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(workload)

BOOST_AUTO_TEST_CASE(requests_are_read_in_order) {
  const TestFolder folder;
  folder.write("w.jsonl",
               "{\"arrival_ns\": 5, \"input_length\": 40, \"output_length\": 3, \"hash_ids\": [7, 9]}\n"
               "{\"output_length\": 1, \"input_length\": 15}\n");
  const auto read = read_served_workload(folder.file("w.jsonl"));
  BOOST_REQUIRE(read.has_value());
  BOOST_REQUIRE(read->items.size() == 2U);
  BOOST_TEST(read->items[0].input_tokens == 40U);
  BOOST_TEST(read->items[0].output_tokens == 3U);
  BOOST_TEST((read->items[0].hash_ids == std::vector<std::uint64_t>{7, 9}));
  BOOST_TEST(read->items[1].line == 2U);
  BOOST_TEST(read->items[1].hash_ids.empty());
}

BOOST_DATA_TEST_CASE(a_malformed_request_is_refused_at_its_line, bdata::make(wrong_cases), c) {
  const TestFolder folder;
  folder.write("w.jsonl", "{\"input_length\": 1, \"output_length\": 1}\n" + std::string(c.line) + "\n");
  const auto read = read_served_workload(folder.file("w.jsonl"));
  BOOST_REQUIRE(!read.has_value());
  BOOST_TEST(says(read.error(), "w.jsonl:2:", c.says));
}

BOOST_AUTO_TEST_SUITE_END()
