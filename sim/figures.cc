#include "sim/figures.h"

#include <algorithm>
#include <limits>

#include "core/assert.h"

namespace spillway::sim {

namespace {

double quantile(const std::vector<double>& sorted, double q) {
  const double at = q * static_cast<double>(sorted.size() - 1);
  const auto low = static_cast<std::size_t>(at);
  const auto high = std::min(low + 1, sorted.size() - 1);
  return sorted[low] + (sorted[high] - sorted[low]) * (at - static_cast<double>(low));
}

}  // namespace

Summary summarise(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += value;
  return {sum / static_cast<double>(values.size()), quantile(values, 0.5), quantile(values, 0.9), quantile(values, 0.99)};
}

LatencyFigures figures_of(std::span<const Latency> requests) {
  std::vector<double> ttft;
  std::vector<double> tpot;
  std::vector<double> e2e;
  for (const auto& r : requests) {
    ttft.push_back(core::to_ms(r.first - r.queued));
    e2e.push_back(core::to_ms(r.last - r.queued));
    if (r.output_tokens > 1) tpot.push_back(core::to_ms(r.last - r.first) / (r.output_tokens - 1));
  }
  return {summarise(std::move(ttft)), summarise(std::move(tpot)), summarise(std::move(e2e))};
}

double diff_percent(double real, double sim) {
  if (real == sim) return 0;
  if (real == 0) return std::numeric_limits<double>::quiet_NaN();
  return 100 * (sim - real) / real;
}

double e2e_mape_percent(std::span<const Latency> real, std::span<const Latency> sim) {
  SPILLWAY_ASSERT(real.size() == sim.size());
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < real.size(); ++i) {
    const double truth = core::to_ms(real[i].last - real[i].queued);
    if (truth == 0) continue;
    const double ratio = core::to_ms(sim[i].last - sim[i].queued) / truth - 1;
    sum += ratio < 0 ? -ratio : ratio;
    ++count;
  }
  return count == 0 ? 0 : 100 * sum / static_cast<double>(count);
}

}  // namespace spillway::sim
