#include "actors/cache_actor.h"

#include "core/log.h"

namespace spillway::actors {

namespace {

using Self = CacheActor::stateful_pointer<CacheShell>;

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

template <class Event>
void drive(Self self, const Event& event) {
  auto& shell = state(self);
  shell.actions.clear();
  event(*shell.core, now(self), shell.actions);
  for (auto& action : shell.actions) perform(self, action);
  shell.timer.arm(self, shell.core->next_tick());
}

/// True for the messages a CacheCore takes.
template <class M>
concept ForCache = requires(sched::CacheCore core, const M& m, sched::CacheCore::Actions out) {
  core.on(m, core::Instant{}, out);
};

void on_message(Self self, const FromPeer& event) {
  std::visit(Overloaded{
                 [&](const ForCache auto& m) { drive(self, [&](auto& core, auto at, auto& out) { core.on(m, at, out); }); },
                 [](const auto&) {},
             },
             *event.message);
  if (event.bulk_bytes == 0) return;
  const auto link = state(self).setup.wiring->links.find(event.from);
  if (link != state(self).setup.wiring->links.end()) tell(self, link->second, BulkConsumed{event.bulk_bytes});
}

void on_peer(Self self, const PeerChange& change) {
  switch (change.kind) {
    case PeerChange::Kind::up:
    case PeerChange::Kind::down:
      // Up under a new incarnation means that the process our transfers spoke to is gone.
      drive(self, [&](auto& core, auto at, auto& out) { core.on_peer_gone(change.peer, at, out); });
      break;
    case PeerChange::Kind::credit:
      drive(self, [&](auto& core, auto at, auto& out) { core.on_credit(change.peer, change.bytes_in_flight, at, out); });
      break;
    case PeerChange::Kind::suspect:
    case PeerChange::Kind::trusted: break;
  }
}

}  // namespace

CacheActor::behavior_type cache_actor(Self self, CacheSetup setup) {
  auto& shell = state(self);
  shell.core = std::make_unique<sched::CacheCore>(setup.wiring->self, setup.wiring->incarnation, setup.limits);
  shell.setup = std::move(setup);
  return {
      [self](const FromPeer& event) { on_message(self, event); },
      [self](const PeerChange& change) { on_peer(self, change); },
      [self](const ToCache& event) {
        drive(self, [&](auto& core, auto at, auto& out) { std::visit([&](const auto& e) { core.on(e, at, out); }, *event.event); });
      },
      [self](const PagesRead& read) { drive(self, [&](auto& core, auto at, auto& out) { core.on(read.what, at, out); }); },
      [self](const PagesWritten& written) { drive(self, [&](auto& core, auto at, auto& out) { core.on(written.what, at, out); }); },
      [self](const PagesFailed& failed) {
        drive(self, [&](auto& core, auto at, auto& out) { core.on_device_lost(failed.transfer, failed.reason, at, out); });
      },
      [self](const WorkerReady& ready) {
        state(self).generations[ready.replica] = ready.generation;
        state(self).core->set_replica(ready.replica, *ready.info);
      },
      [self](const Snapshot& snapshot) {
        auto& now_shell = state(self);
        tell(self, now_shell.setup.wiring->node, CountersSnapshot{snapshot.number, now_shell.core->counters(), 0, false});
      },
      [self](const Tick& tick) {
        state(self).timer.fired(tick);
        drive(self, [](auto& core, auto at, auto& out) { core.on_tick(at, out); });
      },
  };
}

}  // namespace spillway::actors
