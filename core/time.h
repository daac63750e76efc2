#pragma once

#include <chrono>
#include <cstdint>

namespace spillway::core {

/// The clock of the cores. It has no `now()`: time is always handed in, by an actor (steady clock) or by the simulator.
struct CoreClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<CoreClock, duration>;
  static constexpr bool is_steady = true;
};

/// Nanoseconds since an arbitrary start of the process. Never travels between machines; durations do.
using Instant = CoreClock::time_point;
using Duration = std::chrono::nanoseconds;
using namespace std::chrono_literals;

inline constexpr Instant never = Instant::max();

constexpr double to_ms(Duration d) {
  return static_cast<double>(d.count()) / 1e6;
}

}  // namespace spillway::core
