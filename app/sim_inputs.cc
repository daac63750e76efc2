#include "app/sim_inputs.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <vector>

#include "cluster-config/load.h"
#include "sim/event_generator_spec.h"
#include "sim/profile.h"
#include "sim/trace_reader.h"
#include "sim/trace_servegen.h"
#include "sim/workload_scaling.h"

namespace spillway::app {

void add_sim_inputs(CLI::App& command, SimInputs& inputs, bool axes) {
  command.add_option("FILE", inputs.file, "Cluster file; without it equal nodes");
  command.add_option("--scenario", inputs.scenario, "TOML: workload, network, faults, prices, objectives")->type_name("FILE");
  command.add_option("--trace", inputs.trace, "Workload; for servegen the prefix of its three files")->type_name("FILE");
  command.add_option("--format", inputs.format, "azure, mooncake, burstgpt, bailian, servegen, native or vllm")
      ->check(CLI::IsMember({"azure", "mooncake", "burstgpt", "bailian", "servegen", "native", "vllm"}));
  command.add_option("--event", inputs.event, "TOML file of a live event, instead of a trace")->type_name("SPEC");
  if (!axes) {
    command.add_option("--nodes", inputs.nodes, "Equal nodes, without FILE (default 1)")->check(CLI::Range(1U, 100'000U));
    std::vector<std::string> names;
    for (const auto name : core::placement_policy_names()) names.emplace_back(name);
    command.add_option("--policy", inputs.policy, "How routers choose replicas; default: the file's, else additive")
        ->check(CLI::IsMember(names));
  }
  command.add_option("--kv-blocks", inputs.kv_blocks, "KV blocks of 16 tokens of each, without FILE (default 4096)")
      ->check(CLI::Range(1U, 1U << 26U));
  command.add_option("--profile", inputs.profile, "Folder of measured tables, for every model")->type_name("DIR");
  command.add_option("--layers", inputs.layers, "Layers of the profile's model; default: by its name")->check(CLI::Range(1U, 1024U));
  command.add_option("--spread-ms", inputs.spread_ms, "Spread requests with equal stamps over this many milliseconds")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{86'400'000}));
}

void check_sim_inputs(const SimInputs& inputs) {
  if (!inputs.file.empty() && (inputs.nodes || inputs.kv_blocks))
    throw CLI::ValidationError("--nodes and --kv-blocks stand in for a cluster file: leave them or FILE out");
  if (!inputs.trace.empty() && inputs.format.empty()) throw CLI::RequiredError("--format of the trace");
  if (!inputs.trace.empty() && !inputs.event.empty()) throw CLI::ValidationError("want --trace or --event, not both");
  if (inputs.trace.empty() && inputs.event.empty() && inputs.scenario.empty())
    throw CLI::RequiredError("--trace with --format, --event SPEC, or --scenario FILE");
}

core::Result<sim::Scenario> read_scenario(const SimInputs& inputs) {
  if (inputs.scenario.empty()) return sim::Scenario{};
  auto scenario = sim::load_scenario(inputs.scenario);
  if (!scenario) return tl::make_unexpected(config::to_error(scenario.error()));
  return std::move(*scenario);
}

core::Result<sim::ClusterPlan> read_plan(const SimInputs& inputs, const sim::Scenario& scenario) {
  std::optional<sim::StepCost> profile;
  if (!inputs.profile.empty()) {
    auto read = sim::read_profile(inputs.profile, inputs.layers);
    if (!read) return tl::make_unexpected(read.error());
    profile.emplace().tables = std::make_shared<const sim::CostModel>(std::move(read->costs));
  }
  auto policy = core::PlacementPolicy::additive;
  if (!inputs.policy.empty() && !core::parse_placement_policy(inputs.policy, policy))
    return core::fail(core::Errc::bad_argument, "--policy " + inputs.policy + " is no policy of placement");
  if (inputs.file.empty()) {
    sim::EqualNodes equal;
    equal.nodes = inputs.nodes.value_or(1);
    equal.kv_blocks = inputs.kv_blocks.value_or(equal.kv_blocks);
    equal.policy = policy;
    equal.profile = profile;
    return sim::plan_of(equal, scenario);
  }
  const auto cluster = config::load_cluster(inputs.file);
  if (!cluster) return tl::make_unexpected(config::to_error(cluster.error()));
  auto plan = sim::plan_of(*cluster, scenario, profile);
  if (plan && !inputs.policy.empty()) plan->router.placement.policy = policy;
  return plan;
}

core::Result<sim::LoadedWorkload> read_workload(const SimInputs& inputs, const sim::Scenario& scenario, std::uint64_t seed) {
  const std::string& event = inputs.event.empty() && inputs.trace.empty() ? scenario.event : inputs.event;
  const std::string& trace = inputs.event.empty() && inputs.trace.empty() ? scenario.workload : inputs.trace;
  core::Result<sim::LoadedWorkload> loaded = core::fail(core::Errc::bad_argument,
                                                        "no workload: want --trace with --format, --event, or a "
                                                        "scenario that names one");
  if (!event.empty()) {
    const auto spec = sim::load_event(event);
    if (!spec) return tl::make_unexpected(config::to_error(spec.error()));
    auto made = sim::generate_event(*spec, seed);
    if (!made) return core::fail(made.error().code, event + ": " + made.error().message);
    loaded = sim::LoadedWorkload{std::move(*made), {}};
  } else if (!trace.empty()) {
    const auto format = sim::parse_trace_format(inputs.trace.empty() ? scenario.format : inputs.format);
    if (!format) return core::fail(core::Errc::bad_argument, "--format " + inputs.format + " is no format of a trace");
    if (*format == sim::TraceFormat::servegen) {
      sim::ServeGenOptions servegen;
      servegen.seed = seed;
      loaded = sim::load_servegen(trace, servegen);
    } else {
      loaded = sim::load_trace(trace, *format);
    }
  }
  if (!loaded || !inputs.spread_ms) return loaded;
  auto spread = sim::spread(loaded->workload, *inputs.spread_ms, seed);
  if (!spread) return tl::make_unexpected(spread.error());
  loaded->workload = std::move(spread->workload);
  loaded->notes.push_back(std::move(spread->note.text));
  return loaded;
}

bool workload_is_drawn(const SimInputs& inputs, const sim::Scenario& scenario) {
  const bool told = !inputs.event.empty() || !inputs.trace.empty();
  return inputs.spread_ms || !(told ? inputs.event : scenario.event).empty() || (told ? inputs.format : scenario.format) == "servegen";
}

}  // namespace spillway::app
