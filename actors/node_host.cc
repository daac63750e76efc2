#include "actors/node_host.h"

#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <set>

#include "actors/devices.h"
#include "actors/node_parts.h"
#include "cluster-config/core_limits.h"
#include "cluster-config/secrets.h"
#include "core/digest.h"
#include "core/log.h"
#include "decisions/log_file.h"
#include "net/zmq_loop.h"

namespace spillway::actors {

namespace {

struct SystemConfig : caf::actor_system_config {
  SystemConfig() {
    register_types<caf::id_block::spillway>(*this);
    // Few coarse actors and no polling: see the measurements in docs/adr/0001.
    set("scheduler.policy", caf::atom("sharing"));
    set("scheduler.max-threads", static_cast<std::size_t>(2));
  }
};

std::string endpoint(const std::string& address, std::uint16_t port) {
  return "tcp://" + address + ":" + std::to_string(port);
}

std::array<std::string, 3> lane_endpoints(const std::string& address, const config::Ports& ports) {
  return {endpoint(address, ports.control), endpoint(address, ports.token), endpoint(address, ports.bulk)};
}

net::ClientRights rights(const std::string& name, const std::vector<std::string>& tenants, bool operator_rights) {
  return {name, tenants, operator_rights};
}

/// Who may speak to this node, and as whom.
core::Result<void> add_security(const config::Cluster& cluster, const config::Node& node, net::ZmqLoopOptions& options) {
  if (cluster.security.curve) {
    auto keys = config::node_keys(node);
    if (!keys) return tl::make_unexpected(keys.error());
    options.keys = {keys->public_key, keys->secret_key};
    for (const auto& peer : cluster.nodes) {
      if (!peer.public_key.empty()) options.nodes.emplace(peer.public_key, peer.id);
    }
    for (const auto& client : cluster.security.clients) {
      options.clients.emplace(client.public_key, rights(client.name, client.tenants, client.operator_rights));
    }
  }
  for (const auto& token : cluster.security.tokens) {
    auto text = config::token_text(token);
    if (!text) return tl::make_unexpected(text.error());
    options.tokens.emplace(*text, rights(token.name, token.tenants, token.operator_rights));
  }
  return {};
}

core::Result<net::ZmqLoopOptions> loop_options(const config::Cluster& cluster, const config::Node& node, bool embedded) {
  net::ZmqLoopOptions options;
  options.self = node.id;
  options.name = node.name;
  const std::string bind = node.bind.empty() ? node.address : node.bind;
  if (embedded) {
    options.client_bind = "tcp://127.0.0.1:*";
  } else {
    options.bind = lane_endpoints(bind, node.ports);
    if (node.has(config::Role::router)) options.client_bind = endpoint(bind, node.ports.client);
  }
  options.message_bytes_max = cluster.limits.message_bytes_max;
  options.frame_bytes_max = cluster.limits.frame_bytes_max;
  options.clients_max = cluster.limits.clients_max;
  options.client_ping_interval = cluster.timings.client_ping_interval;
  options.client_silence_max = cluster.timings.client_silence_max;
  if (auto added = add_security(cluster, node, options); !added) return tl::make_unexpected(added.error());
  return options;
}

core::Result<std::vector<RoutedTenant>> routed_tenants(const config::Cluster& cluster) {
  std::vector<RoutedTenant> tenants;
  for (const auto& [name, tenant] : cluster.tenants) {
    auto secret = config::tenant_secret(cluster, tenant);
    if (!secret) return tl::make_unexpected(secret.error());
    RoutedTenant& routed = tenants.emplace_back(RoutedTenant{name, tenant.id, *secret, tenant.classes.bits, {}});
    for (const auto& rung : tenant.rungs) {
      if (rung.kind == core::Rung::Kind::model) routed.ladder_models.push_back(rung.model_id);
    }
  }
  // A client that names no tenant is the default one, where there is one.
  std::stable_sort(tenants.begin(), tenants.end(),
                   [](const auto& a, const auto& b) { return (a.name == "default") > (b.name == "default"); });
  return tenants;
}

}  // namespace

struct NodeHost::Impl {
  HostOptions options;
  const config::Node* node = nullptr;
  std::unique_ptr<net::ZmqLoop> loop;
  std::shared_ptr<decisions::LogFile> decision_log;
  SystemConfig system_config;
  std::unique_ptr<caf::actor_system> system;
  std::unique_ptr<NodeParts> parts;

  std::mutex mutex;
  std::condition_variable changed;
  std::set<std::uint32_t> ready;  // replicas that serve
  std::string failure;
  std::set<core::NodeId> linked;
  std::uint32_t loading = 0;  // replicas
  bool stopping = false;      // nothing begins to load any more

