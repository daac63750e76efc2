#include <algorithm>
#include <string>

#include "core/assert.h"
#include "sched/batcher_state.h"

namespace spillway::sched {

using core::block_tokens;

std::optional<core::Error> BatcherState::import_refusal(const StreamKey& key, const Epoch& epoch) const {
  if (!ready) return core::Error{core::Errc::unavailable, "the worker is restarting"};
  const Identity identity{key, epoch.owner};
  if (epoch.counter <= ended_counter(identity)) return core::Error{core::Errc::cancelled, "this epoch of the stream is over"};
  const auto slot = find_slot(identity);
  if (slot != no_slot && streams_[slot].epoch.counter >= epoch.counter)
    return core::Error{core::Errc::already_exists, "the stream runs here under this epoch or a newer one"};
  return std::nullopt;
}

void BatcherState::on_import_reserve(const ImportReserve& event, Actions& out) {
  ImportReserved reply{.transfer = event.transfer, .accepted = false, .code = core::Errc::ok, .reason = {}, .slots = {}};
  const auto refuse = [&](core::Error&& error) {
    reply.code = error.code;
    reply.reason = std::move(error.message);
    tell(std::move(reply), out);
  };
  if (auto error = import_refusal(event.key, event.epoch)) return refuse(std::move(*error));
  const auto known = imports_.find(event.transfer);
  const bool first = known == imports_.end();
  if (first && admitted_choices_ + reserved_choices_ + event.choices > limits.sequences_max)
    return refuse({core::Errc::no_capacity,
                   std::to_string(event.choices) + " choices: only " +
                       std::to_string(limits.sequences_max - std::min(limits.sequences_max, admitted_choices_ + reserved_choices_)) +
                       " sequences left"});
  std::uint32_t need = 0;
  std::uint32_t cached = 0;
  const auto held_at = [this](const core::TransferBlock& b) {
    return b.name && b.rows == block_tokens ? ledger.find(b.name) : core::no_block;
  };
  for (const auto& b : event.blocks) {
    if (!first && known->second.slots.contains(b.ordinal)) continue;
    const auto held = held_at(b);
    need += held == core::no_block ? 1 : 0;
    cached += held != core::no_block && ledger.cached(held) ? 1 : 0;
  }
  const std::uint32_t margin = first && !running_.empty() ? event.choices * limits.growth_blocks + limits.reserve_blocks : 0;
  if (ledger.available() < cached + need + margin)
    return refuse({core::Errc::no_capacity, std::to_string(need + margin) + " blocks needed, " +
                                                std::to_string(ledger.available() - std::min(cached, ledger.available())) + " available"});

  auto& import = imports_[event.transfer];
  if (first) {
    import = {.key = event.key, .epoch = event.epoch, .choices = event.choices, .slots = {}};
    reserved_choices_ += event.choices;
  }
  for (const auto& b : event.blocks) {  // hits first: what is allocated next must not evict them
    const auto held = held_at(b);
    if (held == core::no_block || import.slots.contains(b.ordinal)) continue;
    ledger.add_pin(held);
    import.slots[b.ordinal] = {.block = held, .held = true};
  }
  for (const auto& b : event.blocks) {
    auto& slot = import.slots[b.ordinal];
    if (slot.block == core::no_block) {
      slot.block = ledger.allocate();
      SPILLWAY_ASSERT(slot.block != core::no_block);
      ledger.add_pin(slot.block);
      ledger.drop_table(slot.block);
    }
    reply.slots.push_back({.ordinal = b.ordinal, .block = slot.block, .held = slot.held});
  }
  reply.accepted = true;
  tell(std::move(reply), out);
}

std::optional<core::Error> BatcherState::commit_refusal(const ImportCommit& event, const BatchImport& import) const {
  const auto& run = event.run;
  if (auto error = import_refusal(run.key, run.epoch)) return error;
  const auto box = box_of_.find(run.owner);
  if (box != box_of_.end() && boxes_[box->second].alive && boxes_[box->second].alive != run.epoch.owner)
    return core::Error{core::Errc::unavailable, "the owner of the stream is gone"};
  if (auto error = refusal(run)) return error;
  const auto bad = [](std::string text) { return core::Error{core::Errc::bad_frame, "a handoff " + std::move(text)}; };
  if (event.tables.size() != run.choices.size() * groups_.size() || event.rows.size() != run.choices.size())
    return bad("whose tables do not match its choices");
  if (run.key != import.key || run.epoch != import.epoch) return bad("of another stream than was offered");
  std::uint32_t unfinished = 0;
  for (std::size_t i = 0; i < run.choices.size(); ++i) {
    if (run.choices[i].finish != core::FinishReason::none) continue;
    ++unfinished;
    const std::size_t known = run.request->prompt.size() + run.choices[i].tokens.size();
    if (event.rows[i] >= known) return bad("with more rows than tokens");
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      const auto& table = event.tables[i * groups_.size() + g];
      if (table.size() != (event.rows[i] == 0 ? 0 : core::held_blocks(groups_[g], event.rows[i])))
        return bad("whose table does not cover its rows");
      for (const auto ordinal : table) {
        if (!import.slots.contains(ordinal)) return bad("of a block that was not reserved");
      }
    }
  }
  if (admitted_choices_ + reserved_choices_ - import.choices + unfinished > limits.sequences_max)
    return core::Error{core::Errc::no_capacity, "more choices than were offered, and no sequences left for them"};
  return std::nullopt;
}

