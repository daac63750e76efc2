#include "sim/cluster.h"

#include <algorithm>
#include <map>

#include "sim/cluster_state.h"

namespace spillway::sim {

namespace {

/// Clients come when the routers know the nodes.
constexpr std::int64_t reports_before = 2;
/// Streams that nobody ends for so long never end.
constexpr core::Duration stuck_max = std::chrono::hours(4);
/// After the last answer the cores tidy up.
constexpr core::Duration settle_max = std::chrono::seconds(12);
constexpr std::uint64_t events_max = 20'000'000'000;

}  // namespace

Cluster::State::State(const ClusterPlan& cluster_plan, const ClusterOptions& cluster_options)
    : plan_(cluster_plan), options_(cluster_options), nodes_(cluster_plan.nodes.size()) {
  now_ = Instant{std::chrono::seconds(1)};
  for (std::size_t z = 0; z < plan_.zone_names.size(); ++z) {
    zone_up_.push_back(network_.add_link(static_cast<double>(plan_.network.zone_bytes_per_second)));
    zone_down_.push_back(network_.add_link(static_cast<double>(plan_.network.zone_bytes_per_second)));
  }
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    SimNode& node = nodes_[n];
    node.plan = &plan_.nodes[n];
    index_[node.plan->id] = n;
    if (node.plan->router()) routers_.push_back(n);
    node.nic_up = network_.add_link(static_cast<double>(node.plan->nic_bytes_per_second));
    node.nic_down = network_.add_link(static_cast<double>(node.plan->nic_bytes_per_second));
    node.replicas.resize(node.plan->replicas.size());
    for (std::uint32_t r = 0; r < node.replicas.size(); ++r) node.replicas[r].plan = &node.plan->replicas[r];
  }
}

void Cluster::State::broken(const std::string& what) {
  if (error_.empty()) error_ = what + ", " + std::to_string((now_ - origin_).count()) + " ns after the first arrival";
  stopped_ = true;
}

core::Result<ClusterOutcome> Cluster::State::run(RequestSource& from) {
  source_ = &from;
  clients_.reserve(from.count());
  records_.reserve(from.count());
  // Models of the source by name; a cluster with one model serves all of them with it.
  std::vector<core::ModelId> served;
  for (const auto& node : plan_.nodes) {
    for (const auto& replica : node.replicas) {
      if (std::find(served.begin(), served.end(), replica.info.model) == served.end()) served.push_back(replica.info.model);
    }
  }
  for (std::uint32_t m = 0; m < from.models().size(); ++m) {
    const core::ModelId id = core::model_id(from.models().at(m));
    const bool known = std::find(served.begin(), served.end(), id) != served.end();
    models_.push_back(known || served.size() != 1 ? id : served.front());
  }
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) bear(n);
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    for (std::uint32_t r = 0; r < nodes_[n].replicas.size(); ++r) make_replica(n, r);
  }
  for (const std::uint32_t by : routers_) {
    for (std::uint32_t of = 0; of < nodes_.size(); ++of) {
      if (of != by)
        router(by, [&](sched::RouterCore& core, auto& out) { core.on_peer_up(plan_.nodes[of].id, nodes_[of].incarnation, now_, out); });
    }
  }
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    const auto place = static_cast<std::int64_t>(n) * plan_.report_interval.count() / static_cast<std::int64_t>(nodes_.size());
    events_.push(now_ + core::Duration(place), EventRank::report, report_due, n, nodes_[n].life);
  }
  origin_ = last_end_ = now_ + reports_before * plan_.report_interval;
  for (const auto& fault : options_.faults) at(origin_ + fault.at, EventRank::timer, 0, [this, fault] { strike(fault); });
  if (from.count() > 0) events_.push(origin_ + core::Duration(from.arrival_ns(0)), EventRank::arrival, arrival, 0, 0);
  if (options_.sample_interval > core::Duration{0}) events_.push(origin_, EventRank::timer, sample_due, 0, 0);
  ClusterOutcome outcome;
  while (!stopped_ && (arrived_ < from.count() || open_ > 0)) {
    if (!step_once()) break;
    if (arrived_ == from.count() &&
        now_ > std::max(last_end_, records_.empty() ? origin_ : origin_ + core::Duration(records_.back().arrival_ns)) + stuck_max)
      broken(stuck());
  }
  finish(outcome);
  if (options_.check && !stopped_) {
    const Instant until = now_ + settle_max;
    while (!stopped_ && now_ < until && !settled() && step_once()) continue;
    if (!stopped_) check_clean();
  }
  if (!error_.empty()) return core::fail(core::Errc::internal, error_);
  return outcome;
}

