#include "sim/workload.h"

#include <boost/test/unit_test.hpp>

#include "tests/sim/workload_samples.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;

BOOST_AUTO_TEST_SUITE(workload)

BOOST_AUTO_TEST_CASE(requests_come_by_arrival_and_at_equal_time_as_given) {
  WorkloadBuilder builder;
  for (const auto& [arrival, input] : {std::pair{30, 1U}, {10, 2U}, {30, 3U}, {10, 4U}}) {
    DraftRequest request;
    request.arrival_ns = arrival;
    request.input_tokens = input;
    builder.add(request);
  }
  const auto made = builder.finish().value();
  std::vector<std::uint32_t> inputs;
  for (const auto& request : made.requests) inputs.push_back(request.input_tokens);
  const std::vector<std::uint32_t> want = {2, 4, 1, 3};
  BOOST_TEST(inputs == want, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(parents_sessions_blocks_and_names_follow_the_order) {
  WorkloadBuilder builder;
  const std::vector<std::uint64_t> late_blocks = {77, 5};
  const std::vector<std::uint64_t> early_blocks = {5, 9};
  DraftRequest late;
  late.arrival_ns = 20;
  late.input_tokens = 40;
  late.tenant = "b";
  late.session = 900;
  late.blocks = late_blocks;
  late.block_tokens = 16;
  DraftRequest early = late;
  early.arrival_ns = 10;
  early.tenant = "a";
  early.session = 12;
  early.blocks = early_blocks;
  const auto late_index = builder.add(late);
  const auto early_index = builder.add(early);
  builder.set_parent(late_index, early_index, 12);
  const auto made = builder.finish().value();
  check_normal_form(made);
  BOOST_REQUIRE(made.requests.size() == 2U);
  BOOST_TEST(made.tenants.at(made.requests[0].tenant) == "a");
  BOOST_TEST(made.requests[1].parent == 0U);
  BOOST_TEST(made.requests[1].session == 1U);
  BOOST_TEST(made.sessions == 1U);
  const std::vector<std::uint32_t> want = {0, 1, 2, 0};
  BOOST_TEST(made.blocks == want, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(blocks_of_unlike_sizes_are_never_the_same) {
  WorkloadBuilder builder;
  const std::vector<std::uint64_t> blocks = {7};
  DraftRequest request;
  request.input_tokens = 600;
  request.blocks = blocks;
  for (const std::uint16_t tokens : {16, 512, 16}) {
    request.block_tokens = tokens;
    builder.add(request);
  }
  const auto made = builder.finish().value();
  const std::vector<std::uint32_t> want = {0, 1, 0};
  BOOST_TEST(made.blocks == want, boost::test_tools::per_element());
  BOOST_TEST(made.distinct_blocks == 2U);
}

BOOST_AUTO_TEST_CASE(the_normal_form_of_a_normal_form_is_itself) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const auto made = sample_workload(seed, 300);
    check_normal_form(made);
    BOOST_TEST((normal_form(made) == made));
    BOOST_TEST(!(sample_workload(seed + 100, 300) == made));
  }
}

BOOST_AUTO_TEST_CASE(what_nobody_uses_is_dropped) {
  auto made = sample_workload(3, 300);
  made.requests.erase(made.requests.begin(), made.requests.begin() + 250);
  for (auto& request : made.requests) request.parent = no_parent;
  const auto rest = normal_form(made);
  check_normal_form(rest);
  BOOST_TEST(rest.distinct_blocks < made.distinct_blocks);
  BOOST_TEST(rest.sessions < made.sessions);
}

BOOST_AUTO_TEST_SUITE_END()
