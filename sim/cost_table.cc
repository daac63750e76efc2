#include "sim/cost_table.h"

#include <algorithm>

#include "core/assert.h"

namespace spillway::sim {

namespace {

constexpr Picos missing = -1;

struct Bracket {
  std::size_t low = 0;
  std::size_t high = 0;
  Fixed share = 0;  // of `high`; above fixed_one beyond the axis
};

Bracket bracket(const std::vector<std::int64_t>& axis, Fixed x) {
  SPILLWAY_ASSERT(!axis.empty() && x >= 0 && x <= to_fixed(axis_max));
  if (axis.size() == 1 || x <= to_fixed(axis.front())) return {};
  const auto above = std::lower_bound(axis.begin(), axis.end(), x, [](std::int64_t a, Fixed b) { return to_fixed(a) < b; });
  const auto high = std::min(static_cast<std::size_t>(above - axis.begin()), axis.size() - 1);
  const Fixed from = to_fixed(axis[high - 1]);
  const Fixed share = (x - from) * fixed_one / (to_fixed(axis[high]) - from);
  return {high - 1, high, std::min(share, to_fixed(extrapolation_max))};
}

}  // namespace

Picos blend(Picos low, Picos high, Fixed share) {
  // 2 x picos_max < 2^41, share <= 2^22: the product stays below 2^63.
  return std::clamp(low + ((high - low) * share) / fixed_one, -picos_max, picos_max);
}

bool LineTable::add(std::int64_t x, Picos time) {
  const auto at = std::lower_bound(axis_.begin(), axis_.end(), x);
  if (at != axis_.end() && *at == x) return false;
  times_.insert(times_.begin() + (at - axis_.begin()), time);
  axis_.insert(at, x);
  return true;
}

Picos LineTable::at(Fixed x) const {
  const auto b = bracket(axis_, x);
  return std::max<Picos>(0, blend(times_[b.low], times_[b.high], b.share));
}

std::optional<GridTable> GridTable::make(std::span<const Point> points) {
  GridTable table;
  if (points.empty()) return table;
  std::size_t size = 1;
  for (std::size_t a = axes; a > 0; --a) {
    auto& axis = table.axis_[a - 1];
    for (const auto& point : points) axis.push_back(point.x[a - 1]);
    std::sort(axis.begin(), axis.end());
    axis.erase(std::unique(axis.begin(), axis.end()), axis.end());
    table.stride_[a - 1] = size;
    if (axis.size() > places_max / size) return std::nullopt;
    size *= axis.size();
  }
  table.times_.assign(size, missing);
  for (const auto& point : points) {
    std::size_t offset = 0;
    for (std::size_t a = 0; a < axes; ++a) {
      const auto at = std::lower_bound(table.axis_[a].begin(), table.axis_[a].end(), point.x[a]);
      offset += static_cast<std::size_t>(at - table.axis_[a].begin()) * table.stride_[a];
    }
    table.times_[offset] = point.time;
  }
  return table;
}

std::optional<Picos> GridTable::along(std::size_t axis, std::size_t offset, const std::array<Fixed, axes>& x) const {
  if (axis == axes) return times_[offset] == missing ? std::nullopt : std::optional(times_[offset]);
  const auto b = bracket(axis_[axis], x[axis]);
  const auto low = along(axis + 1, offset + b.low * stride_[axis], x);
  if (b.share == 0) return low;
  const auto high = along(axis + 1, offset + b.high * stride_[axis], x);
  if (!low || !high) return low ? low : high;
  return blend(*low, *high, b.share);
}

std::optional<Picos> GridTable::at(const std::array<Fixed, axes>& x) const {
  if (empty()) return std::nullopt;
  const auto time = along(0, 0, x);
  return time ? std::optional(std::max<Picos>(0, *time)) : std::nullopt;
}

}  // namespace spillway::sim
