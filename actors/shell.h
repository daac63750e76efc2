#pragma once

#include <algorithm>

#include "actors/interfaces.h"

/// What all shells share: delivering messages to the part of a node they are for, and one armed timer per actor.
namespace spillway::actors {

/// Gives `message`, which came from node `from`, to the part of this node it is for.
template <class Self>
void deliver(Self* self, const Wiring& wiring, core::NodeId from, const core::MessagePtr& message, std::uint64_t bulk_bytes = 0) {
  const FromPeer event{from, message, bulk_bytes};
  switch (core::traits(*message).part) {
    case core::Part::router:
      if (wiring.router) tell(self, wiring.router, event);
      break;
    case core::Part::batcher:
      // A Run names its replica; the others name a stream, and a batcher that does not know it lets them pass.
      if (const auto* run = std::get_if<core::Run>(message.get())) {
        if (run->replica.index < wiring.batchers.size()) tell(self, wiring.batchers[run->replica.index], event);
      } else {
        for (const auto& batcher : wiring.batchers) tell(self, batcher, event);
      }
      break;
    case core::Part::cache:
      if (wiring.cache) tell(self, wiring.cache, event);
      break;
    case core::Part::node: tell(self, wiring.node, event); break;
  }
}

/// Sends `message` to node `to`: through its link, or straight to the part when `to` is this node.
template <class Self>
void post(Self* self, const Wiring& wiring, core::NodeId to, const core::MessagePtr& message) {
  if (to == wiring.self) return deliver(self, wiring, wiring.self, message);
  const auto link = wiring.links.find(to);
  if (link != wiring.links.end()) tell(self, link->second, Outbound{message});
}

/// Sends itself a Tick at the earliest instant its core asked for. Ticks that a later, earlier wish overtook still come and are
/// harmless: a core's on_tick may be called at any time.
class Timer {
 public:
  template <class Self>
  void arm(Self* self, core::Instant at) {
    if (at >= armed_) return;
    armed_ = at;
    const core::Instant present = now(self);
    // No finer than a millisecond: cores wait for network and human times, and a late tick is no harm.
    const core::Duration delay = std::max<core::Duration>(at - std::min(at, present), std::chrono::milliseconds(1));
    tell_after(self, delay, self, Tick{at.time_since_epoch().count()});
  }
  void fired(const Tick& tick) {
    if (tick.due_ns == armed_.time_since_epoch().count()) armed_ = core::never;
  }

 private:
  core::Instant armed_ = core::never;
};

}  // namespace spillway::actors
