// spillway sim run: a cluster in virtual time
#include "app/sim_run_command.h"

#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>

#include "sim/report.h"
#include "sim/run_summary.h"

namespace spillway::app {

namespace {

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

}  // namespace

int sim_run(const SimRunOptions& options, std::ostream& out, std::ostream& errors) {
  const auto failed = [&errors](const core::Error& error) {
    errors << "spillway: " << error.message << '\n';
    return 1;
  };
  const auto scenario = read_scenario(options);
  if (!scenario) return failed(scenario.error());
  auto plan = read_plan(options, *scenario);
  if (!plan) return failed(plan.error());
  const auto loaded = read_workload(options, *scenario, options.seed);
  if (!loaded) return failed(loaded.error());
  plan->notes.insert(plan->notes.end(), loaded->notes.begin(), loaded->notes.end());
  sim::ClusterOptions how;
  how.seed = options.seed;
  how.jumps = !options.single_steps;
  how.check = options.check;
  how.faults = scenario->faults;
  if (!options.report.empty()) how.sample_interval = std::chrono::seconds(1);
  const auto began = std::chrono::steady_clock::now();
  sim::WorkloadSource source(loaded->workload);
  sim::Cluster cluster(*plan, how);
  auto outcome = cluster.run(source);
  if (!outcome) return failed(outcome.error());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const auto summary = sim::summarise(*outcome, scenario->slos);
  out << (options.json ? sim::to_json(summary, *outcome, options.seed) + "\n" : sim::to_table(summary, *outcome, options.seed));
  tell_timings(options, *outcome, seconds, errors);
  if (!options.report.empty()) {
    outcome->run.name = "simulated";
    outcome->run.slos = scenario->slos;
    sim::ReportOptions report;
    report.title = "Simulated run";
    if (auto written = sim::write_report(options.report, {&outcome->run, 1}, report); !written) return failed(written.error());
  }
  return 0;
}

void add_sim_run(CLI::App& sim, Run& run) {
  const auto options = std::make_shared<SimRunOptions>();
  auto* command = sim.add_subcommand("run",
                                     "Run a cluster in virtual time: the cores that decide in production, devices that take the time "
                                     "that a table says, a network, faults");
  add_sim_inputs(*command, *options, false);
  command->add_option("--seed", options->seed, "Seed of all that is drawn (default 1)");
  command->add_flag("--single-steps", options->single_steps, "Take every step on its own: the same results, slower");
  command->add_flag("--check", options->check, "Check the invariants of every core after every event: slower");
  command->add_option("--timings", options->timings, "Write wall time and memory here, as JSON")->type_name("FILE");
  command->add_option("--report", options->report, "Folder for CSV files and the page report.html")->type_name("DIR");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &run] {
    check_sim_inputs(*options);
    run = [options] { return sim_run(*options, std::cout, std::cerr); };
  });
}

}  // namespace spillway::app
