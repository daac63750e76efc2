#include "sim/report_charts.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "sim/report_text.h"

namespace spillway::sim {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t ns_per_s = 1'000'000'000;
constexpr std::int64_t intervals_max = 100;
constexpr std::size_t distribution_points = 160;
const char* const class_names[] = {"live", "interactive", "batch"};
/// Multiples of the objectives, and without any the times to a first token in ms, at which goodput is looked up.
constexpr double slo_scales[] = {0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.2, 1.4, 1.7, 2, 2.5, 3, 4, 5, 7, 10};
constexpr double ttft_wishes_ms[] = {10,  15,  20,   30,   50,   70,   100,  150,  200,   300,
                                     500, 700, 1000, 1500, 2000, 3000, 5000, 7000, 10000, 20000};

double seconds(std::int64_t ns) {
  return static_cast<double>(ns) / static_cast<double>(ns_per_s);
}

ChartAxis time_axis() {
  return {"time since the start (s)", false, 0};
}

/// Events counted in equal intervals, as a rate.
struct Rate {
  std::int64_t start = 0;
  std::int64_t width = ns_per_s;
  std::vector<double> counts;

  Rate(const Run& run, std::int64_t width_ns) : start(run.start_ns), width(width_ns) {
    counts.assign(static_cast<std::size_t>(std::max<std::int64_t>(0, run.end_ns - run.start_ns) / width + 1), 0);
  }
  std::size_t at(std::int64_t time) const {
    return static_cast<std::size_t>(std::clamp<std::int64_t>((time - start) / width, 0, static_cast<std::int64_t>(counts.size()) - 1));
  }
  ChartSeries series(std::string name, std::uint32_t colour, double unit = 1) const {
    ChartSeries s{std::move(name), colour, {}, {}, {}, {}};
    for (std::size_t i = 0; i < counts.size(); ++i) {
      s.x.push_back(seconds(static_cast<std::int64_t>(i) * width));
      s.y.push_back(counts[i] / seconds(width) / unit);
    }
    return s;
  }
};

struct Builder {
  const std::vector<ReportRun>& runs;
  const MetricsOptions& options;
  std::int64_t width = ns_per_s;
  std::vector<RunSeries> series;

  Builder(const std::vector<ReportRun>& all, const MetricsOptions& how) : runs(all), options(how) {
    std::int64_t span = 1;
    for (const auto& r : runs) {
      span = std::max(span, r.run->end_ns - r.run->start_ns);
      series.push_back(cluster_series(r.run->series));
    }
    width = interval_ns(span);
  }
  bool single() const { return runs.size() == 1; }
  std::string per_interval() const { return "in intervals of " + number_text(seconds(width)) + " s"; }

  /// One line a run; `name` is that of a lone run.
  Chart over_runs(std::string title, std::string text, ChartAxis x, ChartAxis y,
                  const std::function<ChartSeries(std::size_t)>& line) const {
    Chart chart{Chart::Kind::lines, std::move(title), std::move(text), std::move(x), std::move(y), {}, {}};
    for (std::size_t i = 0; i < runs.size(); ++i) {
      ChartSeries s = line(i);
      s.name = runs[i].run->name;
      s.colour = static_cast<std::uint32_t>(i);
      if (!s.x.empty()) chart.series.push_back(std::move(s));
    }
    return chart;
  }

  Rate ends(const Run& run, const std::function<bool(const RunRecord&)>& counted) const {
    Rate rate(run, width);
    for (const auto& r : run.records) {
      if (r.end_ns != never_ns && counted(r)) ++rate.counts[rate.at(r.end_ns)];
    }
    return rate;
  }

  Rate arrivals(const Run& run) const {
    Rate rate(run, width);
    for (const auto& r : run.records) ++rate.counts[rate.at(r.arrival_ns)];
    return rate;
  }

  /// Largest value of the samples in each interval: what was worst is not averaged away.
  ChartSeries sampled(std::size_t i, const std::function<double(const RunSample&)>& value) const {
    ChartSeries s;
    const Run& run = *runs[i].run;
    Rate worst(run, width);
    std::vector<bool> seen(worst.counts.size());
    for (const auto& sample : series[i]) {
      const auto at = worst.at(sample.time_ns);
      worst.counts[at] = seen[at] ? std::max(worst.counts[at], value(sample)) : value(sample);
      seen[at] = true;
    }
    for (std::size_t at = 0; at < seen.size(); ++at) {
      if (!seen[at]) continue;
      s.x.push_back(seconds(static_cast<std::int64_t>(at) * width));
      s.y.push_back(worst.counts[at]);
    }
    return s;
  }

