#include <algorithm>
#include <string>

#include "core/assert.h"
#include "core/result.h"
#include "sched/router_state.h"

namespace spillway::sched {

namespace {

using core::Errc;

constexpr core::Duration drain_resend = std::chrono::milliseconds(250);
constexpr core::Duration retry_soon = std::chrono::milliseconds(500);

core::OperationUpdate ended(std::uint64_t operation, Errc code, std::string text) {
  core::OperationUpdate update;
  update.operation = operation;
  update.done = true;
  update.code = code;
  update.text = std::move(text);
  return update;
}

void add(core::NodeCounters& sum, const core::NodeCounters& one) {
  std::vector<const std::uint64_t*> from;
  core::NodeCounters::visit(one, [&](std::string_view, const std::uint64_t& value) { from.push_back(&value); });
  std::size_t next = 0;
  core::NodeCounters::visit(sum, [&](std::string_view, std::uint64_t& value) { value += *from[next++]; });
}

std::uint32_t streams_on(const NodeView& node) {
  std::uint32_t streams = 0;
  for (const auto& [index, replica] : node.replicas) streams += replica.report.streams + replica.report.queued;
  return streams;
}

}  // namespace

bool RouterState::too_many(std::size_t waiting, ClientRef client, std::uint64_t operation, std::string_view what, Actions& out) const {
  if (waiting < limits.operations_max) return false;
  auto update = ended(operation, Errc::queue_full, std::to_string(waiting) + " " + std::string(what) + " are under way at this router");
  update.retry_after = retry_soon;
  out.emplace_back(RouterCore::Operation{client, std::move(update)});
  return true;
}

// -- Move ------------------------------------------------------------------------------------------------------------------------

void RouterState::move_here(RouterStream& s, core::NodeId node, const MoveAsker& asker, Instant now, Actions& out) {
  core::Result<void> begun;
  if (const auto replica = replica_at(s, node)) {
    begun = start_move(s, *replica, asker, now, out);
  } else if (!views.up(node)) {
    begun = core::fail(Errc::unavailable, "node " + views.name(node) + " is down");
  } else {
    begun = core::fail(Errc::incompatible, "no replica on " + views.name(node) + " has the stream's model and pages");
  }
  if (begun) return;
  core::MoveOutcome outcome;
  outcome.code = begun.error().code;
  outcome.reason = begun.error().message;
  outcome.source = s.stage == Stage::waiting ? core::NodeId{} : s.place.node;
  outcome.destination = node;
  report_move(asker, outcome, now, out);
}

void RouterState::on(ClientRef client, const core::MoveRequest& request, Instant now, Actions& out) {
  const core::NodeId node = views.by_name(request.node);
  if (!node) {
    out.emplace_back(RouterCore::Operation{client, ended(request.operation, Errc::unknown_node, "no node is called " + request.node)});
    return;
  }
  for (RouterStream* s : streams.in_order()) {
    if (s->key.request != request.request) continue;
    MoveAsker asker;
    asker.client = client;
    asker.operation = request.operation;
    return move_here(*s, node, asker, now, out);
  }
  const auto others = other_routers();
  if (others.empty()) {
    out.emplace_back(RouterCore::Operation{
        client, ended(request.operation, Errc::unknown_request, "no stream " + core::to_hex(request.request) + " runs")});
    return;
  }
  if (too_many(remote_moves_.size(), client, request.operation, "moves of streams of other routers", out)) return;
  const std::uint64_t id = ++operations_made_;
  RemoteMove& remote = remote_moves_[id];
  remote.client = client;
  remote.operation = request.operation;
  remote.request = request.request;
  remote.give_up_at = now + limits.status_max;
  for (const core::NodeId router : others) {
    remote.silent.insert(router);
    // Whose is it? The owner answers the move; the others show by their list that they are not.
    post(router, core::StatusAsk{id, self}, out);
    post(router, core::OperatorMove{id, self, request.request, node}, out);
  }
}

void RouterState::on(core::NodeId from, const core::OperatorMove& message, Instant now, Actions& out) {
  if (message.asker != from) return;
  for (RouterStream* s : streams.in_order()) {
    if (s->key.request != message.request) continue;
    if (s->move && s->move->asker.router == from && s->move->asker.operation == message.operation) return;  // said again
    MoveAsker asker;
    asker.router = from;
    asker.operation = message.operation;
    return move_here(*s, message.destination, asker, now, out);
  }
}

void RouterState::on(core::NodeId, const core::OperatorMoveDone& message, Instant now, Actions& out) {
  const auto it = remote_moves_.find(message.operation);
  if (it == remote_moves_.end()) return;
  MoveAsker asker;
  asker.client = it->second.client;
  asker.operation = it->second.operation;
  remote_moves_.erase(it);
  report_move(asker, message.outcome, now, out);
}

// -- Drain -----------------------------------------------------------------------------------------------------------------------

/// Can the others take what the node holds?
core::Result<void> RouterState::check_drain(core::NodeId id, Instant now) const {
  const NodeView* node = views.find(id);
  if (node == nullptr) return core::fail(Errc::unknown_node, "no such node");
  if (!node->up) return core::fail(Errc::unavailable, "node " + views.name(id) + " is down");
  for (const auto& [index, replica] : node->replicas) {
    const core::ReplicaReport& mine = replica.report;
    // The report may be older than what was placed there since.
    std::uint32_t ours = 0;
    for (const StreamKey& key : node->placed) ours += streams.find(key)->place.index == index ? 1 : 0;
    const std::uint32_t held = std::max(mine.streams + mine.queued, ours);
    if (held == 0) continue;
    std::uint64_t room = 0;
    std::uint32_t takers = 0;
    std::string why;
    for (const auto& [other, view] : views.all()) {
      if (other == id) continue;
      if (!NodeViews::fit(view, now, limits.report_stale)) {
        why += (why.empty() ? "" : ", ") + views.name(other) +
               (!view.up               ? " is down"
                : view.report.draining ? " is draining"
                                       : " is silent");
        continue;
      }
      for (const auto& [i, theirs] : view.replicas) {
        if (!theirs.report.ready || theirs.report.model != mine.model || theirs.report.kv_id != mine.kv_id) continue;
        ++takers;
        room += theirs.report.blocks_free - std::min(theirs.report.blocks_free, theirs.blocks_in_flight);
      }
    }
    const std::string load = std::to_string(held) + " streams with " + std::to_string(mine.blocks_used) + " blocks on " + views.name(id);
    if (takers == 0)
      return core::fail(Errc::no_capacity,
                        "nobody can take the " + load + ": no other replica of its model is ready" + (why.empty() ? "" : " (" + why + ")"));
    if (room < mine.blocks_used) {
      return core::fail(Errc::no_capacity, "nobody can take the " + load + ": the others have " + std::to_string(room) + " blocks free" +
                                               (why.empty() ? "" : " (" + why + ")"));
    }
  }
  return {};
}

void RouterState::on(ClientRef client, const core::DrainRequest& request, Instant now, Actions& out) {
  const core::NodeId node = views.by_name(request.node);
  core::Result<void> fine;
  if (!node) {
    fine = core::fail(Errc::unknown_node, "no node is called " + request.node);
  } else if (request.mode != core::DrainMode::resume) {
    fine = check_drain(node, now);
  } else if (!views.up(node)) {
    fine = core::fail(Errc::unavailable, "node " + request.node + " is down");
  }
  if (!fine) {
    out.emplace_back(RouterCore::Operation{client, ended(request.operation, fine.error().code, fine.error().message)});
    return;
  }
  if (request.mode == core::DrainMode::resume) {
    // Whoever drains the node is told that it was taken back.
    for (auto it = drains_.begin(); it != drains_.end();) {
      const auto next = std::next(it);
      if (it->second.node == node && it->second.mode != core::DrainMode::resume) {
        out.emplace_back(
            RouterCore::Operation{it->second.client, ended(it->second.operation, Errc::cancelled, "the drain was taken back")});
        drains_.erase(it);
      }
      it = next;
    }
  }
  if (too_many(drains_.size(), client, request.operation, "drains", out)) return;
  DrainOperation& drain = drains_[++operations_made_];
  drain.client = client;
  drain.operation = request.operation;
  drain.node = node;
  drain.mode = request.mode;
  drain.at_start = views.find(node)->report.counters;
  drain.asked = drain.progress_at = now;
  drain.resend_at = now + drain_resend;
  drain.update.operation = request.operation;
  drain.update.streams_left = streams_on(*views.find(node));
  drain.update.text = std::to_string(drain.update.streams_left) + " streams to go";
  post(node, core::Drain{node, request.mode}, out);
  if (request.mode != core::DrainMode::resume) out.emplace_back(RouterCore::Operation{client, drain.update});
}

void RouterState::drains_on_report(core::NodeId node, Instant now, Actions& out) {
  const NodeView* view = views.find(node);
  for (auto it = drains_.begin(); it != drains_.end();) {
    const auto next = std::next(it);
    DrainOperation& drain = it->second;
    if (drain.node == node) {
      const bool wanted = drain.mode != core::DrainMode::resume;
      drain.flagged = drain.flagged || view->report.draining == wanted;
      core::OperationUpdate& update = drain.update;
      const std::uint32_t left = wanted ? streams_on(*view) : 0;
      const core::NodeCounters& counted = view->report.counters;
      core::NodeCounters& start = drain.at_start;
      // The drain began with what an older process of the node had told: this one counts from nothing.
      if (counted.exports_committed < start.exports_committed || counted.export_blocks < start.export_blocks ||
          counted.export_bytes < start.export_bytes) {
        start = {};
      }
      const auto commits = static_cast<std::uint32_t>(counted.exports_committed - start.exports_committed);
      const bool news = left != update.streams_left || commits != update.commits;
      update.streams_left = left;
      update.commits = commits;
      update.blocks = counted.export_blocks - start.export_blocks;
      update.bytes = counted.export_bytes - start.export_bytes;
      update.text = wanted ? std::to_string(left) + " streams to go" : "taking work again";
      if (news) drain.progress_at = now;
      // Our own moves off it have told their part too.
      const bool closing_here =
          std::any_of(closing.begin(), closing.end(), [&](const auto& entry) { return entry.second.asker.drained == node; });
      if (drain.flagged && left == 0 && (!wanted || !closing_here)) {
        update.done = true;
        if (wanted) update.text = "node " + views.name(node) + " is empty";
        out.emplace_back(RouterCore::Operation{drain.client, update});
        drains_.erase(it);
      } else if (news) {
        out.emplace_back(RouterCore::Operation{drain.client, update});
      }
    }
    it = next;
  }
}

void RouterState::drains_on_down(core::NodeId node, Instant, Actions& out) {
  for (auto it = drains_.begin(); it != drains_.end();) {
    const auto next = std::next(it);
    DrainOperation& drain = it->second;
    if (drain.node == node) {
      // A node that leaves once it is empty does what was asked.
      const bool left = drain.mode == core::DrainMode::stop && drain.flagged && drain.update.streams_left == 0;
      drain.update.done = true;
      drain.update.code = left ? Errc::ok : Errc::unavailable;
      drain.update.text =
          left ? "node " + views.name(node) + " is empty and has stopped" : "node " + views.name(node) + " died; its streams run elsewhere";
      out.emplace_back(RouterCore::Operation{drain.client, drain.update});
      drains_.erase(it);
    }
    it = next;
  }
}

// -- Status ----------------------------------------------------------------------------------------------------------------------

std::vector<core::StreamStatus> RouterState::stream_status() const {
  std::vector<core::StreamStatus> list;
  for (const RouterStream* stream : streams.in_order()) {
    const RouterStream& s = *stream;
    core::StreamStatus& status = list.emplace_back();
    status.key = s.key;
    status.tenant = s.tenant;
    status.service_class = s.request->service_class;
    status.owner = self;
    if (s.stage != Stage::waiting) status.node = s.place.node;
    status.tokens = s.generated();
    status.moves = s.moves;
  }
  return list;
}

/// Those of this node's last report, with the router's own as they are now.
core::NodeCounters RouterState::own_counters() const {
  core::NodeCounters sum = views.find(self)->report.counters;
  sum.moves_committed = counters.moves_committed;
  sum.moves_aborted = counters.moves_aborted;
  sum.streams_restarted = counters.streams_restarted;
  sum.tokens_lost = counters.tokens_lost;
  sum.streams_finished = counters.streams_finished;
  sum.streams_failed = counters.streams_failed;
  sum.rungs_shorter = counters.rungs_shorter;
  sum.rungs_model = counters.rungs_model;
  sum.rungs_defer = counters.rungs_defer;
  sum.refused_quota = counters.refused_quota;
  sum.refused_deadline = counters.refused_deadline;
  sum.streams_superseded = counters.streams_superseded;
  sum.streams_scored = counters.streams_scored;
  return sum;
}

void RouterState::on(ClientRef client, const core::StatusRequest& request, Instant now, Actions& out) {
  if (too_many(statuses_.size(), client, request.operation, "status requests", out)) return;
  StatusOperation status;
  status.client = client;
  status.reply.operation = request.operation;
  status.reply.nodes = views.status();
  for (core::NodeStatus& node : status.reply.nodes) {
    if (node.name == name) node.counters = own_counters();
    add(status.reply.counters, node.counters);
  }
  status.reply.streams = stream_status();
  const auto others = other_routers();
  if (others.empty()) {
    out.emplace_back(RouterCore::Status{client, std::move(status.reply)});
    return;
  }
  status.give_up_at = now + limits.status_max;
  const std::uint64_t id = ++operations_made_;
  for (const core::NodeId router : others) {
    status.silent.insert(router);
    post(router, core::StatusAsk{id, self}, out);
  }
  statuses_.emplace(id, std::move(status));
}

void RouterState::on(core::NodeId from, const core::StatusAsk& message, Instant, Actions& out) {
  if (message.asker == from) post(from, core::StatusPart{message.operation, self, stream_status()}, out);
}

void RouterState::on(core::NodeId from, const core::StatusPart& message, Instant now, Actions& out) {
  if (message.from != from) return;
  if (const auto it = statuses_.find(message.operation); it != statuses_.end()) {
    StatusOperation& status = it->second;
    if (status.silent.erase(from) == 0) return;
    status.reply.streams.insert(status.reply.streams.end(), message.streams.begin(), message.streams.end());
    if (!status.silent.empty()) return;
    out.emplace_back(RouterCore::Status{status.client, std::move(status.reply)});
    statuses_.erase(it);
  }
  if (const auto it = remote_moves_.find(message.operation); it != remote_moves_.end()) {
    RemoteMove& remote = it->second;
    remote.silent.erase(from);
    const bool owns = std::any_of(message.streams.begin(), message.streams.end(),
                                  [&](const core::StreamStatus& s) { return s.key.request == remote.request; });
    if (owns && !remote.found) {
      remote.found = true;
      remote.give_up_at = now + limits.move_max + limits.drain_max;
    }
    if (!remote.silent.empty() || remote.found) return;
    out.emplace_back(RouterCore::Operation{
        remote.client,
        ended(remote.operation, Errc::unknown_request, "no stream " + core::to_hex(remote.request) + " runs on any node that answers")});
    remote_moves_.erase(it);
  }
}

// -- Time ------------------------------------------------------------------------------------------------------------------------

void RouterState::operations_tick(Instant now, Actions& out) {
  for (auto it = statuses_.begin(); it != statuses_.end();) {
    const auto next = std::next(it);
    if (now >= it->second.give_up_at) {
      out.emplace_back(RouterCore::Status{it->second.client, std::move(it->second.reply)});
      statuses_.erase(it);
    }
    it = next;
  }
  for (auto it = remote_moves_.begin(); it != remote_moves_.end();) {
    const auto next = std::next(it);
    const RemoteMove& remote = it->second;
    if (now >= remote.give_up_at) {
      const std::string text = remote.found ? "the owner of the stream did not say how the move ended"
                                            : "no stream " + core::to_hex(remote.request) + " runs on any node that answers";
      out.emplace_back(
          RouterCore::Operation{remote.client, ended(remote.operation, remote.found ? Errc::timeout : Errc::unknown_request, text)});
      remote_moves_.erase(it);
    }
    it = next;
  }
  for (auto it = drains_.begin(); it != drains_.end();) {
    const auto next = std::next(it);
    DrainOperation& drain = it->second;
    if (now >= drain.progress_at + limits.drain_max) {
      drain.update.done = true;
      drain.update.code = Errc::timeout;
      drain.update.text = std::to_string(drain.update.streams_left) + " streams are still there and do not get on";
      out.emplace_back(RouterCore::Operation{drain.client, drain.update});
      drains_.erase(it);
    } else if (!drain.flagged && now >= drain.resend_at) {
      post(drain.node, core::Drain{drain.node, drain.mode}, out);
      drain.resend_at = now + drain_resend;
    }
    it = next;
  }
}

Instant RouterState::operations_next() const {
  Instant next = core::never;
  for (const auto& [id, status] : statuses_) next = std::min(next, status.give_up_at);
  for (const auto& [id, remote] : remote_moves_) next = std::min(next, remote.give_up_at);
  for (const auto& [id, drain] : drains_) {
    next = std::min(next, drain.progress_at + limits.drain_max);
    if (!drain.flagged) next = std::min(next, drain.resend_at);
  }
  return next;
}

}  // namespace spillway::sched
