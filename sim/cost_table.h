#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

/// Measured times between whose points is interpolated, in fixed point: the same figures on every machine.
///
/// Rule, for every axis: linear between the two neighbours; the first value below the axis; above it the line through its last
/// two values, of which at most `extrapolation_max` steps are walked. No logarithms: kernels are linear in each axis.
namespace spillway::sim {

/// Picoseconds. One entry of a table is at most `picos_max`, and so is every result.
using Picos = std::int64_t;
inline constexpr Picos picos_max = 1'000'000'000'000;

/// A coordinate or a factor with 16 binary places.
using Fixed = std::int64_t;
inline constexpr Fixed fixed_one = 1 << 16;
/// Largest value of an axis, and of a coordinate.
inline constexpr std::int64_t axis_max = 1 << 24;
inline constexpr std::int64_t extrapolation_max = 64;

constexpr Fixed to_fixed(std::int64_t whole) {
  return whole * fixed_one;
}
/// numerator / denominator, rounded down. denominator > 0; numerator below 2^46.
constexpr Fixed fixed_ratio(std::int64_t numerator, std::int64_t denominator) {
  return numerator * fixed_one / denominator;
}
/// low + share x (high - low), held within [-picos_max, picos_max].
Picos blend(Picos low, Picos high, Fixed share);

/// Time over one axis.
class LineTable {
 public:
  /// Points in any order; x in [0, axis_max]. False (and nothing changes) when x is there already.
  bool add(std::int64_t x, Picos time);
  bool empty() const { return axis_.empty(); }
  /// At least one point must be there.
  Picos at(Fixed x) const;

 private:
  std::vector<std::int64_t> axis_;  // ascending
  std::vector<Picos> times_;
};

/// Time over four axes, multilinear. Not every point of the grid need be there: where a corner was not measured, its neighbour
/// along the axis stands in for it.
class GridTable {
 public:
  static constexpr std::size_t axes = 4;
  struct Point {
    std::array<std::int64_t, axes> x{};  ///< each in [0, axis_max]
    Picos time = 0;
  };
  static constexpr std::size_t places_max = std::size_t{1} << 22U;

  /// Empty.
  GridTable() = default;
  /// The axes are the values that occur. Of points at the same place the last one counts. Nothing when the axes span more than
  /// `places_max` places.
  static std::optional<GridTable> make(std::span<const Point> points);

  bool empty() const { return times_.empty(); }
  /// Nothing where no corner around `x` was measured.
  std::optional<Picos> at(const std::array<Fixed, axes>& x) const;

 private:
  std::optional<Picos> along(std::size_t axis, std::size_t offset, const std::array<Fixed, axes>& x) const;

  std::array<std::vector<std::int64_t>, axes> axis_;
  std::array<std::size_t, axes> stride_{};
  std::vector<Picos> times_;  // `missing` where nothing was measured
};

}  // namespace spillway::sim
