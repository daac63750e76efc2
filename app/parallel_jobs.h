#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace spillway::app {

/// Independent pieces of work on all cores, with progress on a terminal. SIGINT and SIGTERM end it behind the pieces that run.
class ParallelJobs {
 public:
  /// `threads` 0 = all cores. `what` names the pieces: "runs".
  ParallelJobs(unsigned threads, std::string what);
  ~ParallelJobs();
  ParallelJobs(const ParallelJobs&) = delete;
  ParallelJobs& operator=(const ParallelJobs&) = delete;

  /// Calls job(0) to job(count - 1), each once, several at once. False when a signal came first; then some were not called.
  bool run(std::size_t count, const std::function<void(std::size_t)>& job);

 private:
  unsigned threads_;
  std::string what_;
};

}  // namespace spillway::app
