#include "sim/truth.h"

#include <boost/test/unit_test.hpp>

#include "tests/sim/tiny_profile.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
using namespace std::chrono_literals;

namespace {

core::Result<Truth> read(const TinyProfile& folder) {
  const auto workload = read_served_workload(folder.workload());
  BOOST_REQUIRE(workload.has_value());
  return read_truth(folder.file("vllm-requests.jsonl"), *workload);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(truth)

BOOST_AUTO_TEST_CASE(stamps_count_from_the_first_request_queued) {
  const TinyProfile folder;
  const auto truth = read(folder);
  BOOST_REQUIRE(truth.has_value());
  BOOST_REQUIRE(truth->requests.size() == 3U);
  BOOST_TEST((truth->requests[0].queued == 0ns));
  BOOST_TEST((truth->requests[0].first == 500ms));
  BOOST_TEST((truth->requests[1].queued == 1ms));
  BOOST_TEST((truth->requests[2].last == 1500ms));
  BOOST_TEST(truth->doubts.empty());
}

BOOST_AUTO_TEST_CASE(requests_are_paired_by_their_number) {
  const TinyProfile folder;
  folder.replace("vllm-requests.jsonl", "bench-0", "bench-x");
  folder.replace("vllm-requests.jsonl", "bench-2", "bench-0");
  folder.replace("vllm-requests.jsonl", "bench-x", "bench-2");
  folder.replace("vllm-requests.jsonl", "\"output_toks\": 3", "\"output_toks\": 1");
  const auto wrong = read(folder);  // the third line now tells of the first request, which has 3 tokens
  BOOST_REQUIRE(!wrong.has_value());
  BOOST_TEST(says(wrong.error(), "vllm-requests.jsonl:3:", "output_toks is 1: want 3 as in " + folder.workload() + ":1"));
  folder.replace("vllm-requests.jsonl", "\"output_toks\": 1, \"queued_ts\": 100.5", "\"output_toks\": 3, \"queued_ts\": 100.5");
  const auto truth = read(folder);
  BOOST_REQUIRE_MESSAGE(truth.has_value(), (truth ? "" : truth.error().message));
  BOOST_TEST((truth->requests[0].queued == 500ms));
  BOOST_TEST((truth->requests[2].queued == 0ns));
}

BOOST_AUTO_TEST_CASE(or_by_order_where_numbers_do_not_count_from_0) {
  const TinyProfile folder;
  folder.replace("vllm-requests.jsonl", "bench-0", "bench-3");
  BOOST_TEST(read(folder).has_value());
  folder.replace("vllm-requests.jsonl", "bench-3", "bench-1");
  BOOST_TEST(read(folder).has_value());
}

BOOST_AUTO_TEST_CASE(a_run_of_another_workload_is_refused) {
  const TinyProfile folder;
  folder.replace("vllm-requests.jsonl", "\"input_toks\": 32", "\"input_toks\": 33");
  const auto other = read(folder);
  BOOST_REQUIRE(!other.has_value());
  BOOST_TEST(says(other.error(), "vllm-requests.jsonl:1:", "input_toks is 33: want 32"));
  folder.write("vllm-requests.jsonl", folder.read("vllm-requests.jsonl").substr(0, folder.read("vllm-requests.jsonl").find('\n')));
  const auto fewer = read(folder);
  BOOST_REQUIRE(!fewer.has_value());
  BOOST_TEST(says(fewer.error(), "vllm-requests.jsonl:1:", "1 requests: want 3"));
}

BOOST_AUTO_TEST_CASE(stamps_out_of_order_are_doubted_and_missing_ones_refused) {
  const TinyProfile folder;
  folder.replace("vllm-requests.jsonl", "\"last_token_ts\": 101.001", "\"last_token_ts\": 100.2");
  const auto truth = read(folder);
  BOOST_REQUIRE(truth.has_value());
  BOOST_REQUIRE(truth->doubts.size() == 1U);
  BOOST_TEST(truth->doubts[0].find("vllm-requests.jsonl:2: ") != std::string::npos);
  folder.replace("vllm-requests.jsonl", "\"queued_ts\": 100.001", "\"queued_ts\": 1e300");
  BOOST_TEST(says(read(folder).error(), "vllm-requests.jsonl:2:", "queued_ts = "));
  folder.replace("vllm-requests.jsonl", "\"queued_ts\": 100.0,", "");
  BOOST_TEST(says(read(folder).error(), "vllm-requests.jsonl:1:", "queued_ts is missing"));
}

BOOST_AUTO_TEST_SUITE_END()
