#include "actors/link_actor.h"

#include "core/log.h"

namespace spillway::actors {

namespace {

using Self = LinkActor::stateful_pointer<LinkShell>;
namespace call = decisions::link;

void tell_all(Self self, const PeerChange& change) {
  const Wiring& wiring = *state(self).setup.wiring;
  if (wiring.router) tell(self, wiring.router, change);
  for (const auto& batcher : wiring.batchers) tell(self, batcher, change);
  if (wiring.cache) tell(self, wiring.cache, change);
  tell(self, wiring.node, change);
}

void perform(Self self, const sched::LinkCore::Action& action) {
  auto& shell = state(self);
  std::visit(Overloaded{
                 [&](const sched::LinkCore::Transmit& a) { shell.setup.transmit(a.envelope); },
                 [&](const sched::LinkCore::Deliver& a) { deliver(self, *shell.setup.wiring, shell.setup.peer, a.message, a.bulk_bytes); },
                 [&](const sched::LinkCore::PeerUp& a) {
                   tell_all(self, {PeerChange::Kind::up, a.peer, a.incarnation, 0, {}});
                 },
                 [&](const sched::LinkCore::PeerSuspect& a) {
                   tell_all(self, {a.suspect ? PeerChange::Kind::suspect : PeerChange::Kind::trusted, a.peer, {}, 0, {}});
                 },
                 [&](const sched::LinkCore::PeerDown& a) {
                   tell_all(self, {PeerChange::Kind::down, a.peer, a.incarnation, 0, a.reason});
                 },
                 [&](const sched::LinkCore::BulkCredit& a) {
                   if (shell.setup.wiring->cache) {
                     tell(self, shell.setup.wiring->cache, PeerChange{PeerChange::Kind::credit, a.peer, {}, a.bytes_in_flight, {}});
                   }
                 },
                 [&](const sched::LinkCore::Refused& a) { core::log_warn("link to " + shell.setup.peer_name + " refused: " + a.reason); },
             },
             action);
}

template <class Call, class... A>
void drive(Self self, const A&... arguments) {
  auto& shell = state(self);
  shell.actions.clear();
  decisions::take<Call>(shell.log, *shell.core, now(self), shell.actions, arguments...);
  for (const auto& action : shell.actions) perform(self, action);
  shell.timer.arm(self, shell.core->next_tick());
}

}  // namespace

LinkActor::behavior_type link_actor(Self self, LinkSetup setup) {
  auto& shell = state(self);
  const decisions::LinkStart start{setup.wiring->self, setup.wiring->incarnation, setup.peer, setup.peer_name, setup.hello,
                                   setup.limits,       setup.session_seed};
  shell.core = std::make_unique<sched::LinkCore>(start.make());
  shell.log = decisions::record<sched::LinkCore>(setup.decision_log, start);
  shell.setup = std::move(setup);
  return {
      [self](const Inbound& in) { drive<call::Envelope>(self, *in.envelope); },
      [self](const Outbound& message) { drive<call::Send>(self, message.message); },
      [self](const BulkConsumed& taken) { drive<call::Consumed>(self, taken.bytes); },
      [self](const SetHello& hello) { drive<call::SetHello>(self, *hello.hello); },
      [self](const Tick& tick) {
        state(self).timer.fired(tick);
        drive<call::Tick>(self);
      },
  };
}

}  // namespace spillway::actors
