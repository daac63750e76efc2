#pragma once

#include <cstdint>
#include <vector>

#include "sim/metrics.h"
#include "sim/report_page.h"

namespace spillway::sim {

/// A run with what was measured of it. Both are the caller's and live longer.
struct ReportRun {
  const Run* run = nullptr;
  const RunMetrics* metrics = nullptr;
};

/// The plots of one or more runs: load and queue over time, distributions, captions on time, goodput and price against the
/// objectives, moves, and, with several runs, each beside the others. A plot of which the runs know nothing is left out.
/// Lines of one run are told apart by class or kind, those of several by run.
std::vector<ChartSection> charts_of(const std::vector<ReportRun>& runs, const MetricsOptions& options);

/// Length of the intervals in which things are counted over time: 1, 2 or 5 times a power of ten, at most 100 in `span_ns`.
std::int64_t interval_ns(std::int64_t span_ns);

/// The samples of the whole cluster: as they are, else the sums over the nodes at each time.
RunSeries cluster_series(const RunSeries& series);

}  // namespace spillway::sim
