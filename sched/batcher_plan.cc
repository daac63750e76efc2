#include <algorithm>

#include "core/assert.h"
#include "sched/batcher_state.h"

/// Planning of a step, in two passes: first rows are assigned to choices (blocks are taken, streams admitted or preempted), then
/// the items are written. So a victim of preemption never has an item in the plan.
namespace spillway::sched {

using core::block_tokens;

bool BatcherState::assign_step(Instant now, Actions& out) {
  if (!ready || in_flight_) return false;
  expire(now, out);
  expire_hold(now, out);
  climb(now);
  scheduled_.clear();
  targets_.clear();
  preempted_ = false;
  const std::uint32_t kept_back = prompt_budget();
  budget_ = limits.step_tokens_max - kept_back;
  assign_decodes(now, out);
  budget_ += kept_back;
  step_budget_ = step_budget();
  assign_prefills(now, out);
  std::erase_if(scheduled_, [this](const Scheduled& e) {
    return streams_[e.slot].state != StreamState::running || streams_[e.slot].choices[e.choice].chunk == 0;  // preempted since
  });
  assign_guesses();
  attended_ = 0;
  return true;
}

std::optional<core::StepPlan> BatcherState::plan_step(Instant now, Actions& out) {
  if (!assign_step(now, out)) return std::nullopt;
  core::StepPlan plan;
  plan.items.reserve(scheduled_.size());
  for (const auto& e : scheduled_) emit_item(streams_[e.slot], e.choice, e.slot, plan);
  plan.closes.swap(closes_);
  if (plan.empty()) return std::nullopt;
  plan.step = ++step_;
  in_flight_ = true;
  return plan;
}

/// Decodes go first, but where they alone would fill every step, an eighth of it is kept for prompts: or none would ever begin.
std::uint32_t BatcherState::prompt_budget() const {
  const std::uint32_t share = limits.step_tokens_max / 8;
  if (admitted_choices_ <= limits.step_tokens_max - share) return 0;
  const bool prompts =
      queued_ > 0 || std::any_of(running_.begin(), running_.end(), [this](auto slot) { return lacks_rows(streams_[slot]); });
  return prompts ? share : 0;
}

StepBudget BatcherState::step_budget() const {
  StepNeeds needs{.rows_max = limits.step_tokens_max};
  for (const auto& e : scheduled_) {
    const auto& s = streams_[e.slot];
    if (s.state != StreamState::running) continue;  // preempted since
    const auto& c = s.choices[e.choice];
    needs.decodes += c.chunk;
    needs.decode_attended += attended_by(c.computed, c.chunk);
    const auto tpot = limits.tpot[std::min<std::size_t>(s.service_class(), classes - 1)];
    if (tpot > core::Duration{0} && (needs.tpot == core::Duration{0} || tpot < needs.tpot)) needs.tpot = tpot;
  }
  return {step_time_.costs(), needs};
}

void BatcherState::climb(Instant now) {
  while (!climbs_.empty() && climbs_.begin()->first <= now) {
    const auto slot = climbs_.begin()->second;
    auto& s = streams_[slot];
    dequeue(slot);
    if (s.queue_class > 0) {
      --s.queue_class;
    } else {
      s.overdue = true;
    }
    s.climb_at += limits.ageing;
    enqueue(slot);
  }
}

void BatcherState::assign_decodes(Instant now, Actions& out) {
  order_ = running_;
  const std::size_t count = order_.size();
  if (count == 0) return;
  const auto [start, first_choice] = decode_start_.stream < count ? decode_start_ : DecodeStart{};
  decode_start_ = {};
  // Round from where the budget ended last time; the stream begun with is visited again at the end, for the choices before.
  for (std::size_t k = 0; k <= count; ++k) {
    const std::size_t at = (start + k) % count;
    const auto slot = order_[at];
    auto& s = streams_[slot];
    for (std::uint32_t c = k == 0 ? first_choice : 0; c < s.choices.size() && (k < count || c < first_choice); ++c) {
      if (s.state != StreamState::running) break;  // preempted
      const auto& choice = s.choices[c];
      if (choice.over() || choice.waits || choice.chunk > 0 || s.limit(c) - choice.computed != 1) continue;
      if (budget_ == 0) {
        decode_start_ = {at, c};
        return;
      }
      if (!assign(slot, c, 1, now, out)) break;
    }
  }
}

bool BatcherState::assign(std::uint32_t slot, std::uint32_t choice, std::uint32_t rows, Instant now, Actions& out) {
  auto& s = streams_[slot];
  auto& c = s.choices[choice];
  const std::uint32_t end = c.computed + rows;
  if (!plain_) {
    if (!grow_groups(slot, choice, end, now, out)) return false;
    c.chunk = rows;
    budget_ -= rows;
    scheduled_.push_back({slot, choice});
    return true;
  }
  while (c.table.size() * block_tokens < end) {
    const auto block = allocate_or_preempt(slot, now, out);
    if (block == core::no_block) return false;
    c.table.push_back(block);
  }
  if (s.choices.size() > 1 && c.computed % block_tokens != 0) {  // only forks share a block that is not full
    auto& growing = c.table[c.computed / block_tokens];
    if (ledger.tables(growing) > 1) {  // the last sharer finds itself alone and keeps the original
      const auto block = allocate_or_preempt(slot, now, out);
      if (block == core::no_block) return false;
      c.copy_from = growing;
      ledger.drop_table(growing);
      growing = block;
    }
  }
  c.chunk = rows;
  budget_ -= rows;
  scheduled_.push_back({slot, choice});
  return true;
}

BlockId BatcherState::allocate_or_preempt(std::uint32_t slot, Instant now, Actions& out) {
  for (;;) {
    const auto block = ledger.allocate();
    if (block != core::no_block) return block;
    preempted_ = true;
    if (held_ != no_slot) return core::no_block;
    const auto victim = running_.back();  // lowest class, then admitted last
    for (const auto& c : streams_[victim].choices) budget_ += c.chunk;
    if (hold(victim, now, out)) return core::no_block;
    ++counters.preemptions;
    give_back(victim, core::Errc::no_capacity, "preempted: all " + std::to_string(ledger.total()) + " blocks are in use", now, out);
    if (victim == slot) return core::no_block;
  }
}

bool BatcherState::lacks_rows(const BatchStream& s) const {
  for (std::uint32_t c = 0; c < s.choices.size(); ++c) {
    const auto& choice = s.choices[c];
    if (!choice.over() && !choice.waits && choice.chunk == 0 && s.limit(c) - choice.computed > 1) return true;
  }
  return false;
}

void BatcherState::assign_prefills(Instant now, Actions& out) {
  order_.clear();
  for (const auto slot : running_) {
    if (lacks_rows(streams_[slot])) order_.push_back(slot);
  }
  bool blocked = false;  // the head of the queue does not fit: nobody overtakes it
  for (const auto slot : order_) {
    // A queued Run of a higher class goes before the unfinished prompt of a lower one.
    while (!blocked && !preempted_ && budget_ > 0 && queued_ > 0) {
      const auto head = queue_head();
      if (streams_[slot].state != StreamState::running || streams_[head].queue_class >= streams_[slot].service_class()) break;
      blocked = !admit(head);
      if (!blocked) assign_chunks(head, now, out);
    }
    if (budget_ == 0) return;
    if (streams_[slot].state == StreamState::running) assign_chunks(slot, now, out);
  }
  while (!blocked && !preempted_ && budget_ > 0 && queued_ > 0) {
    const auto head = queue_head();
    blocked = !admit(head);
    if (!blocked) assign_chunks(head, now, out);
  }
}

void BatcherState::assign_chunks(std::uint32_t slot, Instant now, Actions& out) {
  auto& s = streams_[slot];
  for (std::uint32_t i = 0; i < s.choices.size() && budget_ > 0; ++i) {
    const auto& c = s.choices[i];
    if (c.over() || c.waits || c.chunk > 0) continue;
    adopt(s, i);
    auto rows = step_budget_.prompt_rows(c.computed, std::min(s.limit(i) - c.computed, budget_));
    if (rows == 0) rows = budget_ = 1;  // who was admitted gets a row, and the step is full
    step_budget_.take(c.computed, rows);
    if (!assign(slot, i, rows, now, out)) return;
  }
}

void BatcherState::adopt(BatchStream& s, std::uint32_t choice) {
  // Somebody else may have computed the next blocks since this stream was admitted. The last known row is always computed here:
  // its logits are needed.
  auto& c = s.choices[choice];
  while (plain_) {
    const std::uint32_t index = c.computed / block_tokens;
    const std::uint32_t end = (index + 1) * block_tokens;
    if (end >= s.limit(choice)) return;
    // A block begun is given up for a whole one, but not when an export has told of it or another choice shares it.
    if (c.computed % block_tokens != 0 && (s.exporting || ledger.tables(c.table[index]) > 1)) return;
    const auto name = s.name_at(c, index);
    const auto block = name ? ledger.find(name) : core::no_block;
    if (block == core::no_block) return;
    ledger.add_table(block);
    if (index < c.table.size()) {
      ledger.drop_table(c.table[index]);
      c.table[index] = block;
    } else {
      c.table.push_back(block);
    }
    counters.prefix_hit_tokens += end - c.computed;
    c.computed = end;
  }
}

std::uint32_t BatcherState::queue_head() const {
  for (const auto& queue : queue_) {
    if (const auto head = queue.head()) return head->slot;
  }
  SPILLWAY_ASSERT(queued_ > 0);
  return no_slot;
}

bool BatcherState::admit(std::uint32_t slot) {
  auto& s = streams_[slot];
  if (admitted_choices_ + reserved_choices_ + s.unfinished > limits.sequences_max) return false;
  // A head that did not fit is looked at again when something was freed since (or there is nobody else to wait for).
  if (!running_.empty() && blocked_arrival_ == s.arrival && ledger.available() <= blocked_available_ &&
      (limits.admission != AdmissionPolicy::past_future || releases_ == blocked_releases_))
    return false;
  const auto m = match(s);
  if (!decide_admission(s, m).admitted()) {
    blocked_arrival_ = s.arrival;
    blocked_available_ = ledger.available();
    blocked_releases_ = releases_;
    return false;
  }
  // What it brings along was served, and charged, before: where it comes from, or here before it was preempted.
  const bool fresh = std::all_of(s.choices.begin(), s.choices.end(), [](const BatchChoice& c) { return c.tokens.empty(); });
  if (fresh) queue_[s.queue_class].counters().charge_input(s.key.tenant, s.prompt());
  dequeue(slot);
  s.admitted = next_admission_++;
  ++admitted_streams_;
  admitted_choices_ += s.unfinished;
  insert_running(slot);
  start(s, m);
  return true;
}

BatcherState::Match BatcherState::match(const BatchStream& s) const {
  if (!plain_) return match_groups(s);
  Match m;
  const std::uint32_t in_prompt = s.prompt() / block_tokens;
  const auto held = [&](const core::BlockName& name) { return name && ledger.find(name) != core::no_block; };
  std::uint32_t prompt_hits = 0;
  while (prompt_hits < s.prompt_names.size() && held(s.prompt_names[prompt_hits])) ++prompt_hits;
  m.hits.resize(s.choices.size(), 0);
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    const auto& c = s.choices[i];
    if (c.over()) continue;
    // The last known row is always computed here: its logits are needed.
    const std::uint32_t hits_max = (s.known(c) - 1) / block_tokens;
    auto& hits = m.hits[i];
    hits = std::min(prompt_hits, hits_max);
    if (prompt_hits == in_prompt) {
      while (hits < hits_max && held(s.name_at(c, hits))) ++hits;
    }
    const std::uint32_t blocks = blocks_for(s.known(c));
    if (hits * block_tokens >= s.prompt()) {
      m.need += blocks - hits;
      continue;
    }
    if (m.dependents == 0 || hits > m.hits[m.leader]) m.leader = i;
    ++m.dependents;
    m.need += blocks - in_prompt;
  }
  if (m.dependents > 0) m.need += in_prompt - m.hits[m.leader];
  count_cached(s, m);
  return m;
}

