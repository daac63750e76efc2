#include "sim/hdr_histogram.h"

#include <algorithm>
#include <bit>

#include "core/assert.h"

namespace spillway::sim {

namespace {

constexpr unsigned half_bits = 10;  // 1,024 buckets to a doubling
constexpr std::uint64_t half = std::uint64_t{1} << half_bits;
constexpr std::int64_t value_max = std::int64_t{1} << 62U;

std::size_t bucket_of(std::int64_t value) {
  const auto v = static_cast<std::uint64_t>(value);
  const auto width = static_cast<unsigned>(std::bit_width(v));
  const unsigned shift = width > half_bits + 1 ? width - half_bits - 1 : 0;
  return half * shift + (v >> shift);
}

std::int64_t largest_in(std::size_t bucket) {
  if (bucket < 2 * half) return static_cast<std::int64_t>(bucket);
  const std::uint64_t shift = bucket / half - 1;
  return static_cast<std::int64_t>(((bucket - half * shift + 1) << shift) - 1);
}

}  // namespace

void HdrHistogram::record(std::int64_t value, std::uint64_t count) {
  SPILLWAY_ASSERT(value >= 0 && value <= value_max);
  if (count == 0) return;
  const auto bucket = bucket_of(value);
  if (bucket >= counts_.size()) counts_.resize(bucket + 1);
  counts_[bucket] += count;
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = std::max(max_, value);
  count_ += count;
  sum_high_ += (static_cast<std::uint64_t>(value) >> 32U) * count;
  sum_low_ += (static_cast<std::uint64_t>(value) & 0xffffffffU) * count;
}

void HdrHistogram::merge(const HdrHistogram& other) {
  if (other.count_ == 0) return;
  if (other.counts_.size() > counts_.size()) counts_.resize(other.counts_.size());
  for (std::size_t i = 0; i < other.counts_.size(); ++i) counts_[i] += other.counts_[i];
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  count_ += other.count_;
  sum_high_ += other.sum_high_;
  sum_low_ += other.sum_low_;
}

double HdrHistogram::mean() const {
  if (count_ == 0) return 0;
  return (static_cast<double>(sum_high_) * 4294967296.0 + static_cast<double>(sum_low_)) / static_cast<double>(count_);
}

std::int64_t HdrHistogram::quantile(double share) const {
  SPILLWAY_ASSERT(share >= 0 && share <= 1);
  const double wanted = share * static_cast<double>(count_);
  std::uint64_t up_to = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    up_to += counts_[i];
    if (counts_[i] != 0 && static_cast<double>(up_to) >= wanted) return std::min(largest_in(i), max_);
  }
  return max_;
}

std::uint64_t HdrHistogram::count_up_to(std::int64_t value) const {
  if (value < 0) return 0;
  std::uint64_t up_to = 0;
  const auto end = std::min(counts_.size(), bucket_of(std::min(value, value_max)) + 1);
  for (std::size_t i = 0; i < end; ++i) up_to += counts_[i];
  return up_to;
}

std::vector<HdrHistogram::Step> HdrHistogram::steps() const {
  std::vector<Step> made;
  std::uint64_t up_to = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (counts_[i] == 0) continue;
    up_to += counts_[i];
    made.push_back({std::min(largest_in(i), max_), up_to});
  }
  return made;
}

}  // namespace spillway::sim
