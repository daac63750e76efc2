#pragma once

#include <cstdint>

#include "core/time.h"

namespace spillway::sched {

/// Learns how long a model step takes: elapsed = base + rows * row, by least squares over a fading window. Only + - x / on
/// doubles, so every machine learns the same from the same measurements.
class StepTime {
 public:
  /// One step of `rows` rows (> 0) took `elapsed`.
  void learn(std::uint32_t rows, core::Duration elapsed);
  /// Both are 0 until something was learnt.
  core::Duration base() const { return base_; }
  core::Duration row() const { return row_; }

 private:
  double weight_ = 0, rows_ = 0, time_ = 0, rows_rows_ = 0, rows_time_ = 0;  // fading sums
  core::Duration base_{0};
  core::Duration row_{0};
};

/// Events of the last second, in ten buckets of 100 ms.
class RateWindow {
 public:
  void add(std::uint32_t count, core::Instant now);
  /// Events in the last second before `now`.
  std::uint32_t last_second(core::Instant now) const;

 private:
  static constexpr std::uint64_t buckets = 10;
  std::uint32_t counts_[buckets] = {};
  std::uint64_t ticks_[buckets] = {};  // number of the 100 ms the bucket stands for, plus one; 0 = none
};

}  // namespace spillway::sched