void BatcherState::count_cached(const BatchStream& s, Match& m) const {
  const std::uint32_t in_prompt = s.prompt() / block_tokens;
  std::uint32_t prompt_used = 0;
  std::vector<BlockId> beyond;  // blocks of generated tokens; choices that say the same share them
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    const auto& c = s.choices[i];
    const bool waits = m.hits[i] * block_tokens < s.prompt() && i != m.leader;
    if (c.over() || waits) continue;
    prompt_used = std::max(prompt_used, std::min(m.hits[i], in_prompt));
    for (std::uint32_t b = in_prompt; b < m.hits[i]; ++b) beyond.push_back(ledger.find(s.name_at(c, b)));
  }
  for (std::uint32_t b = 0; b < prompt_used; ++b) m.cached += ledger.cached(ledger.find(s.prompt_names[b])) ? 1 : 0;
  std::sort(beyond.begin(), beyond.end());
  beyond.erase(std::unique(beyond.begin(), beyond.end()), beyond.end());
  for (const auto block : beyond) m.cached += ledger.cached(block) ? 1 : 0;
}

void BatcherState::start(BatchStream& s, const Match& m) {
  s.leader = m.leader;
  s.waiting = m.dependents > 1 ? m.dependents - 1 : 0;
  if (!plain_) return start_groups(s, m);
  // All hits first: what is allocated next must not evict them.
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    auto& c = s.choices[i];
    if (c.over()) continue;
    const bool dependent = m.hits[i] * block_tokens < s.prompt();
    c.waits = dependent && i != m.leader;
    if (c.waits) continue;
    for (std::uint32_t b = 0; b < m.hits[i]; ++b) {
      c.table.push_back(ledger.find(s.name_at(c, b)));
      ledger.add_table(c.table.back());
    }
    c.computed = m.hits[i] * block_tokens;
    counters.prefix_hit_tokens += c.computed;
  }
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    auto& c = s.choices[i];
    if (c.over() || c.waits) continue;
    while (c.table.size() < blocks_for(s.limit(i))) {
      c.table.push_back(ledger.allocate());
      SPILLWAY_ASSERT(c.table.back() != core::no_block);
    }
  }
}

