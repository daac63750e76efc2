// spillway sim sweep: a cluster at every combination of nodes, policy, rate and burst
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "app/client_options.h"
#include "app/parallel_jobs.h"
#include "app/sim_what_if.h"
#include "core/whole_file.h"
#include "sim/report_page.h"

namespace spillway::app {

namespace {

struct SweepFlags {
  WhatIfFlags common;
  std::vector<std::uint32_t> nodes;
  std::vector<std::string> policies;
  std::vector<double> rates{1};
  std::vector<std::uint32_t> bursts{1};
};

core::Result<sim::Sweep> sweep_of(const SweepFlags& flags, std::vector<std::string>& notes) {
  auto input = read_what_if(flags.common, notes);
  if (!input) return tl::make_unexpected(input.error());
  sim::SweepAxes axes;
  axes.nodes = flags.nodes;
  if (axes.nodes.empty()) axes.nodes.push_back(static_cast<std::uint32_t>(input->plan.nodes.size()));
  for (const auto& name : flags.policies) {
    auto policy = core::PlacementPolicy::additive;
    if (!core::parse_placement_policy(name, policy))
      return core::fail(core::Errc::bad_argument, "--policy " + name + " is no policy of placement");
    axes.policies.push_back(policy);
  }
  if (axes.policies.empty()) axes.policies.push_back(input->plan.router.placement.policy);
  axes.rates = flags.rates;
  axes.bursts = flags.bursts;
  axes.seeds = flags.common.seeds;
  axes.first_seed = flags.common.first_seed;
  return sim::Sweep::make(std::move(*input), std::move(axes));
}

int sweep(const SweepFlags& flags) {
  std::vector<std::string> notes;
  const auto made = sweep_of(flags, notes);
  if (!made) return complain(made.error().message);
  std::vector<core::Result<sim::SweepFigures>> done(made->jobs(), core::Result<sim::SweepFigures>(sim::SweepFigures{}));
  ParallelJobs jobs(flags.common.jobs, "runs");
  if (!jobs.run(made->jobs(), [&](std::size_t job) { done[job] = made->run(job); })) return complain("stopped: nothing was written");
  std::vector<sim::SweepFigures> figures;
  for (const auto& one : done) {
    if (!one) return complain(one.error().message);
    figures.push_back(*one);
  }
  const auto cells = made->cells(figures);
  if (!flags.common.report.empty()) {
    const auto written = core::write_whole_files(
        flags.common.report,
        {{"sweep.csv", sim::sweep_csv(cells)}, {"report.html", sim::to_html(sim::sweep_page(cells, made->axes(), notes))}});
    if (!written) return complain(written.error().message);
    std::cerr << "wrote " << flags.common.report << "/report.html and sweep.csv\n";
  }
  std::cout << (flags.common.json ? sim::sweep_json(cells, made->axes()) + "\n" : sim::sweep_csv(cells));
  return 0;
}

}  // namespace

void add_sim_sweep(CLI::App& sim, Run& run) {
  auto* command = sim.add_subcommand("sweep",
                                     "What if: the cluster at every combination of nodes, policy, rate and burst, with confidence "
                                     "intervals; all points see the same requests");
  const auto flags = std::make_shared<SweepFlags>();
  add_what_if_flags(*command, flags->common);
  command
      ->add_option("--nodes", flags->nodes, "Numbers of nodes, 4,8,16 (default: those of FILE); more than FILE has: copies of its workers")
      ->delimiter(',')
      ->check(CLI::Range(1U, 100'000U));
  command->add_option("--policy", flags->policies, "Policies of placement, additive,round_robin,... (default: that of FILE)")
      ->delimiter(',');
  command->add_option("--rate", flags->rates, "Rates of arrivals, times that of the workload: its times are stretched (default 1)")
      ->delimiter(',')
      ->check(CLI::Range(1e-3, 1e3));
  command->add_option("--burst", flags->bursts, "Heights of a burst, times the usual rate; 1 = none (default 1)")
      ->delimiter(',')
      ->check(CLI::Range(1U, 1000U));
  command->callback([flags, &run] {
    check_sim_inputs(flags->common.inputs);
    run = [flags] { return sweep(*flags); };
  });
}

}  // namespace spillway::app
