#include "sim/workload_scaling.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "sim/workload_random.h"

namespace spillway::sim {
namespace {

using core::Errc;

constexpr std::uint64_t slot_ms_max = 86'400'000;

/// The shortest decimal that reads back as the same number.
std::string shortest(double value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string seconds(std::int64_t ns) {
  const std::int64_t ms = ns / 1'000'000;
  return shortest(static_cast<double>(ms) / 1e3) + " s";
}

std::int64_t span_of(const Workload& workload) {
  return workload.requests.empty() ? 0 : workload.requests.back().arrival_ns - workload.requests.front().arrival_ns;
}

/// All but the requests, blocks in place.
Workload without_requests(const Workload& workload) {
  Workload out;
  out.blocks = workload.blocks;
  out.tenants = workload.tenants;
  out.models = workload.models;
  out.sessions = workload.sessions;
  out.distinct_blocks = workload.distinct_blocks;
  return out;
}

}  // namespace

core::Result<ScaledWorkload> thin(const Workload& workload, double keep, std::uint64_t seed) {
  if (!(keep > 0 && keep <= 1)) return core::fail(Errc::bad_argument, "cannot thin by " + shortest(keep) + ": want above 0 and at most 1");
  Workload out = without_requests(workload);
  // Where each request, or its nearest ancestor that is left, stands now.
  std::vector<std::uint32_t> heir(workload.requests.size(), no_parent);
  std::uint64_t orphans = 0;
  for (std::uint32_t i = 0; i < workload.requests.size(); ++i) {
    WorkloadRequest request = workload.requests[i];
    const auto parent = request.parent == no_parent ? no_parent : heir[request.parent];
    const bool kept = keep >= 1 || CounterRandom(seed, RandomUse::thinning, 0, i).uniform() < keep;
    heir[i] = kept ? static_cast<std::uint32_t>(out.requests.size()) : parent;
    if (!kept) continue;
    if (request.parent != no_parent && parent == no_parent) ++orphans;
    request.parent = parent;
    if (parent == no_parent) {
      request.supersedes = false;
      request.think_ns = 0;
    }
    out.requests.push_back(request);
  }
  const auto left = out.requests.size();
  std::string text = "thinned: each request kept with probability " + shortest(keep) + " (seed " + std::to_string(seed) + "), " +
                     std::to_string(left) + " of " + std::to_string(workload.requests.size()) +
                     " left; bursts are flatter than in the source";
  if (orphans > 0) text += "; " + std::to_string(orphans) + " requests lost all that they continued";
  return ScaledWorkload{normal_form(std::move(out)), {std::move(text)}};
}

core::Result<ScaledWorkload> superpose(const Workload& workload, std::uint32_t copies, std::uint64_t seed) {
  if (copies < 1 || copies > superpose_copies_max)
    return core::fail(Errc::bad_argument,
                      "cannot superpose " + std::to_string(copies) + " copies: want 1 to " + std::to_string(superpose_copies_max));
  const auto count = workload.requests.size();
  if (count * copies > workload_requests_max || workload.distinct_blocks * std::uint64_t{copies} > workload_blocks_max)
    return core::fail(Errc::bad_file, std::to_string(copies) + " copies are too many requests or blocks: want at most " +
                                          std::to_string(workload_requests_max) + " requests");
  const std::int64_t first = count == 0 ? 0 : workload.requests.front().arrival_ns;
  const std::int64_t period = span_of(workload) + 1;
  Workload out = without_requests(workload);
  out.blocks.clear();
  out.sessions = workload.sessions * 2 * copies;
  out.distinct_blocks = workload.distinct_blocks * copies;
  out.requests.reserve(count * copies);
  for (std::uint32_t copy = 0; copy < copies; ++copy) {
    const double part = (copy + CounterRandom(seed, RandomUse::superposing, 0, copy).uniform()) / copies;
    const std::int64_t shift = copy == 0 ? 0 : std::min(period - 1, static_cast<std::int64_t>(part * static_cast<double>(period)));
    const auto is_wrapped = [&](const WorkloadRequest& request) { return request.arrival_ns - first + shift >= period; };
    const auto base = static_cast<std::uint32_t>(out.requests.size());
    for (WorkloadRequest request : workload.requests) {
      const bool wrapped = is_wrapped(request);
      const auto old_blocks = workload.blocks_of(request);
      request.first_block = out.blocks.size();
      for (const auto block : old_blocks) out.blocks.push_back(block + copy * workload.distinct_blocks);
      if (request.parent != no_parent) {
        const bool cut = wrapped != is_wrapped(workload.requests[request.parent]);
        request.parent = cut ? no_parent : request.parent + base;
        if (cut) request.think_ns = 0;
        request.supersedes = request.supersedes && !cut;
      }
      if (request.session != 0) request.session += (2 * copy + (wrapped ? 1 : 0)) * workload.sessions;
      request.arrival_ns += shift - (wrapped ? period : 0);
      out.requests.push_back(request);
    }
  }
  std::string text = "superposed: " + std::to_string(copies) + " copies, each with sessions and blocks of its own, shifted round within " +
                     seconds(period) + " (seed " + std::to_string(seed) + "); the rate is " + std::to_string(copies) +
                     " times that of the source, its bursts are flatter";
  return ScaledWorkload{normal_form(std::move(out)), {std::move(text)}};
}

core::Result<ScaledWorkload> stretch(const Workload& workload, double factor) {
  if (!(factor >= 1 / stretch_factor_max && factor <= stretch_factor_max))
    return core::fail(Errc::bad_argument, "cannot stretch by " + shortest(factor) + ": want 0.000001 to 1000000");
  Workload out = workload;
  const auto scaled = [factor](std::int64_t ns) { return std::floor(static_cast<double>(ns) * factor + 0.5); };
  for (auto& request : out.requests) {
    const double arrival = scaled(request.arrival_ns);
    const double think = scaled(request.think_ns);
    if (std::max(arrival, think) > static_cast<double>(workload_time_ns_max))
      return core::fail(Errc::bad_argument, "cannot stretch by " + shortest(factor) + ": want arrivals within 36 years");
    request.arrival_ns = static_cast<std::int64_t>(arrival);
    request.think_ns = static_cast<std::int64_t>(think);
  }
  std::string text = "stretched: time by " + shortest(factor) + ", so the rate by " + shortest(1 / factor) +
                     "; bursts keep their shape and last " + shortest(factor) + " times as long";
  return ScaledWorkload{normal_form(std::move(out)), {std::move(text)}};
}

core::Result<ScaledWorkload> spread(const Workload& workload, std::uint64_t slot_ms, std::uint64_t seed) {
  if (slot_ms < 1 || slot_ms > slot_ms_max)
    return core::fail(Errc::bad_argument,
                      "cannot spread over " + std::to_string(slot_ms) + " ms: want 1 to " + std::to_string(slot_ms_max));
  Workload out = workload;
  auto& requests = out.requests;
  std::uint64_t moved = 0;
  for (std::size_t begin = 0, end = 0; begin < requests.size(); begin = end) {
    const auto stamp = requests[begin].arrival_ns;
    while (end < requests.size() && requests[end].arrival_ns == stamp) ++end;
    auto slot = static_cast<std::int64_t>(slot_ms) * 1'000'000;
    if (end < requests.size()) slot = std::min(slot, requests[end].arrival_ns - stamp);
    std::vector<std::int64_t> offsets;
    for (std::size_t i = begin; i < end; ++i) {
      CounterRandom random(seed, RandomUse::spreading, 0, static_cast<std::uint32_t>(i));
      offsets.push_back(static_cast<std::int64_t>(random.uniform() * static_cast<double>(slot)));
    }
    std::sort(offsets.begin(), offsets.end());
    for (std::size_t i = begin; i < end; ++i) {
      requests[i].arrival_ns += offsets[i - begin];
      moved += offsets[i - begin] > 0 ? 1 : 0;
    }
  }
  std::string text = "spread: requests with equal stamps drawn evenly over the " + std::to_string(slot_ms) + " ms behind them (seed " +
                     std::to_string(seed) + "), " + std::to_string(moved) + " moved; what happens within a slot is not from the source";
  return ScaledWorkload{normal_form(std::move(out)), {std::move(text)}};
}

ScaledWorkload first_requests(const Workload& workload, std::uint64_t count) {
  const auto kept = std::min<std::uint64_t>(count, workload.requests.size());
  Workload out = without_requests(workload);
  out.requests.assign(workload.requests.begin(), workload.requests.begin() + static_cast<std::ptrdiff_t>(kept));
  return {normal_form(std::move(out)),
          {"cut: the first " + std::to_string(kept) + " of " + std::to_string(workload.requests.size()) + " requests"}};
}

}  // namespace spillway::sim
