#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "core/request.h"
#include "core/result.h"
#include "sim/cluster_plan.h"
#include "sim/metrics.h"
#include "sim/report_page.h"
#include "sim/workload.h"

/// What if: one cluster and workload simulated at every combination of some axes, several times with other seeds. All points of a
/// seed see the same requests (common random numbers), so that what differs is what the axis did.
namespace spillway::sim {

/// A mean over seeds with its 95 % confidence interval (Student's t). Of one seed the interval is the value.
struct Interval {
  double mean = 0;
  double low = 0;
  double high = 0;
};
/// Values that are no numbers are left out; with none left all is not a number.
Interval interval_of(std::span<const double> values);

/// Part of the workload in which `factor` times as much comes.
struct Burst {
  std::int64_t from_ns = 0;
  std::int64_t length_ns = 0;
};

/// Each with at least one value.
struct SweepAxes {
  std::vector<std::uint32_t> nodes;
  std::vector<core::PlacementPolicy> policies;
  std::vector<double> rates;          ///< of arrivals, times that of the workload
  std::vector<std::uint32_t> bursts;  ///< factors of SweepInput::burst; 1 = none
  std::uint32_t seeds = 5;            ///< runs of each point: seeds first_seed, first_seed + 1, ...
  std::uint64_t first_seed = 1;
};

struct SweepInput {
  ClusterPlan plan;
  /// The requests of one seed; called by several threads at once. A workload from a file is the same for all seeds.
  std::function<core::Result<Workload>(std::uint64_t seed)> workload;
  Burst burst;
  std::vector<Fault> faults;
  std::array<Slo, 3> slos{};
  MetricsOptions metrics;
  bool jumps = true;
};

struct SweepPoint {
  std::uint32_t nodes = 0;
  core::PlacementPolicy policy = core::PlacementPolicy::additive;
  double rate = 1;
  std::uint32_t burst = 1;
  friend bool operator==(const SweepPoint&, const SweepPoint&) = default;
};

/// Figures of one run.
struct SweepFigures {
  double good_share = 0;     ///< of all requests: finished within the objectives
  double on_time_share = 0;  ///< of those with a deadline; not a number without one
  double goodput_rps = 0;
  double ttft_p50_ms = 0;
  double ttft_p99_ms = 0;
  double tpot_p99_ms = 0;
  double refused_share = 0;
  double moves = 0;
  double moved_bytes = 0;
  double price = 0;
  double energy_joules = 0;
};
struct SweepFigureName {
  const char* key;
  const char* name;
  double SweepFigures::*value;
};
std::span<const SweepFigureName> sweep_figures();

struct SweepCell {
  SweepPoint point;
  std::vector<SweepFigures> by_seed;
  Interval interval(double SweepFigures::*value) const;
};

/// `plan` with `count` nodes: its own first ones, then copies of those that have no role but worker (or, where every node has more,
/// of the last one as a worker), in turn.
ClusterPlan with_nodes(const ClusterPlan& plan, std::uint32_t count);

/// `factor` - 1 further copies of the requests that arrive within the burst, each with sessions and blocks of its own, shifted round
/// within the burst by a time of its own. Errors: bad_argument; bad_file for too many requests.
core::Result<Workload> with_burst(const Workload& workload, const Burst& burst, std::uint32_t factor, std::uint64_t seed);

/// The runs of a sweep, in any order and by several threads at once; each is a function of the input and its number alone.
class Sweep {
 public:
  /// Errors (bad_argument): an axis without values, a value out of its range, more than `jobs_max` runs.
  static core::Result<Sweep> make(SweepInput input, SweepAxes axes);
  static constexpr std::size_t jobs_max = 100'000;

  std::size_t jobs() const { return points_.size() * axes_.seeds; }
  const std::vector<SweepPoint>& points() const { return points_; }
  const SweepAxes& axes() const { return axes_; }
  core::Result<SweepFigures> run(std::size_t job) const;
  /// The whole run of a point, for a report.
  core::Result<Run> run_whole(const SweepPoint& point, std::uint64_t seed, core::Duration sample_interval) const;
  /// Cells in the order of points() from the figures of all jobs.
  std::vector<SweepCell> cells(std::span<const SweepFigures> figures) const;

 private:
  Sweep(SweepInput input, SweepAxes axes);
  SweepInput input_;
  SweepAxes axes_;
  std::vector<SweepPoint> points_;
};

/// "8 nodes, additive, rate 1.5, burst x10"
std::string name_of(const SweepPoint& point);

/// One line a point: its axes, then mean, low and high of every figure.
std::string sweep_csv(std::span<const SweepCell> cells);
/// {"points": [{"nodes", "policy", "rate", "burst", "seeds", figure: {"mean", "low", "high"}, ..., "by_seed": [{figure}]}],
///  "against_first_policy": [...]}
std::string sweep_json(std::span<const SweepCell> cells, const SweepAxes& axes);
/// Each policy against the first one at the same nodes, rate and burst: paired differences of a figure.
struct PolicyDifference {
  SweepPoint point;
  const SweepFigureName* figure = nullptr;
  Interval difference;
  bool separated() const { return difference.low > 0 || difference.high < 0; }
};
std::vector<PolicyDifference> policy_differences(std::span<const SweepCell> cells, const SweepAxes& axes);
Page sweep_page(std::span<const SweepCell> cells, const SweepAxes& axes, const std::vector<std::string>& notes);

}  // namespace spillway::sim
