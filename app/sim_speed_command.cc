// spillway sim speed: requests a minute that this machine simulates
#include "app/sim_speed_command.h"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "sim/cluster.h"
#include "sim/run_summary.h"
#include "sim/speed_source.h"

namespace spillway::app {

namespace {

constexpr std::uint32_t speed_kv_blocks = 2600;
/// Requests per second and node that fill 65 to 75 % of these blocks with the device of equal nodes.
constexpr double speed_rate = 4.2;
constexpr std::uint32_t nodes_per_router = 10'000;
/// What a simulated node and its streams take.
constexpr std::size_t node_bytes = 448U << 10U;

using Clock = std::chrono::steady_clock;

sim::ClusterPlan plan_of(const SimSpeedOptions& options) {
  sim::EqualNodes equal;
  equal.nodes = options.nodes;
  equal.kv_blocks = speed_kv_blocks;
  equal.routers = (options.nodes + nodes_per_router - 1) / nodes_per_router;
  return sim::plan_of(equal);
}

/// A simulated cluster is looked at all over the place: with small pages most of the time goes into looking up where they are. The heap
/// is given large ones, as many as the run will need. Where the machine has none nothing changes.
void use_large_pages(std::size_t bytes) {
  constexpr std::size_t page = 2U << 20U;
  constexpr int maps_max = 65536;
  ::mallopt(M_TRIM_THRESHOLD, -1);
  ::mallopt(M_MMAP_MAX, 0);  // from the heap
  void* begin = ::sbrk(0);
  std::free(std::malloc(bytes));
  auto room = static_cast<std::size_t>(static_cast<std::byte*>(::sbrk(0)) - static_cast<std::byte*>(begin));
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_MMAP_MAX, maps_max);
  if (std::align(page, 1, begin, room) != nullptr) ::madvise(begin, room, MADV_HUGEPAGE);
}

/// The requests of another source, and when the one with which the warm-up ends was asked for, and the last one.
class WatchedSource : public sim::RequestSource {
 public:
  WatchedSource(sim::RequestSource& source, core::Duration warm_up) : source_(source), warm_up_(warm_up) {}
  std::uint64_t count() const override { return source_.count(); }
  std::int64_t arrival_ns(std::uint64_t index) override {
    const std::int64_t at = source_.arrival_ns(index);
    if (at >= warm_up_.count() && loaded_ == 0) {
      loaded_ = index;
      loaded_at_ = Clock::now();
    }
    if (index + 1 == count()) ended_at_ = Clock::now();
    return at;
  }
  sim::ClientRequest request(std::uint64_t index) const override { return source_.request(index); }
  void block_names(std::uint64_t index, std::vector<core::BlockName>& names) const override { source_.block_names(index, names); }
  const sim::NameTable& tenants() const override { return source_.tenants(); }
  const sim::NameTable& models() const override { return source_.models(); }

  /// Requests a minute between the two; 0 when the warm-up never ended.
  double pace() const {
    const double seconds = std::chrono::duration<double>(ended_at_ - loaded_at_).count();
    return loaded_ == 0 || seconds <= 0 ? 0 : static_cast<double>(count() - loaded_) * 60 / seconds;
  }

 private:
  sim::RequestSource& source_;
  core::Duration warm_up_;
  std::uint64_t loaded_ = 0;
  Clock::time_point loaded_at_{};
  Clock::time_point ended_at_{};
};

}  // namespace

int sim_speed(const SimSpeedOptions& options, std::ostream& out, std::ostream& errors) {
  use_large_pages(options.nodes * node_bytes);
  const auto began = Clock::now();
  const double rate = options.rate > 0 ? options.rate : speed_rate;
  const std::uint64_t requests =
      options.requests > 0 ? options.requests : static_cast<std::uint64_t>(std::max(1.0, rate * options.nodes * options.seconds));
  const core::Duration warm_up = std::chrono::seconds(options.warm_up);
  sim::SpeedSource made_up(requests, rate * options.nodes, options.seed);
  WatchedSource source(made_up, warm_up);
  sim::ClusterOptions how;
  how.seed = options.seed;
  how.warm_up = warm_up;
  sim::Cluster cluster(plan_of(options), how);
  const auto outcome = cluster.run(source);
  if (!outcome) {
    errors << "spillway: " << outcome.error().message << '\n';
    return 1;
  }
  const auto summary = sim::summarise(*outcome, {});
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto& counts = outcome->counts;
  const boost::json::object made{
      {"requests_per_minute", static_cast<double>(requests) * 60 / seconds},
      {"loaded_requests_per_minute", source.pace()},
      {"cpu_seconds", static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                          static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6},
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
      {"requests", requests},
      {"completed", summary.outcomes[0]},
      {"queued_at_end", counts.queued_at_last_arrival},
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
  command->add_option("--requests", options->requests, "Requests (default: those of --seconds)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{100'000'000}));
  command->add_option("--seconds", options->seconds, "Simulated seconds of arrivals (default 60)")->check(CLI::Range(1U, 86'400U));
  command
      ->add_option("--warm-up", options->warm_up,
                   "Simulated seconds before the use of the pools and the pace of the loaded cluster are measured (default 30)")
      ->check(CLI::Range(0U, 86'400U));
  command->add_option("--rate", options->rate, "Requests per second and node; default: what fills 65 to 75 % of the pools")
      ->check(CLI::Range(0.001, 1000.0));
  command->add_option("--seed", options->seed, "Seed of all that is drawn (default 1)");
  command->add_flag("--json", options->json, "Print one JSON object");
  command->callback([options, &run] { run = [options] { return sim_speed(*options, std::cout, std::cerr); }; });
}

}  // namespace spillway::app
