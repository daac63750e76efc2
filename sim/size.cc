#include "sim/size.h"

#include <algorithm>
#include <sstream>

#include "sim/report_text.h"

namespace spillway::sim {

using core::Errc;
using core::fail;

namespace {

bool alike(const NodePlan& a, const NodePlan& b) {
  if (a.price_per_hour != b.price_per_hour || a.idle_watts != b.idle_watts || a.busy_watts != b.busy_watts ||
      a.nic_bytes_per_second != b.nic_bytes_per_second || a.replicas.size() != b.replicas.size())
    return false;
  for (std::size_t r = 0; r < a.replicas.size(); ++r) {
    if (a.replicas[r].percent != b.replicas[r].percent || a.replicas[r].info.blocks != b.replicas[r].info.blocks ||
        a.replicas[r].info.model != b.replicas[r].info.model)
      return false;
  }
  return true;
}

core::Result<SizeProbe> probe(const SweepInput& input, const NodeKind& kind, const SizeQuestion& question, std::uint32_t nodes,
                              const RunJobs& run_jobs) {
  SweepInput sized = input;
  sized.plan = cluster_of(input.plan, kind, nodes);
  SweepAxes axes{{nodes}, {input.plan.router.placement.policy}, {question.rate}, {question.burst}, question.seeds, question.first_seed};
  const auto sweep = Sweep::make(std::move(sized), axes);
  if (!sweep) return tl::make_unexpected(sweep.error());
  std::vector<core::Result<SweepFigures>> done(sweep->jobs(), core::Result<SweepFigures>(SweepFigures{}));
  if (!run_jobs(sweep->jobs(), [&](std::size_t job) { done[job] = sweep->run(job); })) return fail(Errc::cancelled, "stopped");
  std::vector<SweepFigures> figures;
  for (const auto& one : done) {
    if (!one) return tl::make_unexpected(one.error());
    figures.push_back(*one);
  }
  const auto cells = sweep->cells(figures);
  SizeProbe result;
  result.nodes = nodes;
  for (const auto& figure : sweep_figures()) result.mean.*figure.value = cells[0].interval(figure.value).mean;
  result.enough = result.mean.good_share >= question.share;
  return result;
}

}  // namespace

std::vector<NodeKind> node_kinds(const ClusterPlan& plan) {
  std::vector<NodeKind> kinds;
  for (const auto& node : plan.nodes) {
    if (node.replicas.empty()) continue;
    if (std::any_of(kinds.begin(), kinds.end(), [&](const NodeKind& kind) { return alike(kind.node, node); })) continue;
    kinds.push_back({node.name, node});
  }
  return kinds;
}

ClusterPlan cluster_of(const ClusterPlan& plan, const NodeKind& kind, std::uint32_t count) {
  ClusterPlan out = plan;
  out.nodes.clear();
  for (std::uint32_t n = 0; n < count; ++n) {
    NodePlan node = kind.node;
    node.name = kind.name + "-" + std::to_string(n + 1);
    node.id = core::node_id(node.name);
    node.roles = static_cast<std::uint32_t>(core::Role::worker) | (n == 0 ? static_cast<std::uint32_t>(core::Role::router) : 0U);
    out.nodes.push_back(std::move(node));
  }
  return out;
}

core::Result<SizeAnswer> size_of(const SweepInput& input, const NodeKind& kind, const SizeQuestion& question, const RunJobs& run_jobs) {
  if (question.nodes_min == 0 || question.nodes_min > question.nodes_max)
    return fail(Errc::bad_argument, std::to_string(question.nodes_min) + " to " + std::to_string(question.nodes_max) +
                                        " nodes: want at least 1, and no fewer at most than at least");
  SizeAnswer answer;
  answer.kind = kind.name;
  std::optional<core::Error> failed;
  const auto enough = [&](std::uint32_t nodes) {
    const auto known = std::find_if(answer.probes.begin(), answer.probes.end(), [&](const SizeProbe& p) { return p.nodes == nodes; });
    if (known != answer.probes.end()) return known->enough;
    const auto probed = probe(input, kind, question, nodes, run_jobs);
    if (!probed) {
      failed = probed.error();
      return false;
    }
    answer.probes.push_back(*probed);
    return probed->enough;
  };
  // Doubling first: small clusters are quick to simulate, and the answer is often far below the limit.
  std::uint32_t below = question.nodes_min - 1;
  std::uint32_t above = question.nodes_min;
  while (!enough(above)) {
    if (failed) return tl::make_unexpected(*failed);
    below = above;
    if (above == question.nodes_max) break;
    above = above > question.nodes_max / 2 ? question.nodes_max : above * 2;
  }
  if (below != above) {
    while (above - below > 1) {
      const std::uint32_t middle = below + (above - below) / 2;
      (enough(middle) ? above : below) = middle;
      if (failed) return tl::make_unexpected(*failed);
    }
    answer.nodes = above;
    answer.price_per_hour = kind.node.price_per_hour * above;
    answer.idle_watts = kind.node.idle_watts * above;
  }
  std::sort(answer.probes.begin(), answer.probes.end(), [](const SizeProbe& a, const SizeProbe& b) { return a.nodes < b.nodes; });
  return answer;
}

const SizeAnswer* cheapest(const std::vector<SizeAnswer>& answers) {
  const SizeAnswer* best = nullptr;
  for (const auto& answer : answers) {
    if (!answer.nodes) continue;
    const bool better = best == nullptr || answer.price_per_hour < best->price_per_hour ||
                        (answer.price_per_hour == best->price_per_hour && *answer.nodes < *best->nodes);
    if (better) best = &answer;
  }
  return best;
}

std::string size_json(const std::vector<SizeAnswer>& answers, const SizeQuestion& question) {
  std::ostringstream out;
  const auto* best = cheapest(answers);
  const auto quoted = [](const std::string& text) { return "\"" + text + "\""; };  // names of nodes: letters, digits, - and _
  out << "{\"share\": " << number_json(question.share) << ", \"kind\": " << (best ? quoted(best->kind) : "null")
      << ", \"nodes\": " << (best ? std::to_string(*best->nodes) : "null")
      << ", \"price_per_hour\": " << (best ? number_json(best->price_per_hour) : "null") << ", \"kinds\": [";
  for (std::size_t a = 0; a < answers.size(); ++a) {
    const auto& answer = answers[a];
    out << (a == 0 ? "{" : ", {") << "\"kind\": " << quoted(answer.kind)
        << ", \"nodes\": " << (answer.nodes ? std::to_string(*answer.nodes) : "null")
        << ", \"price_per_hour\": " << (answer.nodes ? number_json(answer.price_per_hour) : "null") << ", \"probes\": [";
    for (std::size_t p = 0; p < answer.probes.size(); ++p) {
      out << (p == 0 ? "{" : ", {") << "\"nodes\": " << answer.probes[p].nodes
          << ", \"enough\": " << (answer.probes[p].enough ? "true" : "false");
      for (const auto& figure : sweep_figures()) out << ", \"" << figure.key << "\": " << number_json(answer.probes[p].mean.*figure.value);
      out << "}";
    }
    out << "]}";
  }
  out << "]}";
  return out.str();
}

std::string size_csv(const std::vector<SizeAnswer>& answers) {
  std::ostringstream out;
  out << "kind,nodes,enough";
  for (const auto& figure : sweep_figures()) out << ',' << figure.key;
  out << '\n';
  for (const auto& answer : answers) {
    for (const auto& probe : answer.probes) {
      out << csv_text(answer.kind) << ',' << probe.nodes << ',' << (probe.enough ? 1 : 0);
      for (const auto& figure : sweep_figures()) out << ',' << number_text(probe.mean.*figure.value);
      out << '\n';
    }
  }
  return out.str();
}

std::vector<ChartSection> size_charts(const std::vector<SizeAnswer>& answers, const SizeQuestion& question) {
  const auto line_of = [&](const SizeAnswer& answer, std::size_t number, double SweepFigures::*value) {
    ChartSeries line;
    line.name = answers.size() > 1 ? answer.kind : "";
    line.colour = static_cast<std::uint32_t>(number) % chart_colours;
    for (const auto& probe : answer.probes) line.x.push_back(probe.nodes), line.y.push_back(probe.mean.*value);
    return line;
  };
  const auto chart = [&](const char* title, const char* text, const char* y, double SweepFigures::*value) {
    Chart made;
    made.title = title;
    made.text = text;
    made.x.name = "nodes";
    made.y.name = y;
    for (std::size_t a = 0; a < answers.size(); ++a) made.series.push_back(line_of(answers[a], a, value));
    return made;
  };
  const std::string asked = "Asked for: " + short_text(question.share * 100) + " % of the requests. Points are what the bisection tried.";
  ChartSection section{"How many nodes", {}};
  section.charts.push_back(chart("Requests within their objectives", asked.c_str(), "share of the requests", &SweepFigures::good_share));
  section.charts.push_back(
      chart("First token", "The slowest hundredth waits longer than this.", "time to first token, P99 (ms)", &SweepFigures::ttft_p99_ms));
  return {section};
}

PageTable size_table(const std::vector<SizeAnswer>& answers) {
  PageTable table;
  table.title = "Answer by kind of node";
  table.heads = {"kind", "nodes", "price per hour", "idle (W)", "tried"};
  for (const auto& answer : answers) {
    std::string tried;
    for (const auto& probe : answer.probes) tried += (tried.empty() ? "" : ", ") + std::to_string(probe.nodes);
    table.rows.push_back({answer.kind, answer.nodes ? std::to_string(*answer.nodes) : "not enough",
                          answer.nodes ? short_text(answer.price_per_hour) : "-", answer.nodes ? short_text(answer.idle_watts) : "-",
                          tried});
  }
  return table;
}

}  // namespace spillway::sim
