#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

namespace spillway::kernels {

/// A fixed crew for the loops of one model step. The calling thread is thread 0 and always works too.
///
/// A loop is cut into slices whose borders the caller fixes; which thread gets which slice is first come, first served. A
/// thread that the system has put aside therefore holds up at most the slice it is in, and where cores are scarce the caller
/// does all the work itself. Results must not depend on the thread, and by the numerics contract they never do.
///
/// Idle threads spin for `spin_us`, then sleep on a condition variable, so that an idle replica costs nothing.
/// Every thread, the caller for the length of a loop included, runs with FloatMode.
///
/// Owner       one thread at a time calls parallel(); a call from within a slice is a fault (SPILLWAY_ASSERT).
/// Allocation  none after construction.
class ThreadPool {
 public:
  /// At least one thread; `threads` - 1 are started.
  explicit ThreadPool(unsigned threads, unsigned spin_us = 30);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned threads() const { return static_cast<unsigned>(workers_.size()) + 1; }

  /// Calls f(slice, thread) once for each slice in [0, slices), thread in [0, threads()), and returns when all are done; what
  /// they wrote is then visible to the caller. No slice may throw. `slices` is below 2^31.
  template <class F>
  void parallel(std::size_t slices, const F& f) {
    run(
        slices, [](const void* context, std::size_t slice, unsigned thread) noexcept { (*static_cast<const F*>(context))(slice, thread); },
        &f);
  }

 private:
  using Call = void (*)(const void* context, std::size_t slice, unsigned thread) noexcept;

  void run(std::size_t slices, Call call, const void* context);
  void worker(unsigned thread);
  bool wait_for_work();
  void work(unsigned thread);
  void wait_for_others(std::uint64_t slices);
  bool has_work() const;

  const unsigned spin_us_;
  // Written by the caller before it publishes a loop in ticket_, read only by those who drew a slice of it.
  Call call_ = nullptr;
  const void* context_ = nullptr;
  bool busy_ = false;  ///< of the caller's thread
  /// Slices of the loop (high half) and the next one to draw (low half): one fetch_add draws, and whoever drew keeps the
  /// loop open, so that a late thread can never mix two loops up.
  alignas(64) std::atomic<std::uint64_t> ticket_{0};
  alignas(64) std::atomic<std::uint64_t> done_{0};  ///< slices finished of this loop
  alignas(64) std::atomic<unsigned> sleepers_{0};
  std::atomic<bool> caller_sleeps_{false};
  std::atomic<bool> stop_{false};
  std::mutex mutex_;
  std::condition_variable wake_workers_;
  std::condition_variable wake_caller_;
  std::vector<std::thread> workers_;
};

}  // namespace spillway::kernels
