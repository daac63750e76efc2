#include "actors/node_parts.h"

#include <algorithm>

#include "actors/batcher_actor.h"
#include "actors/cache_actor.h"
#include "actors/client_gate.h"
#include "actors/devices.h"
#include "actors/link_actor.h"
#include "actors/node_actor.h"

namespace spillway::actors {

namespace {

// -- From keys of the cluster file to limits of the cores ------------------------------------------------------------------------

sched::LinkLimits link_limits(const config::Cluster& cluster) {
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

sched::AdmissionPolicy admission_policy(config::Admission value) {
  switch (value) {
    case config::Admission::prompt: return sched::AdmissionPolicy::prompt;
    case config::Admission::growth: return sched::AdmissionPolicy::growth;
    case config::Admission::past_future: return sched::AdmissionPolicy::past_future;
  }
  return sched::AdmissionPolicy::growth;
}

sched::BatcherLimits batcher_limits(const config::Cluster& cluster) {
  sched::BatcherLimits limits;
  limits.step_tokens_max = cluster.limits.step_tokens_max;
  limits.sequences_max = cluster.limits.sequences_max;
  limits.queue_max = cluster.limits.queue_requests_max;
  limits.ageing = cluster.timings.class_ageing;
  limits.admission = admission_policy(cluster.batching.admission);
  limits.growth_blocks = cluster.batching.growth_blocks;
  limits.reserve_blocks = cluster.batching.reserve_blocks;
  limits.answer_quantile_permille = cluster.batching.answer_quantile_percent * 10;
  limits.token_costs = {cluster.batching.input_token_cost, cluster.batching.output_token_cost};
  limits.tpot = {cluster.live.tpot, cluster.interactive.tpot, cluster.batch.tpot};
  for (const auto& [name, tenant] : cluster.tenants) limits.tenant_weights[tenant.id] = tenant.weight;
  return limits;
}

sched::CacheLimits cache_limits(const config::Cluster& cluster) {
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

sched::PlacementRules placement_rules(const config::Cluster& cluster) {
  const config::Placement& keys = cluster.placement;
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

sched::MoveLimits move_limits(const config::Cluster& cluster) {
  const config::Spill& keys = cluster.spill;
  sched::MoveLimits limits;
  limits.enabled = keys.enabled;
  limits.interval = keys.interval;
  limits.free_low_permille = keys.free_low_percent * 10;
  limits.free_high_permille = keys.free_high_percent * 10;
  limits.exhaustion = keys.exhaustion;
  limits.queue_wait = keys.queue_wait;
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

sched::PoolRules pool_rules(const config::Cluster& cluster) {
  sched::PoolRules rules;
  for (const config::Node& node : cluster.nodes) {
    if (!node.has(config::Role::worker)) continue;
    if (!node.phases.has(config::Phase::decode)) rules.prefill.push_back(node.id);
    if (!node.phases.has(config::Phase::prefill)) rules.decode.push_back(node.id);
  }
  std::sort(rules.prefill.begin(), rules.prefill.end());
  std::sort(rules.decode.begin(), rules.decode.end());
  rules.prompt_tokens_min = cluster.disaggregation.prompt_tokens_min;
  rules.decode_choice = static_cast<sched::DecodeChoice>(cluster.disaggregation.decode_choice);
  rules.tpot_permille = cluster.disaggregation.tpot_percent * 10;
  rules.tpot = {cluster.live.tpot, cluster.interactive.tpot, cluster.batch.tpot};
  return rules;
}

std::map<core::TenantId, sched::TenantRules> tenant_rules(const config::Cluster& cluster) {
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

sched::RouterLimits router_limits(const config::Cluster& cluster) {
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

SubmitLimits submit_limits(const config::Cluster& cluster) {
  return {cluster.limits.prompt_tokens_max, cluster.limits.output_tokens_max,     cluster.limits.choices_max,
          cluster.limits.stop_strings_max,  cluster.limits.stop_string_bytes_max, cluster.limits.logprobs_max};
}

ClientGate::Limits gate_limits(const config::Cluster& cluster) {
  constexpr std::uint32_t operations = 256;
  constexpr std::uint64_t large_messages = 16;
  ClientGate::Limits limits;
  // A client that comes back submits all its streams at once.
  limits.messages_max = cluster.limits.streams_per_router_max + operations;
  limits.bytes_max = large_messages * cluster.limits.message_bytes_max;
  return limits;
}

core::Hello hello(const config::Cluster& cluster, const config::Node& node) {
  core::Hello made;
  made.build = SPILLWAY_VERSION;
  made.name = node.name;
  made.frame_bytes_max = static_cast<std::uint32_t>(cluster.limits.frame_bytes_max);
  made.credit_bytes = cluster.limits.credit_bytes;
  return made;
}

std::map<core::NodeId, std::string> node_names(const config::Cluster& cluster) {
  std::map<core::NodeId, std::string> names;
  for (const auto& node : cluster.nodes) names.emplace(node.id, node.name);
  return names;
}

std::uint32_t role_bits(const config::Node& node) {
  std::uint32_t bits = 0;
  if (node.has(config::Role::router)) bits |= static_cast<std::uint32_t>(core::Role::router);
  if (node.has(config::Role::worker)) bits |= static_cast<std::uint32_t>(core::Role::worker);
  if (node.has(config::Role::gateway)) bits |= static_cast<std::uint32_t>(core::Role::gateway);
  return bits;
}

// -- Spawning --------------------------------------------------------------------------------------------------------------------

void spawn_links(caf::actor_system& system, const NodePlan& plan, const std::shared_ptr<Wiring>& wiring) {
  for (const auto& peer : plan.cluster->nodes) {
    if (peer.has(config::Role::router)) wiring->routers.push_back(peer.id);
    if (peer.id == plan.node->id) continue;
    LinkSetup setup;
    setup.wiring = wiring;
    setup.peer = peer.id;
    setup.peer_name = peer.name;
    setup.hello = hello(*plan.cluster, *plan.node);
    setup.limits = link_limits(*plan.cluster);
    setup.session_seed = plan.session_seed ^ (peer.id.value * 0x9e3779b97f4a7c15ULL);
    setup.transmit = [transport = plan.transport](core::Envelope envelope) { transport->send(std::move(envelope)); };
    setup.decision_log = plan.decision_log;
    wiring->links.emplace(peer.id, spawn(system, link_actor, std::move(setup)));
  }
}

void spawn_replicas(caf::actor_system& system, const NodePlan& plan, const std::shared_ptr<Wiring>& wiring) {
  const auto models = replica_models(*plan.node);
  for (std::uint32_t i = 0; i < models.size(); ++i) {
    wiring->batchers.push_back(
        spawn(system, batcher_actor, BatcherSetup{wiring, i, core::model_id(models[i]), batcher_limits(*plan.cluster), plan.decision_log}));
    WorkerSetup setup{wiring, i, plan.load};
    wiring->workers.push_back(plan.detached_workers ? spawn<caf::detached>(system, worker_actor, std::move(setup))
                                                    : spawn(system, worker_actor, std::move(setup)));
  }
  wiring->cache = spawn(system, cache_actor, CacheSetup{wiring, cache_limits(*plan.cluster), plan.decision_log});
}

void spawn_router(caf::actor_system& system, const NodePlan& plan, const std::shared_ptr<Wiring>& wiring) {
  RouterSetup setup;
  setup.wiring = wiring;
  setup.name = plan.node->name;
  setup.limits = router_limits(*plan.cluster);
  setup.submit = submit_limits(*plan.cluster);
  setup.models = plan.models;
  setup.tenants = plan.tenants;
  setup.nodes = node_names(*plan.cluster);
  setup.endpoints = plan.endpoints;
  setup.send = [listener = plan.listener](sched::ClientRef client, core::ClientMessagePtr message) {
    return listener->send({client.value}, std::move(message));
  };
  setup.decision_log = plan.decision_log;
  wiring->router = spawn(system, router_actor, std::move(setup));
}

void spawn_node(caf::actor_system& system, const NodePlan& plan, const std::shared_ptr<Wiring>& wiring) {
  NodeSetup setup;
  setup.wiring = wiring;
  setup.name = plan.node->name;
  setup.pid = plan.pid;
  setup.roles = role_bits(*plan.node);
  setup.names = node_names(*plan.cluster);
  setup.report_interval = plan.cluster->timings.report_interval;
  setup.backoff.first = plan.cluster->timings.restart_backoff_min;
  setup.backoff.limit = plan.cluster->timings.restart_backoff_max;
  setup.hello = hello(*plan.cluster, *plan.node);
  setup.on_ready = plan.on_ready;
  setup.on_failed = plan.on_failed;
  setup.on_peer_up = plan.on_peer_up;
  setup.on_drained = plan.on_drained;
  wiring->node = spawn(system, node_actor, std::move(setup));
}

void connect(const NodePlan& plan, const std::shared_ptr<const Wiring>& wiring) {
  plan.transport->set_receiver([wiring](core::Envelope&& envelope) {
    const auto link = wiring->links.find(envelope.from);
    if (link != wiring->links.end()) tell_anon(link->second, Inbound{std::make_shared<const core::Envelope>(std::move(envelope))});
  });
  if (plan.listener == nullptr) return;
  net::ClientListener::Callbacks callbacks;
  const auto gate = std::make_shared<ClientGate>(gate_limits(*plan.cluster));
  callbacks.on_message = [gate, listener = plan.listener, router = wiring->router](net::ClientRef client, const net::ClientIdentity& who,
                                                                                   core::ClientMessage&& message) {
    auto ticket = gate->enter(client, message);
    if (ticket) {
      return tell_anon(router, ClientIn{{client.value},
                                        who.tenant,
                                        who.operator_rights,
                                        std::make_shared<const core::ClientMessage>(std::move(message)),
                                        std::move(ticket)});
    }
    if (auto answer = ClientGate::answer(message)) {
      listener->send(client, std::make_shared<const core::ClientMessage>(std::move(*answer)));
    } else {
      listener->close(client, "the client sends more than the router takes");
    }
  };
  callbacks.on_gone = [gate, router = wiring->router](net::ClientRef client, std::string_view) {
    gate->gone(client);
    tell_anon(router, ClientGone{{client.value}});
  };
  plan.listener->set_callbacks(std::move(callbacks));
}

}  // namespace

std::unique_ptr<NodeParts> NodeParts::start(caf::actor_system& system, const NodePlan& plan) {
  auto parts = std::unique_ptr<NodeParts>(new NodeParts);
  const auto wiring = std::make_shared<Wiring>();
  wiring->self = plan.node->id;
  wiring->incarnation = plan.incarnation;
  parts->wiring_ = wiring;
  parts->transport_ = plan.transport;
  parts->listener_ = plan.node->has(config::Role::router) ? plan.listener : nullptr;
  spawn_links(system, plan, wiring);
  spawn_replicas(system, plan, wiring);
  if (parts->listener_ != nullptr) spawn_router(system, plan, wiring);
  spawn_node(system, plan, wiring);

  // Everything is wired; now things may happen.
  connect(plan, wiring);
  for (const auto& worker : wiring->workers) tell_anon(worker, LoadModel{});
  for (const auto& [peer, link] : wiring->links) tell_anon(link, Tick{});
  if (wiring->router) tell_anon(wiring->router, Tick{});
  tell_anon(wiring->cache, Tick{});
  tell_anon(wiring->node, Tick{});
  return parts;
}

void NodeParts::stop() {
  if (!wiring_) return;
  transport_->set_receiver({});
  if (listener_ != nullptr) listener_->set_callbacks({});
  const auto end = [](const auto& actor) {
    if (actor) tell_exit(actor);
  };
  end(wiring_->node);
  end(wiring_->router);
  for (const auto& batcher : wiring_->batchers) end(batcher);
  end(wiring_->cache);
  for (const auto& worker : wiring_->workers) end(worker);
  for (const auto& [peer, link] : wiring_->links) end(link);
  wiring_.reset();
}

}  // namespace spillway::actors