  core::Result<void> open();
  core::Result<NodePlan> plan();
  core::Result<std::unique_ptr<model::Device>> load(const DeviceFactory& factory, std::uint32_t replica);
};

/// On the thread of the replica's worker.
core::Result<std::unique_ptr<model::Device>> NodeHost::Impl::load(const DeviceFactory& factory, std::uint32_t replica) {
  {
    const std::lock_guard lock(mutex);
    if (stopping) return core::fail(core::Errc::cancelled, "the node is stopping");
    ++loading;
  }
  struct Done {
    Impl& host;
    ~Done() {
      const std::lock_guard lock(host.mutex);
      --host.loading;
      host.changed.notify_all();
    }
  } const done{*this};
  if (options.on_load) options.on_load(replica);
  return factory(replica);
}

core::Result<void> NodeHost::Impl::open() {
  node = options.cluster.node(options.node);
  if (node == nullptr) {
    return core::fail(core::Errc::unknown_node,
                      "no node '" + options.node + "' in " + options.cluster.file.string() + ": give one of its names");
  }
  auto made = plan();
  if (!made) return tl::make_unexpected(made.error());
  auto loop_wish = loop_options(options.cluster, *node, options.embedded);
  if (!loop_wish) return tl::make_unexpected(loop_wish.error());
  auto opened = net::ZmqLoop::open(std::move(*loop_wish));
  if (!opened) return tl::make_unexpected(opened.error());
  loop = std::move(*opened);
  for (const auto& peer : options.cluster.nodes) {
    if (peer.id != node->id) loop->transport().set_peer(peer.id, {lane_endpoints(peer.address, peer.ports), peer.public_key});
  }
  made->transport = &loop->transport();
  made->listener = node->has(config::Role::router) ? &loop->clients() : nullptr;
  if (!options.decision_log.empty()) {
    const decisions::LogHead head{SPILLWAY_VERSION, decisions::schema_shape(), node->name,
                                  node->id,         made->incarnation,         options.decision_log_answers};
    auto log = decisions::LogFile::create(options.decision_log, head);
    if (!log) return tl::make_unexpected(log.error());
    made->decision_log = decision_log = std::move(*log);
    core::log_info("logging decisions to " + decision_log->name());
  }
  system = std::make_unique<caf::actor_system>(system_config);
  parts = NodeParts::start(*system, *made);
  return {};
}

core::Result<NodePlan> NodeHost::Impl::plan() {
  NodePlan made;
  made.cluster = &options.cluster;
  made.node = node;
  made.incarnation = {core::random_u64()};
  made.pid = static_cast<std::uint32_t>(::getpid());
  made.session_seed = core::random_u64();
  made.load = [this, factory = device_factory(options.cluster, *node)](std::uint32_t replica) { return load(factory, replica); };
  if (node->has(config::Role::router)) {
    auto models = routed_models(options.cluster);
    if (!models) return tl::make_unexpected(models.error());
    made.models = std::move(*models);
    auto tenants = routed_tenants(options.cluster);
    if (!tenants) return tl::make_unexpected(tenants.error());
    made.tenants = std::move(*tenants);
  }
  if (!options.embedded) {
    for (const auto& peer : options.cluster.nodes) {
      if (peer.has(config::Role::router)) made.endpoints.push_back(endpoint(peer.address, peer.ports.client));
    }
  }
  made.on_ready = [this](std::uint32_t replica, const core::ReplicaInfo& info) {
    if (options.on_ready) options.on_ready(replica, info);
    const std::lock_guard lock(mutex);
    ready.insert(replica);
    changed.notify_all();
  };
  made.on_failed = [this](std::uint32_t replica, const std::string& reason) {
    const std::lock_guard lock(mutex);
    ready.erase(replica);
    if (failure.empty()) failure = reason;
    changed.notify_all();
  };
  made.on_peer_up = [this](core::NodeId peer) {
    const std::lock_guard lock(mutex);
    linked.insert(peer);
  };
  made.on_drained = options.on_drained;
  return made;
}

core::Result<std::unique_ptr<NodeHost>> NodeHost::start(HostOptions options) {
  auto impl = std::make_unique<Impl>();
  impl->options = std::move(options);
  if (auto opened = impl->open(); !opened) return tl::make_unexpected(opened.error());
  return std::unique_ptr<NodeHost>(new NodeHost(std::move(impl)));
}

NodeHost::NodeHost(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
NodeHost::~NodeHost() {
  stop();
}

core::Result<void> NodeHost::wait_ready(core::Duration timeout) {
  const std::size_t wanted = config::replica_models(*impl_->node).size();
  std::unique_lock lock(impl_->mutex);
  const bool done = impl_->changed.wait_for(lock, timeout, [&] { return impl_->ready.size() >= wanted || !impl_->failure.empty(); });
  if (!impl_->failure.empty() && impl_->ready.size() < wanted) return core::fail(core::Errc::bad_file, impl_->failure);
  if (!done) return core::fail(core::Errc::timeout, "the models of node " + impl_->options.node + " are still loading");
  return {};
}

bool NodeHost::linked() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->linked.size() + 1 >= impl_->options.cluster.nodes.size();
}

std::string NodeHost::client_endpoint() const {
  return impl_->loop->client_endpoint();
}

bool NodeHost::stop(core::Duration loading_max) {
  if (!impl_ || !impl_->system) return true;
  if (impl_->parts) {
    // Network first, so that nothing arrives for actors that are gone.
    impl_->parts->stop();
    impl_->loop->stop();
    impl_->parts.reset();
  }
  {
    std::unique_lock lock(impl_->mutex);
    impl_->stopping = true;
    const auto loaded = [this] { return impl_->loading == 0; };
    if (loading_max == core::Duration::max()) {
      impl_->changed.wait(lock, loaded);
    } else if (!impl_->changed.wait_for(lock, loading_max, loaded)) {
      if (impl_->decision_log) impl_->decision_log->close();
      return false;
    }
  }
  impl_->system.reset();  // waits for its actors
  if (impl_->decision_log) impl_->decision_log->close();
  impl_->loop.reset();
  return true;
}

}  // namespace spillway::actors
