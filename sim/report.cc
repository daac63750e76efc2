#include "sim/report.h"

#include <cmath>
#include <utility>
#include <vector>

#include "core/assert.h"
#include "core/whole_file.h"
#include "sim/report_charts.h"
#include "sim/report_text.h"

namespace spillway::sim {

namespace {

std::vector<RunMetrics> measured(std::span<const Run> runs, const ReportOptions& options) {
  SPILLWAY_ASSERT(!runs.empty());
  std::vector<RunMetrics> all;
  for (const auto& run : runs) all.push_back(measure(run, options.metrics));
  return all;
}

std::string ms_or_empty(std::int64_t ns) {
  return ns == never_ns ? "" : fixed_text(static_cast<double>(ns) / 1e6, 3);
}

std::string name_or_empty(const NameTable& names, std::uint32_t number) {
  return number < names.size() ? csv_text(names.at(number)) : "";
}

PageTable figures_table(std::span<const Run> runs, const std::vector<RunMetrics>& metrics) {
  PageTable table{"All figures", {"figure", "unit"}, {}, 2, true};
  for (const auto& run : runs) table.heads.push_back(run.name);
  table.heads.emplace_back("formula");
  for (const auto& d : metric_definitions()) {
    std::vector<std::string> row{d.name, d.unit};
    bool known = false;
    for (const auto& m : metrics) {
      const double value = d.value(m);
      known = known || std::isfinite(value);
      row.push_back(short_text(value));
    }
    row.emplace_back(d.formula);
    if (known) table.rows.push_back(std::move(row));
  }
  return table;
}

std::string prefixed(std::span<const Run> runs, const Run& run, const std::string& text) {
  return runs.size() == 1 ? text : run.name + ": " + text;
}

}  // namespace

Page page_of(std::span<const Run> runs, const ReportOptions& options) {
  const auto metrics = measured(runs, options);
  std::vector<ReportRun> views;
  for (std::size_t i = 0; i < runs.size(); ++i) views.push_back({&runs[i], &metrics[i]});
  Page page{options.title, options.subtitle, {}, {}, charts_of(views, options.metrics), {figures_table(runs, metrics)}, {}};
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!metrics[i].valid) {
      page.warnings.push_back(prefixed(runs, runs[i],
                                       "Invalid: the P99 send lag of " + short_text(metrics[i].send_lag_ms.p99) +
                                           " ms is above 10 ms, so requests did not come when the workload says. Give the sender a "
                                           "machine of its own, or lower the rate."));
    }
    if (metrics[i].cut != 0) {
      page.notes.push_back(prefixed(runs, runs[i],
                                    std::to_string(metrics[i].cut) + " requests of the warm-up of " +
                                        short_text(static_cast<double>(options.metrics.warm_up_ns) / 1e9) +
                                        " s are in the plots over time alone"));
    }
    for (const auto& [reason, count] : runs[i].reasons)
      page.notes.push_back(prefixed(runs, runs[i], std::to_string(count) + " x " + reason));
    for (const auto& note : runs[i].notes) page.notes.push_back(prefixed(runs, runs[i], note));
  }
  if (runs.size() == 1) {
    for (const char* key :
         {"requests", "completed", "goodput_rps", "captions_on_time_percent", "ttft_ms_p99", "tpot_ms_p99", "moves", "price"}) {
      const auto& d = metric_definition(key);
      const double value = d.value(metrics.front());
      if (std::isfinite(value)) page.tiles.push_back({d.name, short_text(value), d.unit});
    }
  }
  return page;
}

std::string report_html(std::span<const Run> runs, const ReportOptions& options) {
  return to_html(page_of(runs, options));
}

