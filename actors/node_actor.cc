#include "actors/node_actor.h"

#include "core/log.h"

namespace spillway::actors {

namespace {

using Self = NodeActor::stateful_pointer<NodeShell>;

std::string name_of(const NodeShell& shell, core::NodeId node) {
  const auto found = shell.setup.names.find(node);
  return found == shell.setup.names.end() ? "node " + std::to_string(node.value) : found->second;
}

/// Asks every part how it stands; the report goes out with the last answer. While answers are missing nobody is asked anew: under
/// load a part may take longer than the interval, and a report begun again each time would never go out.
void begin_report(Self self) {
  auto& shell = state(self);
  const Wiring& wiring = *shell.setup.wiring;
  shell.next_report = now(self) + shell.setup.report_interval;
  if (shell.awaited > 0) {
    shell.report_again = true;
    return;
  }
  shell.report_again = false;
  const std::uint64_t number = shell.report.number + 1;
  shell.report = {};
  shell.report.node = wiring.self;
  shell.report.name = shell.setup.name;
  shell.report.number = number;
  shell.report.pid = shell.setup.pid;
  shell.report.roles = shell.setup.roles;
  shell.report.replicas.resize(wiring.batchers.size());
  shell.awaited = static_cast<std::uint32_t>(wiring.batchers.size());
  for (const auto& batcher : wiring.batchers) tell(self, batcher, Snapshot{number});
  if (wiring.cache) {
    ++shell.awaited;
    tell(self, wiring.cache, Snapshot{number});
  }
  if (wiring.router) {
    ++shell.awaited;
    tell(self, wiring.router, Snapshot{number});
  }
}

/// Drained with `stop`: first the running streams have to be gone, then clients of owned streams are sent away, then we leave; one
/// interval after the report that says so, or whoever drains us hears that we are gone before that we were empty.
void check_leaving(Self self) {
  auto& shell = state(self);
  if (!shell.stopping || shell.left) return;
  for (const auto& replica : shell.report.replicas) {
    if (replica.streams + replica.queued > 0) {
      shell.empty_since.reset();
      return;
    }
  }
  if (shell.report.owned_streams > 0) {
    if (shell.setup.wiring->router) tell(self, shell.setup.wiring->router, SetDraining{true, true});
    shell.empty_since.reset();
    return;
  }
  if (!shell.empty_since) shell.empty_since = now(self);
  if (now(self) < *shell.empty_since + shell.setup.report_interval) return;
  shell.left = true;
  if (shell.setup.on_drained) shell.setup.on_drained();
}

void answered(Self self) {
  auto& shell = state(self);
  if (--shell.awaited > 0) return;
  shell.report.draining = shell.draining;
  const auto message = core::make_message(shell.report);
  for (const auto router : shell.setup.wiring->routers) post(self, *shell.setup.wiring, router, message);
  check_leaving(self);
  if (shell.report_again) begin_report(self);
}

core::NodeCounters& operator+=(core::NodeCounters& sum, const core::NodeCounters& part) {
  // The visitor calls fields in one order, so two walks pair them up.
  std::vector<const std::uint64_t*> from;
  core::NodeCounters::visit(part, [&](std::string_view, const std::uint64_t& value) { from.push_back(&value); });
  std::size_t next = 0;
  core::NodeCounters::visit(sum, [&](std::string_view, std::uint64_t& value) { value += *from[next++]; });
  return sum;
}

void on_drain(Self self, const core::Drain& drain) {
  auto& shell = state(self);
  const Wiring& wiring = *shell.setup.wiring;
  if (drain.node != wiring.self) return;
  shell.draining = drain.mode != core::DrainMode::resume;
  shell.stopping = drain.mode == core::DrainMode::stop;
  shell.empty_since.reset();
  core::log_info(shell.draining ? "draining" : "taking work again");
  for (const auto& batcher : wiring.batchers) tell(self, batcher, SetDraining{shell.draining, false});
  if (wiring.router) tell(self, wiring.router, SetDraining{shell.draining, false});
  begin_report(self);
}

void on_failed(Self self, const WorkerFailed& failed) {
  auto& shell = state(self);
  auto& backoff = shell.backoffs[failed.replica];
  const core::Duration wait = backoff.failed(now(self));
  core::log_error("replica " + std::to_string(failed.replica) + " failed: " + failed.reason + "; loading it again in " +
                  std::to_string(wait.count() / 1000000) + " ms");
  if (shell.setup.on_failed) shell.setup.on_failed(failed.replica, failed.reason);
  tell_after(self, wait, shell.setup.wiring->workers[failed.replica], LoadModel{backoff.failures()});
  begin_report(self);
}

void on_ready(Self self, const WorkerReady& ready) {
  auto& shell = state(self);
  core::log_info("replica " + std::to_string(ready.replica) + " serves " + ready.info->model_name + " (" + ready.info->isa + ", " +
                 std::to_string(ready.info->blocks) + " blocks of " + std::to_string(ready.info->page_bytes) + " bytes)");
  auto& known = shell.setup.hello;
  if (std::find(known.kv_ids.begin(), known.kv_ids.end(), ready.info->kv_id) == known.kv_ids.end()) {
    known.kv_ids.push_back(ready.info->kv_id);
    known.numerics_ids.push_back(ready.info->numerics_id);
  }
  const auto hello = std::make_shared<const core::Hello>(shell.setup.hello);
  for (const auto& [peer, link] : shell.setup.wiring->links) tell(self, link, SetHello{hello});
  if (shell.setup.on_ready) shell.setup.on_ready(ready.replica, *ready.info);
  begin_report(self);
}

void on_peer(Self self, const PeerChange& change) {
  const auto& shell = state(self);
  switch (change.kind) {
    case PeerChange::Kind::up:
      core::log_info(name_of(shell, change.peer) + " is up");
      if (shell.setup.on_peer_up) shell.setup.on_peer_up(change.peer);
      break;
    case PeerChange::Kind::suspect: core::log_warn(name_of(shell, change.peer) + " is silent and suspected"); break;
    case PeerChange::Kind::trusted: core::log_info(name_of(shell, change.peer) + " is heard again"); break;
    case PeerChange::Kind::down: core::log_warn(name_of(shell, change.peer) + " is down: " + change.reason); break;
    case PeerChange::Kind::credit: break;
  }
}

}  // namespace

NodeActor::behavior_type node_actor(Self self, NodeSetup setup) {
  auto& shell = state(self);
  shell.backoffs.assign(setup.wiring->workers.size(), sched::Backoff(setup.backoff));
  shell.setup = std::move(setup);
  return {
      [self](const FromPeer& event) {
        if (const auto* drain = std::get_if<core::Drain>(event.message.get())) on_drain(self, *drain);
      },
      [self](const PeerChange& change) { on_peer(self, change); },
      [self](const BatcherSnapshot& part) {
        auto& s = state(self);
        if (part.number != s.report.number) return;
        s.report.replicas[part.report->index] = *part.report;
        s.report.counters += part.counters;
        answered(self);
      },
      [self](const CountersSnapshot& part) {
        auto& s = state(self);
        if (part.number != s.report.number) return;
        s.report.counters += part.counters;
        if (part.from_router) s.report.owned_streams = part.owned_streams;
        answered(self);
      },
      [self](const WorkerReady& ready) { on_ready(self, ready); },
      [self](const WorkerFailed& failed) { on_failed(self, failed); },
      [self](const Tick& tick) {
        auto& s = state(self);
        s.timer.fired(tick);
        if (now(self) >= s.next_report) begin_report(self);
        s.timer.arm(self, s.next_report);
      },
  };
}

}  // namespace spillway::actors