std::string Cluster::State::stuck() const {
  std::string text = std::to_string(open_) + " requests do not end:";
  std::uint32_t named = 0;
  for (std::size_t i = 0; i < clients_.size() && named < 5; ++i) {
    if (clients_[i].over) continue;
    ++named;
    const auto n = clients_[i].router;
    text += " " + std::to_string(i) + " (" + std::to_string(clients_[i].got) + " tokens, router " +
            (n == no_node ? "none" : nodes_[n].plan->name) + ")";
    if (n == no_node || !nodes_[n].alive || !nodes_[n].router) continue;
    for (const auto& status : nodes_[n].router->stream_status()) {
      if (status.key.request.lo == i)
        text += " at " + (status.node ? nodes_[index_.at(status.node)].plan->name : std::string("no node")) + " with " +
                std::to_string(status.tokens);
    }
  }
  return text;
}

bool Cluster::State::step_once() {
  const Instant flows = network_.next_end();
  if (flows < network_at_) {
    network_at_ = flows;
    events_.push(std::max(flows, now_), EventRank::transfer, network_due, 0, 0);
  }
  if (events_.empty() || counts_.events >= events_max) {
    if (open_ > 0) broken(std::to_string(open_) + " requests wait and nothing happens");
    return false;
  }
  const Event event = events_.pop();
  SPILLWAY_ASSERT(event.at >= now_);
  now_ = event.at;
  events_rank_ = event.rank();
  ++counts_.events;
  dispatch(event);
  return true;
}

void Cluster::State::dispatch(const Event& event) {
  switch (static_cast<Kind>(event.kind)) {
    case mail: return deliver(event.what);
    case call: {
      const auto then = std::move(calls_[event.what]);
      calls_[event.what] = nullptr;
      free_calls_.push_back(event.what);
      return then();
    }
    case step_end: return end_step(event.who, static_cast<std::uint32_t>(event.what & 0xffffU), event.what >> 16U);
    case report_due:
      if (!nodes_[event.who].alive || nodes_[event.who].life != event.what) return;
      report(event.who);
      return events_.push(now_ + plan_.report_interval, EventRank::report, report_due, event.who, event.what);
    case arrival: return arrive();
    case tick_due:
      if (nodes_[event.who].alive && nodes_[event.who].life == event.what && nodes_[event.who].tick_at == now_) tick(event.who);
      return;
    case network_due:
      if (network_at_ <= now_) network_at_ = core::never;
      return bulk_through();
    case sample_due: sample(); return events_.push(now_ + options_.sample_interval, EventRank::timer, sample_due, 0, 0);
  }
}

void Cluster::State::sample() {
  RunSample all;
  all.time_ns = (now_ - origin_).count();
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    SimNode& node = nodes_[n];
    RunSample one;
    one.time_ns = all.time_ns;
    one.node = n;
    if (node.alive) {
      one.running = node.last_report.streams;
      one.queued = node.last_report.queued;
      one.kv_blocks_used = node.last_report.blocks_used;
      one.kv_blocks_total = node.last_report.blocks_total;
    }
    one.moves = std::exchange(node.moves, 0);
    one.moved_bytes = std::exchange(node.moved_bytes, 0);
    all.running += one.running;
    all.queued += one.queued;
    all.kv_blocks_used += one.kv_blocks_used;
    all.kv_blocks_total += one.kv_blocks_total;
    all.moves += one.moves;
    all.moved_bytes += one.moved_bytes;
    series_.push_back(one);
  }
  all.arrivals = std::exchange(arrivals_sampled_, 0);
  series_.push_back(all);
}

