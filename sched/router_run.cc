#include <algorithm>
#include <string>

#include "core/assert.h"
#include "core/step.h"
#include "sched/router_state.h"

namespace spillway::sched {

namespace {

using core::Errc;

constexpr core::Duration refused_pause = std::chrono::milliseconds(100);
constexpr core::Duration refused_pause_max = std::chrono::seconds(5);
/// Another try at this replica cannot help this stream.
bool permanent(Errc code) {
  return code == Errc::bad_argument || code == Errc::unsupported || code == Errc::incompatible || code == Errc::unknown_model ||
         code == Errc::no_capacity;
}

}  // namespace

core::Run RouterState::make_run(const RouterStream& s, Instant now) const {
  core::Run run;
  run.key = s.key;
  run.epoch = s.epoch;
  run.owner = self;
  run.replica = s.place;
  run.request = s.request;
  for (std::uint32_t c = 0; c < s.choices.size(); ++c) {
    core::ChoiceState& state = run.choices.emplace_back();
    const auto tokens = s.choices[c].tokens.ids();
    state.tokens.assign(tokens.begin(), tokens.end());
    state.finish = s.choices[c].finish;
    state.names = s.names.choice(c);
  }
  run.prompt_names = s.names.prompt();
  if (s.deadline != core::never) run.deadline_left = std::max(s.deadline - now, core::Duration{1});
  return run;
}

void RouterState::send_run(RouterStream& s, const PlacementView& chosen, Instant now, Actions& out) {
  const core::ReplicaRef replica = chosen.replica;
  const ReplicaView& view = *views.find(replica);
  const PlacementRequest request = needs(s);
  set_place(s, Stage::sent, replica);
  s.epoch = next_epoch();
  s.begun = false;
  s.also.clear();
  s.resend_at = now + limits.run_resend;
  s.give_up_at = now + limits.run_give_up;
  views.advance(replica, now, limits.placement.step_tokens);
  views.sent(replica, s.key, {request.tokens - std::min(chosen.cached_tokens, request.tokens), request.blocks, std::nullopt});
  s.bound = true;
  s.weights_digest = *core::under_adapter(view.report.weights_digest, view.report.adapters, s.request->adapter);  // it serves the stream
  s.numerics_id = view.report.numerics_id;
  if (!s.accepted_told) {
    s.accepted_told = true;
    out.emplace_back(RouterCore::ToClient{s.client, s.key, accepted(s, view.report.isa)});
  }
  post(replica.node, make_run(s, now), out);
  touch(s);
}

bool RouterState::hopeless(const RouterStream& s) const {
  if (s.refusal.code == Errc::ok || !permanent(s.refusal.code) || !views.complete()) return false;
  for (const auto& [id, node] : views.all()) {
    for (const auto& [index, replica] : node.replicas) {
      if (replica.report.model == s.request->model && !replica.report.told()) return false;
      if (!serves(s, replica.report)) continue;
      const auto avoid = s.avoid.find({id, index});
      if (avoid == s.avoid.end() || avoid->second != core::never) return false;
    }
  }
  return true;
}

void RouterState::place_or_wait(RouterStream& s, Instant now, Actions& out, const NodeView* only) {
  SPILLWAY_ASSERT(s.stage == Stage::waiting && !s.move);
  const auto fitted = fit(s);
  if (!fitted) return fail_stream(s, fitted.error().code, fitted.error().message, fitted.error().retry_after, out);
  if (!*fitted) return wait(s, now, out);
  if (s.over()) return static_cast<void>(deliver(s, now, out));  // all of tokens_max was brought along
  if (s.going) {
    if (const PlacementView* chosen = choose_planned(s, now)) return send_run(s, *chosen, now, out);
  }
  auto reason = PlacementReason::least_cost;
  if (const PlacementView* chosen = choose_replica(s, now, only, reason)) {
    send_run(s, *chosen, now, out);
    if (limits.explain) explain(s, *chosen, reason, out);
    return;
  }
  if (hopeless(s)) return fail_stream(s, s.refusal.code, s.refusal.message, {}, out);
  wait(s, now, out);
}

void RouterState::wait(RouterStream& s, Instant now, Actions&) {
  waiting_.insert(wait_key(s));
  if (waiting_at_ <= now || waiting_at_ == core::never) waiting_at_ = now + limits.waiting_resend;
  touch(s);
}

void RouterState::place_waiting(Instant now, Actions& out, const NodeView* only) {
  if (only == nullptr) waiting_at_ = now + limits.waiting_resend;
  // Those that do not fit do not stop smaller ones behind them, but only so many are looked at in one go.
  constexpr std::uint32_t misses_max = 64;
  std::uint32_t misses = 0;
  // Streams leave the set on the way, and only this one can come back.
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    const WaitKey key = *it;
    RouterStream* s = find(std::get<StreamKey>(key));
    place_or_wait(*s, now, out, only);
    s = find(std::get<StreamKey>(key));
    if (s != nullptr && s->stage == Stage::waiting && ++misses >= misses_max) break;
    it = waiting_.upper_bound(key);
  }
}

