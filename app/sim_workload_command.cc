#include "app/sim_workload_command.h"

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <utility>

#include "sim/event_generator_spec.h"
#include "sim/trace_reader.h"
#include "sim/workload_file.h"
#include "sim/workload_scaling.h"
#include "sim/workload_stats.h"

namespace spillway::app {

namespace json = boost::json;

namespace {

using sim::LoadedWorkload;

core::Result<LoadedWorkload> generated(const SimWorkloadOptions& options) {
  const auto spec = sim::load_event(options.event);
  if (!spec) return tl::make_unexpected(config::to_error(spec.error()));
  auto workload = sim::generate_event(*spec, options.seed);
  if (!workload) return core::fail(workload.error().code, options.event + ": " + workload.error().message);
  return LoadedWorkload{std::move(*workload), {"generated from " + options.event + " (seed " + std::to_string(options.seed) + ")"}};
}

core::Result<LoadedWorkload> loaded(const SimWorkloadOptions& options) {
  if (!options.event.empty()) return generated(options);
  const auto format = sim::parse_trace_format(options.format);
  if (!format) return core::fail(core::Errc::bad_argument, "--format " + options.format + " is no format of a trace");
  if (*format != sim::TraceFormat::servegen) return sim::load_trace(options.file, *format);
  auto servegen = options.servegen;
  servegen.seed = options.seed;
  servegen.arrivals = options.arrivals == "counted" ? sim::ServeGenArrivals::counted : sim::ServeGenArrivals::fitted;
  return sim::load_servegen(options.file, servegen);
}

json::object to_json(const sim::LengthStats& lengths) {
  return {{"mean", lengths.mean}, {"p50", lengths.p50}, {"p95", lengths.p95}, {"max", lengths.max}};
}

json::object to_json(const sim::WorkloadStats& stats, const std::vector<std::string>& notes) {
  json::object out{{"requests", stats.requests},
                   {"span_s", stats.span_s},
                   {"mean_rps", stats.mean_rps},
                   {"peak_1s_rps", stats.peak_1s_rps},
                   {"peak_60s_rps", stats.peak_60s_rps},
                   {"dispersion_1s", stats.dispersion_1s},
                   {"input_tokens", to_json(stats.input)},
                   {"output_tokens", to_json(stats.output)},
                   {"live", stats.by_class[0]},
                   {"interactive", stats.by_class[1]},
                   {"batch", stats.by_class[2]},
                   {"tenants", stats.tenants},
                   {"models", stats.models},
                   {"sessions", stats.sessions},
                   {"continued", stats.continued},
                   {"superseding", stats.superseding},
                   {"with_deadline", stats.with_deadline},
                   {"blocks", stats.blocks},
                   {"distinct_blocks", stats.distinct_blocks},
                   {"hit_blocks", stats.hit_blocks},
                   {"prefix_hit_ceiling", stats.prefix_hit_ceiling}};
  json::array list;
  for (const auto& note : notes) list.emplace_back(note);
  out["notes"] = std::move(list);
  return out;
}

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

std::string in_line(const sim::LengthStats& lengths) {
  return "mean " + fixed(lengths.mean, 0) + ", p50 " + std::to_string(lengths.p50) + ", p95 " + std::to_string(lengths.p95) + ", max " +
         std::to_string(lengths.max);
}

void print(const sim::WorkloadStats& stats, const std::vector<std::string>& notes, std::ostream& out) {
  const auto row = [&out](const char* name, const std::string& value) { out << std::left << std::setw(16) << name << value << '\n'; };
  row("requests", std::to_string(stats.requests) + " over " + fixed(stats.span_s, 1) + " s");
  row("rate", "mean " + fixed(stats.mean_rps, 2) + ", peak " + fixed(stats.peak_1s_rps, 0) + " over 1 s, " + fixed(stats.peak_60s_rps, 1) +
                  " over 60 s (requests per second)");
  row("dispersion", fixed(stats.dispersion_1s, 2) + " of the counts per second (1 = Poisson)");
  row("input tokens", in_line(stats.input));
  row("output tokens", in_line(stats.output));
  row("classes", std::to_string(stats.by_class[0]) + " live, " + std::to_string(stats.by_class[1]) + " interactive, " +
                     std::to_string(stats.by_class[2]) + " batch; " + std::to_string(stats.with_deadline) + " with a deadline");
  row("who", std::to_string(stats.tenants) + (stats.tenants == 1 ? " tenant, " : " tenants, ") + std::to_string(stats.models) +
                 (stats.models == 1 ? " model" : " models"));
  row("sessions", std::to_string(stats.sessions) + "; " + std::to_string(stats.continued) + " requests continue one, " +
                      std::to_string(stats.superseding) + " supersede it");
  if (stats.blocks == 0) row("blocks", "none: nothing is known of shared prefixes");
  else
    row("blocks", std::to_string(stats.blocks) + ", " + std::to_string(stats.distinct_blocks) + " distinct; an infinite cache would hit " +
                      fixed(stats.prefix_hit_ceiling * 100, 1) + " %");
  for (const auto& note : notes) row("note", note);
}

void check_use(const SimWorkloadOptions& options) {
  if (options.file.empty() == options.event.empty()) throw CLI::RequiredError("a FILE with --format, or --event SPEC, and not both");
  if (!options.file.empty() && options.format.empty()) throw CLI::RequiredError("--format of the FILE");
}

}  // namespace

core::Result<LoadedWorkload> prepare_workload(const SimWorkloadOptions& options) {
  auto current = loaded(options);
  if (!current) return current;
  std::optional<core::Error> failed;
  const auto apply = [&](core::Result<sim::ScaledWorkload> scaled) {
    if (!scaled) {
      failed = scaled.error();
      return;
    }
    current->workload = std::move(scaled->workload);
    current->notes.push_back(std::move(scaled->note.text));
  };
  if (options.spread_ms) apply(sim::spread(current->workload, *options.spread_ms, options.seed));
  if (options.thin && !failed) apply(sim::thin(current->workload, *options.thin, options.seed));
  if (options.superpose && !failed) apply(sim::superpose(current->workload, *options.superpose, options.seed));
  if (options.stretch && !failed) apply(sim::stretch(current->workload, *options.stretch));
  if (options.limit && !failed) apply(sim::first_requests(current->workload, *options.limit));
  if (failed) return tl::make_unexpected(*failed);
  return current;
}

int sim_workload(const SimWorkloadOptions& options, std::ostream& out, std::ostream& errors) {
  const auto failed = [&errors](const std::string& message) {
    errors << "spillway: " << message << '\n';
    return 1;
  };
  const auto ready = prepare_workload(options);
  if (!ready) return failed(ready.error().message);
  if (!options.out.empty()) {
    if (const auto saved = sim::save_workload(ready->workload, options.out); !saved) return failed(saved.error().message);
  }
  const auto stats = sim::stats_of(ready->workload);
  if (options.json) out << json::serialize(to_json(stats, ready->notes)) << '\n';
  else print(stats, ready->notes, out);
  return 0;
}

void add_sim_workload(CLI::App& sim, Run& run) {
  const auto options = std::make_shared<SimWorkloadOptions>();
  auto* command = sim.add_subcommand("workload", "Read a trace or generate a live event: its statistics, and the workload as a file");
  command->add_option("FILE", options->file, "Trace; for servegen the prefix of its three files");
  command->add_option("--format", options->format, "azure, mooncake, burstgpt, bailian, servegen, native or vllm")
      ->check(CLI::IsMember({"azure", "mooncake", "burstgpt", "bailian", "servegen", "native", "vllm"}));
  auto* event = command->add_option("--event", options->event, "TOML file of a live event, instead of FILE");
  command->add_option("--start-s", options->servegen.start_s, "servegen: seconds of the trace to leave out (default 0)")
      ->check(CLI::Range(std::int64_t{0}, sim::servegen_seconds_max))
      ->excludes(event);
  command->add_option("--duration-s", options->servegen.duration_s, "servegen: seconds to sample (default 600)")
      ->check(CLI::Range(std::int64_t{1}, sim::servegen_seconds_max))
      ->excludes(event);
  command->add_option("--arrivals", options->arrivals, "servegen: fitted (default), or counted: as many as were measured")
      ->check(CLI::IsMember({"fitted", "counted"}))
      ->excludes(event);
  command->add_option("--spread-ms", options->spread_ms, "Spread requests with equal stamps over this many milliseconds")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{86'400'000}));
  auto* thin = command->add_option("--thin", options->thin, "Keep each request with this probability")->check(CLI::Range(1e-9, 1.0));
  auto* superpose = command->add_option("--superpose", options->superpose, "Lay this many shifted copies on one another")
                        ->check(CLI::Range(1U, sim::superpose_copies_max));
  auto* stretch = command->add_option("--stretch", options->stretch, "Multiply time by this factor: 2 halves the rate")
                      ->check(CLI::Range(1 / sim::stretch_factor_max, sim::stretch_factor_max));
  thin->excludes(superpose)->excludes(stretch);
  superpose->excludes(stretch);
  command->add_option("--seed", options->seed, "Seed of all that is drawn (default 1)");
  command->add_option("--limit", options->limit, "Keep the first requests alone, after scaling")
      ->check(CLI::Range(std::uint64_t{1}, sim::workload_requests_max));
  command->add_option("--out", options->out, "Write the workload here: CSV for .csv, else JSON, one object a line");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &run] {
    check_use(*options);
    run = [options] { return sim_workload(*options, std::cout, std::cerr); };
  });
}

}  // namespace spillway::app