void BatcherState::assign_guesses() {
  if (info.tokens_per_step_max <= 1 || !plain_) return;  // a state cannot be taken back
  for (const auto& e : scheduled_) {
    if (budget_ == 0) return;
    auto& s = streams_[e.slot];
    auto& c = s.choices[e.choice];
    const std::uint32_t next = c.computed + 1;
    if (c.chunk != 1 || s.waiting > 0 || s.request->prompt_only || next != s.known(c)) continue;
    const auto left = s.request->tokens_max - static_cast<std::uint32_t>(c.tokens.size());  // at least one
    auto rows = step_budget_.prompt_rows(next, std::min({info.tokens_per_step_max - 1, left - 1, budget_}));
    while (c.table.size() * block_tokens < next + rows && ledger.available() > limits.reserve_blocks) c.table.push_back(ledger.allocate());
    rows = std::min(rows, static_cast<std::uint32_t>(c.table.size()) * block_tokens - next);
    step_budget_.take(next, rows);
    c.guesses = rows;
    budget_ -= rows;
  }
}

void BatcherState::emit_item(BatchStream& s, std::uint32_t choice, std::uint32_t slot, core::StepPlan& plan) {
  auto& c = s.choices[choice];
  if (!s.opened) {
    for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
      const auto& other = s.choices[i];
      if (!other.over()) plan.opens.push_back({other.sequence, s.request, i, other.tokens});
    }
    s.opened = true;
  }
  if (c.copy_from != core::no_block) {
    plan.copies.push_back({c.copy_from, c.table[c.computed / block_tokens], c.computed % block_tokens});
  }
  plan.copies.insert(plan.copies.end(), c.copies.begin(), c.copies.end());
  const std::uint32_t end = c.computed + c.chunk;
  attended_ += attended_by(c.computed, c.chunk + c.guesses);
  auto& item = plan.items.emplace_back();
  item.sequence = c.sequence;
  item.first_position = c.computed;
  const auto& prompt = s.request->prompt;
  const auto at = [](const auto& tokens, std::uint32_t index) { return tokens.begin() + static_cast<std::ptrdiff_t>(index); };
  if (c.computed < s.prompt()) item.tokens.assign(at(prompt, c.computed), at(prompt, std::min(end, s.prompt())));
  if (end > s.prompt())
    item.tokens.insert(item.tokens.end(), at(c.tokens, std::max(c.computed, s.prompt()) - s.prompt()), at(c.tokens, end - s.prompt()));
  const auto covering = [&](std::size_t group) {
    const auto& table = c.table_of(group);
    const auto all = groups_[group].kind == core::KvGroupKind::state;
    return std::vector<BlockId>(table.begin(), all ? table.end() : table.begin() + blocks_for(end + c.guesses));
  };
  item.blocks = covering(0);
  for (std::size_t group = 1; group < groups_.size(); ++group) item.more_blocks.push_back(covering(group));
  const std::size_t before = targets_.size();
  add_targets(s, choice, slot);
  for (std::size_t i = before; i < targets_.size(); ++i) {
    const auto& target = s.choices[targets_[i].choice];
    item.samples.push_back({target.sequence, static_cast<std::uint32_t>(target.tokens.size()), 1 + target.guesses});
  }
  s.in_flight = true;
}

void BatcherState::add_targets(const BatchStream& s, std::uint32_t choice, std::uint32_t slot) {
  const auto& c = s.choices[choice];
  const std::uint32_t end = c.computed + c.chunk;
  if (end == s.known(c) && !s.prompt_only) targets_.push_back({slot, choice});
  if (s.waiting == 0 || choice != s.leader || end != s.prompt()) return;
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    if (s.choices[i].waits && s.choices[i].tokens.empty()) targets_.push_back({slot, i});
  }
}

}  // namespace spillway::sched
