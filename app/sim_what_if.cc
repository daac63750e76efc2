#include "app/sim_what_if.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

namespace spillway::app {

using core::Errc;
using core::fail;

void add_what_if_flags(CLI::App& command, WhatIfFlags& flags) {
  add_sim_inputs(command, flags.inputs, true);
  command.add_option("--seeds", flags.seeds, "Runs of each point, with seeds of their own (default 3)")->check(CLI::Range(1U, 1000U));
  command.add_option("--seed", flags.first_seed, "First seed (default 1)");
  command.add_option("--burst-at", flags.burst_from_s, "Seconds at which the burst begins (default: at 2/5 of the workload)")
      ->check(CLI::Range(0.0, 1e9));
  command.add_option("--burst-for", flags.burst_s, "Seconds that it lasts (default: a tenth of the workload)")
      ->check(CLI::Range(1e-3, 1e9));
  command.add_option("--warm-up", flags.warm_up_s, "Requests of the first seconds do not count (default 0)")->check(CLI::Range(0.0, 1e9));
  command.add_option("--jobs", flags.jobs, "Runs at once; default: one a core")->check(CLI::Range(1U, 1024U));
  command.add_option("--report", flags.report, "Folder for CSV files and the page report.html")->type_name("DIR");
  command.add_flag("--json", flags.json, "Print one JSON object");
}

core::Result<sim::SweepInput> read_what_if(const WhatIfFlags& flags, std::vector<std::string>& notes) {
  const auto scenario = read_scenario(flags.inputs);
  if (!scenario) return tl::make_unexpected(scenario.error());
  auto plan = read_plan(flags.inputs, *scenario);
  if (!plan) return tl::make_unexpected(plan.error());
  auto first = read_workload(flags.inputs, *scenario, flags.first_seed);
  if (!first) return tl::make_unexpected(first.error());
  if (first->workload.requests.empty()) return fail(Errc::bad_argument, "the workload holds no request: want at least one");
  notes = plan->notes;
  notes.insert(notes.end(), first->notes.begin(), first->notes.end());
  sim::SweepInput input;
  input.plan = std::move(*plan);
  input.faults = scenario->faults;
  input.slos = scenario->slos;
  input.metrics.warm_up_ns = static_cast<std::int64_t>(flags.warm_up_s * 1e9);
  const auto& requests = first->workload.requests;
  const std::int64_t begin = requests.front().arrival_ns;
  const std::int64_t span = requests.back().arrival_ns - begin + 1;
  input.burst.from_ns = flags.burst_from_s < 0 ? begin + span / 5 * 2 : static_cast<std::int64_t>(flags.burst_from_s * 1e9);
  input.burst.length_ns = flags.burst_s < 0 ? std::max<std::int64_t>(span / 10, 1) : static_cast<std::int64_t>(flags.burst_s * 1e9);
  if (workload_is_drawn(flags.inputs, *scenario)) {
    input.workload = [inputs = flags.inputs, scenario = *scenario](std::uint64_t seed) -> core::Result<sim::Workload> {
      auto drawn = read_workload(inputs, scenario, seed);
      if (!drawn) return tl::make_unexpected(drawn.error());
      return std::move(drawn->workload);
    };
  } else {
    input.workload = [shared = std::make_shared<const sim::Workload>(std::move(first->workload))](std::uint64_t) {
      return core::Result<sim::Workload>(*shared);
    };
    notes.emplace_back("The workload is a file's: all seeds see the same requests, and differ in what the cluster draws and in bursts.");
  }
  return input;
}

}  // namespace spillway::app
