// RunMetrics as JSON and as a table.
#include <boost/json.hpp>
#include <cmath>

#include "sim/metrics.h"
#include "sim/report_text.h"

namespace spillway::sim {

namespace {

namespace json = boost::json;

json::value number(double value) {
  return std::isfinite(value) ? json::value(value) : json::value(nullptr);
}

json::object in_json(const Summary& s) {
  return {{"mean", s.mean}, {"p50", s.p50}, {"p90", s.p90}, {"p99", s.p99}};
}

json::object in_json(const GroupMetrics& g) {
  json::object out{{"requests", g.requests}};
  for (std::size_t i = 0; i < outcome_count; ++i) {
    const auto outcome = static_cast<RequestOutcome>(i);
    out[outcome == RequestOutcome::finished ? "completed" : std::string(to_string(outcome))] = g.outcomes[i];
  }
  out["prompt_tokens"] = g.prompt_tokens;
  out["output_tokens"] = g.output_tokens;
  out["cached_tokens"] = g.cached_tokens;
  out["good"] = g.good;
  out["with_deadline"] = g.with_deadline;
  out["on_time"] = g.on_time;
  out["degraded"] = g.degraded;
  out["moves"] = g.moves;
  out["preemptions"] = g.preemptions;
  out["ttft_ms"] = in_json(g.latency.ttft_ms);
  out["tpot_ms"] = in_json(g.latency.tpot_ms);
  out["e2e_ms"] = in_json(g.latency.e2e_ms);
  return out;
}

json::object rungs_of(const Run& run) {
  std::map<std::string, std::uint64_t> counts;
  for (const RunRecord& r : run.records) {
    if (r.rung != 0) ++counts[run.rungs.at(r.rung - 1U)];
  }
  json::object out;
  for (const auto& [words, count] : counts) out[words] = count;
  return out;
}

json::object slo_json(const Slo& slo) {
  return {{"ttft_ms", static_cast<double>(slo.ttft_ns) / 1e6},
          {"tpot_ms", static_cast<double>(slo.tpot_ns) / 1e6},
          {"e2e_ms", static_cast<double>(slo.e2e_ns) / 1e6}};
}

const char* const class_names[] = {"live", "interactive", "batch"};

}  // namespace

std::string to_json(const Run& run, const RunMetrics& metrics) {
  json::object out = in_json(metrics.all);
  for (const char* key : {"goodput_rps", "good_percent", "captions_on_time_percent", "deadlines_met_percent", "throughput_rps",
                          "output_tokens_per_second", "total_tokens_per_second"}) {
    out[key] = number(metric_definition(key).value(metrics));
  }
  out["itl_ms"] = metrics.itl_known ? json::value(in_json(metrics.itl_ms)) : json::value(nullptr);
  out["moved_bytes"] = metrics.moved_bytes;
  json::object lag = in_json(metrics.send_lag_ms);
  lag["max"] = metrics.send_lag_max_ms;
  out["send_lag_ms"] = std::move(lag);
  out["valid"] = metrics.valid;
  out["warm_up_cut"] = metrics.cut;
  out["span_seconds"] = metrics.span_s;
  out["price"] = number(metric_definition("price").value(metrics));
  out["price_per_1000_good"] = number(metric_definition("price_per_1000_good").value(metrics));
  out["rungs"] = rungs_of(run);
  json::object reasons;
  for (const auto& [reason, count] : run.reasons) reasons[reason] = count;
  out["reasons"] = std::move(reasons);
  json::object classes;
  json::object slos;
  for (std::size_t i = 0; i < metrics.by_class.size(); ++i) {
    if (metrics.by_class[i].requests != 0) classes[class_names[i]] = in_json(metrics.by_class[i]);
    if (run.slos[i] != Slo{}) slos[class_names[i]] = slo_json(run.slos[i]);
  }
  out["classes"] = std::move(classes);
  out["objectives"] = std::move(slos);
  json::object formulas;
  for (const auto& d : metric_definitions()) formulas[d.key] = d.formula;
  out["formulas"] = std::move(formulas);
  out["notes"] = json::array(run.notes.begin(), run.notes.end());
  return json::serialize(out);
}

namespace {

std::string padded(std::string text, std::size_t width, bool right = false) {
  if (text.size() >= width) return text;
  const std::string space(width - text.size(), ' ');
  return right ? space + text : text + space;
}

}  // namespace

std::string to_table(const RunMetrics& first, const RunMetrics& second, const std::string& first_name, const std::string& second_name) {
  std::string out = padded("", 34) + padded(first_name, 12, true) + padded(second_name, 12, true) + "  difference\n";
  for (const auto& d : metric_definitions()) {
    const double a = d.value(first);
    const double b = d.value(second);
    if (!std::isfinite(a) && !std::isfinite(b)) continue;
    out += padded(d.name, 22) + padded(d.unit, 12) + padded(short_text(a), 12, true) + padded(short_text(b), 12, true);
    out += std::isfinite(a) && std::isfinite(b) && a != 0 ? padded(fixed_text(diff_percent(a, b), 1), 10, true) + " %\n" : "\n";
  }
  return out;
}

std::string to_table(const Run& run, const RunMetrics& metrics) {
  std::string out;
  for (const auto& d : metric_definitions()) {
    const double value = d.value(metrics);
    if (!std::isfinite(value)) continue;
    out += padded(d.name, 22) + padded(short_text(value), 10, true) + ' ' + padded(d.unit, 11) + "  " + d.formula + '\n';
  }
  for (const auto& [words, count] : rungs_of(run))
    out += padded("rung " + std::string(words), 22) + padded(std::to_string(count.as_uint64()), 10, true) + '\n';
  for (const auto& [reason, count] : run.reasons) out += padded(std::to_string(count), 10, true) + " x " + reason + '\n';
  for (const auto& note : run.notes) out += "note  " + note + '\n';
  if (!metrics.valid) {
    out += "INVALID: the P99 send lag of " + short_text(metrics.send_lag_ms.p99) +
           " ms is above 10 ms: requests did not come when the workload says\n";
  }
  return out;
}

}  // namespace spillway::sim
