#include "core/assert.h"
#include "sched/batcher_state.h"

namespace spillway::sched {

using core::block_tokens;

void BatcherState::check() const {
  std::vector<std::uint32_t> tables(ledger.total(), 0);
  std::vector<std::uint32_t> pins(ledger.total(), 0);
  std::uint32_t admitted_choices = 0;
  std::uint32_t admitted_streams = 0;
  std::size_t counts[6] = {};
  for (std::uint32_t slot = 0; slot < streams_.size(); ++slot) {
    const auto& s = streams_[slot];
    ++counts[static_cast<std::size_t>(s.state)];
    if (s.state == StreamState::unused) continue;
    check_stream(s, slot, tables, pins);
    if (s.admitted == 0) continue;
    ++admitted_streams;
    admitted_choices += s.unfinished;
  }
  std::uint32_t reserved_choices = 0;
  for (const auto& [transfer, import] : imports_) {
    reserved_choices += import.choices;
    for (const auto& [ordinal, slot] : import.slots) ++pins[slot.block];
  }
  SPILLWAY_ASSERT(admitted_choices == admitted_choices_ && reserved_choices == reserved_choices_);
  SPILLWAY_ASSERT(admitted_choices + reserved_choices <= limits.sequences_max);
  SPILLWAY_ASSERT(admitted_streams == admitted_streams_);
  SPILLWAY_ASSERT(counts[static_cast<std::size_t>(StreamState::unused)] == free_slots_.size());
  SPILLWAY_ASSERT(counts[static_cast<std::size_t>(StreamState::queued)] == queued_);
  SPILLWAY_ASSERT(counts[static_cast<std::size_t>(StreamState::running)] == running_.size());
  SPILLWAY_ASSERT(counts[static_cast<std::size_t>(StreamState::ending)] == ending_.size());
  const bool holds = held_ != no_slot && streams_[held_].state == StreamState::held;
  SPILLWAY_ASSERT(counts[static_cast<std::size_t>(StreamState::held)] == (holds ? 1U : 0U));
  if (held_ != no_slot) SPILLWAY_ASSERT(streams_[held_].was_held && (holds || streams_[held_].state == StreamState::frozen));
  SPILLWAY_ASSERT(by_identity_.size() + ending_.size() + free_slots_.size() == streams_.size());
  ledger.check(tables, pins);
  check_sets();
}

void BatcherState::check_groups(const BatchChoice& c) const {
  SPILLWAY_ASSERT(c.more.size() + 1 == groups_.size());
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const auto& table = c.table_of(g);
    if (table.empty()) {
      SPILLWAY_ASSERT(c.computed == 0);
      continue;
    }
    if (groups_[g].kind == core::KvGroupKind::state) {
      SPILLWAY_ASSERT(table.size() == groups_[g].blocks);
    } else {
      SPILLWAY_ASSERT(c.computed <= table.size() * block_tokens);
    }
    // What is needed is there, and what no row needs any more is not.
    const auto first = core::first_kept_block(groups_[g], c.computed);
    for (std::size_t b = 0; b < table.size(); ++b) SPILLWAY_ASSERT((table[b] == core::no_block) == (b < first));
  }
}

void BatcherState::check_stream(const BatchStream& s, std::uint32_t slot, std::vector<std::uint32_t>& tables,
                                std::vector<std::uint32_t>& pins) const {
  if (s.state != StreamState::ending) SPILLWAY_ASSERT(find_slot({s.key, s.epoch.owner}) == slot);
  std::uint32_t unfinished = 0;
  std::uint32_t waiting = 0;
  for (const auto& c : s.choices) {
    SPILLWAY_ASSERT((!c.over() && !c.waits) || c.table.empty());
    check_groups(c);
    SPILLWAY_ASSERT(c.chunk == 0 || (s.in_flight && in_flight_));
    SPILLWAY_ASSERT(c.guesses == 0 || (c.chunk == 1 && c.guesses < info.tokens_per_step_max));
    SPILLWAY_ASSERT(!c.copying() || c.chunk > 0);
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      for (const auto block : c.table_of(g)) {
        if (block != core::no_block) ++tables[block];
      }
    }
    if (c.over()) continue;
    ++unfinished;
    waiting += c.waits ? 1 : 0;
    SPILLWAY_ASSERT(s.state == StreamState::ending || c.computed < s.known(c));
    // Rows are only ever written to a block of one table: what this step writes was parted before.
    if (c.chunk > 0) SPILLWAY_ASSERT(!shares_written(c));
  }
  SPILLWAY_ASSERT(unfinished == s.unfinished && waiting == s.waiting);
  SPILLWAY_ASSERT(s.unfinished > 0);
  if (waiting > 0) SPILLWAY_ASSERT(!s.choices[s.leader].over() && !s.choices[s.leader].waits && s.choices[s.leader].computed < s.prompt());
  if (s.state == StreamState::queued || (s.state == StreamState::frozen && s.admitted == 0)) {
    for (const auto& c : s.choices) SPILLWAY_ASSERT(c.table.empty());
  }
  if (!s.exporting) return;
  const auto& e = exports_.at(s.exporting);
  SPILLWAY_ASSERT(e.slot == slot && s.state != StreamState::ending);
  for (const auto& known : e.blocks) {
    ++pins[known.block];
    SPILLWAY_ASSERT(known.rows <= block_tokens);
  }
}

void BatcherState::check_sets() const {
  std::size_t queued = 0;
  for (std::uint8_t c = 0; c < classes; ++c) {
    queued += queue_[c].size();
  }
  std::size_t ageing = 0;
  for (std::uint32_t slot = 0; slot < streams_.size(); ++slot) {
    const auto& s = streams_[slot];
    if (s.state != StreamState::queued) continue;
    SPILLWAY_ASSERT(queue_[s.queue_class].contains(s.key.tenant, s.queue_key(slot)));
    SPILLWAY_ASSERT(climbs_.contains({s.climb_at, slot}) == ages(s));
    ageing += ages(s) ? 1 : 0;
  }
  SPILLWAY_ASSERT(queued == queued_ && climbs_.size() == ageing);
  for (std::size_t i = 0; i < running_.size(); ++i) {
    const auto& s = streams_[running_[i]];
    SPILLWAY_ASSERT(s.state == StreamState::running && s.admitted > 0);
    if (i == 0) continue;
    const auto& before = streams_[running_[i - 1]];
    SPILLWAY_ASSERT(before.service_class() < s.service_class() ||
                    (before.service_class() == s.service_class() && before.admitted < s.admitted));
  }
  for (const auto& [at, slot] : deadlines_) SPILLWAY_ASSERT(streams_[slot].deadline == at && streams_[slot].state != StreamState::unused);
  std::size_t exporting = 0;
  for (const auto& s : streams_) exporting += s.state != StreamState::unused && s.exporting ? 1 : 0;
  SPILLWAY_ASSERT(exporting == exports_.size());
  SPILLWAY_ASSERT(ended_order_.size() <= limits.ended_memory_max && ended_.size() <= ended_order_.size());
}

}  // namespace spillway::sched
