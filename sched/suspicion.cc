#include "sched/suspicion.h"

#include <algorithm>

namespace spillway::sched {

namespace {
// z with P(Z > z) = 10^-phi of the standard normal distribution, x 10^4, for phi = 1, 2, ... 12.
constexpr std::int64_t z_table[] = {12816, 23263, 30902, 37190, 42649, 47534, 51993, 56120, 59978, 63613, 67060, 70345};
constexpr std::int64_t z_unit = 10000;
constexpr std::int64_t interval_us_max = 10'000'000;  // longer silence tells nothing more, and squares stay in range
}  // namespace

std::uint64_t integer_sqrt(std::uint64_t value) {
  std::uint64_t root = 0;
  for (std::uint64_t bit = std::uint64_t{1} << 31; bit > 0; bit >>= 1) {
    const std::uint64_t next = root | bit;
    if (next * next <= value) root = next;
  }
  return root;
}

Suspicion::Suspicion(std::uint32_t phi_tenths, core::Duration expected)
    : phi_tenths_(std::clamp<std::uint32_t>(phi_tenths, 10, 120)), expected_us_(std::max<std::int64_t>(1, expected.count() / 1000)) {}

void Suspicion::add(core::Duration interval) {
  const std::int64_t us = std::clamp<std::int64_t>(interval.count() / 1000, 0, interval_us_max);
  if (count_ == window) {
    const auto oldest = intervals_us_[next_];
    sum_us_ -= oldest;
    squares_us_ -= oldest * oldest;
  } else {
    ++count_;
  }
  intervals_us_[next_] = us;
  sum_us_ += us;
  squares_us_ += us * us;
  next_ = (next_ + 1) % window;
}

core::Duration Suspicion::silence_max() const {
  const auto count = static_cast<std::int64_t>(count_);
  const std::int64_t mean = count == 0 ? expected_us_ : sum_us_ / count;
  const std::int64_t variance = count == 0 ? 0 : std::max<std::int64_t>(0, squares_us_ / count - mean * mean);
  // A calm window must not make a hair trigger: at least a quarter of the expected interval.
  const std::int64_t deviation =
      std::max<std::int64_t>(expected_us_ / 4, static_cast<std::int64_t>(integer_sqrt(static_cast<std::uint64_t>(variance))));
  const std::size_t whole = std::min<std::size_t>(phi_tenths_ / 10, 12) - 1;
  const std::size_t above = std::min<std::size_t>(whole + 1, 11);
  const std::int64_t z = z_table[whole] + (z_table[above] - z_table[whole]) * static_cast<std::int64_t>(phi_tenths_ % 10) / 10;
  return std::chrono::microseconds(mean + deviation * z / z_unit);
}

}  // namespace spillway::sched
