#include "app/parallel_jobs.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include "app/progress_line.h"

namespace spillway::app {

namespace {

std::atomic<bool> stopped{false};

extern "C" void stop_jobs(int) {
  stopped = true;
}

}  // namespace

ParallelJobs::ParallelJobs(unsigned threads, std::string what)
    : threads_(threads != 0 ? threads : std::max(1U, std::thread::hardware_concurrency())), what_(std::move(what)) {
  stopped = false;
  std::signal(SIGINT, stop_jobs);
  std::signal(SIGTERM, stop_jobs);
}

ParallelJobs::~ParallelJobs() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool ParallelJobs::run(std::size_t count, const std::function<void(std::size_t)>& job) {
  const ProgressLine progress(what_);
  std::atomic<std::size_t> next{0};
  std::size_t done = 0;
  std::mutex mutex;
  const auto work = [&] {
    for (std::size_t i = next++; i < count && !stopped; i = next++) {
      job(i);
      const std::lock_guard lock(mutex);
      progress.show(++done, count);
    }
  };
  std::vector<std::thread> crew;
  for (unsigned t = 1; t < std::min<std::size_t>(threads_, count); ++t) crew.emplace_back(work);
  work();
  for (auto& thread : crew) thread.join();
  return done == count;
}

}  // namespace spillway::app
