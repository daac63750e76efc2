#include "actors/batcher_actor.h"

#include <tuple>
#include <unordered_set>

namespace spillway::actors {

namespace {

using Self = BatcherActor::stateful_pointer<BatcherShell>;
namespace call = decisions::batcher;

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

/// Calls the core, performs what it asks, and gives the worker its next step.
template <class Call, class... A>
void drive(Self self, const A&... arguments) {
  auto& shell = state(self);
  if (!shell.core) return;
  shell.actions.clear();
  decisions::take<Call>(shell.log, *shell.core, now(self), shell.actions, arguments...);
  auto plan = shell.ready ? decisions::take<call::Plan>(shell.log, *shell.core, now(self), shell.actions) : std::nullopt;
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
  if (state(self).core) return drive<call::Message>(self, *event.message);
  if (const auto* run = std::get_if<core::Run>(event.message.get())) refuse(self, *run);
}

void on_peer(Self self, const PeerChange& change) {
  auto& shell = state(self);
  switch (change.kind) {
    case PeerChange::Kind::up:
      drive<call::OwnerGone>(self, change.peer, change.incarnation);
      if (shell.core && std::find(shell.setup.wiring->routers.begin(), shell.setup.wiring->routers.end(), change.peer) !=
                            shell.setup.wiring->routers.end()) {
        auto announce = announcement(shell, true);
        shell.actions.clear();
        announce.added = decisions::take<call::Names>(shell.log, *shell.core, now(self), shell.actions);
        post(self, *shell.setup.wiring, change.peer, core::make_message(std::move(announce)));
      }
      break;
    case PeerChange::Kind::down: drive<call::OwnerGone>(self, change.peer, core::Incarnation{}); break;
    case PeerChange::Kind::suspect:
    case PeerChange::Kind::trusted:
    case PeerChange::Kind::credit: break;
  }
}

void on_ready(Self self, const WorkerReady& ready) {
  auto& shell = state(self);
  if (!shell.core) {
    const decisions::BatcherStart start{
        {shell.setup.wiring->self, shell.setup.index}, shell.setup.wiring->incarnation, *ready.info, shell.setup.limits};
    shell.core.emplace(start.make());
    shell.log = decisions::record<sched::BatcherCore>(shell.setup.decision_log, start);
    shell.actions.clear();
    decisions::take<call::SetDraining>(shell.log, *shell.core, now(self), shell.actions, shell.draining);
  }
  shell.kv_id = ready.info->kv_id;
  shell.ready = true;
  drive<call::WorkerReady>(self);
}

/// Tells the node how the replica stands, and the routers which names came and went since the last time.
void on_snapshot(Self self, const Snapshot& snapshot) {
  auto& shell = state(self);
  BatcherSnapshot answer;
  answer.number = snapshot.number;
  core::ReplicaReport report;
  if (shell.core) {
    shell.actions.clear();
    std::tie(report, answer.counters) = decisions::take<call::Report>(shell.log, *shell.core, now(self), shell.actions, snapshot.number);
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
      [self](const ToBatcher& event) { drive<call::Local>(self, *event.event); },
      [self](const Executed& done) { drive<call::StepDone>(self, *done.result); },
      [self](const WorkerReady& ready) { on_ready(self, ready); },
      [self](const WorkerFailed& failed) {
        state(self).ready = false;
        drive<call::WorkerFailed>(self, failed.reason);
      },
      [self](const SetDraining& set) {
        state(self).draining = set.draining;
        drive<call::SetDraining>(self, set.draining);
      },
      [self](const Snapshot& snapshot) { on_snapshot(self, snapshot); },
      [self](const Tick& tick) {
        state(self).timer.fired(tick);
        drive<call::Tick>(self);
      },
  };
}

}  // namespace spillway::actors
