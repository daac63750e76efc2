#pragma once

#include <cstdint>
#include <vector>

namespace spillway::sim {

/// Counts of whole numbers in buckets that are linear up to 2,047 and then 1,024 to each doubling, as HdrHistogram with three
/// significant digits: a value is told within 1/1024 of itself, however many there are. Smallest, largest, count and mean are
/// exact. Merging is exact too, whatever the order. Room for 2^32 values of up to 2^62, in the memory of the buckets up to the
/// largest value.
class HdrHistogram {
 public:
  /// `value` from 0 to 2^62 (SPILLWAY_ASSERT).
  void record(std::int64_t value, std::uint64_t count = 1);
  void merge(const HdrHistogram& other);

  std::uint64_t count() const { return count_; }
  std::int64_t min() const { return min_; }  ///< 0 without values, as max and mean
  std::int64_t max() const { return max_; }
  double mean() const;
  /// Smallest bucket's largest value such that at least `share` (0 to 1) of the values are not above it; never above max().
  std::int64_t quantile(double share) const;
  /// Values of the buckets up to that of `value`.
  std::uint64_t count_up_to(std::int64_t value) const;

  struct Step {
    std::int64_t value = 0;   ///< largest of its bucket, never above max()
    std::uint64_t up_to = 0;  ///< values up to there
    friend bool operator==(const Step&, const Step&) = default;
  };
  /// The buckets that hold something, ascending; the last `up_to` is count().
  std::vector<Step> steps() const;

  friend bool operator==(const HdrHistogram&, const HdrHistogram&) = default;

 private:
  std::vector<std::uint64_t> counts_;  // up to the largest bucket with a value
  std::uint64_t count_ = 0;
  std::uint64_t sum_high_ = 0;  // of value >> 32
  std::uint64_t sum_low_ = 0;   // of the lower half
  std::int64_t min_ = 0;
  std::int64_t max_ = 0;
};

}  // namespace spillway::sim
