#pragma once

#include <cstdint>

#include "core/time.h"
#include "sched/step_budget.h"

namespace spillway::sched {

/// Learns how long a model step takes: elapsed = base + rows x row + attended tokens / 1,024 x context, by least squares over a
/// fading window. Where the steps seen do not tell two terms apart (their rows or contexts hardly differ, or grow together) what was
/// known of the weaker one is kept. No coefficient is below zero. Only + - x / on doubles, so every machine learns the same from the
/// same measurements.
class StepTime {
 public:
  /// One step of `rows` rows (> 0) that attended to `attended` tokens took `elapsed`.
  void learn(std::uint32_t rows, std::uint64_t attended, core::Duration elapsed);
  /// All are 0 until something was learnt.
  const StepCosts& costs() const { return costs_; }
  core::Duration base() const { return costs_.base; }
  core::Duration row() const { return costs_.row; }
  core::Duration context() const { return costs_.context; }

 private:
  // Fading sums; contexts in units of 1,024 tokens.
  double weight_ = 0, rows_ = 0, contexts_ = 0, time_ = 0;
  double rows_rows_ = 0, rows_contexts_ = 0, contexts_contexts_ = 0, rows_time_ = 0, contexts_time_ = 0;
  StepCosts costs_;
};

/// Events of the last ten buckets of time: of the last second, unless told otherwise.
class RateWindow {
 public:
  explicit RateWindow(core::Duration bucket = std::chrono::milliseconds(100)) : bucket_(bucket) {}
  void add(std::uint32_t count, core::Instant now);
  /// Events in the ten buckets of time before `now`.
  std::uint32_t sum(core::Instant now) const;

 private:
  static constexpr std::uint64_t buckets = 10;
  std::uint32_t counts_[buckets] = {};
  std::uint64_t ticks_[buckets] = {};  // number of the bucket's time, plus one; 0 = none
  core::Duration bucket_;
};

}  // namespace spillway::sched
