// spillway sim run: a cluster in virtual time
#include "app/sim_run_command.h"

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>

#include "cluster-config/load.h"
#include "sim/event_generator_spec.h"
#include "sim/profile.h"
#include "sim/run_summary.h"
#include "sim/trace_reader.h"
#include "sim/trace_servegen.h"
#include "sim/workload_scaling.h"

namespace spillway::app {

namespace {

core::Result<sim::LoadedWorkload> workload_of(const SimRunOptions& options, const sim::Scenario& scenario) {
  const std::string& event = options.event.empty() && options.trace.empty() ? scenario.event : options.event;
  const std::string& trace = options.event.empty() && options.trace.empty() ? scenario.workload : options.trace;
  core::Result<sim::LoadedWorkload> loaded = core::fail(core::Errc::bad_argument,
                                                        "no workload: want --trace with --format, --event, or a "
                                                        "scenario that names one");
  if (!event.empty()) {
    const auto spec = sim::load_event(event);
    if (!spec) return tl::make_unexpected(config::to_error(spec.error()));
    auto made = sim::generate_event(*spec, options.seed);
    if (!made) return core::fail(made.error().code, event + ": " + made.error().message);
    loaded = sim::LoadedWorkload{std::move(*made), {}};
  } else if (!trace.empty()) {
    const auto format = sim::parse_trace_format(options.trace.empty() ? scenario.format : options.format);
    if (!format) return core::fail(core::Errc::bad_argument, "--format " + options.format + " is no format of a trace");
    if (*format == sim::TraceFormat::servegen) {
      sim::ServeGenOptions servegen;
      servegen.seed = options.seed;
      loaded = sim::load_servegen(trace, servegen);
    } else {
      loaded = sim::load_trace(trace, *format);
    }
  }
  if (!loaded || !options.spread_ms) return loaded;
  auto spread = sim::spread(loaded->workload, *options.spread_ms, options.seed);
  if (!spread) return tl::make_unexpected(spread.error());
  loaded->workload = std::move(spread->workload);
  loaded->notes.push_back(std::move(spread->note.text));
  return loaded;
}

core::Result<sim::ClusterPlan> plan_of(const SimRunOptions& options, const sim::Scenario& scenario) {
  std::optional<sim::StepCost> profile;
  if (!options.profile.empty()) {
    auto read = sim::read_profile(options.profile, options.layers);
    if (!read) return tl::make_unexpected(read.error());
    profile.emplace().tables = std::make_shared<const sim::CostModel>(std::move(read->costs));
  }
  auto policy = core::PlacementPolicy::additive;
  if (!options.policy.empty() && !core::parse_placement_policy(options.policy, policy))
    return core::fail(core::Errc::bad_argument, "--policy " + options.policy + " is no policy of placement");
  if (options.file.empty()) {
    sim::EqualNodes equal;
    equal.nodes = options.nodes.value_or(1);
    equal.kv_blocks = options.kv_blocks.value_or(equal.kv_blocks);
    equal.policy = policy;
    equal.profile = profile;
    return sim::plan_of(equal, scenario);
  }
  const auto cluster = config::load_cluster(options.file);
  if (!cluster) return tl::make_unexpected(config::to_error(cluster.error()));
  auto plan = sim::plan_of(*cluster, scenario, profile);
  if (plan && !options.policy.empty()) plan->router.placement.policy = policy;
  return plan;
}

core::Result<sim::Scenario> scenario_of(const SimRunOptions& options) {
  if (options.scenario.empty()) return sim::Scenario{};
  auto scenario = sim::load_scenario(options.scenario);
  if (!scenario) return tl::make_unexpected(config::to_error(scenario.error()));
  return std::move(*scenario);
}

/// Wall time and memory: what no two runs share.
void tell_timings(const SimRunOptions& options, const sim::ClusterOutcome& outcome, double seconds, std::ostream& errors) {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const std::string text = "{\"wall_seconds\":" + std::to_string(seconds) +
                           ",\"peak_rss_bytes\":" + std::to_string(static_cast<std::uint64_t>(usage.ru_maxrss) * 1024) +
                           ",\"events\":" + std::to_string(outcome.counts.events) + "}";
  if (options.timings.empty()) {
    if (!options.json) errors << "simulated in " << seconds << " s\n";
    return;
  }
  std::ofstream file(options.timings);
  file << text << '\n';
  if (!file) errors << "spillway: " << options.timings << " cannot be written\n";
}

void check_use(const SimRunOptions& options) {
  if (!options.file.empty() && (options.nodes || options.kv_blocks))
    throw CLI::ValidationError("--nodes and --kv-blocks stand in for a cluster file: leave them or FILE out");
  if (!options.trace.empty() && options.format.empty()) throw CLI::RequiredError("--format of the trace");
  if (!options.trace.empty() && !options.event.empty()) throw CLI::ValidationError("want --trace or --event, not both");
  if (options.trace.empty() && options.event.empty() && options.scenario.empty())
    throw CLI::RequiredError("--trace with --format, --event SPEC, or --scenario FILE");
}

}  // namespace

int sim_run(const SimRunOptions& options, std::ostream& out, std::ostream& errors) {
  const auto failed = [&errors](const core::Error& error) {
    errors << "spillway: " << error.message << '\n';
    return 1;
  };
  const auto scenario = scenario_of(options);
  if (!scenario) return failed(scenario.error());
  auto plan = plan_of(options, *scenario);
  if (!plan) return failed(plan.error());
  const auto loaded = workload_of(options, *scenario);
  if (!loaded) return failed(loaded.error());
  plan->notes.insert(plan->notes.end(), loaded->notes.begin(), loaded->notes.end());
  sim::ClusterOptions how;
  how.seed = options.seed;
  how.jumps = !options.single_steps;
  how.check = options.check;
  how.faults = scenario->faults;
  const auto began = std::chrono::steady_clock::now();
  sim::WorkloadSource source(loaded->workload);
  sim::Cluster cluster(*plan, how);
  const auto outcome = cluster.run(source);
  if (!outcome) return failed(outcome.error());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const auto summary = sim::summarise(*outcome, scenario->slos);
  out << (options.json ? sim::to_json(summary, *outcome, options.seed) + "\n" : sim::to_table(summary, *outcome, options.seed));
  tell_timings(options, *outcome, seconds, errors);
  return 0;
}

void add_sim_run(CLI::App& sim, Run& run) {
  const auto options = std::make_shared<SimRunOptions>();
  auto* command = sim.add_subcommand("run",
                                     "Run a cluster in virtual time: the cores that decide in production, devices that take the time "
                                     "that a table says, a network, faults");
  command->add_option("FILE", options->file, "Cluster file; without it equal nodes");
  command->add_option("--scenario", options->scenario, "TOML: workload, network, faults, prices, objectives")->type_name("FILE");
  command->add_option("--trace", options->trace, "Workload; for servegen the prefix of its three files")->type_name("FILE");
  command->add_option("--format", options->format, "azure, mooncake, burstgpt, bailian, servegen, native or vllm")
      ->check(CLI::IsMember({"azure", "mooncake", "burstgpt", "bailian", "servegen", "native", "vllm"}));
  command->add_option("--event", options->event, "TOML file of a live event, instead of a trace")->type_name("SPEC");
  command->add_option("--nodes", options->nodes, "Equal nodes, without FILE (default 1)")->check(CLI::Range(1U, 100'000U));
  command->add_option("--kv-blocks", options->kv_blocks, "KV blocks of 16 tokens of each, without FILE (default 4096)")
      ->check(CLI::Range(1U, 1U << 26U));
  command->add_option("--profile", options->profile, "Folder of measured tables, for every model")->type_name("DIR");
  command->add_option("--layers", options->layers, "Layers of the profile's model; default: by its name")->check(CLI::Range(1U, 1024U));
  std::vector<std::string> names;
  for (const auto name : core::placement_policy_names()) names.emplace_back(name);
  command->add_option("--policy", options->policy, "How routers choose replicas; default: the file's, else additive")
      ->check(CLI::IsMember(names));
  command->add_option("--spread-ms", options->spread_ms, "Spread requests with equal stamps over this many milliseconds")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{86'400'000}));
  command->add_option("--seed", options->seed, "Seed of all that is drawn (default 1)");
  command->add_flag("--single-steps", options->single_steps, "Take every step on its own: the same results, slower");
  command->add_flag("--check", options->check, "Check the invariants of every core after every event: slower");
  command->add_option("--timings", options->timings, "Write wall time and memory here, as JSON")->type_name("FILE");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &run] {
    check_use(*options);
    run = [options] { return sim_run(*options, std::cout, std::cerr); };
  });
}

}  // namespace spillway::app
