#include "sched/step_time.h"

#include <algorithm>

#include "core/assert.h"

namespace spillway::sched {

namespace {
/// Number of the bucket that holds `now`, plus one. The clock starts at zero or later.
std::uint64_t tick_of(core::Instant now, core::Duration bucket) {
  return static_cast<std::uint64_t>(now.time_since_epoch() / bucket) + 1;
}
constexpr double fade = 0.98;          // a step counts half after 34 further ones
constexpr double spread_min = 1.0;     // variance of rows, and of contexts, below which the slope cannot be told
constexpr double distinct_min = 0.01;  // 1 - r^2 of rows and contexts below which they cannot be told apart

/// Slopes over rows and over contexts from centred second moments.
struct Slopes {
  double row = 0;
  double context = 0;
};
struct Moments {
  double rr = 0, rc = 0, cc = 0, rt = 0, ct = 0;
};

Slopes solve(const Moments& m, const Slopes& known) {
  const bool rows_told = m.rr >= spread_min;
  const double determinant = m.rr * m.cc - m.rc * m.rc;
  if (rows_told && m.cc >= spread_min && determinant > distinct_min * m.rr * m.cc) {
    const Slopes both{.row = (m.rt * m.cc - m.ct * m.rc) / determinant, .context = (m.ct * m.rr - m.rt * m.rc) / determinant};
    if (both.row >= 0 && both.context >= 0) return both;
    // A slope below zero is noise: the other one alone explains most.
    if (both.context < 0) return {.row = std::max(m.rt / m.rr, 0.0), .context = 0};
    return {.row = 0, .context = std::max(m.ct / m.cc, 0.0)};
  }
  if (rows_told) return {.row = std::max((m.rt - known.context * m.rc) / m.rr, 0.0), .context = known.context};
  if (m.cc >= spread_min) return {.row = known.row, .context = std::max((m.ct - known.row * m.rc) / m.cc, 0.0)};
  return known;
}
}  // namespace

void StepTime::learn(std::uint32_t rows, std::uint64_t attended, core::Duration elapsed) {
  SPILLWAY_ASSERT(rows > 0);
  const double r = rows;
  const double c = static_cast<double>(attended) / 1024.0;
  const double t = static_cast<double>(elapsed.count());
  weight_ = weight_ * fade + 1.0;
  rows_ = rows_ * fade + r;
  contexts_ = contexts_ * fade + c;
  time_ = time_ * fade + t;
  rows_rows_ = rows_rows_ * fade + r * r;
  rows_contexts_ = rows_contexts_ * fade + r * c;
  contexts_contexts_ = contexts_contexts_ * fade + c * c;
  rows_time_ = rows_time_ * fade + r * t;
  contexts_time_ = contexts_time_ * fade + c * t;
  const double mean_rows = rows_ / weight_;
  const double mean_contexts = contexts_ / weight_;
  const double mean_time = time_ / weight_;
  const Moments moments{.rr = rows_rows_ / weight_ - mean_rows * mean_rows,
                        .rc = rows_contexts_ / weight_ - mean_rows * mean_contexts,
                        .cc = contexts_contexts_ / weight_ - mean_contexts * mean_contexts,
                        .rt = rows_time_ / weight_ - mean_rows * mean_time,
                        .ct = contexts_time_ / weight_ - mean_contexts * mean_time};
  auto slopes = solve(moments, {.row = static_cast<double>(costs_.row.count()), .context = static_cast<double>(costs_.context.count())});
  const double variable = slopes.row * mean_rows + slopes.context * mean_contexts;
  if (variable > mean_time) {  // steeper than through the origin
    slopes.row = slopes.row * mean_time / variable;
    slopes.context = slopes.context * mean_time / variable;
  }
  costs_.row = core::Duration{static_cast<std::int64_t>(slopes.row)};
  costs_.context = core::Duration{static_cast<std::int64_t>(slopes.context)};
  costs_.base = core::Duration{static_cast<std::int64_t>(mean_time - std::min(variable, mean_time))};
}

void RateWindow::add(std::uint32_t count, core::Instant now) {
  const auto tick = tick_of(now, bucket_);
  auto& stamp = ticks_[tick % buckets];
  auto& bucket = counts_[tick % buckets];
  if (stamp != tick) bucket = 0;
  stamp = tick;
  bucket += count;
}

std::uint32_t RateWindow::sum(core::Instant now) const {
  const auto tick = tick_of(now, bucket_);
  std::uint32_t sum = 0;
  for (std::uint64_t i = 0; i < buckets; ++i) {
    if (ticks_[i] != 0 && ticks_[i] + buckets > tick && ticks_[i] <= tick) sum += counts_[i];
  }
  return sum;
}

}  // namespace spillway::sched
