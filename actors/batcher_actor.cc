#include "actors/batcher_actor.h"

#include <unordered_set>

namespace spillway::actors {

namespace {

using Self = BatcherActor::stateful_pointer<BatcherShell>;

void perform(Self self, sched::BatcherCore::Action& action) {
  auto& shell = state(self);
  std::visit(Overloaded{
                 [&](sched::BatcherCore::Post& a) { post(self, *shell.setup.wiring, a.to, a.message); },
                 [&](sched::BatcherCore::Local& a) {
                   using Event = std::remove_const_t<typename decltype(ToCache::event)::element_type>;
                   tell(self, shell.setup.wiring->cache, ToCache{shell.setup.index, std::make_shared<const Event>(std::move(a.event))});
                 },
                 [&](sched::BatcherCore::NamesChanged& a) {
                   // Routers take away before they add: a name that came and went between two reports must not be added.
                   auto& changes = shell.changes;
                   if (!changes.added.empty() && !a.removed.empty()) {
                     const std::unordered_set<core::BlockName> gone(a.removed.begin(), a.removed.end());
                     std::erase_if(changes.added, [&](const core::BlockName& name) { return gone.count(name) != 0; });
                   }
                   changes.added.insert(changes.added.end(), a.added.begin(), a.added.end());
                   changes.removed.insert(changes.removed.end(), a.removed.begin(), a.removed.end());
                 },
             },
             action);
}

/// Runs `event` on the core, performs what it asks, and gives the worker its next step.
template <class Event>
void drive(Self self, const Event& event) {
  auto& shell = state(self);
  if (!shell.core) return;
  shell.actions.clear();
  event(*shell.core, now(self), shell.actions);
  auto plan = shell.ready ? shell.core->plan_step(now(self), shell.actions) : std::nullopt;
  for (auto& action : shell.actions) perform(self, action);
  if (plan) tell(self, shell.setup.wiring->workers[shell.setup.index], Execute{std::make_shared<const core::StepPlan>(std::move(*plan))});
  shell.timer.arm(self, shell.core->next_tick());
}

core::Announce announcement(const BatcherShell& shell, bool full) {
  core::Announce announce;
  announce.replica = {shell.setup.wiring->self, shell.setup.index};
  announce.kv_id = shell.kv_id;
  announce.full = full;
  return announce;
}

/// Nothing is loaded yet, so nothing can be run: the owner places it elsewhere.
void refuse(Self self, const core::Run& run) {
  auto& shell = state(self);
  post(self, *shell.setup.wiring, run.owner,
       core::make_message(core::RunRefused{run.key,
                                           run.epoch,
                                           {shell.setup.wiring->self, shell.setup.index},
                                           core::Errc::unavailable,
                                           "the replica is still loading its model",
                                           std::chrono::milliseconds(500)}));
}

void on_message(Self self, const FromPeer& event) {
  auto& shell = state(self);
  std::visit(Overloaded{
                 [&](const core::Run& m) {
                   if (!shell.core) return refuse(self, m);
                   drive(self, [&](auto& core, auto at, auto& out) { core.on(m, at, out); });
                 },
                 [&](const core::CancelRun& m) { drive(self, [&](auto& core, auto at, auto& out) { core.on(m, at, out); }); },
                 [&](const core::BlockNames& m) { drive(self, [&](auto& core, auto at, auto& out) { core.on(m, at, out); }); },
                 [](const auto&) {},
             },
             *event.message);
}

void on_peer(Self self, const PeerChange& change) {
  auto& shell = state(self);
  switch (change.kind) {
    case PeerChange::Kind::up:
      drive(self, [&](auto& core, auto at, auto& out) { core.on_owner_gone(change.peer, change.incarnation, at, out); });
      if (shell.core && std::find(shell.setup.wiring->routers.begin(), shell.setup.wiring->routers.end(), change.peer) !=
                            shell.setup.wiring->routers.end()) {
        auto announce = announcement(shell, true);
        announce.added = shell.core->cached_names();
        post(self, *shell.setup.wiring, change.peer, core::make_message(std::move(announce)));
      }
      break;
    case PeerChange::Kind::down: drive(self, [&](auto& core, auto at, auto& out) { core.on_owner_gone(change.peer, {}, at, out); }); break;
    case PeerChange::Kind::suspect:
    case PeerChange::Kind::trusted:
    case PeerChange::Kind::credit: break;
  }
}

void on_ready(Self self, const WorkerReady& ready) {
  auto& shell = state(self);
  if (!shell.core) {
    shell.core.emplace(core::ReplicaRef{shell.setup.wiring->self, shell.setup.index}, shell.setup.wiring->incarnation, *ready.info,
                       shell.setup.limits);
    shell.core->set_draining(shell.draining);
  }
  shell.kv_id = ready.info->kv_id;
  shell.ready = true;
  drive(self, [](auto& core, auto at, auto& out) { core.on_worker_ready(at, out); });
}

/// Tells the node how the replica stands, and the routers which names came and went since the last time.
void on_snapshot(Self self, const Snapshot& snapshot) {
  auto& shell = state(self);
  BatcherSnapshot answer;
  answer.number = snapshot.number;
  core::ReplicaReport report;
  if (shell.core) {
    report = shell.core->report(now(self));
    answer.counters = shell.core->counters();
    shell.core->set_report_number(snapshot.number);
    if (!shell.changes.added.empty() || !shell.changes.removed.empty()) {
      auto announce = announcement(shell, false);
      announce.added.swap(shell.changes.added);
      announce.removed.swap(shell.changes.removed);
      const auto message = core::make_message(std::move(announce));
      for (const auto router : shell.setup.wiring->routers) post(self, *shell.setup.wiring, router, message);
    }
  }
  report.index = shell.setup.index;
  report.model = shell.setup.model;
  report.ready = report.ready && shell.ready;
  answer.report = std::make_shared<const core::ReplicaReport>(std::move(report));
  tell(self, shell.setup.wiring->node, std::move(answer));
}

}  // namespace

BatcherActor::behavior_type batcher_actor(Self self, BatcherSetup setup) {
  state(self).setup = std::move(setup);
  return {
      [self](const FromPeer& event) { on_message(self, event); },
      [self](const PeerChange& change) { on_peer(self, change); },
      [self](const ToBatcher& event) {
        drive(self, [&](auto& core, auto at, auto& out) { std::visit([&](const auto& e) { core.on(e, at, out); }, *event.event); });
      },
      [self](const Executed& done) { drive(self, [&](auto& core, auto at, auto& out) { core.on(*done.result, at, out); }); },
      [self](const WorkerReady& ready) { on_ready(self, ready); },
      [self](const WorkerFailed& failed) {
        state(self).ready = false;
        drive(self, [&](auto& core, auto at, auto& out) { core.on_worker_failed(failed.reason, at, out); });
      },
      [self](const SetDraining& set) {
        state(self).draining = set.draining;
        drive(self, [&](auto& core, auto, auto&) { core.set_draining(set.draining); });
      },
      [self](const Snapshot& snapshot) { on_snapshot(self, snapshot); },
      [self](const Tick& tick) {
        state(self).timer.fired(tick);
        drive(self, [](auto& core, auto at, auto& out) { core.on_tick(at, out); });
      },
  };
}

}  // namespace spillway::actors
