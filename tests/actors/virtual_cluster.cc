#include "tests/actors/virtual_cluster.h"

#include <boost/test/unit_test.hpp>

#include <stdexcept>

#include "actors/batcher_actor.h"
#include "actors/cache_actor.h"
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
  if (options.configure) options.configure(cluster);
  return cluster;
}

/// Between a node's link and the network.
class WatchedTransport final : public net::Transport {
 public:
  using OnSend = std::function<core::MessagePtr(const core::Envelope&)>;
  WatchedTransport(std::unique_ptr<net::Transport> below, OnSend on_send) : below_(std::move(below)), on_send_(std::move(on_send)) {}

  void send(core::Envelope envelope) override {
    if (envelope.kind == core::EnvelopeKind::data) envelope.message = on_send_(envelope);
    if (envelope.kind != core::EnvelopeKind::data || envelope.message) below_->send(std::move(envelope));
  }
  void set_receiver(Receiver receiver) override { below_->set_receiver(std::move(receiver)); }
  void set_peer(core::NodeId peer, net::PeerAddress address) override { below_->set_peer(peer, std::move(address)); }
  void stop() override { below_->stop(); }

 private:
  std::unique_ptr<net::Transport> below_;
  OnSend on_send_;
};

class FailingDevice final : public model::Device {
 public:
  FailingDevice(std::unique_ptr<model::Device> device, std::function<bool()> fails)
      : device_(std::move(device)), fails_(std::move(fails)) {}

  const core::ReplicaInfo& info() const override { return device_->info(); }
  core::Result<core::StepResult> execute(const core::StepPlan& plan) override {
    if (fails_()) throw std::runtime_error("told to fail");
    return device_->execute(plan);
  }
  bool paced() const override { return device_->paced(); }
  void read_rows(core::BlockId block, std::uint32_t first, std::uint32_t rows, core::MutableBytes out) override {
    device_->read_rows(block, first, rows, out);
  }
  void write_rows(core::BlockId block, std::uint32_t first, std::uint32_t rows, core::Bytes in) override {
    device_->write_rows(block, first, rows, in);
  }

 private:
  std::unique_ptr<model::Device> device_;
  std::function<bool()> fails_;
};

/// Sends as an actor does, and is none: for shell.h's deliver.
struct Outsider {
  template <class Dest, class Message>
  void send(const Dest& dest, Message&& message) {
    actors::tell_anon(dest, std::forward<Message>(message));
  }
};

/// State of an actor; the test's thread is the only one there is.
template <class Shell, class Handle>
const Shell& shell_of(const Handle& handle) {
  const auto* self = dynamic_cast<typename Handle::template stateful_pointer<Shell>>(caf::actor_cast<caf::abstract_actor*>(handle));
  BOOST_REQUIRE(self != nullptr);
  return self->state;
}

std::string left_over(const actors::Wiring& wiring, core::Instant now) {
  std::string left;
  const auto add = [&](const char* what, std::uint64_t count) {
    if (count > 0) left += std::string(" ") + what + " " + std::to_string(count);
  };
  const auto& cache = *shell_of<actors::CacheShell>(wiring.cache).core;
  cache.check();
  add("exports", cache.exports());
  add("imports", cache.imports());
  if (wiring.router) add("owned streams", shell_of<actors::RouterShell>(wiring.router).core->streams());
  for (const auto& handle : wiring.batchers) {
    const auto& batcher = shell_of<actors::BatcherShell>(handle);
    if (!batcher.core) continue;
    batcher.core->check();
    const auto report = batcher.core->report(now);
    add("streams", report.streams);
    add("queued", report.queued);
    add("blocks used", report.blocks_used);
    add("blocks neither free nor evictable", report.blocks_total - report.blocks_free);
    add("batchers not idle", batcher.core->idle() ? 0 : 1);
  }
  return left;
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
  if (options_.on_send) member.transport = std::make_unique<WatchedTransport>(std::move(member.transport), options_.on_send);
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
  plan.listener = node.has(config::Role::router) ? member.listener.get() : nullptr;
  plan.load = actors::device_factory(cluster_, node);
  if (options_.device_fails) {
    plan.load = [load = plan.load, fails = [ask = options_.device_fails, index] { return ask(static_cast<int>(index)); }](
                    std::uint32_t replica) -> core::Result<std::unique_ptr<model::Device>> {
      auto device = load(replica);
      if (!device) return device;
      return std::make_unique<FailingDevice>(std::move(*device), fails);
    };
  }
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
    for (; !later_.empty() && later_.begin()->first <= now(); drain()) {
      const auto then = std::move(later_.begin()->second);
      later_.erase(later_.begin());
      then();
    }
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
                                                           const std::function<void(const core::ClientMessage&)>& other) {
  auto connection = connect(node, [&answer, other](core::ClientMessage&& message) {
    if (const auto* accepted = std::get_if<core::Accepted>(&message)) {
      answer.accepted = *accepted;
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

void VirtualCluster::after(core::Duration delay, std::function<void()> then) {
  later_.emplace(now() + delay, std::move(then));
}

bool VirtualCluster::deliver(core::NodeId to, core::NodeId from, const core::MessagePtr& message) {
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (cluster_.nodes[i].id != to || !members_[i].parts) continue;
    Outsider outsider;
    actors::deliver(&outsider, members_[i].parts->wiring(), from, message);
    return true;
  }
  return false;
}

std::string VirtualCluster::left_over() const {
  std::string left;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (!members_[i].parts) continue;
    const auto of_node = tests::left_over(members_[i].parts->wiring(), now());
    if (!of_node.empty()) left += " " + cluster_.nodes[i].name + ":" + of_node;
  }
  return left;
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
