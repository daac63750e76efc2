#include <algorithm>

#include "sim/cluster_state.h"

/// Lives and deaths of nodes, loads of models, and what else happens at its time.
namespace spillway::sim {

namespace {

constexpr std::uint64_t load_bit = std::uint64_t{1} << 63U;
constexpr std::uint64_t flow_of(std::uint32_t from, std::uint32_t to) {
  return std::uint64_t{from} << 32U | to;
}
constexpr core::Duration operator_pause = std::chrono::milliseconds(200);
constexpr sched::ClientRef operator_client{~std::uint64_t{0}};

constexpr std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31U);
}

}  // namespace

/// The process of the node starts: its cores, but no model yet.
void Cluster::State::bear(std::uint32_t n) {
  SimNode& node = nodes_[n];
  node.alive = true;
  node.draining = false;
  ++node.life;
  node.incarnation = {mix(mix(options_.seed) ^ ++births_) | 1U};
  node.report_number = 0;
  node.tick_at = node.router_tick = node.cache_tick = core::never;
  node.up_since = now_;
  node.cache = std::make_unique<sched::CacheCore>(node.plan->id, node.incarnation, plan_.cache);
  node.router.reset();
  if (node.plan->router()) {
    node.router = std::make_unique<sched::RouterCore>(node.plan->id, node.plan->name, node.incarnation, plan_.router);
    for (const auto& other : plan_.nodes) node.router->expect_node(other.id, other.name);
  }
  for (auto& replica : node.replicas) {
    replica.core.reset();
    replica.ready = replica.busy = replica.pressed = false;
    replica.names_added.clear();
    replica.added_filter = {};
    replica.names_removed.clear();
    replica.last_ends = {};
    ++replica.loads;
    ++replica.version;
  }
}

/// The links of a node that has started come up.
void Cluster::State::join(std::uint32_t n) {
  for (std::uint32_t other = 0; other < nodes_.size(); ++other) {
    if (other == n || !nodes_[other].alive) continue;
    if (cut(n, other)) {
      missed_.insert(std::minmax(n, other));
    } else {
      meet(n, other);
    }
  }
  const std::uint32_t life = nodes_[n].life;
  events_.push(now_, EventRank::report, report_due, n, life);
}

/// Both hear of each other.
void Cluster::State::meet(std::uint32_t a, std::uint32_t b) {
  for (const auto& [of, by] : {std::pair{a, b}, std::pair{b, a}}) {
    const core::NodeId id = plan_.nodes[of].id;
    const core::Incarnation incarnation = nodes_[of].incarnation;
    router(by, [&](sched::RouterCore& core, auto& out) { core.on_peer_up(id, incarnation, now_, out); });
    cache(by, [&](sched::CacheCore& core, auto& out) { core.on_peer_gone(id, now_, out); });
    if (!plan_.nodes[of].router()) continue;
    for (std::uint32_t r = 0; r < nodes_[by].replicas.size(); ++r) {
      if (!nodes_[by].replicas[r].core) continue;
      batcher(by, r, JumpCut::failure, [&](sched::BatcherCore& core, auto& out) { core.on_owner_gone(id, incarnation, now_, out); });
      announce(by, r, true, of);
    }
  }
}

void Cluster::State::make_replica(std::uint32_t n, std::uint32_t r) {
  SimNode& node = nodes_[n];
  SimReplica& replica = node.replicas[r];
  replica.ready = true;
  node.cache->set_replica(r, replica.plan->info);
  if (replica.core) {
    replica.core->on_worker_ready(now_, batcher_out_);
    batcher_out_.clear();
    return;
  }
  replica.core =
      std::make_unique<sched::BatcherCore>(core::ReplicaRef{node.plan->id, r}, node.incarnation, replica.plan->info, plan_.batcher);
  replica.core->set_draining(node.draining);
  replica.core->set_guess_permille(replica.plan->guess_permille);
  sched::BatcherCore::Actions none;
  for (const std::uint32_t owner : routers_) {
    if (nodes_[owner].alive && !cut(n, owner)) replica.core->on_owner_gone(plan_.nodes[owner].id, nodes_[owner].incarnation, now_, none);
  }
}

