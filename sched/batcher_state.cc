#include "sched/batcher_state.h"

#include <algorithm>

#include "core/assert.h"

namespace spillway::sched {

using core::block_tokens;

core::BlockName BatchStream::name_at(const BatchChoice& c, std::uint32_t index) const {
  const std::uint32_t in_prompt = prompt() / block_tokens;
  if (index < in_prompt) return index < prompt_names.size() ? prompt_names[index] : core::BlockName{};
  return index - in_prompt < c.names.size() ? c.names[index - in_prompt] : core::BlockName{};
}

std::uint64_t BatchStream::rows_left() const {
  std::uint64_t rows = 0;
  for (const auto& c : choices) {
    if (!c.over()) rows += known(c) - (c.waits ? prompt() : c.computed);
  }
  return rows;
}

BatcherState::BatcherState(core::ReplicaRef self_ref, const core::ReplicaInfo& replica_info, const BatcherLimits& batcher_limits)
    : self(self_ref), info(replica_info), limits(batcher_limits), ledger(replica_info.blocks) {
  const auto groups = core::kv_groups_or_full(info.kv_groups);
  groups_.assign(groups.begin(), groups.end());
  plain_ = core::only_full(groups_);
  SPILLWAY_ASSERT(groups_.size() <= 8);
  SPILLWAY_ASSERT(limits.step_tokens_max > 0);
  SPILLWAY_ASSERT(limits.sequences_max > 0);
  SPILLWAY_ASSERT(info.tokens_per_step_max >= 1 && info.tokens_per_step_max <= block_tokens);
  for (std::uint8_t c = 0; c < classes; ++c) queue_.emplace_back(limits.token_costs, limits.tenant_weights);
}

std::uint32_t BatcherState::find_slot(const Identity& identity) const {
  const auto it = by_identity_.find(identity);
  return it == by_identity_.end() ? no_slot : it->second;
}

BatchStream* BatcherState::find(const StreamKey& key, const Epoch& epoch) {
  const auto slot = find_slot({key, epoch.owner});
  return slot == no_slot ? nullptr : &streams_[slot];
}

std::uint32_t BatcherState::create(const core::Run& run, Instant now) {
  std::uint32_t slot = static_cast<std::uint32_t>(streams_.size());
  if (free_slots_.empty()) {
    streams_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  auto& s = streams_[slot];
  s = {};
  s.state = StreamState::queued;
  s.key = run.key;
  s.epoch = run.epoch;
  s.owner = run.owner;
  s.owner_box = owner_box(run.owner);
  s.set_request(run.request);
  s.arrival = next_arrival_++;
  const std::uint32_t in_prompt = s.prompt() / block_tokens;
  s.prompt_names.assign(run.prompt_names.begin(), run.prompt_names.begin() + std::min<std::size_t>(in_prompt, run.prompt_names.size()));
  s.choices.resize(run.choices.size());
  for (std::size_t i = 0; i < run.choices.size(); ++i) {
    auto& c = s.choices[i];
    c.tokens = run.choices[i].tokens;
    c.finish = run.choices[i].finish;
    c.sequence = {next_sequence_++};
    c.more.resize(groups_.size() - 1);
    const auto& names = run.choices[i].names;
    const std::size_t names_max = (s.prompt() + s.tokens_max) / block_tokens - in_prompt;  // of the whole answer
    c.names.assign(names.begin(), names.begin() + std::min(names_max, names.size()));
    if (!c.over()) ++s.unfinished;
  }
  if (run.deadline_left.count() > 0) {
    s.deadline = now + run.deadline_left;
    deadlines_.emplace(s.deadline, slot);
  }
  by_identity_[{s.key, s.epoch.owner}] = slot;
  return slot;
}

void BatcherState::enqueue(std::uint32_t slot) {
  auto& s = streams_[slot];
  s.state = StreamState::queued;
  queue_[s.queue_class].insert(s.key.tenant, s.queue_key(slot));
  if (ages(s)) climbs_.emplace(s.climb_at, slot);
  ++queued_;
}

void BatcherState::dequeue(std::uint32_t slot) {
  auto& s = streams_[slot];
  SPILLWAY_ASSERT(queue_[s.queue_class].erase(s.key.tenant, s.queue_key(slot)));
  if (ages(s)) climbs_.erase({s.climb_at, slot});
  --queued_;
}

void BatcherState::insert_running(std::uint32_t slot) {
  auto& s = streams_[slot];
  s.state = StreamState::running;
  const auto before = [this](std::uint32_t a, std::uint32_t b) {
    const auto& x = streams_[a];
    const auto& y = streams_[b];
    return x.service_class() != y.service_class() ? x.service_class() < y.service_class() : x.admitted < y.admitted;
  };
  running_.insert(std::upper_bound(running_.begin(), running_.end(), slot, before), slot);
}

void BatcherState::erase_running(std::uint32_t slot) {
  const auto it = std::find(running_.begin(), running_.end(), slot);
  SPILLWAY_ASSERT(it != running_.end());
  running_.erase(it);
}

void BatcherState::end_stream(std::uint32_t slot, core::Errc code, std::string_view reason, Instant now, Actions& out) {
  auto& s = streams_[slot];
  by_identity_.erase({s.key, s.epoch.owner});
  remember_ended({s.key, s.epoch.owner}, s.epoch.counter, now);
  if (s.deadline != core::never) deadlines_.erase({s.deadline, slot});
  if (s.exporting) end_export(s, code, reason, out);
  if (s.state == StreamState::queued) dequeue(slot);
  if (s.state == StreamState::running) erase_running(slot);
  if (slot == held_) held_ = no_slot;
  if (s.in_flight) {
    s.state = StreamState::ending;
    ending_.push_back(slot);
  } else {
    release_stream(slot);
  }
}

void BatcherState::give_back(std::uint32_t slot, core::Errc code, const std::string& reason, Instant now, Actions& out) {
  auto& s = streams_[slot];
  tell_stream(s, out);
  post(s.owner, core::RunReturned{.key = s.key, .epoch = s.epoch, .replica = self, .code = code, .reason = reason}, out);
  end_stream(slot, code, reason, now, out);
}

void BatcherState::release_stream(std::uint32_t slot) {
  auto& s = streams_[slot];
  for (auto& c : s.choices) {
    release_table(c);
    if (!c.over()) close_sequence(s, c);
  }
  if (s.admitted > 0) {
    admitted_choices_ -= s.unfinished;
    --admitted_streams_;
  }
  s = {};
  free_slots_.push_back(slot);
}

void BatcherState::release_table(BatchChoice& choice) {
  if (!choice.table.empty()) ++releases_;
  for (auto& table : choice.more) {
    for (auto it = table.rbegin(); it != table.rend(); ++it) {
      if (*it != core::no_block) ledger.drop_table(*it);
    }
    table.clear();
  }
  // Last block first: of a cached prefix the tail is then evicted before the head, which is of use to more.
  constexpr std::size_t ahead = 8;
  for (std::size_t i = choice.table.size(); i > 0; --i) {
    if (i > ahead && choice.table[i - 1 - ahead] != core::no_block) ledger.fetch_block(choice.table[i - 1 - ahead]);
    if (choice.table[i - 1] != core::no_block) ledger.drop_table(choice.table[i - 1]);
  }
  choice.table.clear();
  choice.computed = 0;
}

void BatcherState::close_sequence(const BatchStream& s, const BatchChoice& choice) {
  if (s.opened) closes_.push_back(choice.sequence);
}

void BatcherState::name_filled(BatchStream& s, BatchChoice& choice, std::uint32_t from_row, std::uint32_t to_row) {
  constexpr std::uint32_t ahead = 6;
  const std::uint32_t end = to_row / block_tokens;
  for (std::uint32_t b = from_row / block_tokens; b < end; ++b) {
    if (b + ahead < end) ledger.fetch_name(s.name_at(choice, b + ahead));
    const auto name = s.name_at(choice, b);
    if (!name) continue;
    if (plain_) {
      ledger.set_name(choice.table[b], name);
      continue;
    }
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      if (groups_[g].kind == core::KvGroupKind::state || choice.table_of(g)[b] == core::no_block) continue;
      ledger.set_name(choice.table_of(g)[b], core::group_name(name, g));
    }
  }
}

void BatcherState::fork(BatchStream& s) {
  const auto& leader = s.choices[s.leader];
  const std::uint32_t blocks = blocks_for(s.prompt());
  for (auto& c : s.choices) {
    if (!c.waits) continue;
    c.waits = false;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const auto& from = leader.table_of(g);
      const auto count = groups_[g].kind == core::KvGroupKind::state ? from.size() : blocks;
      auto& to = c.table_of(g);
      to.assign(from.begin(), from.begin() + static_cast<std::ptrdiff_t>(count));
      for (const auto block : to) {
        if (block != core::no_block) ledger.add_table(block);
      }
    }
    c.computed = s.prompt();
    c.exported = std::min(leader.exported, s.prompt());
  }
  s.waiting = 0;
}

