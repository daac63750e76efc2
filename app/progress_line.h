#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace spillway::app {

/// "7 of 90 runs, about 12 s to go" on standard error, rewritten in place; nothing where that is no terminal. Not for two threads at once.
class ProgressLine {
 public:
  /// `what`: the things that are counted, "runs".
  explicit ProgressLine(std::string what);
  /// Clears the line.
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  /// `done` of `all`, at least one.
  void show(std::size_t done, std::size_t all) const;

 private:
  std::string what_;
  bool terminal_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The words of the line. Remaining time: as long for each as those that are done took.
std::string progress_text(std::size_t done, std::size_t all, const std::string& what, double seconds_gone);

}  // namespace spillway::app
