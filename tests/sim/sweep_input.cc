#include "tests/sim/sweep_input.h"

#include "sim/workload_random.h"

namespace spillway::sim::test {

Workload steady(double per_second, double seconds, std::uint64_t seed) {
  WorkloadBuilder builder;
  CounterRandom random(seed, RandomUse::test);
  for (double at = random.exponential(1 / per_second); at < seconds; at += random.exponential(1 / per_second)) {
    DraftRequest request;
    request.arrival_ns = static_cast<std::int64_t>(at * 1e9);
    request.input_tokens = 200;
    request.output_tokens = 40;
    builder.add(request);
  }
  return *builder.finish();
}

SweepInput input_of(double per_second, double seconds) {
  SweepInput input;
  EqualNodes equal;
  equal.nodes = 2;
  input.plan = plan_of(equal);
  input.workload = [=](std::uint64_t seed) { return core::Result<Workload>(steady(per_second, seconds, seed)); };
  input.burst = {2'000'000'000, 1'000'000'000};
  for (auto& slo : input.slos) slo.ttft_ns = 300'000'000;
  return input;
}

}  // namespace spillway::sim::test