void RouterState::restart(RouterStream& s, std::string_view reason, bool count, Instant now, Actions& out) {
  if (s.move) {
    post(s.move->destination.node, core::CancelRun{s.key, s.move->new_epoch}, out);
    revoke(s, Errc::unavailable, reason, false, now, out);
  }
  if (s.stage != Stage::waiting) {
    if (views.up(s.place.node)) post(s.place.node, core::CancelRun{s.key, s.epoch}, out);
    set_place(s, Stage::waiting, {});
    waiting_.insert(wait_key(s));
  }
  for (RouterChoice& choice : s.choices) choice.early.clear();
  s.also.clear();
  s.gap_at = core::never;
  s.waiting_since = now;
  if (count) {
    ++counters.streams_restarted;
    if (++s.restarts > limits.restarts_max) {
      return fail_stream(s, Errc::unavailable,
                         "restarted " + std::to_string(s.restarts) + " times, the last time because " + std::string(reason), {}, out);
    }
  }
  place_or_wait(s, now, out);
}

void RouterState::on(core::NodeId from, const core::RunAccepted& message, Instant now, Actions& out) {
  if (const auto it = closing.find({message.key, message.epoch}); it != closing.end() && message.imported) {
    it->second.rows_known = true;
    it->second.outcome.rows_recomputed = message.rows_to_compute;
    views.accepted(message.replica, message.key, message.report);
    finish_closing(it, now, out);
  }
  RouterStream* s = find(message.key);
  const Heard how = s == nullptr ? Heard::no : heard(*s, from, message.epoch);
  if (how == Heard::no) {
    if (!closing.contains({message.key, message.epoch})) cancel_stale(from, message.key, message.epoch, now, out);
    return;
  }
  if (how == Heard::also) return;
  views.accepted(message.replica, message.key, message.report);
  if (how == Heard::move) {
    if (s->move->accepted_at == core::never) s->move->accepted_at = now;
    s->move->rows_to_compute = message.rows_to_compute;
    return;
  }
  if (s->stage == Stage::sent) s->stage = Stage::running;
  s->resend_at = s->give_up_at = core::never;
  s->stall_at = now + limits.stall_max;
  if (!s->cached_known) {
    s->cached_known = true;
    s->cached_tokens = message.cached_tokens;
  }
  if (views.draining(s->place.node)) drain_at_ = std::min(drain_at_, now);
  touch(*s);
}

void RouterState::on(core::NodeId from, const core::RunRefused& message, Instant now, Actions& out) {
  RouterStream* s = find(message.key);
  if (s == nullptr || heard(*s, from, message.epoch) != Heard::current || s->stage != Stage::sent) return;
  s->refusal = {message.code, message.reason, message.retry_after};
  s->avoid[s->place] =
      permanent(message.code) ? core::never : now + std::clamp<core::Duration>(message.retry_after, refused_pause, refused_pause_max);
  set_place(*s, Stage::waiting, {});
  waiting_.insert(wait_key(*s));
  place_or_wait(*s, now, out);
}

void RouterState::on(core::NodeId from, const core::RunReturned& message, Instant now, Actions& out) {
  RouterStream* s = find(message.key);
  const Heard how = s == nullptr ? Heard::no : heard(*s, from, message.epoch);
  if (how == Heard::no) return;
  if (message.code == Errc::timeout && s->deadline != core::never && now + RouterStream::deadline_grace >= s->deadline) {
    cancel_runs(*s, out);
    return end_choices(*s, core::FinishReason::deadline, now, out);
  }
  if (how == Heard::move) {  // taken over and given back before its first token: the source still has everything
    revoke(*s, message.code, "the destination gave the stream back: " + message.reason, true, now, out);
    return touch(*s);
  }
  if (how == Heard::also && from != s->place.node) return;  // it left that node
  // Frozen and taken over: what the source says about its copy is of no interest.
  if (s->move && s->move->accepted_at != core::never) return;
  if (s->going) count_planned(*s, now);
  s->avoid[s->place] = now + refused_pause;
  restart(*s, message.reason, message.code != Errc::no_capacity && message.code != Errc::queue_full, now, out);
}

