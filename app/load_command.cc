// spillway load: a workload sent to a running cluster
#include "app/load_command.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <span>
#include <utility>

#include "app/client_options.h"
#include "app/commands.h"
#include "app/load_predict.h"
#include "app/load_run.h"
#include "app/signals.h"
#include "app/sim_workload_command.h"
#include "app/terminal.h"
#include "cluster-config/load.h"
#include "sim/metrics.h"
#include "sim/report.h"
#include "sim/report_text.h"
#include "sim/text.h"
#include "sim/workload_scaling.h"

namespace spillway::app {

namespace {

using std::chrono::milliseconds;

constexpr std::size_t tenants_max = 64;  // each is a connection with a thread
constexpr auto cluster_wait = std::chrono::seconds(5);
constexpr auto progress_every = milliseconds(200);

struct LoadFlags {
  SimWorkloadOptions workload;
  ClientFlags client;
  double rate_scale = 1;
  double warm_up_s = 0;
  double duration_s = 0;
  double timeout_s = 300;
  std::uint32_t vocabulary = 0;
  std::string model;
  std::vector<std::string> objectives;
  bool think = false;
  bool predict = false;
  std::string profile;
  std::string scenario;
  std::string report;
  bool json = false;
};

std::int64_t to_ns(double seconds) {
  return static_cast<std::int64_t>(std::llround(seconds * 1e9));
}

core::Result<sim::LoadedWorkload> workload_of(const LoadFlags& flags) {
  auto options = flags.workload;
  if (options.format == "event" || (options.format.empty() && options.file.ends_with(".toml"))) {
    options.event = std::exchange(options.file, {});
    options.format.clear();
  } else if (options.format.empty()) {
    options.format = "native";
  }
  if (flags.rate_scale != 1) options.stretch = 1 / flags.rate_scale;
  auto ready = prepare_workload(options);
  if (!ready) return ready;
  auto& requests = ready->workload.requests;
  if (flags.duration_s > 0) {
    const auto end =
        std::partition_point(requests.begin(), requests.end(), [&](const auto& r) { return r.arrival_ns < to_ns(flags.duration_s); });
    if (end == requests.begin()) {
      return core::fail(core::Errc::bad_argument, flags.workload.file + ": no request arrives within --duration " +
                                                      sim::number_text(flags.duration_s) + " s: give a longer one, or more --rate-scale");
    }
    auto cut = sim::first_requests(ready->workload, static_cast<std::uint64_t>(end - requests.begin()));
    ready->workload = std::move(cut.workload);
    ready->notes.push_back("what arrives after " + sim::number_text(flags.duration_s) + " s was not sent: " + cut.note.text);
  }
  return ready;
}

struct ClusterFile {
  std::string path;
  config::Cluster cluster;
};

core::Result<ClusterFile> cluster_of(const LoadFlags& flags) {
  const auto file =
      config::find_config(flags.client.config.empty() ? std::nullopt : std::optional<std::filesystem::path>(flags.client.config));
  if (!file) return tl::make_unexpected(file.error());
  auto cluster = config::load_cluster(*file);
  if (!cluster) return core::fail(core::Errc::bad_config, config::to_error(cluster.error()).message);
  return ClusterFile{file->string(), std::move(*cluster)};
}

/// Tenants and models of the workload, as the cluster calls them; both by number. Error: one that the cluster does not have.
struct Names {
  std::vector<std::string> tenants;
  std::vector<std::string> models;
};

core::Result<Names> names_of(const LoadFlags& flags, const sim::Workload& workload, const config::Cluster& cluster) {
  Names names;
  for (std::uint32_t i = 0; i < workload.tenants.size(); ++i) {
    const auto& name = workload.tenants.at(i);
    // A trace that does not tell says "default".
    const bool own = !flags.client.tenant.empty() || (name == "default" && !cluster.tenants.contains(name));
    names.tenants.push_back(own ? flags.client.tenant : name);
    if (!own && !cluster.tenants.contains(name)) {
      return core::fail(core::Errc::bad_argument, flags.workload.file + ": tenant " + name + " is not in the cluster file: add [tenants." +
                                                      name + "] there, or send all as one with --tenant NAME");
    }
  }
  for (std::uint32_t i = 0; i < workload.models.size(); ++i) {
    const auto& name = workload.models.at(i);
    const bool own = !flags.model.empty() || (name == "default" && !cluster.models.contains(name));
    names.models.push_back(own ? flags.model : name);
    const auto& asked = names.models.back();
    if (!asked.empty() && !cluster.models.contains(asked)) {
      return core::fail(core::Errc::bad_argument, "model " + asked + (own ? " of --model" : " of " + flags.workload.file) +
                                                      " is not in the cluster file: ask one model for all with --model NAME");
    }
  }
  auto distinct = names.tenants;
  std::sort(distinct.begin(), distinct.end());
  const auto count = static_cast<std::size_t>(std::unique(distinct.begin(), distinct.end()) - distinct.begin());
  if (count > tenants_max) {
    return core::fail(core::Errc::bad_argument, flags.workload.file + ": " + std::to_string(count) + " tenants, want at most " +
                                                    std::to_string(tenants_max) + ": send all as one with --tenant NAME");
  }
  return names;
}

/// The state of the run on a terminal, and what the user wants.
class Watch {
 public:
  Watch(const Signals& signals, double span_s) : signals_(signals), span_s_(span_s), terminal_(::isatty(STDERR_FILENO) == 1) {}

