#include <algorithm>
#include <map>
#include <sstream>

#include "sim/report_text.h"
#include "sim/sweep.h"

namespace spillway::sim {

namespace {

constexpr std::size_t charts_max = 16;

/// The axes but policy, as numbers.
enum class Axis { nodes, rate, burst };
constexpr Axis all_axes[] = {Axis::rate, Axis::nodes, Axis::burst};

const char* name_of(Axis axis) {
  switch (axis) {
    case Axis::nodes: return "nodes";
    case Axis::rate: return "rate of arrivals, times that of the workload";
    case Axis::burst: return "height of the burst, times the usual rate";
  }
  return "";
}

double value_of(const SweepPoint& point, Axis axis) {
  switch (axis) {
    case Axis::nodes: return point.nodes;
    case Axis::rate: return point.rate;
    case Axis::burst: return point.burst;
  }
  return 0;
}

std::size_t length_of(const SweepAxes& axes, Axis axis) {
  switch (axis) {
    case Axis::nodes: return axes.nodes.size();
    case Axis::rate: return axes.rates.size();
    case Axis::burst: return axes.bursts.size();
  }
  return 0;
}

/// The axis with most values runs along the charts; the others make more charts.
Axis longest(const SweepAxes& axes) {
  Axis best = all_axes[0];
  for (const Axis axis : all_axes) {
    if (length_of(axes, axis) > length_of(axes, best)) best = axis;
  }
  return best;
}

std::string facet_name(const SweepPoint& point, Axis along) {
  std::string text;
  const auto add = [&text](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (along != Axis::nodes) add(std::to_string(point.nodes) + (point.nodes == 1 ? " node" : " nodes"));
  if (along != Axis::rate) add("rate x" + number_text(point.rate));
  if (along != Axis::burst) add(point.burst == 1 ? std::string("no burst") : "burst x" + std::to_string(point.burst));
  return text;
}

std::vector<ChartSeries> lines_of(const std::vector<const SweepCell*>& cells, const SweepAxes& axes, Axis along,
                                  double SweepFigures::*figure) {
  std::vector<ChartSeries> lines;
  for (std::size_t p = 0; p < axes.policies.size(); ++p) {
    ChartSeries line;
    if (axes.policies.size() > 1) line.name = std::string(core::to_string(axes.policies[p]));
    line.colour = static_cast<std::uint32_t>(p) % chart_colours;
    std::map<double, Interval> points;
    for (const auto* cell : cells) {
      if (cell->point.policy == axes.policies[p]) points[value_of(cell->point, along)] = cell->interval(figure);
    }
    for (const auto& [x, interval] : points) {
      line.x.push_back(x);
      line.y.push_back(interval.mean);
      line.low.push_back(interval.low);
      line.high.push_back(interval.high);
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

Chart chart_of(const std::vector<const SweepCell*>& cells, const SweepAxes& axes, Axis along, const SweepFigureName& figure,
               const std::string& facet) {
  Chart chart;
  chart.title = facet;
  chart.text = "Mean of " + std::to_string(axes.seeds) + " seeds; the band is its 95 % confidence interval.";
  chart.x.name = name_of(along);
  chart.y.name = figure.name;
  if (length_of(axes, along) == 1) {
    chart.kind = Chart::Kind::bars;
    for (std::size_t p = 0; p < axes.policies.size(); ++p) {
      for (const auto* cell : cells) {
        if (cell->point.policy != axes.policies[p]) continue;
        const auto interval = cell->interval(figure.value);
        chart.series.push_back({std::string(core::to_string(axes.policies[p])),
                                static_cast<std::uint32_t>(p) % chart_colours,
                                {},
                                {interval.mean},
                                {interval.low},
                                {interval.high}});
      }
    }
    return chart;
  }
  chart.series = lines_of(cells, axes, along, figure.value);
  return chart;
}

/// What a share of good requests costs: a point a number of nodes, a line a policy.
Chart price_chart(std::span<const SweepCell> cells, const SweepAxes& axes) {
  Chart chart;
  chart.title = "What is bought with the price";
  chart.text = "Each point is a number of nodes, at the first rate and burst.";
  chart.x.name = "price of the run";
  chart.y.name = "requests within their objectives (share)";
  for (std::size_t p = 0; p < axes.policies.size(); ++p) {
    ChartSeries line;
    line.name = std::string(core::to_string(axes.policies[p]));
    line.colour = static_cast<std::uint32_t>(p) % chart_colours;
    std::vector<std::pair<double, double>> points;
    for (const auto& cell : cells) {
      const bool first = cell.point.rate == axes.rates[0] && cell.point.burst == axes.bursts[0];
      const double price = cell.interval(&SweepFigures::price).mean;
      if (first && cell.point.policy == axes.policies[p] && price > 0)
        points.emplace_back(price, cell.interval(&SweepFigures::good_share).mean);
    }
    std::sort(points.begin(), points.end());
    for (const auto& [x, y] : points) line.x.push_back(x), line.y.push_back(y);
    if (points.size() > 1) chart.series.push_back(std::move(line));
  }
  return chart;
}

PageTable table_of(std::span<const SweepCell> cells) {
  PageTable table;
  table.title = "All points (mean, and 95 % interval)";
  table.heads = {"policy", "nodes", "rate", "burst"};
  for (const auto& figure : sweep_figures()) table.heads.emplace_back(figure.name);
  for (const auto& cell : cells) {
    std::vector<std::string> row{std::string(core::to_string(cell.point.policy)), std::to_string(cell.point.nodes),
                                 number_text(cell.point.rate), std::to_string(cell.point.burst)};
    for (const auto& figure : sweep_figures()) {
      const auto interval = cell.interval(figure.value);
      row.push_back(interval.low == interval.high || !(interval.mean == interval.mean)
                        ? short_text(interval.mean)
                        : short_text(interval.mean) + " (" + short_text(interval.low) + " to " + short_text(interval.high) + ")");
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

PageTable differences_table(const std::vector<PolicyDifference>& differences, const SweepAxes& axes) {
  PageTable table;
  table.title = "Against " + std::string(core::to_string(axes.policies[0])) + ", seed by seed";
  table.heads = {"policy", "figure", "nodes", "rate", "burst", "difference", "low", "high", "excludes 0"};
  table.words = 2;
  for (const auto& d : differences) {
    table.rows.push_back({std::string(core::to_string(d.point.policy)), d.figure->name, std::to_string(d.point.nodes),
                          number_text(d.point.rate), std::to_string(d.point.burst), short_text(d.difference.mean),
                          short_text(d.difference.low), short_text(d.difference.high), d.separated() ? "yes" : "no"});
  }
  return table;
}

void add_interval(std::ostream& out, const Interval& interval) {
  out << "{\"mean\": " << number_json(interval.mean) << ", \"low\": " << number_json(interval.low)
      << ", \"high\": " << number_json(interval.high) << "}";
}

/// The figures of each seed, for whoever compares sweeps of the same seeds.
void add_seeds(std::ostream& out, const SweepCell& cell) {
  out << ", \"by_seed\": [";
  for (std::size_t s = 0; s < cell.by_seed.size(); ++s) {
    const char* before = s == 0 ? "{" : ", {";
    for (const auto& figure : sweep_figures()) {
      out << before << "\"" << figure.key << "\": " << number_json(cell.by_seed[s].*figure.value);
      before = ", ";
    }
    out << "}";
  }
  out << "]";
}

void add_point(std::ostream& out, const SweepPoint& point) {
  out << "\"nodes\": " << point.nodes << ", \"policy\": \"" << core::to_string(point.policy) << "\", \"rate\": " << number_json(point.rate)
      << ", \"burst\": " << point.burst;
}

}  // namespace

std::string name_of(const SweepPoint& point) {
  return std::to_string(point.nodes) + (point.nodes == 1 ? " node, " : " nodes, ") + std::string(core::to_string(point.policy)) +
         ", rate x" + number_text(point.rate) + (point.burst == 1 ? "" : ", burst x" + std::to_string(point.burst));
}

std::vector<PolicyDifference> policy_differences(std::span<const SweepCell> cells, const SweepAxes& axes) {
  std::vector<PolicyDifference> differences;
  for (const auto& cell : cells) {
    SweepPoint base = cell.point;
    base.policy = axes.policies[0];
    if (cell.point == base) continue;
    const auto first = std::find_if(cells.begin(), cells.end(), [&](const SweepCell& c) { return c.point == base; });
    if (first == cells.end()) continue;
    for (const auto& figure : sweep_figures()) {
      std::vector<double> values;
      for (std::size_t s = 0; s < std::min(cell.by_seed.size(), first->by_seed.size()); ++s)
        values.push_back(cell.by_seed[s].*figure.value - first->by_seed[s].*figure.value);
      differences.push_back({cell.point, &figure, interval_of(values)});
    }
  }
  return differences;
}

std::string sweep_csv(std::span<const SweepCell> cells) {
  std::ostringstream out;
  out << "nodes,policy,rate,burst,seeds";
  for (const auto& figure : sweep_figures()) out << ',' << figure.key << ',' << figure.key << "_low," << figure.key << "_high";
  out << '\n';
  for (const auto& cell : cells) {
    out << cell.point.nodes << ',' << core::to_string(cell.point.policy) << ',' << number_text(cell.point.rate) << ',' << cell.point.burst
        << ',' << cell.by_seed.size();
    for (const auto& figure : sweep_figures()) {
      const auto interval = cell.interval(figure.value);
      out << ',' << number_text(interval.mean) << ',' << number_text(interval.low) << ',' << number_text(interval.high);
    }
    out << '\n';
  }
  return out.str();
}

std::string sweep_json(std::span<const SweepCell> cells, const SweepAxes& axes) {
  std::ostringstream out;
  out << "{\"points\": [";
  for (std::size_t c = 0; c < cells.size(); ++c) {
    out << (c == 0 ? "{" : ", {");
    add_point(out, cells[c].point);
    out << ", \"seeds\": " << cells[c].by_seed.size();
    for (const auto& figure : sweep_figures()) {
      out << ", \"" << figure.key << "\": ";
      add_interval(out, cells[c].interval(figure.value));
    }
    add_seeds(out, cells[c]);
    out << "}";
  }
  out << "], \"against_first_policy\": [";
  bool first = true;
  for (const auto& d : policy_differences(cells, axes)) {
    out << (first ? "{" : ", {");
    first = false;
    add_point(out, d.point);
    out << ", \"figure\": \"" << d.figure->key << "\", \"difference\": ";
    add_interval(out, d.difference);
    out << ", \"excludes_0\": " << (d.separated() ? "true" : "false") << "}";
  }
  out << "]}";
  return out.str();
}

Page sweep_page(std::span<const SweepCell> cells, const SweepAxes& axes, const std::vector<std::string>& notes) {
  Page page;
  page.title = "What if";
  page.subtitle =
      std::to_string(cells.size()) + " points, " + std::to_string(axes.seeds) + " seeds each; all points of a seed see the same requests";
  page.notes = notes;
  const Axis along = longest(axes);
  std::vector<std::pair<std::string, std::vector<const SweepCell*>>> facets;
  for (const auto& cell : cells) {
    const auto name = facet_name(cell.point, along);
    auto at = std::find_if(facets.begin(), facets.end(), [&](const auto& f) { return f.first == name; });
    if (at == facets.end()) at = facets.insert(facets.end(), {name, {}});
    at->second.push_back(&cell);
  }
  if (facets.size() > charts_max)
    page.notes.push_back("Charts of the first " + std::to_string(charts_max) + " of " + std::to_string(facets.size()) +
                         " combinations; the table has them all.");
  for (const char* key : {"good_share", "on_time_share", "ttft_p99_ms", "tpot_p99_ms", "goodput_rps", "moves"}) {
    const auto figures = sweep_figures();
    const auto& figure = *std::find_if(figures.begin(), figures.end(), [&](const auto& f) { return std::string_view(f.key) == key; });
    const bool known = std::any_of(cells.begin(), cells.end(), [&](const SweepCell& cell) {
      const double mean = cell.interval(figure.value).mean;
      return mean == mean && (std::string_view(key) != "moves" || mean != 0);
    });
    if (!known) continue;
    ChartSection section;
    section.title = figure.name;
    for (std::size_t f = 0; f < std::min(facets.size(), charts_max); ++f)
      section.charts.push_back(chart_of(facets[f].second, axes, along, figure, facets[f].first));
    page.sections.push_back(std::move(section));
  }
  if (auto price = price_chart(cells, axes); !price.series.empty()) page.sections.push_back({"Price", {std::move(price)}});
  page.tables.push_back(table_of(cells));
  if (axes.policies.size() > 1) page.tables.push_back(differences_table(policy_differences(cells, axes), axes));
  return page;
}

}  // namespace spillway::sim
