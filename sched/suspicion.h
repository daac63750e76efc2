#pragma once

#include <array>
#include <cstdint>

#include "core/time.h"

namespace spillway::sched {

/// Phi-accrual suspicion (Hayashibara et al., "The phi accrual failure detector", SRDS 2004) over a window of intervals between
/// heartbeats, with the normal distribution's tail from a table instead of libm: phi says that silence this long is due to chance
/// with probability 10^-phi.
class Suspicion {
 public:
  /// `phi_tenths`: threshold x 10 (10 to 120; beyond is clamped). `expected`: the interval before anything was measured.
  Suspicion(std::uint32_t phi_tenths, core::Duration expected);

  /// A heartbeat came `interval` after the one before.
  void add(core::Duration interval);
  /// Silence that reaches the threshold: mean + z(phi) x deviation of the window.
  core::Duration silence_max() const;

 private:
  static constexpr std::size_t window = 64;
  std::uint32_t phi_tenths_;
  std::array<std::int64_t, window> intervals_us_{};
  std::size_t count_ = 0;
  std::size_t next_ = 0;
  std::int64_t sum_us_ = 0;
  std::int64_t squares_us_ = 0;
  std::int64_t expected_us_;
};

/// Largest r with r * r <= value.
std::uint64_t integer_sqrt(std::uint64_t value);

}  // namespace spillway::sched
