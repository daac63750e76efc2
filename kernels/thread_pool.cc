#include "kernels/thread_pool.h"

#include <chrono>

#include "core/assert.h"
#include "kernels/float_mode.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace spillway::kernels {

namespace {

void relax() {
#if defined(__x86_64__)
  _mm_pause();
#endif
}

/// Spins until `ready()`, for at most `spin_us`. True if it was ready.
template <class Ready>
bool spin(unsigned spin_us, const Ready& ready) {
  constexpr int looks_per_clock = 16;
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds{spin_us};
  do {
    for (int i = 0; i < looks_per_clock; ++i) {
      if (ready()) return true;
      relax();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

}  // namespace

ThreadPool::ThreadPool(unsigned threads, unsigned spin_us) : spin_us_{spin_us} {
  SPILLWAY_ASSERT(threads >= 1);
  workers_.reserve(threads - 1);
  for (unsigned thread = 1; thread < threads; ++thread) workers_.emplace_back([this, thread] { worker(thread); });
}

ThreadPool::~ThreadPool() {
  SPILLWAY_ASSERT(!busy_);
  {
    const std::lock_guard lock{mutex_};
    stop_.store(true);
  }
  wake_workers_.notify_all();
  for (auto& thread : workers_) thread.join();
}

bool ThreadPool::has_work() const {
  const auto ticket = ticket_.load();
  return static_cast<std::uint32_t>(ticket) < ticket >> 32;
}

void ThreadPool::run(std::size_t slices, Call call, const void* context) {
  SPILLWAY_ASSERT(!busy_);
  SPILLWAY_ASSERT(slices < std::size_t{1} << 31);
  if (slices == 0) return;
  const FloatMode mode;
  busy_ = true;
  if (workers_.empty() || slices == 1) {
    for (std::size_t slice = 0; slice < slices; ++slice) call(context, slice, 0);
    busy_ = false;
    return;
  }
  call_ = call;
  context_ = context;
  done_.store(0, std::memory_order_relaxed);
  // Sequentially consistent with the sleeper's count: either we see the sleeper, or it sees the work before it sleeps.
  ticket_.store(static_cast<std::uint64_t>(slices) << 32);
  if (sleepers_.load() > 0) {
    { const std::lock_guard lock{mutex_}; }
    wake_workers_.notify_all();
  }
  work(0);
  wait_for_others(slices);
  busy_ = false;
}

void ThreadPool::work(unsigned thread) {
  std::uint64_t finished = 0;
  std::uint64_t slices = 0;
  for (;;) {
    const auto ticket = ticket_.fetch_add(1, std::memory_order_acq_rel);
    slices = ticket >> 32;
    const auto slice = static_cast<std::uint32_t>(ticket);
    if (slice >= slices) break;
    call_(context_, slice, thread);
    ++finished;
  }
  if (finished == 0) return;
  if (done_.fetch_add(finished) + finished == slices && thread != 0 && caller_sleeps_.load()) {
    { const std::lock_guard lock{mutex_}; }
    wake_caller_.notify_one();
  }
}

void ThreadPool::wait_for_others(std::uint64_t slices) {
  const auto ready = [&] { return done_.load() == slices; };
  if (spin(spin_us_, ready)) return;
  std::unique_lock lock{mutex_};
  caller_sleeps_.store(true);
  wake_caller_.wait(lock, ready);
  caller_sleeps_.store(false);
}

bool ThreadPool::wait_for_work() {
  if (spin(spin_us_, [&] { return has_work() || stop_.load(std::memory_order_relaxed); })) return !stop_.load();
  std::unique_lock lock{mutex_};
  sleepers_.fetch_add(1);
  wake_workers_.wait(lock, [&] { return has_work() || stop_.load(); });
  sleepers_.fetch_sub(1);
  return !stop_.load();
}

void ThreadPool::worker(unsigned thread) {
  const FloatMode mode;
  while (wait_for_work()) work(thread);
}

}  // namespace spillway::kernels
