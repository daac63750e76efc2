#include "actors/node_parts.h"

#include <algorithm>

#include "actors/batcher_actor.h"
#include "actors/cache_actor.h"
#include "actors/client_gate.h"
#include "actors/devices.h"
#include "actors/link_actor.h"
#include "actors/node_actor.h"
#include "cluster-config/core_limits.h"

namespace spillway::actors {

namespace {

// -- From keys of the cluster file ---------------------------------------------------------------------------------------------------

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
    setup.limits = config::link_limits(*plan.cluster);
    setup.session_seed = plan.session_seed ^ (peer.id.value * 0x9e3779b97f4a7c15ULL);
    setup.transmit = [transport = plan.transport](core::Envelope envelope) { transport->send(std::move(envelope)); };
    setup.decision_log = plan.decision_log;
    wiring->links.emplace(peer.id, spawn(system, link_actor, std::move(setup)));
  }
}

void spawn_replicas(caf::actor_system& system, const NodePlan& plan, const std::shared_ptr<Wiring>& wiring) {
  const auto models = config::replica_models(*plan.node);
  for (std::uint32_t i = 0; i < models.size(); ++i) {
    wiring->batchers.push_back(
        spawn(system, batcher_actor,
              BatcherSetup{wiring, i, core::model_id(models[i]), config::batcher_limits(*plan.cluster), plan.decision_log}));
    WorkerSetup setup{wiring, i, plan.load};
    wiring->workers.push_back(plan.detached_workers ? spawn<caf::detached>(system, worker_actor, std::move(setup))
                                                    : spawn(system, worker_actor, std::move(setup)));
  }
  wiring->cache = spawn(system, cache_actor, CacheSetup{wiring, config::cache_limits(*plan.cluster), plan.decision_log});
}

void spawn_router(caf::actor_system& system, const NodePlan& plan, const std::shared_ptr<Wiring>& wiring) {
  RouterSetup setup;
  setup.wiring = wiring;
  setup.name = plan.node->name;
  setup.limits = config::router_limits(*plan.cluster);
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
  setup.roles = config::role_bits(*plan.node);
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
