#include "actors/cache_actor.h"

#include "core/log.h"

namespace spillway::actors {

namespace {

using Self = CacheActor::stateful_pointer<CacheShell>;
namespace call = decisions::cache;

void perform(Self self, sched::CacheCore::Action& action) {
  auto& shell = state(self);
  const Wiring& wiring = *shell.setup.wiring;
  std::visit(
      Overloaded{
          [&](sched::CacheCore::Post& a) {
            if (const auto* offer = std::get_if<core::Offer>(a.message.get())) {
              core::log_info("move " + core::to_hex(offer->key.request) + " offered, epoch " + std::to_string(offer->new_epoch.counter));
            }
            post(self, wiring, a.to, a.message);
          },
          [&](sched::CacheCore::Local& a) {
            using Event = std::remove_const_t<typename decltype(ToBatcher::event)::element_type>;
            tell(self, wiring.batchers[a.replica], ToBatcher{std::make_shared<const Event>(std::move(a.event))});
          },
          [&](sched::CacheCore::ReadRows& a) {
            tell(self, wiring.workers[a.replica], ReadPages{a, shell.generations[a.replica]});
          },
          [&](sched::CacheCore::WriteRows& a) {
            const auto replica = a.replica;
            tell(self, wiring.workers[replica], WritePages{std::move(a), shell.generations[replica]});
          },
      },
      action);
}

template <class Call, class... A>
void drive(Self self, const A&... arguments) {
  auto& shell = state(self);
  shell.actions.clear();
  decisions::take<Call>(shell.log, *shell.core, now(self), shell.actions, arguments...);
  for (auto& action : shell.actions) perform(self, action);
  shell.timer.arm(self, shell.core->next_tick());
}

void on_message(Self self, const FromPeer& event) {
  drive<call::Message>(self, *event.message);
  if (event.bulk_bytes == 0) return;
  const auto link = state(self).setup.wiring->links.find(event.from);
  if (link != state(self).setup.wiring->links.end()) tell(self, link->second, BulkConsumed{event.bulk_bytes});
}

void on_peer(Self self, const PeerChange& change) {
  switch (change.kind) {
    case PeerChange::Kind::up:
    case PeerChange::Kind::down:
      // Up under a new incarnation means that the process our transfers spoke to is gone.
      drive<call::PeerGone>(self, change.peer);
      break;
    case PeerChange::Kind::credit: drive<call::Credit>(self, change.peer, change.bytes_in_flight); break;
    case PeerChange::Kind::suspect:
    case PeerChange::Kind::trusted: break;
  }
}

}  // namespace

CacheActor::behavior_type cache_actor(Self self, CacheSetup setup) {
  auto& shell = state(self);
  shell.core = std::make_unique<sched::CacheCore>(setup.wiring->self, setup.wiring->incarnation, setup.limits);
  shell.log = decisions::record<sched::CacheCore>(setup.decision_log, {setup.wiring->self, setup.wiring->incarnation, setup.limits});
  shell.setup = std::move(setup);
  return {
      [self](const FromPeer& event) { on_message(self, event); },
      [self](const PeerChange& change) { on_peer(self, change); },
      [self](const ToCache& event) { drive<call::Local>(self, *event.event); },
      [self](const PagesRead& read) { drive<call::RowsRead>(self, read.what); },
      [self](const PagesWritten& written) { drive<call::RowsWritten>(self, written.what); },
      [self](const PagesFailed& failed) { drive<call::DeviceLost>(self, failed.transfer, failed.reason); },
      [self](const WorkerReady& ready) {
        state(self).generations[ready.replica] = ready.generation;
        drive<call::SetReplica>(self, ready.replica, *ready.info);
      },
      [self](const Snapshot& snapshot) {
        auto& s = state(self);
        s.actions.clear();
        const auto counters = decisions::take<call::Report>(s.log, *s.core, now(self), s.actions);
        tell(self, s.setup.wiring->node, CountersSnapshot{snapshot.number, counters, 0, false});
      },
      [self](const Tick& tick) {
        state(self).timer.fired(tick);
        drive<call::Tick>(self);
      },
  };
}

}  // namespace spillway::actors