  LoadOrder poll(const LoadProgress& now, milliseconds wait) {
    const int signal = signals_.wait(wait);
    if (signal != 0) {
      signal_ = signal;
      order_ = order_ == LoadOrder::go_on ? LoadOrder::send_no_more : LoadOrder::cancel;
      clear();
      std::cerr << (order_ == LoadOrder::cancel ? "cancelling " : "interrupted: waiting for ") << now.sent - now.ended
                << " running requests" << (order_ == LoadOrder::cancel ? "" : " (again to cancel them)") << std::endl;
    }
    if (terminal_ && now.time >= shown_ + progress_every) show(now);
    return order_;
  }
  void clear() const {
    if (terminal_) std::cerr << "\r\033[K" << std::flush;
  }
  int signal() const { return signal_; }

 private:
  void show(const LoadProgress& now) {
    shown_ = now.time;
    const double time_s = static_cast<double>(now.time.count()) / 1e9;
    const double share = span_s_ <= 0 ? 1 : std::min(1.0, time_s / span_s_);
    constexpr int width = 24;
    const int full = static_cast<int>(share * width);
    std::cerr << "\r\033[K[" << std::string(static_cast<std::size_t>(full), '#') << std::string(static_cast<std::size_t>(width - full), '.')
              << "] " << now.sent << "/" << now.total << " sent, " << now.sent - now.ended << " running, lag up to "
              << sim::fixed_text(core::to_ms(now.lag_max), 1) << " ms, " << sim::fixed_text(std::max(0.0, span_s_ - time_s), 0) << " s left"
              << std::flush;
  }

