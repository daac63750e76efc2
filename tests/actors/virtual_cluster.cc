#include "tests/actors/virtual_cluster.h"

#include <boost/test/unit_test.hpp>

#include "actors/devices.h"

namespace spillway::tests {

namespace {

config::Cluster make_cluster(const VirtualOptions& options) {
  config::Cluster cluster;
  config::Model paced;
  paced.name = "paced";
  paced.id = core::model_id(paced.name);
  paced.kind = config::ModelKind::paced;
  paced.paced.step_us = 10000;
  paced.paced.decode_token_us = 100;
  paced.paced.page_bytes = VirtualCluster::page_bytes;
  cluster.models.emplace(paced.name, paced);
  for (int i = 0; i < options.nodes; ++i) {
    config::Node node;
    node.name = "node-" + std::to_string(i);
    node.id = core::node_id(node.name);
    node.kv_blocks = options.blocks;
    node.models = {paced.name};
    cluster.nodes.push_back(node);
  }
  config::Tenant tenant;
  tenant.name = "default";
  tenant.id = core::tenant_id(tenant.name);
  cluster.tenants.emplace(tenant.name, tenant);
  cluster.limits.bulk_bandwidth_max_bytes_per_s = options.bulk_bytes_per_second;
  return cluster;
}

net::MemoryNetworkOptions network_options(const VirtualOptions& options) {
  net::MemoryNetworkOptions made;
  made.seed = options.seed;
  made.faults = options.faults;
  return made;
}

}  // namespace

VirtualCluster::Config::Config() {
  set("scheduler.policy", caf::atom("testing"));
  actors::register_types<caf::id_block::spillway>(*this);
}

VirtualCluster::VirtualCluster(const VirtualOptions& options)
    : options_(options), cluster_(make_cluster(options)), network_(network_options(options)), random_(options.seed) {
  system_ = std::make_unique<caf::actor_system>(config_);
  scheduler_ = dynamic_cast<caf::scheduler::test_coordinator*>(&system_->scheduler());
  BOOST_REQUIRE(scheduler_ != nullptr);
  begin_ = now();
  network_.set_now(begin_);
  members_.resize(cluster_.nodes.size());
  for (std::size_t i = 0; i < members_.size(); ++i) start(i);
  run_for(std::chrono::milliseconds(400));
}

VirtualCluster::~VirtualCluster() {
  for (auto& member : members_) {
    if (member.parts) member.parts->stop();
  }
  drain();
  members_.clear();
  system_.reset();
}

void VirtualCluster::start(std::size_t index) {
  Member& member = members_[index];
  const auto& node = cluster_.nodes[index];
  member.transport = network_.attach(node.id);
  member.listener = network_.attach_listener(node.id);
  for (const auto& peer : cluster_.nodes) {
    if (peer.id != node.id) member.transport->set_peer(peer.id, {});
  }
  actors::NodePlan plan;
  plan.cluster = &cluster_;
  plan.node = &node;
  plan.incarnation = {options_.seed * 1000 + incarnations_++};
  plan.session_seed = plan.incarnation.value * 77;
  plan.transport = member.transport.get();
  plan.listener = member.listener.get();
  plan.load = actors::device_factory(cluster_, node);
  plan.models = *actors::routed_models(cluster_);
  plan.tenants = {{"default", core::tenant_id("default"), core::TenantSecret{}}};
  plan.detached_workers = false;
  member.parts = actors::NodeParts::start(*system_, plan);
}

core::Instant VirtualCluster::now() const {
  return core::Instant{std::chrono::duration_cast<core::Duration>(scheduler_->clock().current_time.time_since_epoch())};
}

core::Duration VirtualCluster::elapsed() const {
  return now() - begin_;
}

void VirtualCluster::drain() {
  auto& jobs = scheduler_->jobs;
  while (!jobs.empty()) {
    std::swap(jobs.front(), jobs[random_() % jobs.size()]);
    scheduler_->try_run_once();
  }
}

bool VirtualCluster::run_until(const std::function<bool()>& done, core::Duration limit) {
  const core::Instant end = now() + limit;
  drain();
  while (!done()) {
    if (now() >= end) return false;
    // To the next delivery, but no further than actors' own timers are fine.
    const core::Instant next = std::clamp(network_.next_due(), now() + std::chrono::microseconds(20), now() + std::chrono::milliseconds(1));
    scheduler_->advance_time(next - now());
    drain();
    network_.deliver_due(next);
    drain();
  }
  return true;
}

void VirtualCluster::run_for(core::Duration time) {
  const core::Instant end = now() + time;
  run_until([&] { return now() >= end; }, time * 2);
}

std::unique_ptr<net::ClientConnection> VirtualCluster::connect(int node, std::function<void(core::ClientMessage&&)> take) {
  net::ClientConnectionOptions options;
  options.hello.client = {random_()};
  net::ClientConnection::Callbacks callbacks;
  callbacks.on_message = std::move(take);
  callbacks.on_gone = [](const core::Error&) {};
  return network_.connect_client(this->node(node), std::move(options), std::move(callbacks));
}

std::unique_ptr<net::ClientConnection> VirtualCluster::ask(int node, const core::Submit& submit, Answer& answer,
                                                           std::function<void(const core::ClientMessage&)> other) {
  auto connection = connect(node, [&answer, other](core::ClientMessage&& message) {
    if (std::holds_alternative<core::Accepted>(message)) {
      answer.accepted = true;
    } else if (const auto* delta = std::get_if<core::Delta>(&message)) {
      auto& tokens = answer.tokens[delta->choice];
      answer.out_of_order += delta->first_index != tokens.size();
      for (const auto& token : delta->tokens) tokens.push_back(token.token);
      answer.texts[delta->choice] += delta->text;
      if (delta->finish != core::FinishReason::none) answer.finish[delta->choice] = delta->finish;
    } else if (const auto* finished = std::get_if<core::Finished>(&message)) {
      answer.finished = *finished;
      answer.done = true;
    } else if (const auto* failed = std::get_if<core::Failed>(&message)) {
      answer.failure = failed->reason;
      answer.done = true;
    } else if (other) {
      other(message);
    }
  });
  connection->send(submit);
  return connection;
}

void VirtualCluster::crash(int index) {
  Member& member = members_[static_cast<std::size_t>(index)];
  network_.break_clients(node(index));
  member.parts->stop();
  member.transport.reset();
  member.listener.reset();
  drain();
  member.parts.reset();
}

void VirtualCluster::restart(int index) {
  start(static_cast<std::size_t>(index));
}

core::StatusReply VirtualCluster::status(int node) {
  core::StatusReply reply;
  bool got = false;
  auto connection = connect(node, [&](core::ClientMessage&& message) {
    if (const auto* status = std::get_if<core::StatusReply>(&message)) {
      reply = *status;
      got = true;
    }
  });
  connection->send(core::StatusRequest{1});
  run_until([&] { return got; }, std::chrono::seconds(2));
  return reply;
}

}  // namespace spillway::tests