/// The weights travel, then the device takes its time.
void Cluster::State::load(std::uint32_t n, std::uint32_t r) {
  SimReplica& replica = nodes_[n].replicas[r];
  const std::uint64_t loads = ++replica.loads;
  const auto then = [this, n, r, loads, life = nodes_[n].life] {
    at(now_ + plan_.start.load, EventRank::timer, n, [this, n, r, loads, life] {
      if (nodes_[n].alive && nodes_[n].life == life) loaded(n, r, loads);
    });
  };
  if (plan_.start.weight_bytes == 0) return then();
  std::vector<FluidNetwork::Link> path{nodes_[n].nic_down};
  if (const auto zone = plan_.nodes[n].zone; zone != 0) path.insert(path.begin(), zone_down_[zone - 1]);
  const std::uint64_t tag = load_bit | ++next_load_;
  loads_.emplace(tag, then);
  network_.send(load_bit | flow_of(n, r), path, plan_.start.weight_bytes, tag, now_);
}

void Cluster::State::loaded(std::uint32_t n, std::uint32_t r, std::uint64_t loads) {
  if (nodes_[n].replicas[r].loads != loads) return;
  make_replica(n, r);
  begin_step(n, r);
  report(n);
  arm(n);
}

void Cluster::State::strike(const Fault& fault) {
  const auto hit = nodes_matching(plan_, fault.nodes);
  const bool ends = fault.lasts > core::Duration{0};
  for (const std::uint32_t n : hit) {
    switch (fault.kind) {
      case FaultKind::kill: kill(n, fault.lasts); break;
      case FaultKind::fail_worker: fail_worker(n); break;
      case FaultKind::slow:
        slow(n, fault.percent);
        if (ends) at(now_ + fault.lasts, EventRank::timer, n, [this, n] { slow(n, 100); });
        break;
      case FaultKind::partition:
        for (std::uint32_t other = 0; other < nodes_.size(); ++other) {
          if (std::find(hit.begin(), hit.end(), other) == hit.end()) part(n, other, fault.lasts);
        }
        break;
      case FaultKind::drain:
        operator_drains(n, core::DrainMode::begin);
        if (ends) at(now_ + fault.lasts, EventRank::timer, n, [this, n] { operator_drains(n, core::DrainMode::resume); });
        break;
    }
  }
}

void Cluster::State::kill(std::uint32_t n, core::Duration lasts) {
  SimNode& node = nodes_[n];
  if (!node.alive) return;
  std::uint32_t streams = 0;
  for (std::uint32_t r = 0; r < node.replicas.size(); ++r) {
    // What was sent before it died arrives.
    tell_now(n, r);
    tell_all(n, r);
    if (!node.replicas[r].core) continue;
    if (node.replicas[r].busy && node.replicas[r].ends.size() > node.replicas[r].done + 1)
      ++counts_.cuts[static_cast<std::size_t>(JumpCut::failure)];
    const auto told = node.replicas[r].core->report(now_);
    streams += told.streams + told.queued;
    counts_.preemptions += node.replicas[r].core->counters().preemptions;
    counts_.preemptions_moved += node.replicas[r].core->counters().preemptions_moved;
    counts_.prefix_hit_tokens += node.replicas[r].core->counters().prefix_hit_tokens;
    counts_.blocks_allocated += node.replicas[r].core->blocks_allocated();
  }
  ++counts_.deaths;
  counts_.deaths_with_streams += streams > 0 ? 1 : 0;
  if (node.router) {
    // Its clients have what they would have by now.
    for (std::uint32_t other = 0; other < nodes_.size(); ++other) {
      for (std::uint32_t r = 0; r < nodes_[other].replicas.size(); ++r) tell_now(other, r);
    }
    hear_late_tokens(n);
    counts_.moves += node.router->counters().moves_committed;
    counts_.moves_aborted += node.router->counters().moves_aborted;
    counts_.restarts += node.router->counters().streams_restarted;
  }
  node.alive = false;
  node.up += now_ - node.up_since;
  const core::Incarnation incarnation = node.incarnation;
  node.router.reset();
  node.cache.reset();
  for (auto& replica : node.replicas) {
    replica.core.reset();
    replica.ready = replica.busy = replica.pressed = false;
    ++replica.loads;
    ++replica.version;
  }
  stop_flows([n](std::uint32_t from, std::uint32_t to) { return from == n || to == n; }, false);
  if (node.plan->router()) router_died(n);
  for (std::uint32_t by = 0; by < nodes_.size(); ++by) {
    if (by == n || !nodes_[by].alive) continue;
    at(now_ + plan_.suspect_after, EventRank::timer, by, [this, n, by, life = node.life] {
      if (nodes_[n].life == life && !nodes_[n].alive) suspect(n, by, true);
    });
    at(now_ + plan_.dead_after, EventRank::timer, by, [this, n, by, life = node.life, incarnation] {
      if (nodes_[n].life == life && !nodes_[n].alive) lost(n, by, incarnation);
    });
  }
  if (lasts == core::Duration{0}) return;
  at(now_ + lasts + plan_.start.process, EventRank::timer, n, [this, n] {
    if (nodes_[n].alive) return;
    bear(n);
    join(n);
    for (std::uint32_t r = 0; r < nodes_[n].replicas.size(); ++r) load(n, r);
  });
}

