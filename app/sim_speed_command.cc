// spillway sim speed: requests a minute that this machine simulates
#include "app/sim_speed_command.h"

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <chrono>
#include <iostream>
#include <memory>

#include "sim/cluster.h"
#include "sim/run_summary.h"
#include "sim/speed_source.h"

namespace spillway::app {

namespace {

constexpr std::uint32_t speed_kv_blocks = 2600;
/// Requests per second and node that fill about 70 % of these blocks with the device below.
constexpr double speed_rate = 3.4;
constexpr std::uint32_t nodes_per_router = 1000;

sim::ClusterPlan plan_of(const SimSpeedOptions& options) {
  sim::EqualNodes equal;
  equal.nodes = options.nodes;
  equal.kv_blocks = speed_kv_blocks;
  equal.routers = (options.nodes + nodes_per_router - 1) / nodes_per_router;
  return sim::plan_of(equal);
}

}  // namespace

int sim_speed(const SimSpeedOptions& options, std::ostream& out, std::ostream& errors) {
  const auto began = std::chrono::steady_clock::now();
  const double rate = options.rate > 0 ? options.rate : speed_rate;
  sim::SpeedSource source(options.requests, rate * options.nodes, options.seed);
  sim::ClusterOptions how;
  how.seed = options.seed;
  sim::Cluster cluster(plan_of(options), how);
  const auto outcome = cluster.run(source);
  if (!outcome) {
    errors << "spillway: " << outcome.error().message << '\n';
    return 1;
  }
  const auto summary = sim::summarise(*outcome, {});
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto& counts = outcome->counts;
  const boost::json::object made{
      {"requests_per_minute", static_cast<double>(options.requests) * 60 / seconds},
      {"peak_rss_bytes", static_cast<std::uint64_t>(usage.ru_maxrss) * 1024},
      {"blocks_allocated", counts.blocks_allocated},
      {"prefix_lookups", counts.prefix_lookups},
      {"prefix_hits", counts.prefix_hits},
      {"reports", counts.reports},
      {"flows", counts.flows},
      {"steps", counts.steps},
      {"jumped", counts.jumped},
      {"kv_use_percent",
       counts.kv_samples == 0 ? 0.0 : static_cast<double>(counts.kv_use_permille) / 10 / static_cast<double>(counts.kv_samples)},
      {"nodes", options.nodes},
      {"requests", options.requests},
      {"completed", summary.outcomes[0]},
      {"preemptions", counts.preemptions},
      {"moves", counts.moves},
      {"messages", counts.messages},
      {"events", counts.events},
      {"simulated_seconds", summary.simulated_seconds},
      {"wall_seconds", seconds}};
  if (options.json) {
    out << boost::json::serialize(made) << '\n';
    return 0;
  }
  for (const auto& entry : made) out << entry.key() << ": " << boost::json::serialize(entry.value()) << '\n';
  return 0;
}

void add_sim_speed(CLI::App& sim, Run& run) {
  const auto options = std::make_shared<SimSpeedOptions>();
  auto* command = sim.add_subcommand("speed",
                                     "Measure how many requests a minute this machine simulates on one core, with blocks, prefix "
                                     "cache, reports and network");
  command->add_option("--nodes", options->nodes, "Nodes (default 1000)")->check(CLI::Range(1U, 100'000U));
  command->add_option("--requests", options->requests, "Requests (default 200000)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100'000'000}));
  command->add_option("--rate", options->rate, "Requests per second and node; default: what fills about 70 % of the pools")
      ->check(CLI::Range(0.001, 1000.0));
  command->add_option("--seed", options->seed, "Seed of all that is drawn (default 1)");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &run] { run = [options] { return sim_speed(*options, std::cout, std::cerr); }; });
}

}  // namespace spillway::app
