#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "core/result.h"
#include "sim/metrics.h"
#include "sim/report_page.h"

/// What a person looks at after a run, or after several that are to be compared: a page and the figures as CSV. The same runs
/// give the same bytes.
namespace spillway::sim {

struct ReportOptions {
  std::string title = "Spillway run";
  std::string subtitle;
  MetricsOptions metrics;
};

/// What report.html shows, for pages that show more.
Page page_of(std::span<const Run> runs, const ReportOptions& options);
/// report.html: one self-contained page. `runs` holds at least one; names tell them apart.
std::string report_html(std::span<const Run> runs, const ReportOptions& options);
/// summary.csv: a figure a line with unit and formula, a column a run.
std::string summary_csv(std::span<const Run> runs, const ReportOptions& options);
/// requests.csv: run, request, all its times in ms (empty = never), tokens, outcome.
std::string requests_csv(std::span<const Run> runs);
/// series.csv: the samples of cluster and nodes.
std::string series_csv(std::span<const Run> runs);
/// distributions.csv: TTFT, TPOT, E2E and token gaps: value and how many are not above it.
std::string distributions_csv(std::span<const Run> runs, const ReportOptions& options);

/// Writes report.html and the four CSV files into `folder`, which is made; each file is replaced when it is whole.
/// Errors: io naming the file.
core::Result<void> write_report(const std::filesystem::path& folder, std::span<const Run> runs, const ReportOptions& options);

}  // namespace spillway::sim
