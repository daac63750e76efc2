#include "sim/metrics.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "core/assert.h"

namespace spillway::sim {

namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr double ns_per_ms = 1e6;
constexpr double ns_per_s = 1e9;

double ratio(double part, double whole) {
  return whole == 0 ? unknown : part / whole;
}

double as_double(std::uint64_t value) {
  return static_cast<double>(value);
}

bool within(std::int64_t value_ns, std::int64_t wish_ns, double scale) {
  return wish_ns == 0 || static_cast<double>(value_ns) <= static_cast<double>(wish_ns) * scale;
}

bool in_time(const RunRecord& r) {
  return r.outcome == RequestOutcome::finished && r.end_ns - r.arrival_ns <= r.deadline_ns;
}

/// Sorted values need room; collected for one group at a time.
struct Values {
  std::vector<double> ttft;
  std::vector<double> tpot;
  std::vector<double> e2e;
};

void add(const RunRecord& r, const std::array<Slo, 3>& slos, GroupMetrics& group, Values& values) {
  ++group.requests;
  ++group.outcomes[static_cast<std::size_t>(r.outcome)];
  group.moves += r.moves;
  group.preemptions += r.preemptions;
  group.degraded += r.rung != 0 ? 1 : 0;
  group.good += is_good(r, slos) ? 1 : 0;
  group.with_deadline += r.deadline_ns != 0 ? 1 : 0;
  group.on_time += r.deadline_ns != 0 && in_time(r) ? 1 : 0;
  if (r.outcome != RequestOutcome::finished) return;
  group.prompt_tokens += r.prompt_tokens;
  group.output_tokens += r.output_tokens;
  group.cached_tokens += r.cached_tokens;
  values.e2e.push_back(e2e_ms(r));
  group.e2e_ns.record(r.end_ns - r.sent_ns);
  if (r.first_token_ns == never_ns) return;  // scoring: no token to wait for
  values.ttft.push_back(ttft_ms(r));
  group.ttft_ns.record(r.first_token_ns - r.sent_ns);
  if (r.output_tokens < 2) return;
  values.tpot.push_back(tpot_ms(r));
  group.tpot_ns.record((r.end_ns - r.first_token_ns) / (r.output_tokens - 1));
}

void finish(GroupMetrics& group, Values values) {
  group.latency = {summarise(std::move(values.ttft)), summarise(std::move(values.tpot)), summarise(std::move(values.e2e))};
}

Summary in_ms(const HdrHistogram& ns) {
  const auto at = [&ns](double share) { return static_cast<double>(ns.quantile(share)) / ns_per_ms; };
  return {ns.mean() / ns_per_ms, at(0.5), at(0.9), at(0.99)};
}

double outcome(const RunMetrics& m, RequestOutcome which) {
  return as_double(m.all.outcomes[static_cast<std::size_t>(which)]);
}

double captions_percent(const RunMetrics& m) {
  const auto& live = m.by_class[static_cast<std::size_t>(core::ServiceClass::live)];
  return 100 * ratio(as_double(live.on_time), as_double(live.with_deadline));
}

const char ttft_formula[] = "first token - sent, of finished requests";
const char tpot_formula[] = "(end - first token) / (output tokens - 1), of finished requests with two tokens or more";
const char itl_formula[] = "gap between arrivals of tokens of one stream, all gaps of all streams";
const char e2e_formula[] = "end - sent, of finished requests";
const char lag_formula[] = "sent - arrival in the workload; P99 above 10 ms makes the run invalid";

using M = const RunMetrics&;
double known_itl(M m, double value) {
  return m.itl_known ? value : unknown;
}
double known_ttft(M m, double value) {
  return m.all.ttft_ns.count() != 0 ? value : unknown;
}
double known_tpot(M m, double value) {
  return m.all.tpot_ns.count() != 0 ? value : unknown;
}
double known_e2e(M m, double value) {
  return m.all.e2e_ns.count() != 0 ? value : unknown;
}

const MetricDefinition definitions[] = {
    {"requests", "requests", "", "arrivals after the warm-up", [](M m) { return as_double(m.all.requests); }},
    {"completed", "finished", "", "the whole answer came", [](M m) { return outcome(m, RequestOutcome::finished); }},
    {"refused", "refused", "", "by admission", [](M m) { return outcome(m, RequestOutcome::refused); }},
    {"expired", "expired", "", "the deadline passed before the answer was whole", [](M m) { return outcome(m, RequestOutcome::expired); }},
    {"superseded", "superseded", "", "a newer request of the channel came", [](M m) { return outcome(m, RequestOutcome::superseded); }},
    {"cancelled", "cancelled", "", "by the client", [](M m) { return outcome(m, RequestOutcome::cancelled); }},
    {"failed", "failed", "", "ended with an error, or not at all", [](M m) { return outcome(m, RequestOutcome::failed); }},
    {"goodput_rps", "goodput", "requests/s",
     "good / span; good = finished with TTFT, TPOT and E2E within the objectives of the class, and by the deadline",
     [](M m) { return ratio(as_double(m.all.good), m.span_s); }},
    {"good_percent", "good", "%", "good / requests", [](M m) { return 100 * ratio(as_double(m.all.good), as_double(m.all.requests)); }},
    {"captions_on_time_percent", "captions on time", "%",
     "live requests with a deadline that finished by arrival + deadline / live requests with a deadline", captions_percent},
    {"deadlines_met_percent", "deadlines met", "%", "the same of all classes",
     [](M m) { return 100 * ratio(as_double(m.all.on_time), as_double(m.all.with_deadline)); }},
    {"throughput_rps", "throughput", "requests/s", "finished / span",
     [](M m) { return ratio(outcome(m, RequestOutcome::finished), m.span_s); }},
    {"output_tokens_per_second", "output", "tokens/s", "output tokens of finished requests / span",
     [](M m) { return ratio(as_double(m.all.output_tokens), m.span_s); }},
    {"total_tokens_per_second", "prompt and output", "tokens/s", "prompt and output tokens of finished requests / span",
     [](M m) { return ratio(as_double(m.all.prompt_tokens + m.all.output_tokens), m.span_s); }},
    {"cached_percent", "prompt tokens cached", "%", "prompt tokens that were not computed again / prompt tokens, of finished requests",
     [](M m) { return 100 * ratio(as_double(m.all.cached_tokens), as_double(m.all.prompt_tokens)); }},
    {"ttft_ms_mean", "TTFT mean", "ms", ttft_formula, [](M m) { return known_ttft(m, m.all.latency.ttft_ms.mean); }},
    {"ttft_ms_p50", "TTFT P50", "ms", ttft_formula, [](M m) { return known_ttft(m, m.all.latency.ttft_ms.p50); }},
    {"ttft_ms_p90", "TTFT P90", "ms", ttft_formula, [](M m) { return known_ttft(m, m.all.latency.ttft_ms.p90); }},
    {"ttft_ms_p99", "TTFT P99", "ms", ttft_formula, [](M m) { return known_ttft(m, m.all.latency.ttft_ms.p99); }},
    {"tpot_ms_mean", "TPOT mean", "ms", tpot_formula, [](M m) { return known_tpot(m, m.all.latency.tpot_ms.mean); }},
    {"tpot_ms_p50", "TPOT P50", "ms", tpot_formula, [](M m) { return known_tpot(m, m.all.latency.tpot_ms.p50); }},
    {"tpot_ms_p90", "TPOT P90", "ms", tpot_formula, [](M m) { return known_tpot(m, m.all.latency.tpot_ms.p90); }},
    {"tpot_ms_p99", "TPOT P99", "ms", tpot_formula, [](M m) { return known_tpot(m, m.all.latency.tpot_ms.p99); }},
    {"itl_ms_mean", "ITL mean", "ms", itl_formula, [](M m) { return known_itl(m, m.itl_ms.mean); }},
    {"itl_ms_p50", "ITL P50", "ms", itl_formula, [](M m) { return known_itl(m, m.itl_ms.p50); }},
    {"itl_ms_p90", "ITL P90", "ms", itl_formula, [](M m) { return known_itl(m, m.itl_ms.p90); }},
    {"itl_ms_p99", "ITL P99", "ms", itl_formula, [](M m) { return known_itl(m, m.itl_ms.p99); }},
    {"e2e_ms_mean", "E2E mean", "ms", e2e_formula, [](M m) { return known_e2e(m, m.all.latency.e2e_ms.mean); }},
    {"e2e_ms_p50", "E2E P50", "ms", e2e_formula, [](M m) { return known_e2e(m, m.all.latency.e2e_ms.p50); }},
    {"e2e_ms_p90", "E2E P90", "ms", e2e_formula, [](M m) { return known_e2e(m, m.all.latency.e2e_ms.p90); }},
    {"e2e_ms_p99", "E2E P99", "ms", e2e_formula, [](M m) { return known_e2e(m, m.all.latency.e2e_ms.p99); }},
    {"degraded", "degraded", "", "took a rung of a ladder instead of a refusal", [](M m) { return as_double(m.all.degraded); }},
    {"moves", "moves", "", "streams carried to another node while they ran", [](M m) { return as_double(m.all.moves); }},
    {"moved_mib", "moved", "MiB", "pages carried, by the samples of the nodes", [](M m) { return as_double(m.moved_bytes) / 1048576.0; }},
    {"preemptions", "begun again", "", "from the tokens at hand: preempted, or the node died",
     [](M m) { return as_double(m.all.preemptions); }},
    {"price", "price", "", "of all nodes over the run, in the currency of the cluster file",
     [](M m) { return m.cost.price == 0 ? unknown : m.cost.price; }},
    {"price_per_1000_good", "price of 1,000 good", "", "1,000 x price / good requests",
     [](M m) { return m.cost.price == 0 ? unknown : 1000 * ratio(m.cost.price, as_double(m.all.good)); }},
    {"energy_kj", "energy", "kJ", "of all nodes over the run",
     [](M m) { return m.cost.energy_joules == 0 ? unknown : m.cost.energy_joules / 1000; }},
    {"send_lag_ms_p50", "send lag P50", "ms", lag_formula, [](M m) { return m.send_lag_ms.p50; }},
    {"send_lag_ms_p99", "send lag P99", "ms", lag_formula, [](M m) { return m.send_lag_ms.p99; }},
    {"send_lag_ms_max", "send lag max", "ms", lag_formula, [](M m) { return m.send_lag_max_ms; }},
};

}  // namespace