void BatcherState::on_import_commit(const ImportCommit& event, Instant now, Actions& out) {
  ImportCommitted reply{.transfer = event.transfer, .accepted = false, .code = core::Errc::ok, .reason = {}};
  const auto it = imports_.find(event.transfer);
  auto error = it == imports_.end() ? std::optional(core::Error{core::Errc::unknown_request, "nothing is reserved for this transfer"})
                                    : commit_refusal(event, it->second);
  if (error) {
    // A promise: this epoch will never run here.
    const Identity identity{event.run.key, event.run.epoch.owner};
    const auto slot = find_slot(identity);
    const bool runs = slot != no_slot && streams_[slot].epoch.counter >= event.run.epoch.counter;
    if (!runs && event.run.epoch.counter > ended_counter(identity)) remember_ended(identity, event.run.epoch.counter, now);
    if (it != imports_.end()) drop_import(event.transfer);
    reply.code = error->code;
    reply.reason = std::move(error->message);
    tell(std::move(reply), out);
    return;
  }
  if (const auto old = find_slot({event.run.key, event.run.epoch.owner}); old != no_slot)
    end_stream(old, core::Errc::cancelled, "the stream comes back under a newer epoch", now, out);
  const auto slot = create(event.run, now);
  auto& s = streams_[slot];
  s.admitted = next_admission_++;
  s.queue_class = std::min<std::uint8_t>(s.service_class(), classes - 1);
  ++admitted_streams_;
  admitted_choices_ += s.unfinished;
  insert_running(slot);
  fill_from_import(s, event, it->second);
  s.accepted = {.key = s.key, .epoch = s.epoch, .replica = self, .report = report_number, .cached_tokens = 0, .imported = true};
  s.accepted.rows_to_compute = static_cast<std::uint32_t>(s.rows_left());
  std::vector<std::uint32_t> ordinals;
  for (std::size_t i = 0; i < s.choices.size(); ++i) {
    for (std::size_t g = 0; g < groups_.size() && !s.choices[i].over(); ++g) {
      const auto& table = event.tables[i * groups_.size() + g];
      ordinals.insert(ordinals.end(), table.begin(), table.end());
    }
  }
  std::sort(ordinals.begin(), ordinals.end());
  s.accepted.blocks_imported = static_cast<std::uint32_t>(std::unique(ordinals.begin(), ordinals.end()) - ordinals.begin());
  drop_import(event.transfer);
  post(s.owner, core::RunAccepted{s.accepted}, out);
  reply.accepted = true;
  tell(std::move(reply), out);
}

void BatcherState::fill_from_import(BatchStream& s, const ImportCommit& event, const BatchImport& import) {
  // Choices that lack a part of the prompt: the furthest leads, the others wait for it.
  std::uint32_t dependents = 0;
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    if (s.choices[i].over() || event.rows[i] >= s.prompt()) continue;
    if (dependents == 0 || event.rows[i] > event.rows[s.leader]) s.leader = i;
    ++dependents;
  }
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    auto& c = s.choices[i];
    if (c.over()) continue;
    c.waits = event.rows[i] < s.prompt() && i != s.leader;
    if (c.waits) {
      ++s.waiting;
      continue;
    }
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      auto& table = c.table_of(g);
      if (event.rows[i] > 0) table.resize(core::first_kept_block(groups_[g], event.rows[i]), core::no_block);
      for (const auto ordinal : event.tables[i * groups_.size() + g]) {
        table.push_back(import.slots.at(ordinal).block);
        ledger.add_table(table.back());
      }
    }
    c.computed = event.rows[i];
    name_filled(s, c, 0, c.computed);
  }
}

void BatcherState::drop_import(TransferId transfer) {
  const auto it = imports_.find(transfer);
  SPILLWAY_ASSERT(it != imports_.end());
  for (auto slot = it->second.slots.rbegin(); slot != it->second.slots.rend(); ++slot) ledger.drop_pin(slot->second.block);
  reserved_choices_ -= it->second.choices;
  imports_.erase(it);
}

void BatcherState::on_import_cancel(const ImportCancel& event) {
  if (imports_.contains(event.transfer)) drop_import(event.transfer);
}

}  // namespace spillway::sched
