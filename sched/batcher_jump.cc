#include "sched/batcher_jump.h"

#include <algorithm>
#include <array>

#include "core/assert.h"
#include "sched/batcher_state.h"
#include "sched/fetch.h"

namespace spillway::sched {

using core::block_tokens;

std::uint32_t counted_guesses(const core::Request& request, std::uint32_t choice, std::uint32_t index, std::uint32_t most,
                              std::uint32_t permille) {
  std::uint32_t right = 0;
  for (; right < most; ++right) {
    std::uint64_t x = request.sampling.seed + std::uint64_t{choice} * 7919U + (std::uint64_t{index} + right + 1) * 0x9e3779b97f4a7c15ULL;
    x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
    if ((x ^ (x >> 31U)) % 1000 >= permille) break;
  }
  return right;
}

std::optional<StepOutline> BatcherState::begin_step(Instant now, Actions& out) {
  if (!assign_step(now, out)) return std::nullopt;
  closes_.clear();  // nobody keeps sequences
  if (scheduled_.empty()) return std::nullopt;
  StepOutline outline;
  for (const auto& e : scheduled_) outline_item(streams_[e.slot], e.choice, e.slot, outline);
  attended_ = outline.attended;
  ++step_;
  in_flight_ = true;
  return outline;
}

void BatcherState::outline_item(BatchStream& s, std::uint32_t choice, std::uint32_t slot, StepOutline& outline) {
  const auto& c = s.choices[choice];
  const std::size_t before = targets_.size();
  add_targets(s, choice, slot);
  s.opened = s.in_flight = true;
  ++outline.items;
  outline.rows += c.chunk;
  outline.attended += attended_by(c.computed, c.chunk);
  if (c.chunk > 1) {
    outline.chunk_rows += c.chunk;
    outline.chunk_history += std::uint64_t{c.chunk} * c.computed;
    return;
  }
  const std::uint32_t context = c.computed + 1;
  outline.context_min = outline.decodes == 0 ? context : std::min(outline.context_min, context);
  outline.context_max = std::max(outline.context_max, context + c.guesses);
  outline.decode_contexts += context;
  ++outline.decodes;
  outline.answer_rows += c.computed > 0 && targets_.size() > before ? 1 : 0;
  if (c.guesses == 0) return;
  // To check a guess costs what a decode of a context longer by one costs.
  outline.rows += c.guesses;
  outline.answer_rows += c.guesses;
  outline.decodes += c.guesses;
  outline.decode_contexts += attended_by(context, c.guesses);
  outline.attended += attended_by(context, c.guesses);
}

void BatcherState::fetch_step() const {
  for (const auto& e : scheduled_) fetch(&streams_[e.slot], 2);
  for (const auto& e : scheduled_) {
    const auto& s = streams_[e.slot];
    fetch(&s.request->sampling.seed);
    if (s.choices.size() == 1) fetch(s.choices[0].tokens.data() + s.choices[0].tokens.size());
  }
}

void BatcherState::end_step(core::Duration elapsed, bool tell_late, Instant now, Actions& out) {
  SPILLWAY_ASSERT(in_flight_);
  in_flight_ = false;
  fetch_step();
  std::uint32_t rows = 0;
  for (const auto& e : scheduled_) {
    const auto& c = streams_[e.slot].choices[e.choice];
    rows += c.chunk + c.guesses;
  }
  if (rows > 0 && elapsed.count() > 0) step_time_.learn(rows, attended_, elapsed);
  take_rows(out);
  core::TokenOut token;
  for (const auto& [slot, choice] : targets_) {
    const auto& s = streams_[slot];
    if (s.state == StreamState::ending) continue;  // cancelled meanwhile
    const auto& c = s.choices[choice];
    const auto index = static_cast<std::uint32_t>(c.tokens.size());
    token.token = counted_token(*s.request, choice, index);
    take_token(slot, choice, token, tell_late);
    const auto right = counted_guesses(*s.request, choice, index, c.guesses, guess_permille);
    for (std::uint32_t i = 1; i <= right && !c.over(); ++i) {
      token.token = counted_token(*s.request, choice, index + i);
      take_guessed(slot, choice, token, tell_late);
    }
  }
  after_tokens(now, out);
}

bool BatcherState::steady() const {
  if (info.tokens_per_step_max > 1) return false;  // how many tokens a step makes is not known ahead
  if (!plain_) return false;                       // blocks are released on the way
  if (!in_flight_ || preempted_ || !exports_.empty() || !ending_.empty() || scheduled_.empty()) return false;
  if (targets_.size() != scheduled_.size() || scheduled_.size() != admitted_choices_) return false;
  for (const auto& [slot, choice] : scheduled_) {
    const auto& s = streams_[slot];
    const auto& c = s.choices[choice];
    if (c.chunk != 1 || s.waiting > 0 || s.state != StreamState::running || !c.told_once) return false;
    // Only forks share a block that is not full, until they part.
    if (s.choices.size() > 1 && ledger.tables(c.table[c.computed / block_tokens]) > 1) return false;
  }
  return true;
}

bool BatcherState::queue_waits() const {
  if (queued_ == 0) return true;
  if (budget_ == 0) return false;                                                     // it was not looked at
  if (admitted_choices_ + reserved_choices_ + 1 > limits.sequences_max) return true;  // whoever it is
  const auto& head = streams_[queue_head()];
  // Between tenants every token may change who is next.
  if (queue_[head.queue_class].head()->reason != QueueReason::only_tenant) return false;
  if (admitted_choices_ + reserved_choices_ + head.unfinished > limits.sequences_max) return true;
  return blocked_arrival_ == head.arrival && ledger.available() <= blocked_available_ &&
         (limits.admission != AdmissionPolicy::past_future || releases_ == blocked_releases_);
}

std::uint64_t BatcherState::blocks_begun(std::uint32_t steps) const {
  std::uint64_t blocks = 0;
  for (const auto& [slot, choice] : scheduled_) {
    const auto& c = streams_[slot].choices[choice];
    // The row of the step in flight is `computed`; the first row behind the table comes so many steps later.
    const std::uint64_t first = c.table.size() * block_tokens - c.computed;
    if (steps >= first) blocks += 1 + (steps - first) / block_tokens;
  }
  return blocks;
}

JumpRoom BatcherState::jump_room(std::uint32_t steps_max) const {
  if (!steady() || !queue_waits()) return {};
  JumpRoom room{.steps = steps_max};
  for (const auto& [slot, choice] : scheduled_) {
    const auto& s = streams_[slot];
    const auto left = s.tokens_max - static_cast<std::uint32_t>(s.choices[choice].tokens.size());
    room.steps = std::min(room.steps, left - 1);
  }
  const std::uint64_t available = ledger.available();
  while (room.steps > 0 && blocks_begun(room.steps) > available) {
    room.steps /= 2;
    room.by_blocks = true;
  }
  if (!deadlines_.empty()) room.before = deadlines_.begin()->first;
  if (!climbs_.empty()) room.before = std::min(room.before, climbs_.begin()->first);
  return room;
}

void BatcherState::jump(std::span<const core::Duration> elapsed, core::Duration overhead, Instant begun) {
  constexpr std::uint32_t none = 0xffffffffU;
  fetch_step();
  const auto rows = static_cast<std::uint32_t>(scheduled_.size());
  // Choices by their row within a block, each list in the order of the step.
  std::array<std::uint32_t, block_tokens> first;
  first.fill(none);
  chain_.resize(rows);
  for (std::uint32_t i = rows; i > 0; --i) {
    const auto& e = scheduled_[i - 1];
    auto& head = first[streams_[e.slot].choices[e.choice].computed % block_tokens];
    chain_[i - 1] = head;
    head = i - 1;
  }
  for (std::uint32_t j = 0; j < elapsed.size(); ++j) {
    begun += elapsed[j] + overhead;
    if (elapsed[j].count() > 0) step_time_.learn(rows, attended_, elapsed[j]);
    rate_.add(rows, begun);
    attended_ += rows;
    // Those whose row was the last of its block: its name first, then room for the next row, as steps do it.
    const auto full = first[(block_tokens - 1 - j) % block_tokens];
    for (auto i = full; i != none; i = chain_[i]) {
      auto& s = streams_[scheduled_[i].slot];
      auto& c = s.choices[scheduled_[i].choice];
      name_filled(s, c, c.computed + j, c.computed + j + 1);
    }
    for (auto i = full; i != none; i = chain_[i]) {
      auto& c = streams_[scheduled_[i].slot].choices[scheduled_[i].choice];
      if (c.table.size() * block_tokens > c.computed + j + 1) continue;
      c.table.push_back(ledger.allocate());
      SPILLWAY_ASSERT(c.table.back() != core::no_block);
    }
  }
  const auto steps = static_cast<std::uint32_t>(elapsed.size());
  for (const auto& [slot, choice] : scheduled_) {
    auto& s = streams_[slot];
    auto& c = s.choices[choice];
    for (std::uint32_t j = 0; j < steps; ++j)
      c.tokens.push_back(counted_token(*s.request, choice, static_cast<std::uint32_t>(c.tokens.size())));
    SPILLWAY_ASSERT(c.tokens.size() < s.tokens_max);
    c.computed += steps;
    c.untold += steps;
    queue_[s.queue_class].counters().charge_output(s.key.tenant, steps);
  }
  counters.tokens_generated += std::uint64_t{rows} * steps;
  step_ += steps;
}

void BatcherState::tell_stream(BatchStream& s, Actions& out) {
  core::Tokens message;
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    auto& c = s.choices[i];
    if (c.untold == 0) continue;
    const auto first = static_cast<std::uint32_t>(c.tokens.size()) - c.untold;
    auto& run = message.runs.emplace_back(core::TokenRun{s.key, s.epoch, i, first, {}});
    for (std::uint32_t t = first; t < c.tokens.size(); ++t) run.tokens.emplace_back().token = c.tokens[t];
    c.untold = 0;
  }
  if (message.runs.empty()) return;
  message.replica = self;
  post(s.owner, std::move(message), out);
}

void BatcherState::tell_tokens(core::NodeId owner, std::uint32_t but_last, Actions& out) {
  for (const auto slot : running_) {
    auto& s = streams_[slot];
    if (owner && s.owner != owner) continue;
    for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
      auto& c = s.choices[i];
      if (c.untold <= but_last) continue;
      const std::uint32_t kept = but_last;
      auto& run = untold_run(s, i);
      run.tokens.resize(run.tokens.size() - kept);
      c.untold = kept;
    }
  }
  for (const auto index : boxes_used_) {
    auto& box = boxes_[index];
    box.tokens.replica = self;
    post(box.node, std::move(box.tokens), out);
    box.tokens = {};
  }
  boxes_used_.clear();
}

}  // namespace spillway::sched
