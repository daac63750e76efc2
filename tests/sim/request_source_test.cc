#include "sim/request_source.h"

#include <boost/test/unit_test.hpp>

#include "sim/speed_source.h"

using namespace spillway;
using namespace spillway::sim;

BOOST_AUTO_TEST_SUITE(request_source)

BOOST_AUTO_TEST_CASE(equal_blocks_of_a_workload_have_equal_names_until_they_part) {
  WorkloadBuilder builder;
  const std::uint64_t first[] = {1, 2, 3};
  const std::uint64_t second[] = {1, 2, 4};
  DraftRequest request;
  request.input_tokens = 96;
  request.output_tokens = 40;
  request.block_tokens = 32;
  request.blocks = first;
  builder.add(request);
  request.blocks = second;
  builder.add(request);
  const auto workload = builder.finish();
  BOOST_REQUIRE(workload);
  const WorkloadSource source(*workload);
  std::vector<core::BlockName> a;
  std::vector<core::BlockName> b;
  source.block_names(0, a);
  source.block_names(1, b);
  BOOST_REQUIRE(a.size() == 8U);
  for (std::size_t i = 0; i < a.size(); ++i) BOOST_TEST((a[i] == b[i]) == (i < 4));
}

BOOST_AUTO_TEST_CASE(lengths_for_the_speed_are_those_of_the_trace) {
  const SpeedSource source(20'000, 100, 1);
  double input = 0;
  double output = 0;
  for (std::uint64_t i = 0; i < source.count(); ++i) {
    const auto request = source.request(i);
    input += request.input_tokens / 20'000.0;
    output += request.output_tokens / 20'000.0;
  }
  BOOST_TEST_MESSAGE("mean input " << input << ", output " << output);
  BOOST_TEST(input > 1080.0);
  BOOST_TEST(input < 1230.0);
  BOOST_TEST(output > 195.0);
  BOOST_TEST(output < 230.0);
}

BOOST_AUTO_TEST_SUITE_END()
