#include "cluster-config/core_limits.h"

#include <algorithm>

namespace spillway::config {

namespace {

sched::AdmissionPolicy admission_policy(Admission value) {
  switch (value) {
    case Admission::prompt: return sched::AdmissionPolicy::prompt;
    case Admission::growth: return sched::AdmissionPolicy::growth;
    case Admission::past_future: return sched::AdmissionPolicy::past_future;
  }
  return sched::AdmissionPolicy::growth;
}

sched::PlacementRules placement_rules(const Cluster& cluster) {
  const Placement& keys = cluster.placement;
  sched::PlacementRules rules;
  rules.policy = keys.policy;
  rules.sample_above = keys.sample_above;
  rules.sample = keys.sample;
  rules.step_tokens = cluster.limits.step_tokens_max;
  rules.prefix_weight_permille = keys.prefix_weight_percent * 10;
  rules.decode_steps = keys.decode_steps;
  rules.imbalance_requests = keys.cache_aware.imbalance_requests;
  rules.imbalance_permille = keys.cache_aware.imbalance_percent * 10;
  rules.match_permille = keys.cache_aware.match_percent * 10;
  rules.kv_spread_permille = keys.cache_aware.kv_spread_percent * 10;
  rules.kv_use_permille = keys.cache_aware.kv_use_percent * 10;
  rules.overlap_permille = keys.dynamo.overlap_percent * 10;
  rules.credit_permille = keys.dynamo.credit_percent * 10;
  rules.decay_permille = keys.dynamo.decay_percent * 10;
  rules.request_blocks_permille = keys.dynamo.request_percent * 10;
  rules.window = keys.preble.window;
  rules.rebalance_permille = keys.preble.rebalance_percent * 10;
  return rules;
}

sched::MoveLimits move_limits(const Cluster& cluster) {
  const Spill& keys = cluster.spill;
  sched::MoveLimits limits;
  limits.enabled = keys.enabled;
  limits.interval = keys.interval;
  limits.free_low_permille = keys.free_low_percent * 10;
  limits.free_high_permille = keys.free_high_percent * 10;
  limits.exhaustion = keys.exhaustion;
  limits.queue_wait = keys.queue_wait;
  limits.crowd_permille = keys.crowd_percent * 10;
  limits.margin = keys.margin;
  limits.moves_per_stream_max = keys.moves_per_stream_max;
  limits.cool_down = keys.cool_down;
  limits.leaving_max = keys.leaving_max;
  limits.arriving_max = keys.arriving_max;
  limits.given_back_max = keys.given_back_max;
  limits.horizon_tokens = keys.horizon_tokens;
  limits.downtime = keys.downtime;
  limits.bytes_per_second = keys.bandwidth_bytes_per_s;
  limits.interference_permille = keys.interference_percent * 10;
  return limits;
}

sched::PoolRules pool_rules(const Cluster& cluster) {
  sched::PoolRules rules;
  for (const Node& node : cluster.nodes) {
    if (!node.has(Role::worker)) continue;
    if (!node.phases.has(Phase::decode)) rules.prefill.push_back(node.id);
    if (!node.phases.has(Phase::prefill)) rules.decode.push_back(node.id);
  }
  std::sort(rules.prefill.begin(), rules.prefill.end());
  std::sort(rules.decode.begin(), rules.decode.end());
  rules.prompt_tokens_min = cluster.disaggregation.prompt_tokens_min;
  rules.decode_choice = static_cast<sched::DecodeChoice>(cluster.disaggregation.decode_choice);
  rules.tpot_permille = cluster.disaggregation.tpot_percent * 10;
  rules.tpot = {cluster.live.tpot, cluster.interactive.tpot, cluster.batch.tpot};
  return rules;
}

std::map<core::TenantId, sched::TenantRules> tenant_rules(const Cluster& cluster) {
  std::map<core::TenantId, sched::TenantRules> all;
  for (const auto& [name, tenant] : cluster.tenants) {
    if (tenant.tokens_per_second == 0 && tenant.rungs.empty()) continue;
    sched::TenantRules& rules = all[tenant.id];
    rules.bucket = {tenant.tokens_per_second, tenant.burst_tokens};
    rules.ladder = tenant.rungs;
    rules.saturation_permille = tenant.ladder_saturation_percent * 10;
    rules.saturation_step_permille = tenant.ladder_saturation_step_percent * 10;
  }
  return all;
}

}  // namespace

sched::LinkLimits link_limits(const Cluster& cluster) {
  sched::LinkLimits limits;
  limits.heartbeat = cluster.timings.heartbeat_interval;
  limits.suspect_min = cluster.timings.suspect_after;
  limits.dead_after = cluster.timings.dead_after;
  limits.resend = cluster.timings.resend_after;
  limits.resend_max = std::max<core::Duration>(limits.resend, limits.resend_max);
  limits.unacked_messages_max = cluster.limits.link_resend_messages_max;
  limits.credit_bytes = cluster.limits.credit_bytes;
  return limits;
}

sched::BatcherLimits batcher_limits(const Cluster& cluster) {
  sched::BatcherLimits limits;
  limits.step_tokens_max = cluster.limits.step_tokens_max;
  limits.sequences_max = cluster.limits.sequences_max;
  limits.queue_max = cluster.limits.queue_requests_max;
  limits.ageing = cluster.timings.class_ageing;
  limits.admission = admission_policy(cluster.batching.admission);
  limits.growth_blocks = cluster.batching.growth_blocks;
  limits.reserve_blocks = cluster.batching.reserve_blocks;
  limits.hold_max = cluster.spill.enabled ? cluster.spill.hold : core::Duration{0};
  limits.answer_quantile_permille = cluster.batching.answer_quantile_percent * 10;
  limits.token_costs = {cluster.batching.input_token_cost, cluster.batching.output_token_cost};
  limits.tpot = {cluster.live.tpot, cluster.interactive.tpot, cluster.batch.tpot};
  for (const auto& [name, tenant] : cluster.tenants) limits.tenant_weights[tenant.id] = tenant.weight;
  return limits;
}

sched::CacheLimits cache_limits(const Cluster& cluster) {
  sched::CacheLimits limits;
  limits.lease = cluster.timings.lease;
  limits.ask_owner = cluster.timings.ask_owner_interval;
  limits.exports_max = cluster.limits.transfers_max;
  limits.imports_max = cluster.limits.transfers_max;
  limits.frame_bytes_max = static_cast<std::uint32_t>(cluster.limits.frame_bytes_max);
  limits.bulk_bytes_per_second_max = cluster.limits.bulk_bandwidth_max_bytes_per_s;
  limits.unacked_bytes_max = cluster.limits.credit_bytes;
  return limits;
}

sched::RouterLimits router_limits(const Cluster& cluster) {
  sched::RouterLimits limits;
  limits.streams_max = cluster.limits.streams_per_router_max;
  limits.waiting_max = cluster.live.queue_requests_max + cluster.interactive.queue_requests_max + cluster.batch.queue_requests_max;
  limits.tenant_streams_max = cluster.limits.tenant_streams_max;
  limits.output_tokens_max = cluster.limits.output_tokens_max;
  limits.moves_per_link_max = cluster.limits.move_concurrent_max;
  limits.operations_max = cluster.limits.operations_max;
  limits.moves = move_limits(cluster);
  limits.pools = pool_rules(cluster);
  limits.placement = placement_rules(cluster);
  limits.explain = cluster.placement.explain;
  limits.tenants = tenant_rules(cluster);
  return limits;
}

std::uint32_t role_bits(const Node& node) {
  std::uint32_t bits = 0;
  if (node.has(Role::router)) bits |= static_cast<std::uint32_t>(core::Role::router);
  if (node.has(Role::worker)) bits |= static_cast<std::uint32_t>(core::Role::worker);
  if (node.has(Role::gateway)) bits |= static_cast<std::uint32_t>(core::Role::gateway);
  return bits;
}

std::vector<std::string> replica_models(const Node& node) {
  std::vector<std::string> models;
  if (!node.has(Role::worker)) return models;
  for (const auto& model : node.models) models.insert(models.end(), node.replicas, model);
  return models;
}

}  // namespace spillway::config
