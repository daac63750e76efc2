#include "tests/sim/random_cluster.h"

#include <algorithm>

#include "core/step.h"

namespace spillway::sim::test {

namespace {

constexpr std::uint32_t groups = 8;

std::uint32_t between(CounterRandom& random, std::uint32_t low, std::uint32_t high) {
  return low + static_cast<std::uint32_t>(random.below(high - low + 1));
}

/// What replicas may do besides. Draws of their own, so that what else a seed means stays.
void draw_kinds(const RandomCluster& shape, std::uint64_t seed, ClusterPlan& plan) {
  CounterRandom kinds(seed, RandomUse::test, 3);
  for (auto& node : plan.nodes) {
    for (auto& replica : node.replicas) {
      if (kinds.below(8) == 0) replica.info.tokens_per_step_max = between(kinds, 2, 5);
      replica.guess_permille = between(kinds, 200, 900);
      replica.info.adapters = {{"a", {1, 1}}, {"b", {1, 2}}};
    }
  }
  std::vector<core::KvGroup> groups;
  if (const auto kind = kinds.below(16); shape.groups && kind < 3) {
    groups = kind == 0   ? std::vector<core::KvGroup>{{}, {core::KvGroupKind::window, between(kinds, 8, 60), 0}}
             : kind == 1 ? std::vector<core::KvGroup>{{}, {core::KvGroupKind::state, 0, 1}}
                         : std::vector<core::KvGroup>{{core::KvGroupKind::window, between(kinds, 8, 60), 0}};
  }
  for (auto& node : plan.nodes) {
    for (auto& replica : node.replicas) replica.info.kv_groups = groups;
  }
  plan.batcher.hold_max = core::Duration{0};
  if (kinds.below(2) == 1) plan.batcher.hold_max = std::chrono::milliseconds(between(kinds, 20, 400));
}

}  // namespace

RandomSource::RandomSource(const RandomCluster& shape, std::uint64_t seed, double mean_gap_ns) {
  tenants_.add("a");
  tenants_.add("b");
  models_.add("default");
  CounterRandom random(seed, RandomUse::test, 1);
  double at = 0;
  for (std::uint32_t i = 0; i < shape.requests; ++i) {
    at += random.exponential(mean_gap_ns);
    arrivals_.push_back(static_cast<std::int64_t>(at));
    ClientRequest request;
    request.input_tokens = between(random, 1, shape.input_max);
    request.output_tokens = random.below(20) == 0 ? 0 : between(random, 1, shape.output_max);
    request.tenant = static_cast<std::uint32_t>(random.below(2));
    request.service_class = static_cast<core::ServiceClass>(random.below(3));
    if (random.below(1000) < shape.too_long_permille) request.input_tokens = shape.kv_blocks_max * core::block_tokens + 1;
    if (random.below(1000) < shape.deadline_permille) request.deadline_ns = between(random, 300, 4000) * 1'000'000LL;
    if (random.below(1000) < shape.cancel_permille) request.cancel_ns = between(random, 1, 1500) * 1'000'000LL;
    if (random.below(20) == 0) request.channel = "c" + std::to_string(random.below(4));
    requests_.push_back(std::move(request));
    groups_.push_back(random.below(10) < 4 ? between(random, 1, groups) : 0);
    if (shape.adapters && i % 7 == 3) requests_.back().adapter = i % 2 == 0 ? "a" : "b";
  }
}

void RandomSource::block_names(std::uint64_t index, std::vector<core::BlockName>& names) const {
  const auto& request = requests_[index];
  const std::uint64_t full = (std::uint64_t{request.input_tokens} + request.output_tokens) / core::block_tokens;
  const std::uint64_t shared = groups_[index] == 0 ? 0 : request.input_tokens * 2 / 3 / core::block_tokens;
  names.clear();
  for (std::uint64_t b = 0; b < full; ++b) names.push_back(own_name(b < shared ? requests_.size() + groups_[index] : index, b));
}

RandomCase random_case(const RandomCluster& shape, std::uint64_t seed) {
  CounterRandom random(seed, RandomUse::test, 2);
  EqualNodes equal;
  equal.nodes = shape.nodes;
  equal.routers = shape.routers;
  equal.kv_blocks = between(random, shape.kv_blocks_min, shape.kv_blocks_max);
  equal.policy = static_cast<core::PlacementPolicy>(random.below(7));
  RandomCase made{plan_of(equal), {}, 0};
  const std::uint32_t step_us = between(random, 2000, 20'000);
  for (auto& node : made.plan.nodes) {
    for (auto& replica : node.replicas) {
      replica.cost = {};
      replica.cost.step = std::chrono::microseconds(step_us + random.below(7));
      replica.cost.prompt_row = std::chrono::microseconds(between(random, 0, 40));
      replica.cost.answer_row = std::chrono::microseconds(between(random, 0, 90));
      replica.cost.context = std::chrono::microseconds(between(random, 0, 50));
      replica.percent = random.below(4) == 0 ? 150 : 100;
    }
  }
  draw_kinds(shape, seed, made.plan);
  made.plan.batcher.sequences_max = between(random, 3, 24);
  made.plan.batcher.queue_max = between(random, 4, 40);
  made.plan.batcher.step_tokens_max = made.plan.router.placement.step_tokens = between(random, 24, 160);
  made.plan.batcher.admission = static_cast<sched::AdmissionPolicy>(random.below(3));
  made.plan.batcher.ageing = std::chrono::milliseconds(between(random, 200, 3000));
  made.plan.router.waiting_max = between(random, 8, 200);
  made.plan.router.waiting_max_time = std::chrono::seconds(20);
  made.plan.router.moves.free_low_permille = 200;
  made.plan.router.moves.free_high_permille = 400;
  made.plan.network.latency = std::chrono::microseconds(between(random, 50, 900));
  made.plan.start.process = std::chrono::milliseconds(100);
  made.plan.start.load = std::chrono::milliseconds(200);
  made.plan.start.weight_bytes = random.below(2) * 100'000'000;
  // Streams at once, times the steps of each, is what a request takes of a node.
  const double streams =
      std::min<double>(made.plan.batcher.sequences_max, equal.kv_blocks * 16.0 / (shape.input_max / 2.0 + shape.output_max / 2.0));
  made.mean_gap_ns = step_us * 1500.0 * (shape.output_max / 2.0) / streams / shape.nodes / shape.load;
  made.options.seed = seed;
  const auto span = static_cast<std::uint64_t>(made.mean_gap_ns * shape.requests);
  const auto fault = [&](FaultKind kind, std::uint32_t count, std::uint32_t lasts_ms_max) {
    for (std::uint32_t i = 0; i < count; ++i) {
      Fault f;
      f.kind = kind;
      f.at = core::Duration(static_cast<std::int64_t>(random.below(span + 1)));
      f.nodes = {made.plan.nodes[random.below(shape.nodes)].name};
      f.lasts = std::chrono::milliseconds(between(random, 50, lasts_ms_max));
      f.percent = between(random, 50, 400);
      made.options.faults.push_back(std::move(f));
    }
  };
  fault(FaultKind::kill, shape.kills, 1500);
  fault(FaultKind::fail_worker, shape.worker_failures, 1000);
  fault(FaultKind::slow, shape.slow_nodes, 2000);
  fault(FaultKind::partition, shape.partitions, 1500);
  fault(FaultKind::drain, shape.drains, 2000);
  if (random.below(2) == 0) made.plan.network.client_latency = std::chrono::microseconds(between(random, 100, 4000));
  const std::uint32_t overhead_us = random.below(2) == 0 ? 0 : between(random, 50, 3000);
  for (auto& node : made.plan.nodes) {
    for (auto& replica : node.replicas) replica.overhead = std::chrono::microseconds(overhead_us);
  }
  return made;
}

}  // namespace spillway::sim::test
