#include "sim/run_summary.h"

#include <boost/json.hpp>
#include <iomanip>
#include <sstream>
#include <vector>

namespace spillway::sim {

namespace {

namespace json = boost::json;

bool good(const RunRecord& record, const Slo& slo) {
  if (record.outcome != RequestOutcome::finished) return false;
  const std::int64_t whole = record.end_ns - record.arrival_ns;
  if (record.deadline_ns > 0 && whole > record.deadline_ns) return false;
  if (slo.e2e_ns > 0 && whole > slo.e2e_ns) return false;
  if (record.first_token_ns == never_ns) return true;
  if (slo.ttft_ns > 0 && record.first_token_ns - record.arrival_ns > slo.ttft_ns) return false;
  const std::int64_t gaps = static_cast<std::int64_t>(record.output_tokens) - 1;
  return slo.tpot_ns == 0 || gaps <= 0 || record.end_ns - record.first_token_ns <= slo.tpot_ns * gaps;
}

json::object to_json(const Summary& s) {
  return {{"mean", s.mean}, {"p50", s.p50}, {"p90", s.p90}, {"p99", s.p99}};
}

std::uint64_t of(const RunSummary& summary, RequestOutcome outcome) {
  return summary.outcomes[static_cast<std::size_t>(outcome)];
}

}  // namespace

RunSummary summarise(const ClusterOutcome& outcome, const std::array<Slo, 3>& slos) {
  RunSummary summary;
  std::vector<Latency> times;
  std::uint64_t kept = 0;
  for (const RunRecord& record : outcome.run.records) {
    ++summary.requests;
    ++summary.outcomes[static_cast<std::size_t>(record.outcome)];
    if (record.outcome != RequestOutcome::finished) continue;
    summary.prompt_tokens += record.prompt_tokens;
    summary.output_tokens += record.output_tokens;
    // A request without output is answered when it is computed.
    const std::int64_t first = record.first_token_ns == never_ns ? record.end_ns : record.first_token_ns;
    times.push_back({core::Duration(record.arrival_ns), core::Duration(first), core::Duration(record.end_ns), record.output_tokens});
    kept += good(record, slos[static_cast<std::size_t>(record.service_class)]) ? 1 : 0;
  }
  summary.latency = figures_of(times);
  summary.simulated_seconds = static_cast<double>(outcome.simulated.count()) / 1e9;
  if (summary.simulated_seconds > 0) summary.goodput_rps = static_cast<double>(kept) / summary.simulated_seconds;
  return summary;
}

std::string to_json(const RunSummary& summary, const ClusterOutcome& outcome, std::uint64_t seed) {
  const ClusterCounts& counts = outcome.counts;
  json::object out{{"requests", summary.requests},
                   {"completed", of(summary, RequestOutcome::finished)},
                   {"refused", of(summary, RequestOutcome::refused)},
                   {"expired", of(summary, RequestOutcome::expired)},
                   {"cancelled", of(summary, RequestOutcome::cancelled)},
                   {"superseded", of(summary, RequestOutcome::superseded)},
                   {"failed", of(summary, RequestOutcome::failed)},
                   {"prompt_tokens", summary.prompt_tokens},
                   {"output_tokens", summary.output_tokens},
                   {"ttft_ms", to_json(summary.latency.ttft_ms)},
                   {"tpot_ms", to_json(summary.latency.tpot_ms)},
                   {"e2e_ms", to_json(summary.latency.e2e_ms)},
                   {"goodput_rps", summary.goodput_rps},
                   {"moves", counts.moves},
                   {"moves_aborted", counts.moves_aborted},
                   {"moved_bytes", counts.moved_bytes},
                   {"preemptions", counts.preemptions},
                   {"restarts", counts.restarts},
                   {"prefix_hit_tokens", counts.prefix_hit_tokens},
                   {"steps", counts.steps},
                   {"price", outcome.run.cost.price},
                   {"energy_joules", outcome.run.cost.energy_joules},
                   {"simulated_seconds", summary.simulated_seconds},
                   {"events", counts.events},
                   {"seed", seed}};
  if (counts.preemptions_moved > 0) out["preemptions_moved"] = counts.preemptions_moved;
  json::array notes;
  for (const auto& note : outcome.run.notes) notes.emplace_back(note);
  out["notes"] = std::move(notes);
  return json::serialize(out);
}

std::string to_table(const RunSummary& summary, const ClusterOutcome& outcome, std::uint64_t seed) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(1);
  const auto row = [&out](const char* name) -> std::ostream& { return out << std::left << std::setw(12) << name << std::right; };
  row("requests") << summary.requests;
  for (std::size_t i = 0; i < outcome_count; ++i) {
    if (summary.outcomes[i] > 0) out << ", " << summary.outcomes[i] << ' ' << to_string(static_cast<RequestOutcome>(i));
  }
  out << '\n';
  row("time") << summary.simulated_seconds << " s simulated, " << summary.goodput_rps << " good requests/s, " << outcome.counts.moves
              << " moves, seed " << seed << '\n';
  const auto times = [&](const char* name, const Summary& s) {
    row(name) << "mean " << std::setw(9) << s.mean << "  p50 " << std::setw(9) << s.p50 << "  p90 " << std::setw(9) << s.p90 << "  p99 "
              << std::setw(9) << s.p99 << '\n';
  };
  times("ttft ms", summary.latency.ttft_ms);
  times("tpot ms", summary.latency.tpot_ms);
  times("e2e ms", summary.latency.e2e_ms);
  for (const auto& note : outcome.run.notes) row("note") << note << '\n';
  return out.str();
}

}  // namespace spillway::sim