  ChartSeries in_flight(const Run& run) const;
  ChartSection load() const;
  Chart distribution(const char* title, const char* what, HdrHistogram GroupMetrics::*histogram, std::int64_t Slo::*wish) const;
  ChartSection waits() const;
  Chart on_time() const;
  ChartSection objectives() const;
  ChartSection moves() const;
  ChartSection beside() const;
};

/// Requests sent and not ended, the most in each interval: what there is to say of a run without samples.
ChartSeries Builder::in_flight(const Run& run) const {
  std::vector<std::pair<std::int64_t, int>> changes;
  for (const auto& r : run.records) {
    if (r.sent_ns == never_ns) continue;
    changes.emplace_back(r.sent_ns, 1);
    changes.emplace_back(r.end_ns == never_ns ? run.end_ns : r.end_ns, -1);
  }
  std::sort(changes.begin(), changes.end());
  Rate most(run, width);
  std::size_t last = 0;
  int now = 0;
  for (const auto& [time, change] : changes) {
    const auto at = most.at(time);
    for (std::size_t i = last + 1; i <= at; ++i) most.counts[i] = now;
    last = std::max(last, at);
    now += change;
    most.counts[at] = std::max(most.counts[at], static_cast<double>(now));
  }
  auto s = most.series("", 0);
  for (std::size_t i = 0; i < s.y.size(); ++i) s.y[i] = most.counts[i];
  return s;
}

ChartSection Builder::load() const {
  ChartSection section{"Load and queue over time", {}};
  const auto finished = [](const RunRecord& r) { return r.outcome == RequestOutcome::finished; };
  const auto add = [&section](Chart chart) {
    if (!chart.series.empty()) section.charts.push_back(std::move(chart));
  };
  const bool sampled_all = std::all_of(series.begin(), series.end(), [](const auto& s) { return !s.empty(); });
  if (single()) {
    const Run& run = *runs.front().run;
    Chart rate{Chart::Kind::lines, "Load", "Requests " + per_interval(), time_axis(), {"requests / s", false, 0}, {}, {}};
    rate.series.push_back(arrivals(run).series("arrived", 0));
    rate.series.push_back(ends(run, finished).series("finished", 2));
    const auto lost = ends(run, [&](const RunRecord& r) { return !finished(r); });
    if (std::any_of(lost.counts.begin(), lost.counts.end(), [](double c) { return c > 0; }))
      rate.series.push_back(lost.series("not finished", 6));
    add(std::move(rate));
  } else {
    add(over_runs("Load", "Requests that arrived, " + per_interval(), time_axis(), {"requests / s", false, 0},
                  [&](std::size_t i) { return arrivals(*runs[i].run).series("", 0); }));
    add(over_runs("Answers", "Requests that finished, " + per_interval(), time_axis(), {"requests / s", false, 0},
                  [&](std::size_t i) { return ends(*runs[i].run, finished).series("", 0); }));
  }
  const auto running = [](const RunSample& s) { return static_cast<double>(s.running); };
  const auto queued = [](const RunSample& s) { return static_cast<double>(s.queued); };
  const auto kv = [](const RunSample& s) { return s.kv_blocks_total == 0 ? unknown : 100.0 * s.kv_blocks_used / s.kv_blocks_total; };
  if (!sampled_all) {
    add(over_runs("In flight", "Requests sent and not ended, the most " + per_interval(), time_axis(), {"requests", false, 0},
                  [&](std::size_t i) { return in_flight(*runs[i].run); }));
    return section;
  }
  if (single()) {
    Chart both{Chart::Kind::lines, "Running and queued", "The most " + per_interval(), time_axis(), {"streams", false, 0}, {}, {}};
    for (const bool waiting : {false, true}) {
      ChartSeries s = waiting ? sampled(0, queued) : sampled(0, running);
      s.name = waiting ? "queued" : "running";
      s.colour = waiting ? 1 : 0;
      both.series.push_back(std::move(s));
    }
    add(std::move(both));
  } else {
    const auto line = [&](const auto& of) { return [&](std::size_t i) { return sampled(i, of); }; };
    add(over_runs("Running", "Streams in the batches, the most " + per_interval(), time_axis(), {"streams", false, 0}, line(running)));
    add(over_runs("Queued", "Requests that wait, the most " + per_interval(), time_axis(), {"requests", false, 0}, line(queued)));
  }
  add(over_runs("KV use", "Blocks in use, the most " + per_interval(), time_axis(), {"% of the blocks", false, 100},
                [&](std::size_t i) { return sampled(i, kv); }));
  return section;
}

ChartSeries cumulative(const HdrHistogram& ns, std::string name, std::uint32_t colour) {
  ChartSeries s{std::move(name), colour, {}, {}, {}, {}};
  double told = -1;
  for (const auto& step : ns.steps()) {
    const double share = 100 * static_cast<double>(step.up_to) / static_cast<double>(ns.count());
    const bool tail = share > 98;  // where people look closest
    if (step.up_to != ns.count() && share - told < (tail ? 5.0 : 100.0) / distribution_points) continue;
    told = share;
    s.x.push_back(std::max(0.001, static_cast<double>(step.value) / 1e6));
    s.y.push_back(share);
  }
  return s;
}

Chart Builder::distribution(const char* title, const char* what, HdrHistogram GroupMetrics::*histogram, std::int64_t Slo::*wish) const {
  Chart chart{Chart::Kind::lines,
              title,
              "Share of finished requests up to each time",
              {std::string(what) + " (ms)", true, 0},
              {"% of requests", false, 100},
              {},
              {}};
  std::vector<std::int64_t> wishes;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (!single()) {
      const auto& h = runs[i].metrics->all.*histogram;
      if (h.count() != 0) chart.series.push_back(cumulative(h, runs[i].run->name, static_cast<std::uint32_t>(i)));
    }
    for (std::size_t c = 0; c < 3; ++c) {
      const auto& h = runs[i].metrics->by_class[c].*histogram;
      if (single() && h.count() != 0) chart.series.push_back(cumulative(h, class_names[c], static_cast<std::uint32_t>(c)));
      const auto wanted = runs[i].run->slos[c].*wish;
      if (wanted == 0 || h.count() == 0) continue;
      const auto same = std::find(wishes.begin(), wishes.end(), wanted);
      if (same != wishes.end()) {
        if (single()) chart.marks[static_cast<std::size_t>(same - wishes.begin())].text = "objective";
        continue;
      }
      wishes.push_back(wanted);
      chart.marks.push_back({static_cast<double>(wanted) / 1e6, "objective, " + std::string(class_names[c])});
    }
  }
  return chart;
}

