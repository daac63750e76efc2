#include "sim/figures.h"

#include <boost/test/unit_test.hpp>

using namespace spillway;
using namespace spillway::sim;
using namespace std::chrono_literals;

BOOST_AUTO_TEST_SUITE(figures)

BOOST_AUTO_TEST_CASE(quantiles_lie_between_the_sorted_values) {
  std::vector<double> values;
  for (int i = 100; i >= 0; --i) values.push_back(i);
  const auto s = summarise(values);
  BOOST_TEST(s.mean == 50.0);
  BOOST_TEST(s.p50 == 50.0);
  BOOST_TEST(s.p90 == 90.0);
  BOOST_TEST(s.p99 == 99.0);
  BOOST_TEST(summarise({4, 1}).p50 == 2.5);
  BOOST_TEST(summarise({4, 1}).p90 == 3.7);
  BOOST_TEST(summarise({3}).p99 == 3.0);
  BOOST_TEST(summarise({}).mean == 0.0);
}

BOOST_AUTO_TEST_CASE(latencies_are_those_of_vllm) {
  const Latency requests[] = {{1ms, 5ms, 25ms, 11}, {2ms, 5ms, 5ms, 1}};
  const auto f = figures_of(requests);
  BOOST_TEST(f.ttft_ms.mean == 3.5);
  BOOST_TEST(f.e2e_ms.mean == 13.5);
  BOOST_TEST(f.tpot_ms.mean == 2.0);  // of the first alone: one token has no time between two
}

BOOST_AUTO_TEST_CASE(differences_are_relative_to_the_real_run) {
  BOOST_TEST(diff_percent(200, 210) == 5.0);
  BOOST_TEST(diff_percent(200, 150) == -25.0);
  BOOST_TEST(diff_percent(0, 0) == 0.0);
  const double none = diff_percent(0, 1);
  BOOST_TEST((none != none));
}

BOOST_AUTO_TEST_CASE(errors_of_single_requests_do_not_cancel) {
  const Latency real[] = {{0ms, 1ms, 100ms, 2}, {0ms, 1ms, 200ms, 2}, {0ms, 0ms, 0ms, 1}};
  const Latency sim[] = {{0ms, 1ms, 110ms, 2}, {0ms, 1ms, 160ms, 2}, {0ms, 1ms, 1ms, 1}};
  BOOST_TEST(e2e_mape_percent(real, sim) == 15.0, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_SUITE_END()