void Cluster::State::hear_late_tokens(std::uint32_t n) {
  for (std::size_t slot = 0; slot < mails_.size(); ++slot) {
    const Mail sent = mails_[slot];
    if (!sent.message || sent.to != n || sent.to_life != nodes_[n].life || cut(sent.from, n) || !nodes_[sent.from].alive) continue;
    const auto* told = std::get_if<core::Tokens>(sent.message.get());
    if (told == nullptr) continue;
    const std::uint32_t under = under_way(nodes_[sent.from].replicas[told->replica.index], latency(sent.from, n));
    core::Tokens heard{told->replica, {}};
    for (const auto& run : told->runs) {
      if (run.tokens.size() <= under) continue;
      heard.runs.push_back(run);
      heard.runs.back().tokens.resize(run.tokens.size() - under);
    }
    if (!heard.runs.empty()) deliver_to({core::make_message(std::move(heard)), sent.from, n, sent.to_life, 0});
  }
}

void Cluster::State::suspect(std::uint32_t of, std::uint32_t by, bool suspected) {
  router(by, [&](sched::RouterCore& core, auto& out) { core.on_peer_suspect(plan_.nodes[of].id, suspected, now_, out); });
}

/// `by` gives `of` up.
void Cluster::State::lost(std::uint32_t of, std::uint32_t by, core::Incarnation incarnation) {
  const core::NodeId id = plan_.nodes[of].id;
  router(by, [&](sched::RouterCore& core, auto& out) { core.on_peer_down(id, incarnation, now_, out); });
  for (std::uint32_t r = 0; r < nodes_[by].replicas.size() && plan_.nodes[of].router(); ++r)
    batcher(by, r, JumpCut::failure, [&](sched::BatcherCore& core, auto& out) { core.on_owner_gone(id, {}, now_, out); });
  cache(by, [&](sched::CacheCore& core, auto& out) { core.on_peer_gone(id, now_, out); });
}

void Cluster::State::fail_worker(std::uint32_t n) {
  SimNode& node = nodes_[n];
  if (!node.alive) return;
  for (std::uint32_t r = 0; r < node.replicas.size(); ++r) {
    SimReplica& replica = node.replicas[r];
    if (!replica.core || !replica.ready) continue;
    cut_jump(n, r, JumpCut::failure);
    replica.ready = replica.busy = false;
    ++replica.version;
    batcher(n, r, JumpCut::failure, [&](sched::BatcherCore& core, auto& out) { core.on_worker_failed("its device fell over", now_, out); });
    load(n, r);
  }
  report(n);
}

void Cluster::State::slow(std::uint32_t n, std::uint32_t percent) {
  for (std::uint32_t r = 0; r < nodes_[n].replicas.size(); ++r) cut_jump(n, r, JumpCut::failure);
  nodes_[n].slow_percent = percent;
}

// -- Partitions ------------------------------------------------------------------------------------------------------------------