void RouterState::stream_timer(RouterStream& s, Instant now, Actions& out) {
  if (now >= s.ends_at()) {
    cancel_runs(s, out);
    return end_choices(s, core::FinishReason::deadline, now, out);
  }
  if (s.stage == Stage::waiting && s.deferred) {
    if (now < s.waiting_since) return;
    s.deferred = false;
    waiting_.insert(wait_key(s));
    return place_or_wait(s, now, out);
  }
  if (s.stage == Stage::waiting) {
    if (now < s.waiting_since + limits.waiting_max_time) return;
    const std::string why = s.refusal.message.empty() ? "no node had room" : s.refusal.message;
    return fail_stream(s, Errc::unavailable,
                       "nobody could run it for " + std::to_string(limits.waiting_max_time.count() / 1000000000) + " s: " + why,
                       limits.waiting_resend, out);
  }
  if (now >= s.gap_at) return restart(s, "tokens were lost", true, now, out);
  if (now >= s.give_up_at) {
    s.avoid[s.place] = now + limits.run_give_up;
    return restart(s, "its node did not answer", true, now, out);
  }
  if (now >= s.resend_at) {
    post(s.place.node, make_run(s, now), out);
    s.resend_at = now + limits.run_resend;
  }
  if (now >= s.stall_at) {
    // Long silence: does it still run there? An answer comes if so.
    post(s.place.node, make_run(s, now), out);
    s.stall_at = now + limits.stall_max;
    if (s.give_up_at == core::never) s.give_up_at = now + limits.run_give_up;
  }
  if (!s.move) return;
  if (now >= s.move->give_up_at) {
    post(s.move->destination.node, core::CancelRun{s.key, s.move->new_epoch}, out);
    return revoke(s, Errc::timeout, "the move took too long", true, now, out);
  }
  if (now >= s.move->resend_at) {
    post(s.place.node, core::Move{s.key, s.epoch, s.move->new_epoch, self, s.place, s.move->destination}, out);
    s.move->resend_at = now + limits.move_resend;
  }
}

void RouterState::on_peer_up(core::NodeId peer, core::Incarnation peer_incarnation, Instant now, Actions& out) {
  if (peer == self) return;
  const NodeView* view = views.find(peer);
  if (view != nullptr && view->up) on_peer_down(peer, view->incarnation, now, out);
  views.on_up(peer, peer_incarnation, now);
}

void RouterState::on_peer_down(core::NodeId peer, core::Incarnation peer_incarnation, Instant now, Actions& out) {
  const NodeView* view = views.find(peer);
  if (peer == self || view == nullptr || !view->up) return;
  if (peer_incarnation && view->incarnation != peer_incarnation) return;  // of a life before
  std::vector<StreamKey> running;
  running = view->placed;
  std::vector<StreamKey> arriving;
  for (const RouterStream* s : streams.in_order()) {
    if (s->move && s->move->destination.node == peer) arriving.push_back(s->key);
  }
  views.on_down(peer);
  // Most urgent first: room may not be enough for all.
  std::sort(running.begin(), running.end(),
            [&](const StreamKey& a, const StreamKey& b) { return wait_key(*find(a)) < wait_key(*find(b)); });
  for (const StreamKey& key : running) {
    RouterStream& s = *find(key);
    if (s.move && s.move->accepted_at != core::never && s.move->destination.node != peer) {
      // It has been taken over: nobody else can run it now, so this is the commit. A token lost with the source shows as a gap.
      commit(s, now, out);
      touch(s);
      continue;
    }
    restart(s, "its node died", true, now, out);
  }
  for (const StreamKey& key : arriving) {
    RouterStream* s = find(key);
    if (s == nullptr || !s->move || s->move->destination.node != peer) continue;
    revoke(*s, Errc::unavailable, "the destination died", true, now, out);
    touch(*s);
  }
  drains_on_down(peer, now, out);
  quota_home_down(peer, now, out);
}

}  // namespace spillway::sched
