#include "sim/cluster_plan.h"

#include <algorithm>
#include <map>

#include "cluster-config/core_limits.h"

namespace spillway::sim {

namespace {

constexpr core::Duration no_limit = std::chrono::hours(24 * 365 * 10);
constexpr std::uint32_t context_unlimited = 1U << 30;
constexpr std::uint32_t paced_context_tokens = 8192;  // as the paced device has it, unless the file says more
constexpr std::uint64_t default_page_bytes = 4096;

core::ReplicaInfo info_of(const std::string& model, std::uint32_t blocks, std::uint64_t page_bytes, std::uint32_t context) {
  core::ReplicaInfo info;
  info.model = core::model_id(model);
  info.model_name = model;
  info.kv_id = core::KvId{{core::name_id(model), page_bytes}};
  info.weights_digest = {1, core::name_id(model)};
  info.context_max = context;
  info.page_bytes = page_bytes;
  info.row_bytes = page_bytes / core::block_tokens;
  info.page_format = static_cast<std::uint32_t>(core::PageFormat::raw16);
  info.blocks = blocks;
  info.isa = "sim";
  return info;
}

StepCost paced_cost(const config::PacedCosts& paced) {
  StepCost cost;
  cost.step = std::chrono::microseconds(paced.step_us);
  cost.prompt_row = std::chrono::microseconds(paced.prefill_token_us);
  cost.answer_row = std::chrono::microseconds(paced.decode_token_us);
  cost.context = std::chrono::microseconds(paced.context_us_per_1k);
  return cost;
}

core::Result<ReplicaPlan> replica_of(const config::Cluster& cluster, const config::Node& node, const std::string& name,
                                     const std::optional<StepCost>& profile) {
  const config::Model& model = cluster.models.at(name);
  const bool paced = model.kind == config::ModelKind::paced;
  if (!paced && !profile)
    return core::fail(core::Errc::bad_config,
                      cluster.file.string() + ": models." + name + " is no paced model: want --profile with measured times of its steps");
  const std::uint64_t page = paced ? model.paced.page_bytes : default_page_bytes;
  if (node.kv_blocks == 0 && !paced)
    return core::fail(core::Errc::bad_config, cluster.file.string() + ": kv_blocks of node " + node.name +
                                                  " is not given: want the number of blocks, for the size of a page is the model's");
  const std::uint64_t blocks = node.kv_blocks != 0 ? node.kv_blocks : node.kv_memory_bytes / page;
  if (blocks == 0 || blocks >= core::no_block)
    return core::fail(core::Errc::bad_config, cluster.file.string() + ": node " + node.name + " holds " + std::to_string(blocks) +
                                                  " blocks: want 1 to " + std::to_string(core::no_block - 1));
  ReplicaPlan plan;
  plan.info =
      info_of(name, static_cast<std::uint32_t>(blocks), page, model.context_tokens == 0 ? paced_context_tokens : model.context_tokens);
  plan.info.page_format = static_cast<std::uint32_t>(model.page_format);
  plan.cost = profile ? *profile : paced_cost(model.paced);
  return plan;
}

}  // namespace

namespace {
bool node_matches(const NodePlan& node, const std::string& zone, const std::string& wish) {
  if (wish == "all" || wish == node.name) return true;
  if (wish.starts_with("zone:")) return !zone.empty() && wish.substr(5) == zone;
  return wish.starts_with("prefix:") && node.name.starts_with(wish.substr(7));
}
}  // namespace

std::vector<std::uint32_t> nodes_matching(const ClusterPlan& plan, const std::vector<std::string>& wishes) {
  std::vector<std::uint32_t> found;
  for (std::uint32_t n = 0; n < plan.nodes.size(); ++n) {
    const auto& node = plan.nodes[n];
    const std::string zone = node.zone == 0 ? std::string{} : plan.zone_names[node.zone - 1];
    if (std::any_of(wishes.begin(), wishes.end(), [&](const auto& wish) { return node_matches(node, zone, wish); })) found.push_back(n);
  }
  return found;
}

namespace {

/// Types and faults of the scenario name nodes of the plan.
core::Result<void> apply(const Scenario& scenario, ClusterPlan& plan) {
  const auto known = [&](const std::vector<std::string>& names, const char* what) -> core::Result<void> {
    for (const auto& name : names) {
      if (nodes_matching(plan, {name}).empty())
        return core::fail(core::Errc::bad_config, scenario.file + ": nodes of " + what + ": \"" + name +
                                                      "\" is no node of the cluster: want a name, zone:NAME, prefix:TEXT or all");
    }
    return {};
  };
  for (const auto& type : scenario.types) {
    if (auto fine = known(type.nodes, "a type"); !fine) return tl::make_unexpected(fine.error());
    for (const auto n : nodes_matching(plan, type.nodes)) {
      NodePlan& node = plan.nodes[n];
      node.price_per_hour = type.price_cents_per_hour / 100.0;
      node.idle_watts = type.idle_watts;
      node.busy_watts = type.busy_watts;
      for (auto& replica : node.replicas) {
        replica.percent = type.speed_percent;
        replica.info.tokens_per_step_max = type.tokens_per_step;
        replica.guess_permille = type.guess_permille;
        replica.overhead = type.step_overhead;
      }
    }
  }
  for (const auto& fault : scenario.faults) {
    if (auto fine = known(fault.nodes, "a fault"); !fine) return tl::make_unexpected(fine.error());
  }
  return {};
}

}  // namespace

core::Result<ClusterPlan> plan_of(const config::Cluster& cluster, const Scenario& scenario, const std::optional<StepCost>& profile) {
  ClusterPlan plan;
  plan.router = config::router_limits(cluster);
  plan.batcher = config::batcher_limits(cluster);
  plan.cache = config::cache_limits(cluster);
  plan.report_interval = cluster.timings.report_interval;
  plan.suspect_after = cluster.timings.suspect_after;
  plan.dead_after = cluster.timings.dead_after;
  plan.network = scenario.network;
  plan.start = scenario.start;
  for (const auto& node : cluster.nodes) {
    NodePlan made;
    made.name = node.name;
    made.id = node.id;
    made.roles = config::role_bits(node);
    made.nic_bytes_per_second = scenario.network.nic_bytes_per_second;
    if (!node.zone.empty()) {
      auto at = std::find(plan.zone_names.begin(), plan.zone_names.end(), node.zone);
      if (at == plan.zone_names.end()) at = plan.zone_names.insert(at, node.zone);
      made.zone = static_cast<std::uint32_t>(at - plan.zone_names.begin()) + 1;
    }
    for (const auto& name : config::replica_models(node)) {
      auto replica = replica_of(cluster, node, name, profile);
      if (!replica) return tl::make_unexpected(replica.error());
      made.replicas.push_back(std::move(*replica));
    }
    plan.nodes.push_back(std::move(made));
  }
  if (auto fine = apply(scenario, plan); !fine) return tl::make_unexpected(fine.error());
  if (std::none_of(plan.nodes.begin(), plan.nodes.end(), [](const NodePlan& n) { return n.router(); }))
    return core::fail(core::Errc::bad_config, cluster.file.string() + ": no node has the role router: want one that takes requests");
  return plan;
}

ClusterPlan plan_of(const EqualNodes& equal) {
  ClusterPlan plan;
  plan.router.streams_max = plan.router.waiting_max = plan.router.tenant_streams_max = UINT32_MAX;
  plan.router.output_tokens_max = UINT32_MAX;
  plan.router.waiting_max_time = no_limit;
  plan.router.restarts_max = UINT32_MAX;
  plan.router.placement.policy = equal.policy;
  plan.batcher.queue_max = UINT32_MAX;
  plan.batcher.step_tokens_max = plan.router.placement.step_tokens = config::Limits{}.step_tokens_max;
  const StepCost cost = equal.profile ? *equal.profile : paced_cost({});
  const auto router = static_cast<std::uint32_t>(core::Role::router);
  const auto worker = static_cast<std::uint32_t>(core::Role::worker);
  for (std::uint32_t n = 0; n < equal.nodes; ++n) {
    NodePlan node;
    node.name = "node-" + std::to_string(n + 1);
    node.id = core::node_id(node.name);
    node.roles = worker | (n < equal.routers ? router : 0U);
    node.nic_bytes_per_second = plan.network.nic_bytes_per_second;
    node.replicas.push_back({info_of("default", equal.kv_blocks, default_page_bytes, context_unlimited), cost});
    plan.nodes.push_back(std::move(node));
  }
  return plan;
}

core::Result<ClusterPlan> plan_of(const EqualNodes& equal, const Scenario& scenario) {
  ClusterPlan plan = plan_of(equal);
  plan.network = scenario.network;
  plan.start = scenario.start;
  for (auto& node : plan.nodes) node.nic_bytes_per_second = scenario.network.nic_bytes_per_second;
  if (auto fine = apply(scenario, plan); !fine) return tl::make_unexpected(fine.error());
  return plan;
}

}  // namespace spillway::sim
