#include "sched/step_time.h"

#include <algorithm>

#include "core/assert.h"

namespace spillway::sched {

namespace {
/// Number of the 100 ms that hold `now`, plus one. The clock starts at zero or later.
std::uint64_t tick_of(core::Instant now) {
  return static_cast<std::uint64_t>(now.time_since_epoch() / std::chrono::milliseconds(100)) + 1;
}
constexpr double fade = 0.98;       // a step counts half after 34 further ones
constexpr double spread_min = 1.0;  // variance of rows below which the slope cannot be told
}  // namespace

void StepTime::learn(std::uint32_t rows, core::Duration elapsed) {
  SPILLWAY_ASSERT(rows > 0);
  const double x = rows;
  const double y = static_cast<double>(elapsed.count());
  weight_ = weight_ * fade + 1.0;
  rows_ = rows_ * fade + x;
  time_ = time_ * fade + y;
  rows_rows_ = rows_rows_ * fade + x * x;
  rows_time_ = rows_time_ * fade + x * y;
  const double mean_rows = rows_ / weight_;
  const double mean_time = time_ / weight_;
  const double variance = rows_rows_ / weight_ - mean_rows * mean_rows;
  double slope = static_cast<double>(row_.count());
  if (variance >= spread_min) slope = (rows_time_ / weight_ - mean_rows * mean_time) / variance;
  slope = std::clamp(slope, 0.0, mean_time / mean_rows);  // neither coefficient is below zero
  row_ = core::Duration{static_cast<std::int64_t>(slope)};
  base_ = core::Duration{static_cast<std::int64_t>(mean_time - slope * mean_rows)};
}

void RateWindow::add(std::uint32_t count, core::Instant now) {
  const auto tick = tick_of(now);
  auto& stamp = ticks_[tick % buckets];
  auto& bucket = counts_[tick % buckets];
  if (stamp != tick) bucket = 0;
  stamp = tick;
  bucket += count;
}

std::uint32_t RateWindow::last_second(core::Instant now) const {
  const auto tick = tick_of(now);
  std::uint32_t sum = 0;
  for (std::uint64_t i = 0; i < buckets; ++i) {
    if (ticks_[i] != 0 && ticks_[i] + buckets > tick && ticks_[i] <= tick) sum += counts_[i];
  }
  return sum;
}

}  // namespace spillway::sched