void Cluster::State::part(std::uint32_t a, std::uint32_t b, core::Duration lasts) {
  if (cut(a, b) || a == b) return;
  // What was said before is under way.
  for (const std::uint32_t n : {a, b}) {
    for (std::uint32_t r = 0; r < nodes_[n].replicas.size(); ++r) tell_all(n, r);
  }
  cuts_.insert(std::minmax(a, b));
  stop_flows([&](std::uint32_t from, std::uint32_t to) { return std::minmax(from, to) == std::minmax(a, b); }, true);
  const auto still = [this, a, b, lives = std::pair{nodes_[a].life, nodes_[b].life}] {
    return cut(a, b) && nodes_[a].alive && nodes_[b].alive && nodes_[a].life == lives.first && nodes_[b].life == lives.second;
  };
  at(now_ + plan_.suspect_after, EventRank::timer, a, [this, a, b, still] {
    if (!still()) return;
    suspect(a, b, true);
    suspect(b, a, true);
  });
  at(now_ + plan_.dead_after, EventRank::timer, a, [this, a, b, still] {
    if (still()) link_down(a, b);
  });
  if (lasts > core::Duration{0}) at(now_ + lasts, EventRank::timer, a, [this, a, b] { heal(a, b); });
}

void Cluster::State::link_down(std::uint32_t a, std::uint32_t b) {
  downs_.insert(std::minmax(a, b));
  for (const auto& way : {std::pair{a, b}, std::pair{b, a}}) {
    for (const std::uint64_t slot : held_[way]) {
      auto& in_flight = bulk_in_flight_[flow_of(way.first, way.second)];
      in_flight -= std::min<std::uint64_t>(in_flight, mails_[slot].bulk);
      mails_[slot] = {};
      free_mails_.push_back(slot);
    }
    held_.erase(way);
  }
  lost(a, b, nodes_[a].incarnation);
  lost(b, a, nodes_[b].incarnation);
}

void Cluster::State::heal(std::uint32_t a, std::uint32_t b) {
  const auto pair = std::minmax(a, b);
  for (const std::uint32_t n : {a, b}) {
    for (std::uint32_t r = 0; r < nodes_[n].replicas.size(); ++r) tell_all(n, r);
  }
  if (cuts_.erase(pair) == 0) return;
  const bool down = downs_.erase(pair) > 0;
  for (const auto& way : {std::pair{a, b}, std::pair{b, a}}) {
    for (const std::uint64_t slot : held_[way]) events_.push(now_ + latency(a, b), EventRank::transfer, mail, way.first, slot);
    held_.erase(way);
  }
  if (!nodes_[a].alive || !nodes_[b].alive) return;
  // A node that started behind the cut has not met the other one yet.
  if (missed_.erase(pair) > 0 || down) return meet(a, b);
  suspect(a, b, false);
  suspect(b, a, false);
}

/// Pieces of these flows stop; they are held until the cut heals, or gone.
void Cluster::State::stop_flows(const std::function<bool(std::uint32_t from, std::uint32_t to)>& which, bool keep) {
  for (auto& [flow, bytes] : bulk_in_flight_) {
    const auto from = static_cast<std::uint32_t>(flow >> 32U);
    const auto to = static_cast<std::uint32_t>(flow);
    if (!which(from, to)) continue;
    for (const std::uint64_t slot : network_.stop(flow, now_)) {
      if (keep) {
        held_[{from, to}].push_back(slot);
      } else {
        mails_[slot] = {};
        free_mails_.push_back(slot);
      }
    }
    if (!keep) bytes = 0;
  }
  for (std::uint32_t n = 0; n < nodes_.size() && !keep; ++n) {
    for (std::uint32_t r = 0; r < nodes_[n].replicas.size(); ++r) {
      if (!which(n, n)) continue;
      for (const std::uint64_t tag : network_.stop(load_bit | flow_of(n, r), now_)) loads_.erase(tag);
    }
  }
}

void Cluster::State::operator_drains(std::uint32_t n, core::DrainMode mode) {
  const auto alive = std::find_if(routers_.begin(), routers_.end(), [this](std::uint32_t by) { return nodes_[by].alive; });
  if (alive == routers_.end()) return at(now_ + operator_pause, EventRank::timer, n, [this, n, mode] { operator_drains(n, mode); });
  const std::uint32_t by = *alive;
  for (std::uint32_t r = 0; r < nodes_[n].replicas.size(); ++r) tell_now(n, r);
  router(by, [&](sched::RouterCore& core, auto& out) {
    core.on(operator_client, core::DrainRequest{mode == core::DrainMode::begin ? 1U : 2U, plan_.nodes[n].name, mode}, now_, out);
  });
}

}  // namespace spillway::sim
