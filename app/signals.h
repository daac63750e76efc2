#pragma once

#include <chrono>

namespace spillway::app {

/// SIGINT and SIGTERM as something to wait for. Make it before the first thread: threads inherit that these signals are blocked,
/// and only wait() takes them. SIGPIPE is ignored.
class Signals {
 public:
  Signals();
  /// The signal that came, or 0 when the time is over.
  int wait(std::chrono::milliseconds timeout) const;
};

}  // namespace spillway::app
