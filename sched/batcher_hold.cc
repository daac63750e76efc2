#include <algorithm>
#include <string>

#include "sched/batcher_state.h"
#include "sched/predicted_time.h"

/// Preemption by moving away: the victim keeps its blocks for a moment, and its owner decides.
namespace spillway::sched {

namespace {

constexpr std::int64_t window = 10;  // seconds of released_
constexpr core::Duration wait_max = std::chrono::seconds(10);

}  // namespace

core::Duration BatcherState::recompute_time(const BatchStream& s, Instant now) const {
  const auto& costs = step_time_.costs();
  core::Duration time{0};
  std::uint32_t blocks = 0;
  for (const auto& c : s.choices) {
    if (c.over()) continue;
    time += prefill_time({costs.base, costs.row}, c.computed, admitted_choices_ - s.unfinished, limits.step_tokens_max);
    time += costs.context * static_cast<std::int64_t>(attended_by(0, c.computed)) / 1024;
    blocks += static_cast<std::uint32_t>(core::held_blocks(groups_, c.computed));
  }
  const std::int64_t released = released_.sum(now);
  const core::Duration wait =
      released == 0 ? wait_max : std::min(wait_max, core::Duration(std::chrono::seconds(window)) * blocks / released);
  return time + wait;
}

bool BatcherState::hold(std::uint32_t victim, Instant now, Actions& out) {
  auto& s = streams_[victim];
  if (limits.hold_max <= core::Duration{0} || s.was_held || s.waiting > 0 || s.request->prompt_only || !step_time_.costs().known())
    return false;
  std::uint64_t contexts = 0;
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    const auto& c = s.choices[i];
    if (c.over()) continue;
    // Only what decodes can be carried: an unfinished prompt would be computed to its end first, and forks part.
    if (c.computed == 0 || s.limit(i) - c.computed != 1 || c.copying() || shares_written(c)) return false;
    contexts += c.computed;
  }
  const auto recompute = recompute_time(s, now);
  constexpr std::int64_t steps_min = 2;  // so long the others stand still until the owner has been asked
  if (recompute <= step_time(step_time_.costs(), admitted_choices_, contexts) * steps_min) return false;
  for (auto& c : s.choices) c.chunk = 0;
  tell_stream(s, out);
  erase_running(victim);
  s.state = StreamState::held;
  s.was_held = true;
  held_ = victim;
  const auto patience = std::min(limits.hold_max, recompute);
  held_until_ = now + patience;
  // One that is on its way already needs no asking.
  if (!s.exporting)
    post(s.owner, core::RunHeld{.key = s.key, .epoch = s.epoch, .replica = self, .recompute = recompute, .patience = patience}, out);
  return true;
}

void BatcherState::end_hold(std::uint32_t slot, Instant now, Actions& out) {
  held_ = no_slot;
  ++counters.preemptions;
  give_back(slot, core::Errc::no_capacity,
            "preempted: all " + std::to_string(ledger.total()) + " blocks are in use, and it could not be moved away", now, out);
}

void BatcherState::expire_hold(Instant now, Actions& out) {
  if (held_ == no_slot || now < held_until_) return;
  // Frozen it is as good as gone; but who needs a block waits no longer for it.
  if (streams_[held_].state == StreamState::held) return end_hold(held_, now, out);
  held_ = no_slot;
}

}  // namespace spillway::sched
