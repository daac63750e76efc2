#include <algorithm>

#include "sim/cluster_state.h"

/// Steps of the devices, one by one or by jumps.
namespace spillway::sim {

namespace {

constexpr std::uint32_t jump_steps_max = 512;
constexpr std::uint32_t jump_steps_tables = 32;  // a look-up in tables costs as much as many steps
/// Owners hear of a stream at least this often: silence of two seconds makes them ask.
constexpr core::Duration tell_max = std::chrono::milliseconds(500);

}  // namespace

core::Result<core::Duration> Cluster::State::time_of(const SimReplica& replica, const sched::StepOutline& outline,
                                                     std::uint32_t percent) const {
  auto time = replica.plan->cost.time_of(outline);
  if (!time || (percent == 100 && replica.plan->percent == 100)) return time;
  return std::max(core::Duration{1}, core::Duration{time->count() * percent / replica.plan->percent});
}

void Cluster::State::begin_step(std::uint32_t n, std::uint32_t r) {
  SimReplica& replica = nodes_[n].replicas[r];
  if (!replica.core || !replica.ready || replica.busy) return;
  sched::BatcherCore::Actions out = std::move(batcher_out_);
  out.clear();
  const auto outline = replica.core->begin_step(now_, out);
  perform(n, r, out);
  batcher_out_ = std::move(out);
  if (!outline) return;
  replica.busy = true;
  replica.begun = now_;
  replica.outline = *outline;
  replica.done = 0;
  replica.elapsed.clear();
  replica.ends.clear();
  plan_jump(replica, nodes_[n].slow_percent);
  schedule_end(n, r);
}

/// The time of the step in flight, and of as many equal ones behind it as there is room for.
void Cluster::State::plan_jump(SimReplica& replica, std::uint32_t percent) {
  const auto first = time_of(replica, replica.outline, percent);
  if (!first) return broken(first.error().message);
  replica.elapsed.push_back(*first);
  const core::Duration overhead = replica.plan->overhead;
  replica.ends.push_back(now_ + *first + overhead);
  if (!options_.jumps) return;
  const auto room = replica.core->jump_room(replica.plan->cost.tables ? jump_steps_tables : jump_steps_max);
  for (std::uint32_t j = 1; j <= room.steps; ++j) {
    const Instant begins = replica.ends.back();
    if (begins >= room.before) {
      ++counts_.cuts[static_cast<std::size_t>(JumpCut::deadline)];
      break;
    }
    if (begins - now_ > tell_max) break;
    const auto next = time_of(replica, replica.outline.after(j), percent);
    if (!next) return broken(next.error().message);
    replica.elapsed.push_back(*next);
    replica.ends.push_back(begins + *next + overhead);
  }
  if (room.by_blocks && replica.ends.size() == room.steps + 1) ++counts_.cuts[static_cast<std::size_t>(JumpCut::blocks)];
}

void Cluster::State::schedule_end(std::uint32_t n, std::uint32_t r) {
  SimReplica& replica = nodes_[n].replicas[r];
  if (stopped_) return;
  events_.push(replica.ends.back(), EventRank::step_end, step_end, n, ++replica.version << 16U | r);
}

void Cluster::State::note_end(SimReplica& replica, Instant end) {
  replica.last_end = (replica.last_end + 1) % replica.last_ends.size();
  replica.last_ends[replica.last_end] = end;
}

std::size_t Cluster::State::catch_up(std::uint32_t n, std::uint32_t r, bool inclusive) {
  SimReplica& replica = nodes_[n].replicas[r];
  if (!replica.busy) return 0;
  std::size_t ended = replica.done;
  while (ended + 1 < replica.ends.size() && (inclusive ? replica.ends[ended] <= now_ : replica.ends[ended] < now_)) ++ended;
  const std::size_t steps = ended - replica.done;
  if (steps == 0) return 0;
  const std::span<const core::Duration> elapsed(replica.elapsed.data() + replica.done, steps);
  sched::BatcherCore::Actions out;
  replica.core->jump(elapsed, replica.plan->overhead, replica.begun, out);
  perform(n, r, out);  // names alone
  for (std::size_t i = ended - std::min(steps, replica.last_ends.size()); i < ended; ++i) note_end(replica, replica.ends[i]);
  for (const auto time : elapsed) nodes_[n].busy += time;
  replica.begun = replica.ends[ended - 1];
  replica.outline = replica.outline.after(static_cast<std::uint32_t>(steps));
  replica.done = ended;
  counts_.steps += steps;
  counts_.decode_steps += steps;
  counts_.jumped += steps;
  counts_.generated += steps * replica.outline.rows;
  if (options_.check) replica.core->check();
  return steps;
}

void Cluster::State::cut_jump(std::uint32_t n, std::uint32_t r, JumpCut cause) {
  SimReplica& replica = nodes_[n].replicas[r];
  if (!replica.busy || replica.ends.size() == replica.done + 1) return;
  catch_up(n, r, events_rank_ != EventRank::transfer);
  if (replica.ends.size() == replica.done + 1) return;
  ++counts_.cuts[static_cast<std::size_t>(cause)];
  replica.ends.resize(replica.done + 1);
  replica.elapsed.resize(replica.done + 1);
  schedule_end(n, r);
}

void Cluster::State::end_step(std::uint32_t n, std::uint32_t r, std::uint64_t version) {
  SimReplica& replica = nodes_[n].replicas[r];
  if (!replica.busy || replica.version != version) return;
  catch_up(n, r, true);
  SPILLWAY_ASSERT(replica.done + 1 == replica.ends.size());
  replica.busy = false;
  note_end(replica, now_);
  nodes_[n].busy += replica.elapsed.back();
  ++counts_.steps;
  const bool decodes = replica.outline.answer_rows == replica.outline.rows;
  counts_.decode_steps += decodes ? 1 : 0;
  const std::uint64_t before = replica.core->counters().tokens_generated;
  sched::BatcherCore::Actions out = std::move(batcher_out_);
  out.clear();
  // What is told late is counted in steps of one token.
  replica.core->end_step(replica.elapsed.back(), options_.jumps && replica.plan->info.tokens_per_step_max == 1, now_, out);
  counts_.generated += replica.core->counters().tokens_generated - before;
  perform(n, r, out);
  batcher_out_ = std::move(out);
  if (options_.check) replica.core->check();
  begin_step(n, r);
  arm(n);
  if (now_ - replica.told_at < tell_max) return;
  replica.told_at = now_;
  tell_now(n, r);
}

std::uint32_t Cluster::State::under_way(const SimReplica& replica, core::Duration way) const {
  std::uint32_t steps = 0;
  for (const Instant end : replica.last_ends) steps += end != Instant{} && end + way > now_ ? 1 : 0;
  return steps;
}

void Cluster::State::tell_now(std::uint32_t n, std::uint32_t r) {
  SimReplica& replica = nodes_[n].replicas[r];
  if (!options_.jumps || !nodes_[n].alive || !replica.core) return;
  catch_up(n, r, events_rank_ != EventRank::transfer);
  sched::BatcherCore::Actions out;
  for (const std::uint32_t to : routers_) {
    replica.core->tell_tokens(plan_.nodes[to].id, under_way(replica, latency(n, to)), out);
  }
  for (auto& action : out) {
    auto& posted = std::get<sched::BatcherCore::Post>(action);
    const std::uint32_t to = index_.at(posted.to);
    if (cut(n, to)) {
      post(n, to, posted.message, latency(n, to), 0);
    } else {
      deliver_to({posted.message, n, to, nodes_[to].life, 0});
    }
  }
}

core::MessagePtr Cluster::State::hear_early(std::uint32_t n, std::uint32_t r, std::uint32_t to, const core::MessagePtr& message) {
  const auto* told = std::get_if<core::Tokens>(message.get());
  const SimReplica& replica = nodes_[n].replicas[r];
  if (told == nullptr || cut(n, to) || replica.plan->info.tokens_per_step_max > 1) return message;  // of those nothing is told late
  const std::size_t under = std::max(1U, under_way(replica, latency(n, to)));
  const auto late = [under](const core::TokenRun& run) { return run.tokens.size() > under; };
  if (std::none_of(told->runs.begin(), told->runs.end(), late)) return message;
  core::Tokens early{told->replica, {}};
  core::Tokens rest{told->replica, {}};
  for (const auto& run : told->runs) {
    auto& last = rest.runs.emplace_back(run);
    if (!late(run)) continue;
    const auto part = last.tokens.begin() + static_cast<std::ptrdiff_t>(run.tokens.size() - under);
    early.runs.push_back({run.key, run.epoch, run.choice, run.first_index, {last.tokens.begin(), part}});
    last.tokens.erase(last.tokens.begin(), part);
    last.first_index += static_cast<std::uint32_t>(run.tokens.size() - under);
  }
  deliver_to({core::make_message(std::move(early)), n, to, nodes_[to].life, 0});
  return core::make_message(std::move(rest));
}

void Cluster::State::tell_all(std::uint32_t n, std::uint32_t r) {
  SimReplica& replica = nodes_[n].replicas[r];
  if (!options_.jumps || !nodes_[n].alive || !replica.core) return;
  catch_up(n, r, events_rank_ != EventRank::transfer);
  sched::BatcherCore::Actions out;
  replica.core->tell_tokens({}, 0, out);
  perform(n, r, out);
}

}  // namespace spillway::sim
