// spillway sim size: the cheapest cluster for an objective
#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>

#include "app/client_options.h"
#include "app/parallel_jobs.h"
#include "app/sim_what_if.h"
#include "core/whole_file.h"
#include "sim/report.h"
#include "sim/size.h"

namespace spillway::app {

namespace {

struct SizeFlags {
  WhatIfFlags common;
  sim::SizeQuestion question;
};

/// The cluster found, once more and in full: its page, with the way to it on top.
core::Result<void> write_report_of(const SizeFlags& flags, const sim::SweepInput& input, const std::vector<sim::NodeKind>& kinds,
                                   const std::vector<sim::SizeAnswer>& answers, const std::vector<std::string>& notes) {
  sim::Page page;
  page.title = "How many nodes";
  page.notes = notes;
  page.subtitle = "The fewest nodes of each kind for the objective";
  const auto* best = sim::cheapest(answers);
  if (best != nullptr) {
    const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.name == best->kind; });
    sim::SweepInput chosen = input;
    chosen.plan = sim::cluster_of(input.plan, *kind, *best->nodes);
    const auto policy = input.plan.router.placement.policy;
    const auto sweep = sim::Sweep::make(chosen, {{*best->nodes}, {policy}, {flags.question.rate}, {flags.question.burst}, 1, 1});
    if (!sweep) return tl::make_unexpected(sweep.error());
    auto run = sweep->run_whole(sweep->points()[0], flags.question.first_seed, std::chrono::seconds(1));
    if (!run) return tl::make_unexpected(run.error());
    const std::vector<sim::Run> runs{std::move(*run)};
    sim::ReportOptions options;
    options.metrics = input.metrics;
    page = sim::page_of(runs, options);
    page.title = std::to_string(*best->nodes) + (*best->nodes == 1 ? " node" : " nodes") + " like " + best->kind;
    page.subtitle = "The cheapest cluster that keeps its objectives, and how it fared";
    page.notes.insert(page.notes.begin(), notes.begin(), notes.end());
  }
  const auto charts = sim::size_charts(answers, flags.question);
  page.sections.insert(page.sections.begin(), charts.begin(), charts.end());
  page.tables.insert(page.tables.begin(), sim::size_table(answers));
  return core::write_whole_files(flags.common.report, {{"size.csv", sim::size_csv(answers)}, {"report.html", sim::to_html(page)}});
}

void print(const std::vector<sim::SizeAnswer>& answers, const SizeFlags& flags) {
  for (const auto& answer : answers) {
    std::cout << "like " << answer.kind << ": ";
    if (answer.nodes)
      std::cout << *answer.nodes << (*answer.nodes == 1 ? " node" : " nodes") << ", " << answer.price_per_hour << " an hour\n";
    else std::cout << flags.question.nodes_max << " nodes are not enough\n";
  }
  const auto* best = sim::cheapest(answers);
  if (best != nullptr)
    std::cout << "cheapest: " << *best->nodes << (*best->nodes == 1 ? " node" : " nodes") << " like " << best->kind << "\n";
}

int size(const SizeFlags& flags) {
  std::vector<std::string> notes;
  const auto input = read_what_if(flags.common, notes);
  if (!input) return complain(input.error().message);
  if (!input->faults.empty())
    return complain(
        "faults name the nodes of the cluster file, and the clusters that are tried have others: want a scenario without faults");
  auto question = flags.question;
  question.seeds = flags.common.seeds;
  question.first_seed = flags.common.first_seed;
  const auto kinds = sim::node_kinds(input->plan);
  ParallelJobs jobs(flags.common.jobs, "runs");
  std::vector<sim::SizeAnswer> answers;
  for (const auto& kind : kinds) {
    auto answer = sim::size_of(*input, kind, question, [&](std::size_t count, const auto& job) { return jobs.run(count, job); });
    if (!answer) return complain(answer.error().code == core::Errc::cancelled ? "stopped: nothing was written" : answer.error().message);
    answers.push_back(std::move(*answer));
  }
  if (!flags.common.report.empty()) {
    if (auto written = write_report_of(flags, *input, kinds, answers, notes); !written) return complain(written.error().message);
    std::cerr << "wrote " << flags.common.report << "/report.html and size.csv\n";
  }
  if (flags.common.json) std::cout << sim::size_json(answers, question) << '\n';
  else print(answers, flags);
  return sim::cheapest(answers) != nullptr ? 0 : complain("no kind of node is enough: raise --max-nodes or lower --share");
}

}  // namespace

void add_sim_size(CLI::App& sim, Run& run) {
  auto* command = sim.add_subcommand("size",
                                     "The cheapest cluster for the objectives of a scenario: for each kind of node of the cluster "
                                     "file, how many are enough");
  const auto flags = std::make_shared<SizeFlags>();
  add_what_if_flags(*command, flags->common);
  auto& question = flags->question;
  command->add_option("--share", question.share, "Of the requests that must be within their objectives (default 0.99)")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--min-nodes", question.nodes_min, "Fewest nodes to try (default 1)")->check(CLI::Range(1U, 10'000U));
  command->add_option("--max-nodes", question.nodes_max, "Most nodes to try (default 64)")->check(CLI::Range(1U, 10'000U));
  command->add_option("--rate", question.rate, "Rate of arrivals, times that of the workload (default 1)")->check(CLI::Range(1e-3, 1e3));
  command->add_option("--burst", question.burst, "Height of a burst, times the usual rate; 1 = none (default 1)")
      ->check(CLI::Range(1U, 1000U));
  command->callback([flags, &run] {
    check_sim_inputs(flags->common.inputs);
    if (flags->question.nodes_min > flags->question.nodes_max) throw CLI::ValidationError("--min-nodes is above --max-nodes");
    run = [flags] { return size(*flags); };
  });
}

}  // namespace spillway::app
