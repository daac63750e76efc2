#include <algorithm>

#include "sim/cluster_state.h"

/// What travels between nodes and between the cores of one node.
namespace spillway::sim {

namespace {

constexpr std::uint64_t flow_of(std::uint32_t from, std::uint32_t to) {
  return std::uint64_t{from} << 32U | to;
}
constexpr core::Duration tick_pause = std::chrono::microseconds(500);  // before a core that is due again at once is asked again

}  // namespace

core::Duration Cluster::State::latency(std::uint32_t a, std::uint32_t b) const {
  if (a == b) return core::Duration{0};
  return plan_.nodes[a].zone == plan_.nodes[b].zone ? plan_.network.latency : plan_.network.zone_latency;
}

void Cluster::State::at(Instant when, EventRank rank, std::uint32_t who, std::function<void()> then) {
  std::uint64_t slot = calls_.size();
  if (free_calls_.empty()) {
    calls_.emplace_back();
  } else {
    slot = free_calls_.back();
    free_calls_.pop_back();
  }
  calls_[slot] = std::move(then);
  events_.push(std::max(when, now_), rank, call, who, slot);
}

void Cluster::State::send(std::uint32_t from, core::NodeId to, const core::MessagePtr& message) {
  const std::uint32_t target = index_.at(to);
  ++counts_.messages;
  if (const auto* frame = std::get_if<core::PageFrame>(message.get()); frame != nullptr && target != from)
    return send_bulk(from, target, message, frame->data_bytes);
  post(from, target, message, latency(from, target), 0);
}

void Cluster::State::post(std::uint32_t from, std::uint32_t to, core::MessagePtr message, core::Duration latency, std::uint32_t bulk) {
  if (!nodes_[to].alive) return;
  std::uint64_t slot = mails_.size();
  if (free_mails_.empty()) {
    mails_.emplace_back();
  } else {
    slot = free_mails_.back();
    free_mails_.pop_back();
  }
  mails_[slot] = {std::move(message), from, to, nodes_[to].life, bulk};
  if (cut(from, to)) {
    if (downs_.contains(std::minmax(from, to))) {
      mails_[slot] = {};
      free_mails_.push_back(slot);
    } else {
      held_[{from, to}].push_back(slot);
    }
    return;
  }
  events_.push(now_ + latency, EventRank::transfer, mail, from, slot);
}

void Cluster::State::send_bulk(std::uint32_t from, std::uint32_t to, const core::MessagePtr& message, std::uint32_t bytes) {
  bulk_in_flight_[flow_of(from, to)] += bytes;
  counts_.moved_bytes += bytes;
  nodes_[from].moved_bytes += bytes;
  if (cut(from, to) || !nodes_[to].alive) return post(from, to, message, latency(from, to), bytes);
  std::vector<FluidNetwork::Link> path{nodes_[from].nic_up, nodes_[to].nic_down};
  const std::uint32_t zone_from = plan_.nodes[from].zone;
  const std::uint32_t zone_to = plan_.nodes[to].zone;
  if (zone_from != zone_to) {
    if (zone_from != 0) path.push_back(zone_up_[zone_from - 1]);
    if (zone_to != 0) path.push_back(zone_down_[zone_to - 1]);
  }
  std::uint64_t slot = mails_.size();
  if (free_mails_.empty()) {
    mails_.emplace_back();
  } else {
    slot = free_mails_.back();
    free_mails_.pop_back();
  }
  mails_[slot] = {message, from, to, nodes_[to].life, bytes};
  network_.send(flow_of(from, to), path, bytes, slot, now_);
}

/// Pieces that have left the wire arrive after the latency.
void Cluster::State::bulk_through() {
  constexpr std::uint64_t load_bit = std::uint64_t{1} << 63U;
  for (const std::uint64_t tag : network_.ended(now_)) {
    if ((tag & load_bit) != 0) {
      const auto found = loads_.find(tag);
      if (found == loads_.end()) continue;
      const auto then = std::move(found->second);
      loads_.erase(found);
      then();
      continue;
    }
    const Mail& sent = mails_[tag];
    events_.push(now_ + latency(sent.from, sent.to), EventRank::transfer, mail, sent.from, tag);
  }
}

void Cluster::State::deliver(std::uint64_t slot) {
  const Mail sent = std::move(mails_[slot]);
  mails_[slot] = {};
  free_mails_.push_back(slot);
  const bool there = nodes_[sent.to].alive && nodes_[sent.to].life == sent.to_life;
  if (sent.bulk > 0) {
    auto& in_flight = bulk_in_flight_[flow_of(sent.from, sent.to)];
    in_flight -= std::min<std::uint64_t>(in_flight, sent.bulk);
  }
  if (!there) return;
  deliver_to(sent);
  if (sent.bulk == 0 || !nodes_[sent.from].alive) return;
  // Consumed: credit for the sender.
  const std::uint64_t left = bulk_in_flight_[flow_of(sent.from, sent.to)];
  at(now_ + latency(sent.from, sent.to), EventRank::transfer, sent.to,
     [this, from = sent.from, to = sent.to, left, life = nodes_[sent.from].life] {
       if (nodes_[from].life != life) return;
       cache(from, [&](sched::CacheCore& core, auto& out) { core.on_credit(plan_.nodes[to].id, left, now_, out); });
     });
}

void Cluster::State::deliver_to(const Mail& sent) {
  const core::NodeId from = plan_.nodes[sent.from].id;
  const std::uint32_t n = sent.to;
  switch (core::traits(*sent.message).part) {
    case core::Part::router:
      if (const auto* told = std::get_if<core::Report>(sent.message.get())) {
        note_report(*told);
        if (told->draining) tell_pressed();
      }
      return router(n, [&](sched::RouterCore& core, auto& out) {
        std::visit(
            [&](const auto& message) {
              if constexpr (requires { core.on(from, message, now_, out); }) core.on(from, message, now_, out);
            },
            *sent.message);
      });
    case core::Part::batcher: return to_batchers(n, *sent.message);
    case core::Part::cache:
      return cache(n, [&](sched::CacheCore& core, auto& out) {
        std::visit(
            [&](const auto& message) {
              if constexpr (requires { core.on(message, now_, out); }) core.on(message, now_, out);
            },
            *sent.message);
      });
    case core::Part::node:
      if (const auto* order = std::get_if<core::Drain>(sent.message.get())) drain(n, order->mode != core::DrainMode::resume);
      return;
  }
}

void Cluster::State::to_batchers(std::uint32_t n, const core::Message& message) {
  SimNode& node = nodes_[n];
  if (const auto* run = std::get_if<core::Run>(&message)) {
    const std::uint32_t r = run->replica.index;
    if (r >= node.replicas.size()) return;
    counts_.prefix_lookups += run->prompt_names.size();
    if (!node.replicas[r].core) {
      core::RunRefused refused{run->key,
                               run->epoch,
                               run->replica,
                               core::Errc::unavailable,
                               "the replica is still loading its model",
                               std::chrono::milliseconds(500)};
      return send(n, run->owner, core::make_message(std::move(refused)));
    }
    return batcher(n, r, JumpCut::arrival, [&](sched::BatcherCore& core, auto& out) { core.on(*run, now_, out); });
  }
  for (std::uint32_t r = 0; r < node.replicas.size(); ++r) {
    if (const auto* cancel = std::get_if<core::CancelRun>(&message))
      batcher(n, r, JumpCut::cancel, [&](sched::BatcherCore& core, auto& out) { core.on(*cancel, now_, out); });
    if (const auto* names = std::get_if<core::BlockNames>(&message))
      batcher(n, r, JumpCut::arrival, [&](sched::BatcherCore& core, auto& out) { core.on(*names, now_, out); });
  }
}

void Cluster::State::drain(std::uint32_t n, bool draining) {
  SimNode& node = nodes_[n];
  if (!node.alive) return;
  node.draining = draining;
  for (auto& replica : node.replicas) {
    if (replica.core) replica.core->set_draining(draining);
  }
  router(n, [&](sched::RouterCore& core, auto& out) { core.set_draining(draining, false, now_, out); });
  report(n);
}

// -- Reports ---------------------------------------------------------------------------------------------------------------------

void Cluster::State::report(std::uint32_t n) {
  SimNode& node = nodes_[n];
  if (!node.alive) return;
  core::Report told;
  told.node = node.plan->id;
  told.name = node.plan->name;
  told.number = ++node.report_number;
  told.roles = node.plan->roles;
  told.draining = node.draining;
  if (node.router) {
    told.owned_streams = static_cast<std::uint32_t>(node.router->streams());
    told.counters = node.router->counters();
  }
  node.last_report = {};
  for (std::uint32_t r = 0; r < node.replicas.size(); ++r) {
    SimReplica& replica = node.replicas[r];
    core::ReplicaReport part;
    if (replica.core) {
      if (catch_up(n, r, events_rank_ != EventRank::transfer) > 0) ++counts_.cuts[static_cast<std::size_t>(JumpCut::report)];
      replica.core->set_report_number(told.number);
      part = replica.core->report(now_);
      if (now_ >= origin_ + options_.warm_up && arrived_ < source_->count()) {
        ++counts_.kv_samples;
        counts_.kv_use_permille += std::uint64_t{part.blocks_used} * 1000 / std::max(1U, part.blocks_total);
      }
      if (!replica.names_added.empty() || !replica.names_removed.empty()) announce(n, r, false, no_node);
    }
    part.index = r;
    part.model = replica.plan->info.model;
    part.ready = part.ready && replica.ready;
    node.last_report.streams += part.streams;
    node.last_report.queued += part.queued;
    node.last_report.blocks_used += part.blocks_used;
    node.last_report.blocks_total += part.blocks_total;
    told.replicas.push_back(std::move(part));
  }
  ++counts_.reports;
  const auto message = core::make_message(std::move(told));
  for (const std::uint32_t to : routers_) send(n, plan_.nodes[to].id, message);
}

/// To one router everything, or to all what changed since the last time.
void Cluster::State::announce(std::uint32_t n, std::uint32_t r, bool full, std::uint32_t to) {
  SimReplica& replica = nodes_[n].replicas[r];
  core::Announce announce;
  announce.replica = {nodes_[n].plan->id, r};
  announce.kv_id = replica.plan->info.kv_id;
  announce.full = full;
  if (full) {
    announce.added = replica.core->cached_names();
    return send(n, plan_.nodes[to].id, core::make_message(std::move(announce)));
  }
  announce.added.swap(replica.names_added);
  replica.added_filter = {};
  announce.removed.swap(replica.names_removed);
  const auto message = core::make_message(std::move(announce));
  for (const std::uint32_t other : routers_) send(n, plan_.nodes[other].id, message);
}

/// Replicas whose streams a router moves because they are drained, by what it now knows of them.
void Cluster::State::note_report(const core::Report& report) {
  const std::uint32_t n = index_.at(report.node);
  for (const auto& told : report.replicas) {
    SimReplica& replica = nodes_[n].replicas[told.index];
    if (report.draining && !replica.pressed) pressed_.emplace_back(n, told.index);
    replica.pressed = report.draining;
  }
}

/// What routers would have heard by now, of streams on nodes that are drained.
void Cluster::State::tell_pressed() {
  std::erase_if(pressed_, [this](const auto& at) { return !nodes_[at.first].alive || !nodes_[at.first].replicas[at.second].pressed; });
  for (std::size_t i = 0; i < pressed_.size(); ++i) tell_now(pressed_[i].first, pressed_[i].second);
}

// -- Timers ----------------------------------------------------------------------------------------------------------------------

void Cluster::State::arm(std::uint32_t n) {
  SimNode& node = nodes_[n];
  Instant next = std::min(node.router_tick, node.cache_tick);
  for (const auto& replica : node.replicas) {
    if (replica.core) next = std::min(next, replica.core->next_tick());
  }
  if (next == core::never) return;
  next = std::max(next, now_);
  if (next <= node.ticked) next = node.ticked + tick_pause;
  if (node.tick_at <= next) return;
  node.tick_at = next;
  events_.push(next, EventRank::timer, tick_due, n, node.life);
}

void Cluster::State::tick(std::uint32_t n) {
  SimNode& node = nodes_[n];
  node.tick_at = core::never;
  node.ticked = now_;
  if (node.router && node.router->next_tick() <= now_) {
    tell_pressed();
    for (const auto& ref : node.router->may_unload(now_)) tell_now(index_.at(ref.node), ref.index);
    router(n, [&](sched::RouterCore& core, auto& out) { core.on_tick(now_, out); });
  }
  for (std::uint32_t r = 0; r < node.replicas.size(); ++r) {
    if (node.replicas[r].core && node.replicas[r].core->next_tick() <= now_)
      batcher(n, r, JumpCut::deadline, [&](sched::BatcherCore& core, auto& out) { core.on_tick(now_, out); });
  }
  if (node.cache && node.cache->next_tick() <= now_) cache(n, [&](sched::CacheCore& core, auto& out) { core.on_tick(now_, out); });
  arm(n);
}

// -- Actions ---------------------------------------------------------------------------------------------------------------------

void Cluster::State::perform(std::uint32_t n, sched::RouterCore::Actions& actions) {
  using Core = sched::RouterCore;
  for (auto& action : actions) {
    if (auto* posted = std::get_if<Core::Post>(&action)) {
      send(n, posted->to, posted->message);
    } else if (auto* told = std::get_if<Core::ToClient>(&action)) {
      to_client(n, *told);
    }
  }
}

void Cluster::State::perform(std::uint32_t n, std::uint32_t r, sched::BatcherCore::Actions& actions) {
  using Core = sched::BatcherCore;
  SimReplica& replica = nodes_[n].replicas[r];
  for (auto& action : actions) {
    if (auto* posted = std::get_if<Core::Post>(&action)) {
      send(n, posted->to, options_.jumps ? hear_early(n, r, index_.at(posted->to), posted->message) : posted->message);
    } else if (auto* local = std::get_if<Core::Local>(&action)) {
      at(now_, EventRank::transfer, n, [this, n, life = nodes_[n].life, event = std::move(local->event)] {
        if (nodes_[n].life != life) return;
        cache(n, [&](sched::CacheCore& core, auto& out) { std::visit([&](const auto& e) { core.on(e, now_, out); }, event); });
      });
    } else {
      auto& changed = std::get<Core::NamesChanged>(action);
      // Routers take away before they add: a name that came and went between two reports must not be added.
      const bool came = std::any_of(changed.removed.begin(), changed.removed.end(),
                                    [&](const core::BlockName& name) { return replica.may_have_added(name); });
      if (came) {
        std::sort(changed.removed.begin(), changed.removed.end());
        std::erase_if(replica.names_added, [&](const core::BlockName& name) {
          return std::binary_search(changed.removed.begin(), changed.removed.end(), name);
        });
      }
      replica.add_names(changed.added);
      replica.names_removed.insert(replica.names_removed.end(), changed.removed.begin(), changed.removed.end());
    }
  }
}

void Cluster::State::perform(std::uint32_t n, sched::CacheCore::Actions& actions) {
  using Core = sched::CacheCore;
  const std::uint32_t life = nodes_[n].life;
  for (auto& action : actions) {
    if (auto* posted = std::get_if<Core::Post>(&action)) {
      send(n, posted->to, posted->message);
    } else if (auto* local = std::get_if<Core::Local>(&action)) {
      at(now_, EventRank::transfer, n, [this, n, life, r = local->replica, event = std::move(local->event)] {
        if (nodes_[n].life != life) return;
        batcher(n, r, JumpCut::move,
                [&](sched::BatcherCore& core, auto& out) { std::visit([&](const auto& e) { core.on(e, now_, out); }, event); });
      });
    } else if (auto* read = std::get_if<Core::ReadRows>(&action)) {
      at(now_, EventRank::transfer, n,
         [this, n, life, done = Core::RowsRead{read->transfer, read->ordinal, read->whole_page, read->first_row, read->rows, nullptr}] {
           if (nodes_[n].life == life) cache(n, [&](Core& core, auto& out) { core.on(done, now_, out); });
         });
    } else {
      const auto& write = std::get<Core::WriteRows>(action);
      at(now_, EventRank::transfer, n,
         [this, n, life, done = Core::RowsWritten{write.transfer, write.ordinal, write.first_row, write.rows}] {
           if (nodes_[n].life == life) cache(n, [&](Core& core, auto& out) { core.on(done, now_, out); });
         });
    }
  }
}

}  // namespace spillway::sim