  const Signals& signals_;
  double span_s_;
  bool terminal_;
  std::chrono::nanoseconds shown_{0};
  LoadOrder order_ = LoadOrder::go_on;
  int signal_ = 0;
};

/// One client a tenant. Nothing after a message, with the exit code in `code`.
std::map<std::string, sdk::Client> clients_of(const LoadFlags& flags, const std::vector<std::string>& tenants, int& code) {
  std::map<std::string, sdk::Client> clients;
  for (const auto& tenant : tenants) {
    if (clients.contains(tenant)) continue;
    auto as = flags.client;
    as.tenant = tenant;
    auto client = connect(as, code, cluster_wait);
    if (!client) return {};
    clients.emplace(tenant, std::move(*client));
  }
  return clients;
}

/// `runs`: the measured one, and the predicted one where there is one.
int report(const LoadFlags& flags, std::span<const sim::Run> runs, int signal) {
  const sim::MetricsOptions options{to_ns(flags.warm_up_s)};
  const auto& run = runs.front();
  const auto metrics = sim::measure(run, options);
  const auto predicted = runs.size() > 1 ? sim::measure(runs[1], options) : sim::RunMetrics{};
  if (flags.json) {
    auto text = sim::to_json(run, metrics);
    if (runs.size() > 1) text = text.substr(0, text.size() - 1) + ",\"predicted\":" + sim::to_json(runs[1], predicted) + "}";
    std::cout << text << '\n';
  } else {
    std::cout << sim::to_table(run, metrics);
    if (runs.size() > 1) std::cout << '\n' << sim::to_table(metrics, predicted, run.name, runs[1].name);
  }
  if (!flags.report.empty()) {
    const sim::ReportOptions page{"Load on the cluster", "open loop, " + flags.workload.file, options};
    const auto written = sim::write_report(flags.report, runs, page);
    if (!written) return complain(written.error().message);
    std::cerr << "report: " << (std::filesystem::path(flags.report) / "report.html").string() << '\n';
  }
  if (!metrics.valid) {
    std::cerr << coloured(STDERR_FILENO, Colour::red, "spillway: this run is invalid") << ": the P99 send lag was "
              << sim::fixed_text(metrics.send_lag_ms.p99, 1)
              << " ms, want at most 10: run the sender on a machine of its own, or lower --rate-scale\n";
  }
  if (signal != 0) return 128 + signal;
  if (metrics.all.outcomes[static_cast<std::size_t>(sim::RequestOutcome::finished)] == 0) {
    return complain("no request finished" + (run.reasons.empty() ? std::string{} : ": most often " + run.reasons.begin()->first) +
                    "; `spillway status` shows what the cluster is doing");
  }
  return 0;
}

int load(const LoadFlags& flags) {
  const auto objectives = parse_objectives(flags.objectives);
  if (!objectives) return complain(objectives.error().message, 2);
  if (flags.duration_s > 0 && flags.warm_up_s >= flags.duration_s)
    return complain("--warm-up is not shorter than --duration: nothing would be measured", 2);
  auto ready = workload_of(flags);
  if (!ready) return complain(ready.error().message);
  const auto cluster = cluster_of(flags);
  if (!cluster) return complain(cluster.error().message, 2);
  const auto names = names_of(flags, ready->workload, cluster->cluster);
  if (!names) return complain(names.error().message);
  auto tokens = prompt_tokens_of(cluster->cluster, flags.vocabulary);
  if (!tokens) return complain(tokens.error().message);
  const LoadPrompts prompts(ready->workload, std::move(*tokens), flags.workload.seed);
  std::vector<sim::Run> runs(1);
  if (flags.predict) {
    auto predicted =
        predict_load(ready->workload, {cluster->path, flags.profile, names->tenants, names->models, flags.workload.seed, flags.scenario});
    if (!predicted) return complain("--predict: " + predicted.error().message);
    predicted->slos = *objectives;
    runs.push_back(std::move(*predicted));
  }
  const Signals signals;  // before the first thread
  int code = 0;
  auto clients = clients_of(flags, names->tenants, code);
  if (clients.empty()) return code;
  LoadTarget target{{}, names->models};
  for (const auto& tenant : names->tenants) target.by_tenant.push_back(&clients.at(tenant));
  LoadOptions options;
  options.warm_up = std::chrono::nanoseconds(to_ns(flags.warm_up_s));
  options.think = flags.think;
  options.timeout = milliseconds(static_cast<std::int64_t>(flags.timeout_s * 1000));
  options.channels = "load-" + std::to_string(std::random_device{}()) + "-";
  Watch watch(signals, static_cast<double>(ready->workload.requests.back().arrival_ns) / 1e9);
  auto run = run_load(ready->workload, prompts, target, options, [&](const auto& now, auto wait) { return watch.poll(now, wait); });
  watch.clear();
  run.slos = *objectives;
  run.notes.insert(run.notes.begin(), ready->notes.begin(), ready->notes.end());
  if (const auto unsent = ready->workload.requests.size() - run.records.size(); unsent > 0)
    run.notes.push_back(std::to_string(unsent) + " of " + std::to_string(ready->workload.requests.size()) + " requests were not sent");
  runs.front() = std::move(run);
  return report(flags, runs, watch.signal());
}

}  // namespace

core::Result<std::array<sim::Slo, 3>> parse_objectives(const std::vector<std::string>& words) {
  std::array<sim::Slo, 3> slos{};
  for (const auto& word : words) {
    const auto wrong = [&word] {
      return core::fail(core::Errc::bad_argument,
                        "--goodput " + word + ": want ttft:MS, tpot:MS or e2e:MS, or for one class live.ttft:MS, interactive.tpot:MS ...");
    };
    const auto colon = word.find(':');
    const auto point = word.find('.');
    if (colon == std::string::npos) return wrong();
    const bool of_one = point < colon;
    const auto name = word.substr(of_one ? point + 1 : 0, colon - (of_one ? point + 1 : 0));
    core::ServiceClass only = core::ServiceClass::interactive;
    if (of_one && !core::parse_service_class(word.substr(0, point), only)) return wrong();
    const auto ms = sim::parse_number(std::string_view(word).substr(colon + 1));
    std::int64_t sim::Slo::*which = name == "ttft"   ? &sim::Slo::ttft_ns
                                    : name == "tpot" ? &sim::Slo::tpot_ns
                                    : name == "e2e"  ? &sim::Slo::e2e_ns
                                                     : nullptr;
    if (which == nullptr || !ms || *ms <= 0 || *ms > 1e9) return wrong();
    for (std::size_t c = 0; c < slos.size(); ++c) {
      if (!of_one || c == static_cast<std::size_t>(only)) slos[c].*which = to_ns(*ms / 1000);
    }
  }
  return slos;
}

void add_load_command(CLI::App& app, Run& run) {
  auto* command = app.add_subcommand("load",
                                     "Send a workload to a running cluster, each request at its time whatever became of those before, and "
                                     "report what came back");
  const auto flags = std::make_shared<LoadFlags>();
  auto& workload = flags->workload;
  command->add_option("FILE", workload.file, "Workload: our own format, a trace, or the TOML file of a live event")->required();
  command->add_option("--format", workload.format, "Format of FILE; default: event for .toml, else native (see `sim workload`)")
      ->check(CLI::IsMember({"native", "event", "azure", "mooncake", "burstgpt", "bailian", "servegen", "vllm"}));
  flags->client.add(*command, true);
  command->add_option("--model", flags->model, "Ask this model for all requests; default: as FILE says");
  command->add_option("--rate-scale", flags->rate_scale, "Times the rate: 2 sends in half the time (default 1)")
      ->check(CLI::Range(1 / sim::stretch_factor_max, sim::stretch_factor_max));
  command->add_option("--limit", workload.limit, "Send the first requests alone")
      ->check(CLI::Range(std::uint64_t{1}, sim::workload_requests_max));
  command->add_option("--spread-ms", workload.spread_ms, "Spread requests with equal stamps over this many milliseconds")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{86'400'000}));
  command->add_option("--warm-up", flags->warm_up_s, "Seconds at the start that are not measured (default 0)")->check(CLI::Range(0.0, 1e6));
  command->add_option("--duration", flags->duration_s, "Seconds after which nothing more is sent; default: all of FILE")
      ->check(CLI::Range(0.001, 1e6));
  command->add_option("--timeout", flags->timeout_s, "Seconds after which a request is given up (default 300)")
      ->check(CLI::Range(0.001, 1e6));
  auto* think = command->add_flag("--think", flags->think,
                                  "Send a request with a think time that long after the end of its parent, not at its stamp");
  auto* predict = command->add_flag("--predict", flags->predict, "Simulate the same first, and put the prediction beside the measurement");
  predict->excludes(think);
  command
      ->add_option("--profile", flags->profile,
                   "Folder of measured tables for the prediction; default: the paced costs of the cluster file")
      ->type_name("DIR")
      ->needs(predict);
  command->add_option("--scenario", flags->scenario, "TOML file with network and types of nodes for the prediction")
      ->type_name("FILE")
      ->needs(predict);
  command->add_option("--goodput", flags->objectives, "Objectives in ms: ttft:500 tpot:50 e2e:3000, or of one class live.ttft:300")
      ->expected(1, 9);
  command->add_option("--seed", workload.seed, "Seed of the prompts, and of what is drawn (default 1)");
  command->add_option("--vocabulary", flags->vocabulary, "Make prompts of this many token ids instead of reading the models' files")
      ->check(CLI::Range(16U, 10'000'000U));
  command->add_option("--report", flags->report, "Write report.html and CSV files into this folder")->type_name("DIR");
  command->add_flag("--json", flags->json, "Print one JSON value");
  command->callback([&run, flags] { run = [flags] { return load(*flags); }; });
}

}  // namespace spillway::app