double ttft_ms(const RunRecord& r) {
  return static_cast<double>(r.first_token_ns - r.sent_ns) / ns_per_ms;
}

double tpot_ms(const RunRecord& r) {
  return r.output_tokens < 2 ? 0 : static_cast<double>(r.end_ns - r.first_token_ns) / ns_per_ms / (r.output_tokens - 1);
}

double e2e_ms(const RunRecord& r) {
  return static_cast<double>(r.end_ns - r.sent_ns) / ns_per_ms;
}

bool is_good(const RunRecord& r, const std::array<Slo, 3>& slos, double scale) {
  if (r.outcome != RequestOutcome::finished || (r.deadline_ns != 0 && !in_time(r))) return false;
  const Slo& slo = slos[static_cast<std::size_t>(r.service_class)];
  if (!within(r.end_ns - r.sent_ns, slo.e2e_ns, scale)) return false;
  if (r.first_token_ns == never_ns) return true;  // scoring
  if (!within(r.first_token_ns - r.sent_ns, slo.ttft_ns, scale)) return false;
  return r.output_tokens < 2 || slo.tpot_ns == 0 || tpot_ms(r) * ns_per_ms <= static_cast<double>(slo.tpot_ns) * scale;
}

RunMetrics measure(const Run& run, const MetricsOptions& options) {
  RunMetrics metrics;
  const std::int64_t begin = run.start_ns + options.warm_up_ns;
  std::int64_t last = begin;
  Values all;
  std::array<Values, 3> by_class;
  std::vector<double> lags;
  for (const RunRecord& r : run.records) {
    if (r.arrival_ns < begin) {
      ++metrics.cut;
      continue;
    }
    const auto which = static_cast<std::size_t>(r.service_class);
    add(r, run.slos, metrics.all, all);
    add(r, run.slos, metrics.by_class[which], by_class[which]);
    last = std::max({last, r.arrival_ns, r.end_ns});
    if (r.sent_ns == never_ns) continue;
    lags.push_back(static_cast<double>(r.sent_ns - r.arrival_ns) / ns_per_ms);
    metrics.send_lag_max_ms = std::max(metrics.send_lag_max_ms, lags.back());
  }
  finish(metrics.all, std::move(all));
  for (std::size_t i = 0; i < by_class.size(); ++i) finish(metrics.by_class[i], std::move(by_class[i]));
  metrics.span_s = static_cast<double>(last - begin) / ns_per_s;
  metrics.send_lag_ms = summarise(std::move(lags));
  metrics.valid = metrics.send_lag_ms.p99 <= send_lag_p99_max_ms;
  metrics.itl_known = run.token_gaps_ns.count() != 0;
  if (metrics.itl_known) metrics.itl_ms = in_ms(run.token_gaps_ns);
  bool has_cluster = false;
  for (const RunSample& sample : run.series) has_cluster = has_cluster || sample.node == whole_cluster;
  for (const RunSample& sample : run.series) {
    if ((sample.node == whole_cluster) == has_cluster) metrics.moved_bytes += sample.moved_bytes;
  }
  metrics.cost = run.cost;
  return metrics;
}

std::span<const MetricDefinition> metric_definitions() {
  return definitions;
}

const MetricDefinition& metric_definition(std::string_view key) {
  const auto* const found = std::find_if(std::begin(definitions), std::end(definitions), [&](const auto& d) { return key == d.key; });
  SPILLWAY_ASSERT(found != std::end(definitions));
  return *found;
}

}  // namespace spillway::sim
