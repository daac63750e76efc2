#include "sim/sweep.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "sim/cluster.h"
#include "sim/workload_random.h"
#include "sim/workload_scaling.h"

namespace spillway::sim {

using core::Errc;
using core::fail;

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

/// 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom.
constexpr double student[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
                              2.120,  2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
constexpr double normal_quantile = 1.960;

constexpr SweepFigureName figure_names[] = {
    {"good_share", "requests within their objectives (share)", &SweepFigures::good_share},
    {"on_time_share", "answers by their deadline (share)", &SweepFigures::on_time_share},
    {"goodput_rps", "goodput (requests/s)", &SweepFigures::goodput_rps},
    {"ttft_p50_ms", "time to first token, P50 (ms)", &SweepFigures::ttft_p50_ms},
    {"ttft_p99_ms", "time to first token, P99 (ms)", &SweepFigures::ttft_p99_ms},
    {"tpot_p99_ms", "time per output token, P99 (ms)", &SweepFigures::tpot_p99_ms},
    {"refused_share", "refused requests (share)", &SweepFigures::refused_share},
    {"moves", "moves of running streams", &SweepFigures::moves},
    {"moved_bytes", "bytes moved", &SweepFigures::moved_bytes},
    {"price", "price of the run", &SweepFigures::price},
    {"energy_joules", "energy (J)", &SweepFigures::energy_joules},
};

double share(std::uint64_t part, std::uint64_t whole) {
  return whole == 0 ? not_a_number : static_cast<double>(part) / static_cast<double>(whole);
}

SweepFigures figures_of(const RunMetrics& metrics) {
  const GroupMetrics& all = metrics.all;
  SweepFigures figures;
  figures.good_share = share(all.good, all.requests);
  figures.on_time_share = share(all.on_time, all.with_deadline);
  figures.goodput_rps = metrics.span_s > 0 ? static_cast<double>(all.good) / metrics.span_s : 0;
  figures.ttft_p50_ms = all.latency.ttft_ms.p50;
  figures.ttft_p99_ms = all.latency.ttft_ms.p99;
  figures.tpot_p99_ms = all.latency.tpot_ms.p99;
  figures.refused_share = share(all.outcomes[static_cast<std::size_t>(RequestOutcome::refused)], all.requests);
  figures.moves = static_cast<double>(all.moves);
  figures.moved_bytes = static_cast<double>(metrics.moved_bytes);
  figures.price = metrics.cost.price;
  figures.energy_joules = metrics.cost.energy_joules;
  return figures;
}

NodePlan copy_of(const NodePlan& node, std::uint32_t number) {
  NodePlan copy = node;
  copy.name = node.name + "-copy-" + std::to_string(number);
  copy.id = core::node_id(copy.name);
  copy.roles = static_cast<std::uint32_t>(core::Role::worker);
  return copy;
}

core::Result<void> check(const SweepAxes& axes, std::size_t points) {
  if (axes.nodes.empty() || axes.policies.empty() || axes.rates.empty() || axes.bursts.empty() || axes.seeds == 0)
    return fail(Errc::bad_argument, "an axis of the sweep has no values: want at least one of nodes, policy, rate, burst and seeds");
  for (const auto nodes : axes.nodes) {
    if (nodes == 0) return fail(Errc::bad_argument, "0 nodes: want at least 1");
  }
  for (const double rate : axes.rates) {
    if (!(rate > 0) || !(rate <= 1000)) return fail(Errc::bad_argument, "rate " + std::to_string(rate) + ": want above 0 and at most 1000");
  }
  for (const auto burst : axes.bursts) {
    if (burst == 0 || burst > superpose_copies_max)
      return fail(Errc::bad_argument, "burst " + std::to_string(burst) + ": want 1 to " + std::to_string(superpose_copies_max));
  }
  if (points * axes.seeds > Sweep::jobs_max)
    return fail(Errc::bad_argument, std::to_string(points * axes.seeds) + " runs: want at most " + std::to_string(Sweep::jobs_max));
  return {};
}

}  // namespace

Interval interval_of(std::span<const double> values) {
  std::vector<double> known;
  std::copy_if(values.begin(), values.end(), std::back_inserter(known), [](double v) { return std::isfinite(v); });
  if (known.empty()) return {not_a_number, not_a_number, not_a_number};
  const auto n = static_cast<double>(known.size());
  double sum = 0, squares = 0;
  for (const double value : known) sum += value;
  const double mean = sum / n;
  for (const double value : known) squares += (value - mean) * (value - mean);
  if (known.size() == 1) return {mean, mean, mean};
  const std::size_t freedom = known.size() - 1;
  const double t = freedom <= std::size(student) ? student[freedom - 1] : normal_quantile;
  const double half = t * std::sqrt(squares / (n - 1) / n);
  return {mean, mean - half, mean + half};
}

std::span<const SweepFigureName> sweep_figures() {
  return figure_names;
}

Interval SweepCell::interval(double SweepFigures::*value) const {
  std::vector<double> values;
  for (const auto& figures : by_seed) values.push_back(figures.*value);
  return interval_of(values);
}

ClusterPlan with_nodes(const ClusterPlan& plan, std::uint32_t count) {
  ClusterPlan out = plan;
  if (count <= plan.nodes.size()) {
    // Not the first ones as they come: a cluster needs a router and, if it can be, a worker.
    std::stable_partition(out.nodes.begin(), out.nodes.end(), [](const NodePlan& node) { return node.router(); });
    out.nodes.resize(count);
    return out;
  }
  std::vector<NodePlan> models;
  for (const auto& node : plan.nodes) {
    if (node.roles == static_cast<std::uint32_t>(core::Role::worker)) models.push_back(node);
  }
  if (models.empty()) {
    const auto last = std::find_if(plan.nodes.rbegin(), plan.nodes.rend(), [](const NodePlan& node) { return !node.replicas.empty(); });
    if (last == plan.nodes.rend()) return out;
    models.push_back(*last);
  }
  for (std::uint32_t n = 0; out.nodes.size() < count; ++n) {
    const auto which = n % static_cast<std::uint32_t>(models.size());
    out.nodes.push_back(copy_of(models[which], n / static_cast<std::uint32_t>(models.size()) + 1));
  }
  return out;
}

core::Result<Workload> with_burst(const Workload& workload, const Burst& burst, std::uint32_t factor, std::uint64_t seed) {
  if (factor <= 1 || workload.requests.empty()) return workload;
  if (burst.length_ns <= 0 || burst.from_ns < 0) return fail(Errc::bad_argument, "a burst without a length: want above 0");
  const auto inside = [&](const WorkloadRequest& request) {
    return request.arrival_ns >= burst.from_ns && request.arrival_ns - burst.from_ns < burst.length_ns;
  };
  Workload out = workload;
  out.sessions = workload.sessions * 2 * factor;
  out.distinct_blocks = workload.distinct_blocks * factor;
  if (std::uint64_t{workload.distinct_blocks} * factor > workload_blocks_max ||
      std::uint64_t{workload.sessions} * 2 * factor > UINT32_MAX || workload.requests.size() * factor > workload_requests_max)
    return fail(Errc::bad_file, "a burst of " + std::to_string(factor) + " times the workload is too large: want at most " +
                                    std::to_string(workload_requests_max) + " requests");
  for (std::uint32_t copy = 1; copy < factor; ++copy) {
    const double part = (copy - 1 + CounterRandom(seed, RandomUse::superposing, 1, copy).uniform()) / (factor - 1);
    const auto shift = std::min(burst.length_ns - 1, static_cast<std::int64_t>(part * static_cast<double>(burst.length_ns)));
    std::vector<std::uint32_t> placed(workload.requests.size(), no_parent);
    std::vector<bool> wrapped(workload.requests.size(), false);
    for (std::uint32_t i = 0; i < workload.requests.size(); ++i) {
      WorkloadRequest request = workload.requests[i];
      if (!inside(request)) continue;
      const auto blocks = workload.blocks_of(request);
      request.first_block = out.blocks.size();
      for (const auto block : blocks) out.blocks.push_back(block + copy * workload.distinct_blocks);
      wrapped[i] = request.arrival_ns - burst.from_ns + shift >= burst.length_ns;
      request.arrival_ns += shift - (wrapped[i] ? burst.length_ns : 0);
      const auto parent = request.parent == no_parent ? no_parent : placed[request.parent];
      const bool cut = parent == no_parent || wrapped[i] != wrapped[request.parent];
      request.parent = cut ? no_parent : parent;
      if (cut) request.think_ns = 0;
      request.supersedes = request.supersedes && !cut;
      if (request.session != 0) request.session += (2 * copy + (wrapped[i] ? 1 : 0)) * workload.sessions;
      placed[i] = static_cast<std::uint32_t>(out.requests.size());
      out.requests.push_back(request);
    }
  }
  return normal_form(std::move(out));
}

Sweep::Sweep(SweepInput input, SweepAxes axes) : input_(std::move(input)), axes_(std::move(axes)) {
  for (const auto nodes : axes_.nodes) {
    for (const auto burst : axes_.bursts) {
      for (const double rate : axes_.rates) {
        for (const auto policy : axes_.policies) points_.push_back({nodes, policy, rate, burst});
      }
    }
  }
}

core::Result<Sweep> Sweep::make(SweepInput input, SweepAxes axes) {
  const auto points = axes.nodes.size() * axes.policies.size() * axes.rates.size() * axes.bursts.size();
  if (auto fine = check(axes, points); !fine) return tl::make_unexpected(fine.error());
  return Sweep(std::move(input), std::move(axes));
}

core::Result<Run> Sweep::run_whole(const SweepPoint& point, std::uint64_t seed, core::Duration sample_interval) const {
  auto workload = input_.workload(seed);
  if (!workload) return tl::make_unexpected(workload.error());
  auto bursty = with_burst(*workload, input_.burst, point.burst, seed);
  if (!bursty) return tl::make_unexpected(bursty.error());
  auto paced = stretch(*bursty, 1 / point.rate);
  if (!paced) return tl::make_unexpected(paced.error());
  ClusterPlan plan = with_nodes(input_.plan, point.nodes);
  plan.router.placement.policy = point.policy;
  ClusterOptions options;
  options.seed = seed;
  options.jumps = input_.jumps;
  options.sample_interval = sample_interval;
  options.faults = input_.faults;
  WorkloadSource source(paced->workload);
  auto outcome = Cluster(plan, options).run(source);
  if (!outcome) return tl::make_unexpected(outcome.error());
  Run run = std::move(outcome->run);
  run.name = name_of(point);
  run.slos = input_.slos;
  return run;
}

core::Result<SweepFigures> Sweep::run(std::size_t job) const {
  const auto run = run_whole(points_[job / axes_.seeds], axes_.first_seed + job % axes_.seeds, core::Duration{0});
  if (!run) return tl::make_unexpected(run.error());
  return figures_of(measure(*run, input_.metrics));
}

std::vector<SweepCell> Sweep::cells(std::span<const SweepFigures> figures) const {
  std::vector<SweepCell> cells;
  for (std::size_t p = 0; p < points_.size(); ++p) {
    const auto own = figures.subspan(p * axes_.seeds, axes_.seeds);
    cells.push_back({points_[p], {own.begin(), own.end()}});
  }
  return cells;
}

}  // namespace spillway::sim
