#include <algorithm>
#include <string>

#include "core/assert.h"
#include "core/result.h"
#include "sched/router_state.h"

namespace spillway::sched {

namespace {

using core::Errc;

constexpr core::Duration move_again = std::chrono::milliseconds(200);
/// A destination that has taken a stream over is given this long for its first token before the source may have it back.
constexpr core::Duration takeover_max = std::chrono::milliseconds(2000);
/// The report of a committed move is waited for this long.
constexpr core::Duration report_max = std::chrono::milliseconds(4000);
constexpr core::Duration drain_interval = std::chrono::milliseconds(50);

}  // namespace

std::optional<core::ReplicaRef> RouterState::replica_at(const RouterStream& s, core::NodeId node) const {
  const NodeView* view = views.find(node);
  if (view == nullptr || !view->up) return std::nullopt;
  const ReplicaView* source = views.find(s.place);
  for (const auto& [index, replica] : view->replicas) {
    if (serves(s, replica.report) && (source == nullptr || replica.report.kv_id == source->report.kv_id))
      return core::ReplicaRef{node, index};
  }
  return std::nullopt;
}

std::optional<core::ReplicaRef> RouterState::move_destination(const RouterStream& s, Instant now) const {
  auto list = candidates(s, now);
  const ReplicaView* source = views.find(s.place);
  for (PlacementView& view : list) {
    const core::ReplicaReport& report = views.find(view.replica)->report;
    if (view.replica.node == s.place.node || (source != nullptr && report.kv_id != source->report.kv_id)) view.eligible = false;
    const auto link = links_.find({s.place.node, view.replica.node});
    if (link != links_.end() && link->second >= limits.moves_per_link_max) view.eligible = false;
  }
  const auto best = place(list, needs(s));
  return best ? std::optional(list[*best].replica) : std::nullopt;
}

core::Result<void> RouterState::start_move(RouterStream& s, core::ReplicaRef destination, const MoveAsker& asker, Instant now,
                                           Actions& out) {
  const std::string there = views.name(destination.node);
  if (s.stage != Stage::running) return core::fail(Errc::unavailable, "the stream is not running yet");
  if (s.move) return core::fail(Errc::already_exists, "the stream is being moved to " + views.name(s.move->destination.node) + " already");
  if (destination.node == s.place.node) return core::fail(Errc::already_exists, "the stream runs on " + there + " already");
  const NodeView* node = views.find(destination.node);
  if (node == nullptr || !node->up) return core::fail(Errc::unavailable, "node " + there + " is down");
  if (node->suspect) return core::fail(Errc::unavailable, "node " + there + " is suspect: it has been silent");
  if (node->report.draining) return core::fail(Errc::draining, "node " + there + " is draining");
  const ReplicaView* replica = views.find(destination);
  if (replica == nullptr || !replica->report.ready) return core::fail(Errc::unavailable, "the replica on " + there + " is not ready");
  const std::pair link{s.place.node, destination.node};
  if (const auto it = links_.find(link); it != links_.end() && it->second >= limits.moves_per_link_max) {
    return core::fail(Errc::queue_full,
                      std::to_string(it->second) + " streams are moving from " + views.name(s.place.node) + " to " + there + " already",
                      move_again);
  }
  const PlacementRequest request = needs(s);
  if (replica->report.blocks_free < std::uint64_t{replica->blocks_in_flight} + request.blocks) {
    return core::fail(Errc::no_capacity, "node " + there + " has " + std::to_string(replica->report.blocks_free) + " blocks free (" +
                                             std::to_string(replica->blocks_in_flight) + " promised), the stream needs " +
                                             std::to_string(request.blocks));
  }
  RouterMove move;
  move.new_epoch = next_epoch();
  move.destination = destination;
  move.resend_at = now + limits.move_resend;
  move.give_up_at = now + limits.move_max;
  move.names_known = names_known(s);
  move.asker = asker;
  s.move = std::move(move);
  ++links_[link];
  views.sent(destination, s.key, {0, request.blocks, std::nullopt});
  post(s.place.node, core::Move{s.key, s.epoch, s.move->new_epoch, self, s.place, destination}, out);
  touch(s);
  return {};
}

void RouterState::commit(RouterStream& s, Instant now, Actions& out) {
  SPILLWAY_ASSERT(s.move);
  const RouterMove move = *s.move;
  const core::ReplicaRef source = s.place;
  ClosingMove& close = closing[{s.key, move.new_epoch}];
  close.source = source.node;
  close.destination = move.destination;
  close.committed = now;
  close.resend_at = now + limits.move_resend;
  close.give_up_at = now + (views.up(source.node) ? report_max : core::Duration{0});
  close.rows_known = move.accepted_at != core::never;
  close.outcome.committed = true;
  close.outcome.source = source.node;
  close.outcome.destination = move.destination.node;
  close.outcome.rows_recomputed = move.rows_to_compute;
  close.outcome.report.key = s.key;
  close.outcome.report.new_epoch = move.new_epoch;
  close.asker = move.asker;
  drop_move(s);
  // Its last tokens may be under way, for choices that were not in the step of the first new one.
  s.also.clear();
  if (views.up(source.node)) s.also.push_back({s.epoch, source.node, now + limits.gap_max});
  set_place(s, Stage::running, move.destination);
  s.epoch = move.new_epoch;
  s.stall_at = now + limits.stall_max;
  ++s.moves;
  s.begun = true;
  s.going.reset();
  if (move.asker.planned) count_planned(s, now);
  ++counters.moves_committed;
  post(source.node, core::Release{s.key, move.new_epoch}, out);
  tell_names(s, move.names_known, out);
  if (views.draining(s.place.node)) drain_at_ = std::min(drain_at_, now);
}

void RouterState::revoke(RouterStream& s, Errc code, std::string_view reason, bool tell_source, Instant now, Actions& out) {
  if (!s.move) return;
  const RouterMove move = *s.move;
  core::MoveOutcome outcome;
  outcome.code = code;
  outcome.reason = std::string(reason);
  outcome.source = s.place.node;
  outcome.destination = move.destination.node;
  drop_move(s);
  ++counters.moves_aborted;
  out.emplace_back(RouterCore::MoveAborted{s.key, move.new_epoch, outcome.reason});
  s.move_again_at = now + move_again;
  s.avoid[move.destination] = now + move_again;
  // Tokens that came early under the epoch that is off are as good as never sent.
  for (RouterChoice& choice : s.choices)
    std::erase_if(choice.early, [&](const auto& entry) { return entry.second.epoch == move.new_epoch; });
  if (s.early_tokens() == 0) s.gap_at = core::never;
  if (tell_source) {
    const Epoch asked = s.epoch;
    s.also.push_back({asked, s.place.node, core::never});
    s.epoch = next_epoch();
    s.stall_at = now + limits.stall_max;
    post(s.place.node, core::StillYours{s.key, asked, s.epoch}, out);
    if (views.up(move.destination.node)) post(move.destination.node, core::CancelRun{s.key, move.new_epoch}, out);
  }
  if (views.draining(s.place.node)) drain_at_ = std::min(drain_at_, s.move_again_at);
  report_move(move.asker, outcome, now, out);
}

void RouterState::on(core::NodeId from, const core::MoveFailed& message, Instant now, Actions& out) {
  RouterStream* s = find(message.key);
  if (s == nullptr || s->stage == Stage::waiting || s->place.node != from) return;
  // A source that went on by itself, while a grant was under way, runs under the epoch it names.
  if (message.code != Errc::unknown_request || !(s->epoch == message.epoch)) {
    for (RouterStream::Also& also : s->also) {
      if (also.epoch == message.epoch && also.node == from) std::swap(also.epoch, s->epoch);
    }
  } else if (!s->also.empty() && s->also.back().node == from && s->move && s->move->new_epoch == message.new_epoch) {
    std::swap(s->also.back().epoch, s->epoch);
  }
  if (!s->move || s->move->new_epoch != message.new_epoch) return;
  // A destination that has it may hear of the end later than we: it must not run on.
  if (views.up(s->move->destination.node)) post(s->move->destination.node, core::CancelRun{s->key, message.new_epoch}, out);
  revoke(*s, message.code, message.reason, false, now, out);
  touch(*s);
}

void RouterState::on(core::NodeId from, const core::AskOwner& message, Instant now, Actions& out) {
  RouterStream* s = find(message.key);
  if (s != nullptr && s->stage != Stage::waiting && s->place.node == from && message.epoch.owner == incarnation) {
    const bool current = s->epoch == message.epoch;
    if (current && s->move && s->move->new_epoch == message.new_epoch) {
      const NodeView* there = views.find(s->move->destination.node);
      const bool taken = s->move->accepted_at != core::never && now < s->move->accepted_at + takeover_max && there->up && !there->suspect;
      if (taken) return;  // its first token is under way
      revoke(*s, Errc::timeout, "the destination did not take the stream over", true, now, out);
      return touch(*s);
    }
    if (current && s->move) return;  // asked before it went on by itself; it moves again by now
    const bool granted =
        std::any_of(s->also.begin(), s->also.end(), [&](const auto& also) { return also.epoch == message.epoch && also.node == from; });
    if (current || granted) {
      // Said before and lost, or a move of which we have given up: it has the stream.
      if (current) {
        s->also.push_back({s->epoch, from, core::never});
        s->epoch = next_epoch();
      }
      return post(from, core::StillYours{s->key, message.epoch, s->epoch}, out);
    }
  }
  if (closing.contains({message.key, message.new_epoch})) return post(from, core::Release{message.key, message.new_epoch}, out);
  post(from, core::Gone{message.key, message.epoch}, out);
}

void RouterState::on(core::NodeId from, const core::MoveReport& message, Instant now, Actions& out) {
  const auto it = closing.find({message.key, message.new_epoch});
  if (it == closing.end() || it->second.source != from) return;
  it->second.outcome.report = message;
  it->second.resend_at = core::never;
  finish_closing(it, now, out);
}

/// Ends it once both sides have told their part, or time is up.
void RouterState::finish_closing(std::map<std::pair<StreamKey, Epoch>, ClosingMove>::iterator it, Instant now, Actions& out) {
  const ClosingMove& move = it->second;
  const bool complete = move.rows_known && move.resend_at == core::never && move.committed != Instant{};
  if (!complete && now < move.give_up_at) return;
  if (move.committed == Instant{}) return;
  const ClosingMove ended = move;
  closing.erase(it);
  report_move(ended.asker, ended.outcome, now, out);
}

void RouterState::close_moves(Instant now, Actions& out) {
  for (auto it = closing.begin(); it != closing.end();) {
    const auto next = std::next(it);
    ClosingMove& move = it->second;
    if (now >= move.resend_at) {
      post(move.source, core::Release{it->first.first, it->first.second}, out);
      move.resend_at = now + limits.move_resend;
    }
    finish_closing(it, now, out);
    it = next;
  }
}

void RouterState::report_move(const MoveAsker& asker, const core::MoveOutcome& outcome, Instant now, Actions& out) {
  learn_costs(outcome);
  if (outcome.committed && asker.drained) {
    for (auto& [id, drain] : drains_) {
      if (drain.node != asker.drained) continue;
      drain.update.rows_recomputed += outcome.rows_recomputed;
      drain.update.pause_max = std::max(drain.update.pause_max, outcome.pause);
      drain.progress_at = now;
    }
  }
  if (asker.operation == 0) return;
  if (asker.router) {
    post(asker.router, core::OperatorMoveDone{asker.operation, outcome}, out);
    return;
  }
  core::OperationUpdate update;
  update.operation = asker.operation;
  update.done = true;
  update.code = outcome.code;
  update.text = outcome.reason;
  update.commits = outcome.committed ? 1 : 0;
  update.blocks = outcome.report.blocks_sent;
  update.bytes = outcome.report.page_bytes;
  update.rows_recomputed = outcome.rows_recomputed;
  update.pause_max = outcome.pause;
  update.move = outcome;
  out.emplace_back(RouterCore::Operation{asker.client, std::move(update)});
}

void RouterState::move_off_draining(Instant now, Actions& out) {
  drain_at_ = core::never;
  for (const auto& [node, view] : views.all()) {
    if (view.placed.empty() || !views.draining(node)) continue;
    const std::vector<StreamKey> here = view.placed;
    for (const StreamKey& key : here) {
      RouterStream& s = *find(key);
      if (s.stage == Stage::running && !s.move && now >= s.move_again_at) {
        // Nobody has room, or the links are busy: it waits here and goes on.
        if (const auto destination = move_destination(s, now)) {
          MoveAsker asker;
          asker.drained = node;
          static_cast<void>(start_move(s, *destination, asker, now, out));
        }
      }
    }
    // Something is left here: look again.
    drain_at_ = now + drain_interval;
  }
}

}  // namespace spillway::sched