void Cluster::State::finish(ClusterOutcome& outcome) {
  // Steps that have ended by now, of streams that nobody waits for, count as they do one by one.
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    for (std::uint32_t r = 0; nodes_[n].alive && r < nodes_[n].replicas.size(); ++r) catch_up(n, r, events_rank_ != EventRank::transfer);
  }
  for (const auto& node : nodes_) {
    if (node.router) {
      const auto counters = node.router->counters();
      counts_.moves += counters.moves_committed;
      counts_.moves_aborted += counters.moves_aborted;
      counts_.restarts += counters.streams_restarted;
      counts_.scored += counters.streams_scored;
    }
    for (const auto& replica : node.replicas) {
      if (!replica.core) continue;
      counts_.preemptions += replica.core->counters().preemptions;
      counts_.preemptions_moved += replica.core->counters().preemptions_moved;
      counts_.prefix_hit_tokens += replica.core->counters().prefix_hit_tokens;
      counts_.blocks_allocated += replica.core->blocks_allocated();
    }
  }
  counts_.flows = network_.flows_begun();
  outcome.counts = counts_;
  outcome.simulated = last_end_ - origin_;
  Run& run = outcome.run;
  run.name = "simulated";
  run.end_ns = outcome.simulated.count();
  run.tenants = source_->tenants();
  run.models = source_->models();
  for (const auto& node : plan_.nodes) run.nodes.add(node.name);
  run.rungs = rungs_;
  run.records = std::move(records_);
  run.series = std::move(series_);
  run.notes = plan_.notes;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    const SimNode& node = nodes_[n];
    const NodePlan& plan = plan_.nodes[n];
    const core::Duration up =
        node.up + (node.alive ? last_end_ - std::min(last_end_, std::max(node.up_since, origin_)) : core::Duration{0});
    const double seconds = static_cast<double>(up.count()) / 1e9;
    const double busy = static_cast<double>(node.busy.count()) / 1e9;
    run.cost.price += plan.price_per_hour * seconds / 3600;
    run.cost.energy_joules += plan.idle_watts * seconds + (plan.busy_watts - plan.idle_watts) * busy;
  }
}

bool Cluster::State::settled() const {
  return std::all_of(nodes_.begin(), nodes_.end(), [](const SimNode& node) {
    if (!node.alive) return true;
    if (node.router && node.router->streams() > 0) return false;
    if (node.cache->exports() + node.cache->imports() > 0) return false;
    return std::all_of(node.replicas.begin(), node.replicas.end(), [](const SimReplica& r) { return !r.core || r.core->idle(); });
  });
}

/// Nothing is left of anybody.
void Cluster::State::check_clean() {
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    const SimNode& node = nodes_[n];
    if (!node.alive) continue;
    const std::string& name = node.plan->name;
    if (node.router && node.router->streams() > 0)
      return broken(name + " still owns " + std::to_string(node.router->streams()) + " streams");
    if (node.cache->exports() + node.cache->imports() > 0) return broken(name + " still carries a stream");
    for (const auto& replica : node.replicas) {
      if (!replica.core) continue;
      replica.core->check();
      const auto told = replica.core->report(now_);
      if (!replica.core->idle() || told.blocks_used != 0) return broken(name + " leaks " + std::to_string(told.blocks_used) + " blocks");
    }
  }
}

Cluster::Cluster(const ClusterPlan& plan, const ClusterOptions& options) : state_(std::make_unique<State>(plan, options)) {}
Cluster::~Cluster() = default;

core::Result<ClusterOutcome> Cluster::run(RequestSource& source) {
  return state_->run(source);
}

}  // namespace spillway::sim
