#include "tests/sim/sample_run.h"

#include <algorithm>

#include "sim/workload_random.h"

namespace spillway::sim::test {

namespace {

constexpr std::int64_t ms = 1'000'000;

RequestOutcome outcome_of(std::uint64_t dice) {
  if (dice < 92) return RequestOutcome::finished;
  const RequestOutcome rest[] = {RequestOutcome::refused, RequestOutcome::expired, RequestOutcome::superseded, RequestOutcome::cancelled,
                                 RequestOutcome::failed};
  return rest[dice % 5];
}

void add_samples(Run& run) {
  CounterRandom random(9, RandomUse::test, 2);
  for (std::int64_t t = 0; t <= run.end_ns; t += 500 * ms) {
    RunSample whole{t, whole_cluster, 0, 0, 0, 0, 0, 0, 0};
    for (std::uint32_t node = 0; node < 2; ++node) {
      RunSample s{t, node, 0, 0, 0, 1000, 0, 0, 0};
      s.running = static_cast<std::uint32_t>(10 + random.below(20));
      s.queued = static_cast<std::uint32_t>(random.below(5) * (t / ms > 20'000 && t / ms < 30'000 ? 6 : 1));
      s.kv_blocks_used = s.running * 25;
      s.moves = random.below(6) == 0 ? 1 : 0;
      s.moved_bytes = s.moves * 3'000'000ULL;
      whole.running += s.running;
      whole.queued += s.queued;
      whole.kv_blocks_used += s.kv_blocks_used;
      whole.kv_blocks_total += s.kv_blocks_total;
      whole.moves += s.moves;
      whole.moved_bytes += s.moved_bytes;
      run.series.push_back(s);
    }
    run.series.push_back(whole);
  }
}

}  // namespace

RunRecord record_of(std::int64_t arrival, std::int64_t lag, std::int64_t first, std::int64_t end, std::uint32_t tokens,
                    RequestOutcome outcome) {
  RunRecord r;
  r.arrival_ns = arrival * ms;
  r.sent_ns = (arrival + lag) * ms;
  r.first_token_ns = first < 0 ? never_ns : r.sent_ns + first * ms;
  r.end_ns = r.sent_ns + end * ms;
  r.output_tokens = tokens;
  r.prompt_tokens = 10;
  r.outcome = outcome;
  return r;
}

Run sample_run(std::uint64_t seed, const std::string& name, std::uint32_t requests) {
  Run run;
  run.name = name;
  run.tenants.add("sport <&\"news\">, live");
  run.models.add("small");
  run.nodes.add("red");
  run.nodes.add("green");
  run.rungs.add("shorter:64");
  run.slos[0] = {600 * ms, 40 * ms, 0};
  run.slos[1] = {1500 * ms, 60 * ms, 0};
  CounterRandom random(seed, RandomUse::test, 1);
  std::int64_t arrival = 0;
  for (std::uint32_t i = 0; i < requests; ++i) {
    arrival += static_cast<std::int64_t>(random.exponential(i > requests / 3 && i < requests / 2 ? 40 : 120));
    const auto kind = outcome_of(random.below(100));
    const auto tokens = static_cast<std::uint32_t>(1 + random.below(120));
    const auto first = static_cast<std::int64_t>(60 + random.exponential(300));
    const auto gap = static_cast<std::int64_t>(15 + random.below(20));
    auto r =
        record_of(arrival, static_cast<std::int64_t>(random.below(3)), kind == RequestOutcome::refused ? -1 : first,
                  kind == RequestOutcome::refused ? 1 : first + gap * (tokens - 1), kind == RequestOutcome::refused ? 0 : tokens, kind);
    r.id = i;
    r.service_class = static_cast<core::ServiceClass>(random.below(3));
    r.deadline_ns = r.service_class == core::ServiceClass::live ? 3000 * ms : 0;
    r.node = static_cast<std::uint32_t>(random.below(2));
    r.rung = random.below(20) == 0 ? 1 : 0;
    r.moves = random.below(15) == 0 ? 1 : 0;
    r.cached_tokens = static_cast<std::uint32_t>(random.below(10));
    run.end_ns = std::max(run.end_ns, r.end_ns);
    run.token_gaps_ns.record(gap * ms, tokens);
    run.records.push_back(r);
  }
  add_samples(run);
  run.cost = {0.42, 180'000};
  run.reasons["queue_full: the queue of every replica is full </script>"] = 3;
  run.notes.emplace_back("seed 1, stretched by 0.5");
  return run;
}

}  // namespace spillway::sim::test
