#include "kernels/thread_pool.h"

#include <boost/test/unit_test.hpp>
#include <chrono>
#include <cstdint>
#include <limits>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "kernels/float_mode.h"

using spillway::kernels::ThreadPool;

BOOST_AUTO_TEST_SUITE(thread_pool)

BOOST_AUTO_TEST_CASE(each_slice_runs_exactly_once_and_is_seen_by_the_caller) {
  std::uint64_t slices_run = 0;
  for (const unsigned threads : {1u, 2u, 3u, 7u}) {
    ThreadPool pool{threads, 5};
    BOOST_TEST(pool.threads() == threads);
    std::vector<std::uint32_t> runs(200, 0);  // plain memory: a slice given out twice, or unseen by the caller, shows (and races)
    for (std::uint32_t loop = 1; loop <= 2000; ++loop) {
      const std::size_t slices = loop * 7919 % (runs.size() + 1);
      pool.parallel(slices, [&](std::size_t slice, unsigned thread) {
        if (thread < threads) ++runs[slice];
      });
      for (std::size_t i = 0; i < runs.size(); ++i) {
        BOOST_REQUIRE_EQUAL(runs[i], i < slices ? 1u : 0u);
        runs[i] = 0;
      }
      slices_run += slices;
    }
  }
  BOOST_TEST_MESSAGE("slices run: " << slices_run);
}

BOOST_AUTO_TEST_CASE(threads_that_fell_asleep_wake_up) {
  ThreadPool pool{3, 1};
  for (int loop = 0; loop < 20; ++loop) {
    std::this_thread::sleep_for(std::chrono::milliseconds{2});  // far beyond the spin
    // Both slices wait for each other, so the loop ends only if a second thread has come.
    std::atomic<int> arrived{0};
    pool.parallel(2, [&](std::size_t, unsigned) {
      arrived.fetch_add(1);
      while (arrived.load() < 2) std::this_thread::yield();
    });
    BOOST_REQUIRE_EQUAL(arrived.load(), 2);
  }
}

BOOST_AUTO_TEST_CASE(a_caller_that_fell_asleep_is_woken) {
  ThreadPool pool{2, 1};
  for (int loop = 0; loop < 20; ++loop) {
    std::atomic<int> arrived{0};
    std::atomic<int> finished{0};
    pool.parallel(2, [&](std::size_t, unsigned thread) {
      arrived.fetch_add(1);
      while (arrived.load() < 2) std::this_thread::yield();
      if (thread != 0) std::this_thread::sleep_for(std::chrono::milliseconds{3});
      finished.fetch_add(1);
    });
    BOOST_REQUIRE_EQUAL(finished.load(), 2);
  }
}

BOOST_AUTO_TEST_CASE(pools_side_by_side_and_more_threads_than_cores) {
  std::vector<std::thread> callers;
  std::atomic<std::uint64_t> sum{0};
  for (int caller = 0; caller < 3; ++caller)
    callers.emplace_back([&] {
      ThreadPool pool{4};
      for (int loop = 0; loop < 300; ++loop) pool.parallel(10, [&](std::size_t slice, unsigned) { sum.fetch_add(slice); });
    });
  for (auto& caller : callers) caller.join();
  BOOST_TEST(sum.load() == 3u * 300u * 45u);
}

BOOST_AUTO_TEST_CASE(a_pool_that_never_ran_stops) {
  for (int i = 0; i < 20; ++i) const ThreadPool pool{3, i % 2 == 0 ? 0u : 50u};
}

#if defined(__x86_64__)
BOOST_AUTO_TEST_CASE(every_thread_keeps_subnormals_and_rounds_to_nearest) {
  const auto saved = _mm_getcsr();
  _mm_setcsr(saved | 0x8040u | 0x6000u);  // flush to zero, denormals are zero, round toward zero
  {
    ThreadPool pool{2};
    volatile float least = std::numeric_limits<float>::denorm_min();
    volatile float one = 1.0f;
    volatile float three = 3.0f;
    std::vector<float> kept(2);
    std::vector<float> rounded(2);
    std::atomic<int> arrived{0};
    pool.parallel(2, [&](std::size_t slice, unsigned) {
      arrived.fetch_add(1);
      while (arrived.load() < 2) std::this_thread::yield();
      kept[slice] = least * one;
      rounded[slice] = one / three;  // toward zero it would be one unit less
    });
    for (std::size_t i = 0; i < 2; ++i) {
      BOOST_TEST(kept[i] == std::numeric_limits<float>::denorm_min());
      BOOST_TEST(rounded[i] == 0x1.555556p-2f);
    }
  }
  BOOST_TEST((_mm_getcsr() & 0xe040u) == ((saved | 0xe040u) & 0xe040u));  // the caller has its own modes back
  _mm_setcsr(saved);
}
#endif

BOOST_AUTO_TEST_SUITE_END()
