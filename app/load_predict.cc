#include "app/load_predict.h"

#include <utility>

#include "app/sim_inputs.h"
#include "cluster-config/load.h"
#include "sim/cluster.h"
#include "sim/request_source.h"

namespace spillway::app {

namespace {

/// The workload with the names of the cluster; several of its tenants may become one.
sim::Workload renamed(sim::Workload workload, const PredictInputs& inputs, const config::Cluster& cluster) {
  sim::NameTable tenants;
  sim::NameTable models;
  const auto put = [](sim::NameTable& table, const std::string& name, const std::string& first) {
    return table.add(name.empty() ? first : name);
  };
  for (auto& r : workload.requests) {
    r.tenant = put(tenants, inputs.tenants.at(r.tenant), cluster.tenants.begin()->first);
    r.model = put(models, inputs.models.at(r.model), cluster.models.begin()->first);
  }
  workload.tenants = std::move(tenants);
  workload.models = std::move(models);
  return workload;
}

}  // namespace

core::Result<sim::Run> predict_load(const sim::Workload& workload, const PredictInputs& inputs) {
  SimInputs simulated;
  simulated.file = inputs.cluster_file;
  simulated.profile = inputs.profile;
  simulated.scenario = inputs.scenario;
  const auto scenario = read_scenario(simulated);
  if (!scenario) return tl::make_unexpected(scenario.error());
  const auto plan = read_plan(simulated, *scenario);
  if (!plan) return tl::make_unexpected(plan.error());
  const auto cluster = config::load_cluster(inputs.cluster_file);
  if (!cluster) return tl::make_unexpected(config::to_error(cluster.error()));
  const auto same = renamed(workload, inputs, *cluster);
  sim::ClusterOptions options;
  options.seed = inputs.seed;
  options.sample_interval = std::chrono::seconds(1);
  sim::WorkloadSource source(same);
  sim::Cluster virtual_cluster(*plan, options);
  auto outcome = virtual_cluster.run(source);
  if (!outcome) return tl::make_unexpected(outcome.error());
  outcome->run.name = "predicted";
  return std::move(outcome->run);
}

}  // namespace spillway::app