ChartSection Builder::waits() const {
  ChartSection section{"How long people wait", {}};
  auto ttft = distribution("Time to first token", "time to first token", &GroupMetrics::ttft_ns, &Slo::ttft_ns);
  auto tpot = distribution("Time per output token", "time per output token", &GroupMetrics::tpot_ns, &Slo::tpot_ns);
  if (!ttft.series.empty()) section.charts.push_back(std::move(ttft));
  if (!tpot.series.empty()) section.charts.push_back(std::move(tpot));
  auto captions = on_time();
  if (!captions.series.empty()) section.charts.push_back(std::move(captions));
  return section;
}

Chart Builder::on_time() const {
  return over_runs("Captions on time", "Live requests that met their deadline, by arrival " + per_interval(), time_axis(),
                   {"% of captions", false, 100}, [&](std::size_t i) {
                     const Run& run = *runs[i].run;
                     Rate asked(run, width);
                     Rate met(run, width);
                     for (const auto& r : run.records) {
                       if (r.service_class != core::ServiceClass::live || r.deadline_ns == 0) continue;
                       ++asked.counts[asked.at(r.arrival_ns)];
                       const bool in_time = r.outcome == RequestOutcome::finished && r.end_ns - r.arrival_ns <= r.deadline_ns;
                       met.counts[met.at(r.arrival_ns)] += in_time ? 1 : 0;
                     }
                     ChartSeries s;
                     for (std::size_t at = 0; at < asked.counts.size(); ++at) {
                       if (asked.counts[at] == 0) continue;
                       s.x.push_back(seconds(static_cast<std::int64_t>(at) * width));
                       s.y.push_back(100 * met.counts[at] / asked.counts[at]);
                     }
                     return s;
                   });
}

ChartSection Builder::objectives() const {
  ChartSection section{"Goodput and price against the objective", {}};
  const bool any = std::any_of(runs.begin(), runs.end(), [](const auto& r) { return r.run->slos != std::array<Slo, 3>{}; });
  const ChartAxis x =
      any ? ChartAxis{"multiple of the objectives", true, 0} : ChartAxis{"objective for the time to first token (ms)", true, 0};
  std::vector<ChartSeries> good(runs.size());
  std::vector<ChartSeries> price(runs.size());
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const Run& run = *runs[i].run;
    const auto add = [&](double at, const std::array<Slo, 3>& slos, double scale) {
      std::uint64_t count = 0;
      for (const auto& r : run.records) {
        if (r.arrival_ns >= run.start_ns + options.warm_up_ns && is_good(r, slos, scale)) ++count;
      }
      const double span = runs[i].metrics->span_s;
      good[i].x.push_back(at);
      good[i].y.push_back(span > 0 ? static_cast<double>(count) / span : 0);
      if (run.cost.price == 0) return;
      price[i].x.push_back(at);
      price[i].y.push_back(count == 0 ? unknown : 1000 * run.cost.price / static_cast<double>(count));
    };
    if (any) {
      for (const double scale : slo_scales) add(scale, run.slos, scale);
    } else {
      for (const double wish : ttft_wishes_ms) {
        const Slo slo{static_cast<std::int64_t>(wish * 1e6), 0, 0};
        add(wish, {slo, slo, slo}, 1);
      }
    }
  }
  auto goodput = over_runs("Goodput",
                           any ? "Requests a second that keep all objectives, were these stricter or laxer; deadlines as they are"
                               : "Requests a second that finish with a first token in time, and by their deadline",
                           x, {"requests / s", false, 0}, [&](std::size_t i) { return good[i]; });
  if (any) goodput.marks.push_back({1, "as given"});
  auto cost = over_runs("Price of 1,000 good requests", "What the nodes cost for each thousand that keep the objectives", x,
                        {"price, currency of the cluster file", false, 0}, [&](std::size_t i) { return price[i]; });
  section.charts.push_back(std::move(goodput));
  if (!cost.series.empty()) section.charts.push_back(std::move(cost));
  return section;
}

