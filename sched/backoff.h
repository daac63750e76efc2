#pragma once

#include <cstdint>

#include "core/time.h"

namespace spillway::sched {

/// How long to wait before something that failed is started again: a worker that threw, a node process that died.
struct BackoffLimits {
  core::Duration first{std::chrono::milliseconds(100)};  ///< wait after the first failure; doubles with each further one
  core::Duration limit{std::chrono::seconds(10)};
  core::Duration calm{std::chrono::seconds(30)};  ///< this long without failure after a restart and the next counts as the first
};

/// Restart back-off. Pure: no clock, no jitter (what restarts here has nobody to collide with).
class Backoff {
 public:
  explicit Backoff(const BackoffLimits& limits = {}) : limits_(limits) {}

  /// It failed at `now`: the time to wait before the restart.
  core::Duration failed(core::Instant now);
  /// Failures in a row.
  std::uint32_t failures() const { return failures_; }

 private:
  BackoffLimits limits_;
  std::uint32_t failures_ = 0;
  core::Duration wait_{0};
  core::Instant restart_at_{};
};

}  // namespace spillway::sched
