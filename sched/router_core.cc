#include "sched/router_core.h"

#include <algorithm>

#include "core/assert.h"
#include "sched/router_state.h"

namespace spillway::sched {

bool RouterStream::over() const {
  return std::all_of(choices.begin(), choices.end(), [](const RouterChoice& c) { return c.finish != core::FinishReason::none; });
}

std::uint64_t RouterStream::generated() const {
  std::uint64_t tokens = 0;
  for (const RouterChoice& c : choices) tokens += c.tokens.size();
  return tokens;
}

std::size_t RouterStream::early_tokens() const {
  std::size_t tokens = 0;
  for (const RouterChoice& c : choices) tokens += c.early.size();
  return tokens;
}

RouterState::RouterState(core::NodeId self_id, std::string self_name, core::Incarnation self_incarnation, const RouterLimits& router_limits)
    : self(self_id), name(std::move(self_name)), incarnation(self_incarnation), limits(router_limits) {
  move_costs_ = {limits.moves.downtime, limits.moves.bytes_per_second};
  views.expect(self, name);
  views.on_up(self, incarnation, Instant{});
}

RouterStream* RouterState::find(const StreamKey& key) {
  return streams.find(key);
}

void RouterState::post(core::NodeId to, core::Message&& message, Actions& out) const {
  out.emplace_back(RouterCore::Post{to, std::make_shared<const core::Message>(std::move(message))});
}

void RouterState::cancel_stale(core::NodeId from, const StreamKey& key, const Epoch& epoch, Instant now, Actions& out) {
  constexpr std::size_t remembered_max = 4096;
  if (cancelled_.size() >= remembered_max) cancelled_.clear();
  Instant& last = cancelled_.try_emplace({from, key}, Instant::min()).first->second;
  if (last != Instant::min() && now - last < std::chrono::milliseconds(100)) return;
  last = now;
  post(from, core::CancelRun{key, epoch}, out);
}

void RouterState::touch(RouterStream& s) {
  Instant next = s.ends_at();
  if (s.stage == Stage::waiting) next = std::min(next, s.deferred ? s.waiting_since : s.waiting_since + limits.waiting_max_time);
  next = std::min({next, s.resend_at, s.give_up_at, s.stall_at, s.gap_at});
  if (s.move) next = std::min({next, s.move->resend_at, s.move->give_up_at});
  timers_.set(s.slot, next);
}

void RouterState::set_place(RouterStream& s, Stage stage, core::ReplicaRef place) {
  if (s.stage == Stage::waiting) {
    waiting_.erase(wait_key(s));
  } else {
    views.settled(s.place, s.key);
    views.left(s.place.node, s.key);
  }
  s.stage = stage;
  s.place = place;
  s.resend_at = s.give_up_at = s.stall_at = core::never;
  if (stage != Stage::waiting) views.came(place.node, s.key);
}

void RouterState::drop_move(RouterStream& s) {
  if (!s.move) return;
  views.settled(s.move->destination, s.key);
  const auto it = links_.find({s.place.node, s.move->destination.node});
  SPILLWAY_ASSERT(it != links_.end());
  if (--it->second == 0) links_.erase(it);
  s.move.reset();
}

std::vector<core::NodeId> RouterState::other_routers() const {
  std::vector<core::NodeId> routers;
  for (const auto& [id, view] : views.all()) {
    const bool no_router = view.reported && (view.report.roles & static_cast<std::uint32_t>(core::Role::router)) == 0;
    if (id != self && view.up && !no_router) routers.push_back(id);
  }
  return routers;
}

void RouterState::tick(Instant now, Actions& out) {
  // Each stream once: what a limit of zero makes due again at once has its turn at the next tick.
  due_.clear();
  timers_.due(now, due_);
  std::vector<std::pair<Instant, StreamKey>> due;
  for (const std::uint32_t slot : due_) due.emplace_back(timers_.at(slot), streams[slot].key);
  std::sort(due.begin(), due.end());
  for (const auto& [at, key] : due) {
    if (RouterStream* s = find(key)) stream_timer(*s, now, out);
    if (RouterStream* s = find(key)) touch(*s);
  }
  quota_tick(now, out);
  close_moves(now, out);
  operations_tick(now, out);
  if (now >= drain_at_) move_off_draining(now, out);
  if (plans() && now >= plan_at_) plan(now, out);
  if (!waiting_.empty() && now >= waiting_at_) place_waiting(now, out);
}

Instant RouterState::next_tick() const {
  Instant next = timers_.next();
  if (!waiting_.empty()) next = std::min(next, waiting_at_);
  if (!quota_waits_.empty()) next = std::min(next, quota_waits_.begin()->second.give_up_at);
  for (const auto& [id, move] : closing) next = std::min({next, move.resend_at, move.give_up_at});
  if (plans() && !streams.empty()) next = std::min(next, plan_at_);
  return std::min({next, drain_at_, operations_next()});
}

void RouterState::check() const {
  views.check();
  std::size_t waiting = 0;
  std::size_t placed = 0;
  std::map<std::pair<core::NodeId, core::NodeId>, std::uint32_t> links;
  Instant timer = core::never;
  for (const RouterStream* stream : streams.in_order()) {
    const RouterStream& s = *stream;
    SPILLWAY_ASSERT(streams.find(s.key) == stream && s.request && s.choices.size() == s.request->choices && !s.over());
    SPILLWAY_ASSERT(timers_.at(s.slot) != core::never);  // every wait ends
    timer = std::min(timer, timers_.at(s.slot));
    if (s.stage == Stage::waiting) {
      waiting += s.deferred ? 0 : 1;
      SPILLWAY_ASSERT(waiting_.contains(wait_key(s)) != s.deferred && !s.move);
    } else {
      ++placed;
      const auto& here = views.find(s.place.node)->placed;
      SPILLWAY_ASSERT(std::binary_search(here.begin(), here.end(), s.key) && s.epoch.owner == incarnation && views.up(s.place.node));
    }
    SPILLWAY_ASSERT((s.early_tokens() != 0) == (s.gap_at != core::never));
    if (s.move) ++links[{s.place.node, s.move->destination.node}];
    for (const RouterChoice& c : s.choices) SPILLWAY_ASSERT(c.news.empty() && (!s.fitted || c.tokens.size() <= s.request->tokens_max));
  }
  SPILLWAY_ASSERT(quota_keys_.size() == quota_waits_.size());
  for (const auto& [number, wait] : quota_waits_) SPILLWAY_ASSERT(quota_keys_.at(wait.admit.request->key) == number);
  SPILLWAY_ASSERT(timer == timers_.next() && waiting == waiting_.size() && links == links_);
  for (const auto& [node, view] : views.all()) placed -= view.placed.size();
  SPILLWAY_ASSERT(placed == 0);
}

// -- The public class ------------------------------------------------------------------------------------------------------------

RouterCore::RouterCore(core::NodeId self, std::string name, core::Incarnation incarnation, const RouterLimits& limits)
    : state_(std::make_unique<State>(self, std::move(name), incarnation, limits)) {}
RouterCore::~RouterCore() = default;
RouterCore::RouterCore(RouterCore&&) noexcept = default;
RouterCore& RouterCore::operator=(RouterCore&&) noexcept = default;

void RouterCore::on(const Admit& admit, Instant now, Actions& out) {
  state_->admit(admit, now, out);
}

void RouterCore::on_cancel(ClientRef client, const StreamKey& key, Instant now, Actions& out) {
  if (state_->cancel_quota(client, key, now, out)) return;
  RouterStream* s = state_->find(key);
  if (s == nullptr || s->client != client) return;
  state_->cancel_runs(*s, out);
  state_->end_choices(*s, core::FinishReason::cancelled, now, out);
}

void RouterCore::on_client_gone(ClientRef client, Instant now, Actions& out) {
  state_->drop_quota_waits(client, {core::Errc::cancelled, "the client is gone", {}}, now, out);
  const auto it = state_->by_client_.find(client);
  if (it == state_->by_client_.end()) return;
  std::vector<StreamKey> keys = std::move(it->second);
  state_->by_client_.erase(it);
  std::sort(keys.begin(), keys.end());
  for (const StreamKey& key : keys) {
    RouterStream* s = state_->find(key);
    state_->cancel_runs(*s, out);
    s->client = {};
    state_->end_choices(*s, core::FinishReason::cancelled, now, out);
  }
}

void RouterCore::on(core::NodeId from, const core::RunAccepted& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::RunRefused& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::RunReturned& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::RunHeld& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::Tokens& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::MoveFailed& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::MoveReport& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::AskOwner& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}

void RouterCore::on(core::NodeId from, const core::Report& message, Instant now, Actions& out) {
  if (message.node != from) return;
  state_->views.on(message, now);
  state_->drains_on_report(from, now, out);
  if (message.draining) state_->move_off_draining(now, out);
  if (const NodeView* view = state_->views.find(from)) state_->place_waiting(now, out, view);
}

void RouterCore::on(core::NodeId from, const core::Announce& message, Instant, Actions&) {
  if (message.replica.node == from) state_->views.on(message);
}

void RouterCore::on(core::NodeId from, const core::OperatorMove& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::OperatorMoveDone& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::StatusAsk& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::StatusPart& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::QuotaAsk& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}
void RouterCore::on(core::NodeId from, const core::QuotaReply& message, Instant now, Actions& out) {
  state_->on(from, message, now, out);
}

void RouterCore::on_peer_up(core::NodeId peer, core::Incarnation incarnation, Instant now, Actions& out) {
  state_->on_peer_up(peer, incarnation, now, out);
}
void RouterCore::on_peer_suspect(core::NodeId peer, bool suspect, Instant now, Actions& out) {
  if (NodeView* view = state_->views.find(peer)) view->suspect = suspect;
  if (!suspect) state_->place_waiting(now, out);
}
void RouterCore::on_peer_down(core::NodeId peer, core::Incarnation incarnation, Instant now, Actions& out) {
  state_->on_peer_down(peer, incarnation, now, out);
}

void RouterCore::on(ClientRef client, const core::MoveRequest& request, Instant now, Actions& out) {
  state_->on(client, request, now, out);
}
void RouterCore::on(ClientRef client, const core::DrainRequest& request, Instant now, Actions& out) {
  state_->on(client, request, now, out);
}
void RouterCore::on(ClientRef client, const core::StatusRequest& request, Instant now, Actions& out) {
  state_->on(client, request, now, out);
}
void RouterCore::on_tick(Instant now, Actions& out) {
  state_->tick(now, out);
}

void RouterCore::expect_node(core::NodeId node, std::string name) {
  state_->views.expect(node, std::move(name));
}

void RouterCore::set_draining(bool draining, bool leave, Instant now, Actions& out) {
  state_->draining = draining;
  if (!draining || !leave) return;
  // The SDK submits again at another router, with its tokens; the blocks are found by their names.
  const std::string why = "node " + state_->name + " is leaving: submit again at another router";
  state_->drop_quota_waits(std::nullopt, {core::Errc::draining, why, {}}, now, out);
  std::vector<StreamKey> keys;
  for (const RouterStream* s : state_->streams.in_order()) keys.push_back(s->key);
  for (const StreamKey& key : keys) {
    RouterStream& s = *state_->find(key);
    state_->cancel_runs(s, out);
    state_->fail_stream(s, core::Errc::draining, why, {}, out);
  }
}

Instant RouterCore::next_tick() const {
  return state_->next_tick();
}

std::vector<core::ReplicaRef> RouterCore::may_unload(Instant now) const {
  return state_->may_unload(now);
}
core::NodeCounters RouterCore::counters() const {
  return state_->counters;
}
std::size_t RouterCore::streams() const {
  return state_->streams.size();
}
std::vector<core::StreamStatus> RouterCore::stream_status() const {
  return state_->stream_status();
}
void RouterCore::check() const {
  state_->check();
}

}  // namespace spillway::sched
