#include "sim/workload_file.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <sstream>

#include "sim/trace_reader.h"
#include "tests/sim/workload_samples.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;

namespace {

const std::string head = "arrival_ns,input_tokens,output_tokens,session,parent,supersedes,class,block_tokens,blocks\n";

struct BadCase {
  const char* name;  // the rule
  std::string text;
  const char* want;
  friend std::ostream& operator<<(std::ostream& out, const BadCase& c) { return out << c.name; }
};

const BadCase bad_cases[] = {
    {"rows in order of arrival", head + "5,1,1,,,,,,\n4,1,1,,,,,,\n", "w:3: arrival_ns = 4: want rows in order of arrival"},
    {"a time has a limit", "{\"arrival_ns\":2000000000000000000,\"input_tokens\":1,\"output_tokens\":1}\n",
     "w:1: arrival_ns = 2000000000000000000: want a whole number from 0 to 1152921504606846976 (ns)"},
    {"input is at least 1", head + "5,0,1,,,,,,\n", "w:2: input_tokens = 0: want a whole number from 1 to 1073741824 (tokens)"},
    {"a class is one of three", head + "5,1,1,,,,urgent,,\n", "w:2: class = urgent: want live, interactive or batch"},
    {"a parent is above", head + "5,1,1,1,0,,,,\n", "w:2: parent = 0: want a row above, counted from 0 without the header"},
    {"a parent is of the session", head + "5,1,1,1,,,,,\n6,1,1,2,0,,,,\n", "w:3: parent = 0: want a row of the same session"},
    {"a parent needs a session", head + "5,1,1,,,,,,\n6,1,1,,0,,,,\n", "w:3: parent = 0: want a row of the same session"},
    {"supersedes is a boolean", head + "5,1,1,1,,maybe,,,\n", "w:2: supersedes = maybe: want true or false"},
    {"supersedes needs a parent", head + "5,1,1,1,,true,,,\n", "w:2: supersedes = true: want a parent that it supersedes"},
    {"blocks need their size", head + "5,20,1,,,,,,1 2\n", "w:2: blocks = 1 2: want block_tokens beside it"},
    {"blocks cover the input", head + "5,32,1,,,,,16,1 2 3\n",
     "w:2: blocks = 1 2 3: want at most 2 blocks of 16 tokens for 32 input tokens"},
    {"blocks are numbers", head + "5,32,1,,,,,16,1 x\n", "w:2: blocks = 1 x: want whole numbers with spaces between"},
    {"at least one row", head, "w: holds no request: want at least one row"},
};

LoadedWorkload read(const std::string& text) {
  std::istringstream in(text);
  return read_workload(in, "w").value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(workload_file)

BOOST_AUTO_TEST_CASE(what_is_written_reads_back_equal) {
  const TestFolder folder;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    const auto source = sample_workload(seed, 200);
    for (const auto* name : {"w.jsonl", "w.csv"}) {
      const auto file = folder.file(name);
      BOOST_REQUIRE(save_workload(source, file).has_value());
      const auto back = load_trace(file, TraceFormat::native);
      BOOST_REQUIRE_MESSAGE(back.has_value(), back.error().message);
      BOOST_TEST((back->workload == source));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_bytes_of_both_forms) {
  const auto made =
      read(
          "{\"arrival_ns\":1,\"input_tokens\":20,\"output_tokens\":0}\n"
          "{\"deadline_ns\":9,\"arrival_ns\":2,\"input_tokens\":33,\"output_tokens\":4,\"class\":\"live\",\"tenant\":\"a,b\",\"new\":{"
          "\"x\":[1]},"
          "\"session\":7,\"block_tokens\":16,\"blocks\":[5,6]}\n"
          "{\"arrival_ns\":3,\"input_tokens\":33,\"output_tokens\":4,\"session\":7,\"parent\":1,\"supersedes\":true,\"think_ns\":8,"
          "\"block_tokens\":16,\"blocks\":[5]}\n")
          .workload;
  BOOST_TEST(
      text_of(made) ==
      "{\"arrival_ns\":1,\"input_tokens\":20,\"output_tokens\":0,\"tenant\":\"default\",\"model\":\"default\",\"class\":\"interactive\"}\n"
      "{\"arrival_ns\":2,\"input_tokens\":33,\"output_tokens\":4,\"tenant\":\"a,b\",\"model\":\"default\",\"class\":\"live\","
      "\"session\":1,\"deadline_ns\":9,\"block_tokens\":16,\"blocks\":[0,1]}\n"
      "{\"arrival_ns\":3,\"input_tokens\":33,\"output_tokens\":4,\"tenant\":\"default\",\"model\":\"default\",\"class\":\"interactive\","
      "\"session\":1,\"parent\":1,\"supersedes\":true,\"think_ns\":8,\"block_tokens\":16,\"blocks\":[0]}\n");
  std::ostringstream csv;
  write_workload(made, WorkloadForm::csv, csv);
  BOOST_TEST(csv.str() ==
             "arrival_ns,input_tokens,output_tokens,tenant,model,class,session,parent,supersedes,think_ns,deadline_ns,block_tokens,blocks\n"
             "1,20,0,default,default,interactive,,,,,,,\n"
             "2,33,4,\"a,b\",default,live,1,,,,9,16,0 1\n"
             "3,33,4,default,default,interactive,1,1,true,8,,16,0\n");
}

BOOST_DATA_TEST_CASE(a_malformed_row_is_named, bdata::make(bad_cases), c) {
  std::istringstream in(c.text);
  const auto result = read_workload(in, "w");
  BOOST_REQUIRE(!result.has_value());
  BOOST_TEST(result.error().message == c.want);
  BOOST_TEST((result.error().code == core::Errc::bad_file));
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_written_is_told_and_nothing_is_left) {
  const TestFolder folder;
  const auto saved = save_workload(sample_workload(1, 5), folder.file("absent/w.jsonl"));
  BOOST_REQUIRE(!saved.has_value());
  BOOST_TEST((saved.error().code == core::Errc::io));
  std::filesystem::create_directory(folder.file("w.jsonl"));
  BOOST_TEST(!save_workload(sample_workload(1, 5), folder.file("w.jsonl")).has_value());
  BOOST_TEST(!std::filesystem::exists(folder.file("w.jsonl.part")));
}

BOOST_AUTO_TEST_SUITE_END()
