#include "sim/trace_reader.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <sstream>

#include "sim/workload_random.h"
#include "tests/sim/workload_samples.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;

namespace {

const std::string azure_head = "TIMESTAMP,ContextTokens,GeneratedTokens\r\n";
const std::string burst_head = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";
const std::string burst_head_v3 = "Timestamp,Session ID,Elapsed time,Model,Request tokens,Response tokens,Total tokens,Log Type\n";

std::string mooncake_row(const std::string& stamp, int input, const std::string& ids) {
  return "{\"timestamp\": " + stamp + ", \"input_length\": " + std::to_string(input) + ", \"output_length\": 5, \"hash_ids\": [" + ids +
         "]}\n";
}
std::string vllm_row(int input, const std::string& ids) {
  return "{\"arrival_ns\":46926808,\"input_length\":" + std::to_string(input) + ",\"output_length\":5,\"hash_ids\":[" + ids + "]}\n";
}
std::string chat(int id, int parent, const std::string& stamp, const std::string& ids) {
  return "{\"chat_id\": " + std::to_string(id) + ", \"parent_chat_id\": " + std::to_string(parent) + ", \"timestamp\": " + stamp +
         ", \"input_length\": 40, \"output_length\": 5, \"type\": \"text\", \"turn\": 1, \"hash_ids\": [" + ids + "]}\n";
}

/// One line of our own format, names and class by default. `rest` stands behind the class.
std::string row(const std::string& arrival, int input, int output, const std::string& rest = "", const std::string& model = "default") {
  return "{\"arrival_ns\":" + arrival + ",\"input_tokens\":" + std::to_string(input) + ",\"output_tokens\":" + std::to_string(output) +
         ",\"tenant\":\"default\",\"model\":\"" + model + "\",\"class\":\"interactive\"" + rest + "}\n";
}
std::string blocks(int tokens, const std::string& ids) {
  return ",\"block_tokens\":" + std::to_string(tokens) + ",\"blocks\":[" + ids + "]";
}

struct ReadCase {
  const char* name;  // the rule
  TraceFormat format;
  std::string text;
  std::string want;  // in our own format, then the notes
  friend std::ostream& operator<<(std::ostream& out, const ReadCase& c) { return out << c.name; }
};

const ReadCase read_cases[] = {
    {"azure: the first stamp is 0, seven digits count", TraceFormat::azure,
     azure_head + "2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04.0319601,3180,8\r\n2023-11-17 00:00:00.0000000,1,0",
     row("0", 4808, 10) + row("52000100", 3180, 8) + row("20576020040000", 1, 0)},
    {"azure: newlines of either kind, any order of columns and rows", TraceFormat::azure,
     "ContextTokens,extra,TIMESTAMP,GeneratedTokens\n7,x,2023-01-01 00:00:02,70\n8,y,2023-01-01 00:00:01.5,80\n",
     row("0", 8, 80) + row("500000000", 7, 70)},
    {"mooncake: milliseconds, blocks of 512 with the tail, nothing spread", TraceFormat::mooncake,
     mooncake_row("0", 1025, "0, 7, 9") + mooncake_row("3000", 512, "0") + mooncake_row("3000", 600, "0, 7"),
     row("0", 1025, 5, blocks(512, "0,1,2")) + row("3000000000", 512, 5, blocks(512, "0")) + row("3000000000", 600, 5, blocks(512, "0,1"))},
    {"vllm: nanoseconds, full blocks of 16 alone", TraceFormat::vllm, vllm_row(47, "1,2") + vllm_row(15, ""),
     row("46926808", 47, 5, blocks(16, "0,1")) + row("46926808", 15, 5)},
    {"vllm: a file without ids has no blocks", TraceFormat::vllm, "arrival_ns,input_length,output_length\n3,200,1\n", row("3", 200, 1)},
    {"burstgpt: rows with zero tokens are dropped and counted", TraceFormat::burstgpt,
     burst_head +
         "5,ChatGPT,472,18,490,Conversation log\n45,ChatGPT,1087,0,1087,API log\n118,GPT-4,0,7,7,API log\n120,GPT-4,9,2,11,API log\n",
     row("5000000000", 472, 18, "", "ChatGPT") + row("120000000000", 9, 2, "", "GPT-4") +
         "note: dropped 2 rows with zero tokens: requests that failed\n"},
    {"burstgpt with sessions: a session is a chain, think time is from the end of the turn before", TraceFormat::burstgpt,
     burst_head_v3 + "1.5,s1,2.25,M,10,1,11,x\n2,,1,M,20,1,21,x\n10,s1,1,M,30,1,31,x\n10.5,s2,,M,40,1,41,x\n12,s2,,M,50,1,51,x\n",
     row("1500000000", 10, 1, ",\"session\":1", "M") + row("2000000000", 20, 1, "", "M") +
         row("10000000000", 30, 1, ",\"session\":1,\"parent\":0,\"think_ns\":6250000000", "M") +
         row("10500000000", 40, 1, ",\"session\":2", "M") + row("12000000000", 50, 1, ",\"session\":2,\"parent\":3", "M")},
    {"burstgpt: a dropped row is no parent, a row out of order continues nothing", TraceFormat::burstgpt,
     burst_head_v3 + "1,s,1,M,10,1,11,x\n2,s,1,M,10,0,10,x\n9,s,0,M,30,1,31,x\n8,s,0,M,40,1,41,x\n",
     row("1000000000", 10, 1, ",\"session\":1", "M") + row("8000000000", 40, 1, ",\"session\":1", "M") +
         row("9000000000", 30, 1, ",\"session\":1,\"parent\":0,\"think_ns\":7000000000", "M") +
         "note: dropped 1 row with zero tokens: requests that failed\n"},
    {"bailian: seconds with a fraction, sessions by parents, blocks of 16", TraceFormat::bailian,
     chat(159, -1, "61.114", "1, 2, 3") + chat(160, -1, "62", "") + chat(7, 159, "63.5", "1, 2") + chat(8, 7, "64", "9"),
     row("61114000000", 40, 5, ",\"session\":1" + blocks(16, "0,1,2")) + row("62000000000", 40, 5, ",\"session\":2") +
         row("63500000000", 40, 5, ",\"session\":1,\"parent\":0" + blocks(16, "0,1")) +
         row("64000000000", 40, 5, ",\"session\":1,\"parent\":2" + blocks(16, "3"))},
    {"bailian: a parent may stand below; one from before the trace is counted", TraceFormat::bailian,
     chat(2, 1, "5", "") + chat(1, 77, "4", "") + chat(3, 78, "6", ""),
     row("4000000000", 40, 5, ",\"session\":1") + row("5000000000", 40, 5, ",\"session\":1,\"parent\":0") +
         row("6000000000", 40, 5, ",\"session\":2") + "note: 2 chats continue some from before the trace: taken as first of a session\n"},
};

struct BadCase {
  const char* name;  // the rule
  TraceFormat format;
  std::string text;
  const char* want;
  friend std::ostream& operator<<(std::ostream& out, const BadCase& c) { return out << c.name; }
};

const BadCase bad_cases[] = {
    {"azure without a column", TraceFormat::azure, "TIMESTAMP,ContextTokens\n",
     "t:1: no column GeneratedTokens: want the header of an Azure 2023 trace; the file has TIMESTAMP, ContextTokens"},
    {"azure with a broken time", TraceFormat::azure, azure_head + "2023-11-16 25:00:00,1,1\n",
     "t:2: TIMESTAMP = 2023-11-16 25:00:00: want a time like 2023-11-16 18:17:03.9799600"},
    {"azure over too many years", TraceFormat::azure, azure_head + "1971-01-01 00:00:00,1,1\n2023-11-16 00:00:00,1,1\n",
     "t:3: TIMESTAMP = 2023-11-16 00:00:00: want all rows within 36 years"},
    {"azure with an empty input", TraceFormat::azure, azure_head + "2023-11-16 23:00:00,0,1\n",
     "t:2: ContextTokens = 0: want a whole number from 1 to 1073741824 (tokens)"},
    {"azure cut off", TraceFormat::azure, azure_head + "2023-11-16 23:00:00,10,1\n2023-11-16 23:00",
     "t:3: 1 columns: want 3, as in the header"},
    {"azure with a header alone", TraceFormat::azure, azure_head, "t: holds no request: want at least one row"},
    {"mooncake with a block too few", TraceFormat::mooncake, mooncake_row("0", 1025, "1, 2"),
     "t:1: hash_ids = a list of 2: want 3 ids: one for each block of 512 of the 1025 input tokens"},
    {"mooncake before its start", TraceFormat::mooncake, mooncake_row("-3000", 1, "1"),
     "t:1: timestamp = -3000: want a number from 0 to 1152921504606 (ms)"},
    {"mooncake cut off", TraceFormat::mooncake, mooncake_row("0", 1, "1") + "{\"timestamp\": 3000, \"input_le",
     "t:2: the line is not JSON (incomplete JSON at byte 30): want one object, a row of a Mooncake trace"},
    {"mooncake without ids", TraceFormat::mooncake, "{\"timestamp\": 0, \"input_length\": 1, \"output_length\": 1}\n",
     "t:1: hash_ids is missing: want it in each row of a Mooncake trace"},
    {"vllm with the tail block", TraceFormat::vllm, vllm_row(47, "1,2,3"),
     "t:1: hash_ids = a list of 3: want 2 ids: one for each block of 16 of the 47 input tokens"},
    {"burstgpt with a negative count", TraceFormat::burstgpt, burst_head + "5,M,-1,1,0,x\n",
     "t:2: Request tokens = -1: want a whole number from 0 to 1073741824 (tokens)"},
    {"burstgpt with words for a time", TraceFormat::burstgpt, burst_head + "soon,M,1,1,2,x\n",
     "t:2: Timestamp = soon: want a number from 0 to 1152921504 (s)"},
    {"burstgpt with failed rows alone", TraceFormat::burstgpt, burst_head + "5,M,0,0,0,x\n", "t: holds no request: want at least one row"},
    {"bailian with an id twice", TraceFormat::bailian, chat(1, -1, "1", "") + chat(1, -1, "2", ""),
     "t:2: chat_id = 1: want an id that no row above has"},
    {"bailian with a parent that comes later", TraceFormat::bailian, chat(1, 2, "1", "") + chat(2, -1, "2", ""),
     "t:1: the chat comes before its parent_chat_id: want an earlier timestamp there"},
    {"bailian with itself as parent", TraceFormat::bailian, chat(1, 1, "1", ""),
     "t:1: the chat comes before its parent_chat_id: want an earlier timestamp there"},
    {"bailian with more blocks than input", TraceFormat::bailian, chat(1, -1, "1", "1, 2, 3, 4"),
     "t:1: hash_ids = a list of 4: want at most 3 ids: one for each block of 16 of the 40 input tokens"},
    {"bailian with a fraction for an id", TraceFormat::bailian,
     "chat_id,parent_chat_id,timestamp,input_length,output_length\n1.5,-1,1,1,1\n", "t:2: chat_id = 1.5: want a whole number"},
    {"servegen is no rows", TraceFormat::servegen, "client\n", "t: servegen is no trace of rows: want load_servegen"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(trace_reader)

BOOST_DATA_TEST_CASE(traces_become_workloads, bdata::make(read_cases), c) {
  std::istringstream in(c.text);
  const auto result = read_trace(in, "t", c.format);
  BOOST_REQUIRE_MESSAGE(result.has_value(), result.error().message);
  check_normal_form(result->workload);
  std::string got = text_of(result->workload);
  for (const auto& note : result->notes) got += "note: " + note + "\n";
  BOOST_TEST(got == c.want);
}

BOOST_DATA_TEST_CASE(a_malformed_row_is_named_and_nothing_is_half_read, bdata::make(bad_cases), c) {
  std::istringstream in(c.text);
  const auto result = read_trace(in, "t", c.format);
  BOOST_REQUIRE(!result.has_value());
  BOOST_TEST(result.error().message == c.want);
}

BOOST_AUTO_TEST_CASE(a_trace_without_ids_shares_nothing) {
  std::istringstream in(azure_head + "2023-11-16 18:17:03,4808,10\n2023-11-16 18:17:03,4808,10\n");
  const auto result = read_trace(in, "t", TraceFormat::azure).value();
  for (const auto& request : result.workload.requests) BOOST_TEST(request.block_count == 0U);
  BOOST_TEST(result.workload.distinct_blocks == 0U);
  BOOST_TEST(result.workload.sessions == 0U);
}

BOOST_AUTO_TEST_CASE(defaults_name_what_the_trace_does_not) {
  std::istringstream in(azure_head + "2023-11-16 18:17:03,1,1\n");
  const auto made = read_trace(in, "t", TraceFormat::azure, {"desk", "small", core::ServiceClass::batch}).value().workload;
  BOOST_TEST(made.tenants.at(0) == "desk");
  BOOST_TEST(made.models.at(0) == "small");
  BOOST_TEST((made.requests[0].service_class == core::ServiceClass::batch));
}

BOOST_AUTO_TEST_CASE(rounded_stamps_are_noted) {
  const auto notes = [](std::uint32_t requests, std::uint32_t at_each_stamp) {
    std::string text = "arrival_ns,input_length,output_length\n";
    for (std::uint32_t i = 0; i < requests; ++i) text += std::to_string(i / at_each_stamp * 1000) + ",1,1\n";
    std::istringstream in(text);
    return read_trace(in, "t", TraceFormat::vllm).value().notes;
  };
  BOOST_TEST(notes(99, 3).empty());
  BOOST_TEST(notes(120, 1).empty());
  BOOST_REQUIRE(notes(120, 3).size() == 1U);
  BOOST_TEST(notes(120, 3)[0].starts_with("120 requests at 40 different stamps: the source rounds its times"));
}

BOOST_AUTO_TEST_CASE(damaged_files_are_read_or_refused_but_never_half) {
  std::uint64_t refused = 0;
  std::uint64_t taken = 0;
  for (std::size_t i = 0; i < std::size(read_cases); ++i) {
    CounterRandom random(i, RandomUse::test);
    for (int round = 0; round < 300; ++round) {
      std::string text = read_cases[i].text;
      for (std::uint64_t damage = random.below(4) + 1; damage > 0 && !text.empty(); --damage) {
        const auto at = random.below(text.size());
        const auto kind = random.below(4);
        if (kind == 0) text[at] = static_cast<char>(random.below(256));
        else if (kind == 1) text[at] = "0123456789-+.,:[]{}\"\n"[random.below(21)];
        else if (kind == 2) text.erase(at, random.below(20) + 1);
        else text.insert(at, text.substr(random.below(text.size()), random.below(20)));
      }
      std::istringstream in(text);
      const auto result = read_trace(in, "t", read_cases[i].format);
      if (result) check_normal_form(result->workload);
      else BOOST_TEST(result.error().message.starts_with("t:"), result.error().message);
      ++(result ? taken : refused);
    }
  }
  BOOST_TEST_MESSAGE(refused << " damaged files refused, " << taken << " still a trace");
  BOOST_TEST(refused > 1000U);
  BOOST_TEST(taken > 100U);
}

BOOST_AUTO_TEST_CASE(names_of_formats_are_read_back) {
  for (const auto* name : {"azure", "mooncake", "burstgpt", "bailian", "servegen", "native", "vllm"}) {
    const auto format = parse_trace_format(name);
    BOOST_REQUIRE(format.has_value());
    BOOST_TEST(to_string(*format) == name);
  }
  BOOST_TEST(!parse_trace_format("Azure").has_value());
}

BOOST_AUTO_TEST_CASE(a_file_that_is_not_there) {
  const TestFolder folder;
  for (const auto& file : {folder.file("absent.csv"), folder.file("")}) {
    const auto result = load_trace(file, TraceFormat::azure);
    BOOST_REQUIRE(!result.has_value());
    BOOST_TEST(result.error().message == file + ": cannot be opened: want a file of the format azure");
    BOOST_TEST((result.error().code == core::Errc::io));
  }
}

BOOST_AUTO_TEST_SUITE_END()