void BatcherState::remember_ended(const Identity& identity, std::uint64_t counter, Instant now) {
  auto& ended = ended_[identity];
  ended.counter = std::max(ended.counter, counter);
  ended.at = now;
  ended_order_.emplace_back(now, identity);
  forget_ended(now);
}

std::uint64_t BatcherState::ended_counter(const Identity& identity) const {
  const auto it = ended_.find(identity);
  return it == ended_.end() ? 0 : it->second.counter;
}

void BatcherState::forget_ended(Instant now) {
  while (!ended_order_.empty()) {
    const auto& [at, identity] = ended_order_.front();
    if (at + limits.ended_memory > now && ended_order_.size() <= limits.ended_memory_max) return;
    const auto it = ended_.find(identity);
    if (it != ended_.end() && it->second.at == at) ended_.erase(it);  // otherwise it ended again since
    ended_order_.pop_front();
  }
}

std::uint32_t BatcherState::owner_box(core::NodeId node) {
  const auto [it, inserted] = box_of_.try_emplace(node, static_cast<std::uint32_t>(boxes_.size()));
  if (inserted) boxes_.push_back({.node = node, .alive = {}, .tokens = {}});
  return it->second;
}

void BatcherState::post(core::NodeId to, core::Message&& message, Actions& out) const {
  out.emplace_back(BatcherCore::Post{to, core::make_message(std::move(message))});
}

void BatcherState::flush_names(Actions& out) {
  const auto added = ledger.added_names();
  const auto removed = ledger.removed_names();
  if (added.empty() && removed.empty()) return;
  BatcherCore::NamesChanged changed;
  if (added.empty() || removed.empty()) {  // then what came is there, and what went is not
    changed.added.assign(added.begin(), added.end());
    changed.removed.assign(removed.begin(), removed.end());
  } else {
    for (const auto& name : added) {
      if (ledger.find(name) != core::no_block) changed.added.push_back(name);
    }
    for (const auto& name : removed) {
      if (ledger.find(name) == core::no_block) changed.removed.push_back(name);
    }
  }
  ledger.clear_changes();
  if (!changed.added.empty() || !changed.removed.empty()) out.emplace_back(std::move(changed));
}

}  // namespace spillway::sched