std::string summary_csv(std::span<const Run> runs, const ReportOptions& options) {
  const auto metrics = measured(runs, options);
  std::string out = "metric,unit";
  for (const auto& run : runs) out += "," + csv_text(run.name);
  out += ",formula\n";
  for (const auto& d : metric_definitions()) {
    out += std::string(d.key) + "," + d.unit;
    for (const auto& m : metrics) out += "," + number_text(d.value(m));
    out += "," + csv_text(d.formula) + "\n";
  }
  return out;
}

std::string requests_csv(std::span<const Run> runs) {
  std::string out =
      "run,request,tenant,model,class,session,arrival_ms,sent_ms,first_token_ms,end_ms,deadline_ms,prompt_tokens,output_tokens,"
      "cached_tokens,outcome,node,rung,moves,preemptions\n";
  for (const auto& run : runs) {
    for (const auto& r : run.records) {
      out += csv_text(run.name) + "," + std::to_string(r.id) + "," + name_or_empty(run.tenants, r.tenant) + "," +
             name_or_empty(run.models, r.model) + "," + std::string(core::to_string(r.service_class)) + "," + std::to_string(r.session) +
             "," + ms_or_empty(r.arrival_ns) + "," + ms_or_empty(r.sent_ns) + "," + ms_or_empty(r.first_token_ns) + "," +
             ms_or_empty(r.end_ns) + "," + (r.deadline_ns == 0 ? "" : ms_or_empty(r.deadline_ns)) + "," + std::to_string(r.prompt_tokens) +
             "," + std::to_string(r.output_tokens) + "," + std::to_string(r.cached_tokens) + "," + std::string(to_string(r.outcome)) + "," +
             name_or_empty(run.nodes, r.node) + "," + (r.rung == 0 ? "" : csv_text(run.rungs.at(r.rung - 1U))) + "," +
             std::to_string(r.moves) + "," + std::to_string(r.preemptions) + "\n";
    }
  }
  return out;
}

std::string series_csv(std::span<const Run> runs) {
  std::string out = "run,time_ms,node,running,queued,kv_blocks_used,kv_blocks_total,arrivals,moves,moved_bytes\n";
  for (const auto& run : runs) {
    for (const auto& s : run.series) {
      out += csv_text(run.name) + "," + ms_or_empty(s.time_ns) + "," + name_or_empty(run.nodes, s.node) + "," + std::to_string(s.running) +
             "," + std::to_string(s.queued) + "," + std::to_string(s.kv_blocks_used) + "," + std::to_string(s.kv_blocks_total) + "," +
             std::to_string(s.arrivals) + "," + std::to_string(s.moves) + "," + std::to_string(s.moved_bytes) + "\n";
    }
  }
  return out;
}

std::string distributions_csv(std::span<const Run> runs, const ReportOptions& options) {
  const auto metrics = measured(runs, options);
  std::string out = "run,figure,value_ms,requests_up_to,share\n";
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const std::pair<const char*, const HdrHistogram*> figures[] = {{"ttft", &metrics[i].all.ttft_ns},
                                                                   {"tpot", &metrics[i].all.tpot_ns},
                                                                   {"e2e", &metrics[i].all.e2e_ns},
                                                                   {"itl", &runs[i].token_gaps_ns}};
    for (const auto& [name, histogram] : figures) {
      for (const auto& step : histogram->steps()) {
        out += csv_text(runs[i].name) + "," + name + "," + ms_or_empty(step.value) + "," + std::to_string(step.up_to) + "," +
               fixed_text(static_cast<double>(step.up_to) / static_cast<double>(histogram->count()), 6) + "\n";
      }
    }
  }
  return out;
}

core::Result<void> write_report(const std::filesystem::path& folder, std::span<const Run> runs, const ReportOptions& options) {
  return core::write_whole_files(folder, {{"report.html", report_html(runs, options)},
                                          {"summary.csv", summary_csv(runs, options)},
                                          {"requests.csv", requests_csv(runs)},
                                          {"series.csv", series_csv(runs)},
                                          {"distributions.csv", distributions_csv(runs, options)}});
}

}  // namespace spillway::sim
