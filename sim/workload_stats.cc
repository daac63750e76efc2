#include "sim/workload_stats.h"

#include <algorithm>

namespace spillway::sim {
namespace {

constexpr std::int64_t second_ns = 1'000'000'000;

LengthStats lengths(std::vector<std::uint32_t> values) {
  std::sort(values.begin(), values.end());
  const auto at = [&](std::size_t percent) { return values[std::min(values.size() - 1, values.size() * percent / 100)]; };
  std::uint64_t sum = 0;
  for (const auto value : values) sum += value;
  return {static_cast<double>(sum) / static_cast<double>(values.size()), at(50), at(95), values.back()};
}

/// Arrivals in windows of `width_ns`: the largest count, and the sum of the squares of all.
struct WindowCounts {
  std::uint64_t largest = 0;
  double squares = 0;
};

WindowCounts count_windows(const std::vector<WorkloadRequest>& requests, std::int64_t width_ns) {
  WindowCounts out;
  std::int64_t window = 0;
  std::uint64_t count = 0;
  const auto close = [&] {
    out.largest = std::max(out.largest, count);
    out.squares += static_cast<double>(count) * static_cast<double>(count);
  };
  for (const auto& request : requests) {
    const auto own = (request.arrival_ns - requests.front().arrival_ns) / width_ns;
    if (own != window) {
      close();
      window = own;
      count = 0;
    }
    ++count;
  }
  close();
  return out;
}

void add_rates(const Workload& workload, WorkloadStats& stats) {
  const auto& requests = workload.requests;
  const std::int64_t span_ns = requests.back().arrival_ns - requests.front().arrival_ns;
  stats.span_s = static_cast<double>(span_ns) / 1e9;
  if (span_ns > 0) stats.mean_rps = static_cast<double>(requests.size()) / stats.span_s;
  const auto seconds = count_windows(requests, second_ns);
  stats.peak_1s_rps = static_cast<double>(seconds.largest);
  stats.peak_60s_rps = static_cast<double>(count_windows(requests, 60 * second_ns).largest) / 60;
  const std::int64_t seconds_begun = span_ns / second_ns + 1;
  const auto windows = static_cast<double>(seconds_begun);
  const double mean = static_cast<double>(requests.size()) / windows;
  stats.dispersion_1s = (seconds.squares / windows - mean * mean) / mean;
}

void add_blocks(const Workload& workload, WorkloadStats& stats) {
  std::vector<bool> seen(workload.distinct_blocks, false);
  for (const auto& request : workload.requests) {
    const auto blocks = workload.blocks_of(request);
    for (std::size_t i = 0; i < blocks.size() && seen[blocks[i]]; ++i) ++stats.hit_blocks;
    for (const auto block : blocks) seen[block] = true;
  }
  stats.blocks = workload.blocks.size();
  stats.distinct_blocks = workload.distinct_blocks;
  if (stats.blocks > 0) stats.prefix_hit_ceiling = static_cast<double>(stats.hit_blocks) / static_cast<double>(stats.blocks);
}

}  // namespace

WorkloadStats stats_of(const Workload& workload) {
  WorkloadStats stats;
  stats.requests = workload.requests.size();
  if (workload.requests.empty()) return stats;
  add_rates(workload, stats);
  std::vector<std::uint32_t> input;
  std::vector<std::uint32_t> output;
  for (const auto& request : workload.requests) {
    input.push_back(request.input_tokens);
    output.push_back(request.output_tokens);
    ++stats.by_class[static_cast<std::size_t>(request.service_class)];
    stats.continued += request.parent != no_parent ? 1 : 0;
    stats.superseding += request.supersedes ? 1 : 0;
    stats.with_deadline += request.deadline_ns > 0 ? 1 : 0;
  }
  stats.input = lengths(std::move(input));
  stats.output = lengths(std::move(output));
  stats.tenants = workload.tenants.size();
  stats.models = workload.models.size();
  stats.sessions = workload.sessions;
  add_blocks(workload, stats);
  return stats;
}

}  // namespace spillway::sim