ChartSection Builder::moves() const {
  ChartSection section{"Moves", {}};
  bool any = false;
  for (const auto& r : runs) any = any || r.metrics->all.moves != 0 || r.metrics->moved_bytes != 0;
  if (!any) return section;
  const auto rates = [&](std::size_t i, auto value, double unit) {
    Rate rate(*runs[i].run, width);
    for (const auto& sample : series[i]) rate.counts[rate.at(sample.time_ns)] += static_cast<double>(value(sample));
    return series[i].empty() ? ChartSeries{} : rate.series("", 0, unit);
  };
  auto count = over_runs("Moves", "Streams carried to another node while they ran, " + per_interval(), time_axis(), {"moves / s", false, 0},
                         [&](std::size_t i) {
                           return rates(
                               i, [](const RunSample& s) { return s.moves; }, 1);
                         });
  auto bytes = over_runs("Bytes moved", "Pages carried from node to node, " + per_interval(), time_axis(), {"MiB / s", false, 0},
                         [&](std::size_t i) {
                           return rates(
                               i, [](const RunSample& s) { return s.moved_bytes; }, 1048576.0);
                         });
  if (!count.series.empty()) section.charts.push_back(std::move(count));
  if (!bytes.series.empty()) section.charts.push_back(std::move(bytes));
  return section;
}

ChartSection Builder::beside() const {
  ChartSection section{"Side by side", {}};
  if (single()) return section;
  for (const char* key :
       {"goodput_rps", "captions_on_time_percent", "ttft_ms_p99", "tpot_ms_p99", "moves", "moved_mib", "price_per_1000_good"}) {
    const auto& d = metric_definition(key);
    std::string title = d.name;
    title.front() = title.front() >= 'a' && title.front() <= 'z' ? static_cast<char>(title.front() - 'a' + 'A') : title.front();
    Chart chart{Chart::Kind::bars, std::move(title), d.formula, {}, {d.unit[0] == '\0' ? d.name : d.unit, false, 0}, {}, {}};
    bool known = false;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const double value = d.value(*runs[i].metrics);
      known = known || (value == value && value != 0);
      chart.series.push_back({runs[i].run->name, static_cast<std::uint32_t>(i), {}, {value}, {}, {}});
    }
    if (known) section.charts.push_back(std::move(chart));
  }
  return section;
}

}  // namespace

std::int64_t interval_ns(std::int64_t span_ns) {
  for (std::int64_t power = ns_per_s / 10;; power *= 10) {
    for (const std::int64_t times : {1, 2, 5}) {
      if (power * times * intervals_max >= span_ns) return power * times;
    }
  }
}

RunSeries cluster_series(const RunSeries& series) {
  RunSeries whole;
  std::copy_if(series.begin(), series.end(), std::back_inserter(whole), [](const auto& s) { return s.node == whole_cluster; });
  if (!whole.empty()) return whole;
  for (const auto& s : series) {
    if (whole.empty() || whole.back().time_ns != s.time_ns) whole.push_back({s.time_ns, whole_cluster, 0, 0, 0, 0, 0, 0, 0});
    auto& sum = whole.back();
    sum.running += s.running;
    sum.queued += s.queued;
    sum.kv_blocks_used += s.kv_blocks_used;
    sum.kv_blocks_total += s.kv_blocks_total;
    sum.arrivals += s.arrivals;
    sum.moves += s.moves;
    sum.moved_bytes += s.moved_bytes;
  }
  return whole;
}

std::vector<ChartSection> charts_of(const std::vector<ReportRun>& runs, const MetricsOptions& options) {
  const Builder builder(runs, options);
  return {builder.beside(), builder.load(), builder.waits(), builder.objectives(), builder.moves()};
}

}  // namespace spillway::sim
