#include "app/parallel_jobs.h"

#include <atomic>
#include <boost/test/unit_test.hpp>
#include <csignal>
#include <vector>

using spillway::app::ParallelJobs;

BOOST_AUTO_TEST_SUITE(parallel_jobs)

BOOST_AUTO_TEST_CASE(each_job_is_done_once) {
  for (const unsigned threads : {1U, 3U}) {
    for (const std::size_t count : {0UL, 1UL, 100UL}) {
      std::vector<std::atomic<int>> calls(count);
      ParallelJobs jobs(threads, "runs");
      BOOST_TEST(jobs.run(count, [&](std::size_t i) { ++calls[i]; }));
      for (const auto& call : calls) BOOST_TEST(call == 1);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_signal_ends_it) {
  std::atomic<int> calls{0};
  ParallelJobs jobs(2, "runs");
  BOOST_TEST(!jobs.run(1000, [&](std::size_t) {
    if (++calls == 5) std::raise(SIGTERM);
  }));
  BOOST_TEST(calls >= 5);
  BOOST_TEST(calls < 10);
}

BOOST_AUTO_TEST_SUITE_END()
