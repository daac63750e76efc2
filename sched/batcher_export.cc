#include <algorithm>

#include "core/assert.h"
#include "sched/batcher_state.h"

namespace spillway::sched {

using core::block_tokens;

void BatcherState::on_export_begin(const ExportBegin& event, Actions& out) {
  const auto refuse = [&](core::Errc code, std::string reason) {
    tell(ExportEnded{.transfer = event.transfer, .code = code, .reason = std::move(reason)}, out);
  };
  auto* s = find(event.key, event.epoch);
  if (s == nullptr || s->epoch != event.epoch) return refuse(core::Errc::unknown_request, "no stream runs here under this epoch");
  if (s->exporting) return refuse(core::Errc::already_exists, "the stream is being moved already");
  tell_stream(*s, out);  // from now on they are told step by step
  s->exporting = event.transfer;
  auto& e = exports_[event.transfer];
  e.slot = find_slot({event.key, event.epoch.owner});
  for (auto& c : s->choices) c.exported = 0;
  tell_grown(event.transfer, *s, e, out);
  e.touched = s->in_flight;
}

void BatcherState::on_export_freeze(const ExportFreeze& event, Instant now, Actions& out) {
  const auto it = exports_.find(event.transfer);
  if (it == exports_.end()) return;  // ended meanwhile, and said so
  const auto& s = streams_[it->second.slot];
  if (s.state == StreamState::frozen) return;
  // Forks that part now get new blocks full of rows that nobody has sent: void, the cache-manager asks again two steps later.
  const bool copying = std::any_of(s.choices.begin(), s.choices.end(), [](const BatchChoice& c) { return c.copying(); });
  if (copying || parting(s)) return;
  it->second.freeze = true;
  it->second.decode_steps_max = event.decode_steps_max;
  freeze_if_due(event.transfer, it->second, now, out);
}

void BatcherState::on_export_thaw(const ExportThaw& event, Instant now, Actions& out) {
  const auto it = exports_.find(event.transfer);
  if (it == exports_.end()) return;
  const auto slot = it->second.slot;
  auto& s = streams_[slot];
  if (event.epoch.owner == s.epoch.owner && event.epoch.counter > s.epoch.counter) {
    s.epoch = event.epoch;
    s.accepted.epoch = event.epoch;
  }
  drop_export(s);
  if (slot == held_) return end_hold(slot, now, out);
  if (s.state != StreamState::frozen) return;
  if (s.deadline != core::never) deadlines_.emplace(s.deadline, slot);
  if (s.admitted > 0) {
    insert_running(slot);
  } else {
    enqueue(slot);
  }
}

void BatcherState::on_export_release(const ExportRelease& event, Instant now, Actions& out) {
  const auto it = exports_.find(event.transfer);
  if (it == exports_.end()) return;
  const auto slot = it->second.slot;
  counters.preemptions_moved += streams_[slot].was_held ? 1 : 0;
  drop_export(streams_[slot]);
  end_stream(slot, core::Errc::ok, "moved", now, out);
}

void BatcherState::end_export(BatchStream& s, core::Errc code, std::string_view reason, Actions& out) {
  const auto transfer = s.exporting;
  drop_export(s);
  tell(ExportEnded{.transfer = transfer, .code = code, .reason = std::string(reason)}, out);
}

void BatcherState::drop_export(BatchStream& s) {
  const auto it = exports_.find(s.exporting);
  SPILLWAY_ASSERT(it != exports_.end());
  for (auto known = it->second.blocks.rbegin(); known != it->second.blocks.rend(); ++known) ledger.drop_pin(known->block);
  exports_.erase(it);
  s.exporting = {};
}

std::uint32_t BatcherState::ordinal_of(BatchExport& e, BlockId block, std::uint32_t first_token) {
  const auto [it, inserted] = e.ordinals.try_emplace(block, static_cast<std::uint32_t>(e.blocks.size()));
  if (inserted) {
    e.blocks.push_back({.block = block, .first_token = first_token, .rows = 0});
    ledger.add_pin(block);
  }
  return it->second;
}

void BatcherState::tell_grown(TransferId transfer, BatchStream& s, BatchExport& e, Actions& out) {
  ExportGrown grown;
  grown.transfer = transfer;
  grown.decode_steps = e.decode_steps;
  grown.choices = static_cast<std::uint32_t>(s.choices.size());
  grown.rows_to_compute = s.rows_left();
  grown.adapter = s.request->adapter;
  grow(s, e, grown.blocks);
  tell(std::move(grown), out);
}

void BatcherState::grow(BatchStream& s, BatchExport& e, std::vector<ExportBlock>& blocks) {
  for (auto& c : s.choices) {
    if (c.over() || c.waits) continue;
    if (!plain_) {
      grow_export(s, c, e, blocks);
      continue;
    }
    for (std::uint32_t b = c.exported / block_tokens; b * block_tokens < c.computed; ++b) {
      const std::uint32_t first = b * block_tokens;
      const std::uint32_t rows = std::min(block_tokens, c.computed - first);
      // Forks that are about to part, or part in the step in flight: the new block holds nothing yet.
      if (rows < block_tokens && (c.copy_from != core::no_block || ledger.tables(c.table[b]) > 1)) break;
      c.exported = first + rows;
      const auto ordinal = ordinal_of(e, c.table[b], first);
      auto& known = e.blocks[ordinal];
      if (known.rows >= rows) continue;  // told for another choice
      known.rows = rows;
      blocks.push_back({.ordinal = ordinal,
                        .block = known.block,
                        .name = rows == block_tokens ? s.name_at(c, b) : core::BlockName{},
                        .first_token = first,
                        .rows = rows});
    }
  }
}

void BatcherState::grow_export(const BatchStream& s, BatchChoice& c, BatchExport& e, std::vector<ExportBlock>& blocks) {
  // Before forks part nothing is told of what they part at.
  if (c.copying() || shares_written(c)) return;
  for (const auto& held : group_blocks(c, false)) {
    const auto block = c.table_of(held.group)[held.place];
    const std::uint32_t first = held.place * block_tokens;
    const auto known_before = e.blocks.size();
    const auto ordinal = ordinal_of(e, block, first);
    auto& known = e.blocks[ordinal];
    if (ordinal < known_before && known.rows >= held.rows) continue;
    known.rows = held.rows;
    const auto name = held.rows == block_tokens ? name_at(s, c, held.group, held.place) : core::BlockName{};
    blocks.push_back({ordinal, block, name, first, held.rows, static_cast<std::uint32_t>(held.group)});
  }
  c.exported = c.computed;
}

bool BatcherState::parting(const BatchStream& s) const {
  if (s.state != StreamState::running) return false;
  return std::any_of(s.choices.begin(), s.choices.end(), [this](const BatchChoice& c) { return !c.over() && shares_written(c); });
}

void BatcherState::exports_after_step(Instant now, Actions& out) {
  for (auto& [transfer, e] : exports_) {
    auto& s = streams_[e.slot];
    if (e.touched && !s.in_flight) {
      e.decode_steps += e.sampled ? 1 : 0;
      e.touched = e.sampled = false;
      tell_grown(transfer, s, e, out);
    }
    freeze_if_due(transfer, e, now, out);
  }
}

void BatcherState::freeze_if_due(TransferId transfer, BatchExport& e, Instant now, Actions& out) {
  const auto& s = streams_[e.slot];
  if (!e.freeze || s.in_flight) return;
  if (e.decode_steps > e.decode_steps_max) {
    e.freeze = false;  // void: it came too late, the cache-manager asks again
    return;
  }
  if (!parting(s)) freeze(transfer, e, now, out);
}

void BatcherState::freeze(TransferId transfer, BatchExport& e, Instant now, Actions& out) {
  auto& s = streams_[e.slot];
  if (s.state == StreamState::queued) dequeue(e.slot);
  if (s.state == StreamState::running) erase_running(e.slot);
  s.state = StreamState::frozen;
  e.freeze = false;

  ExportFrozen frozen{.transfer = transfer, .run = {}, .blocks = {}, .tables = {}, .rows = {}};
  auto& run = frozen.run;
  run.key = s.key;
  run.epoch = s.epoch;
  run.owner = s.owner;
  run.request = s.request;
  run.prompt_names = s.prompt_names;
  if (s.deadline != core::never) run.deadline_left = std::max(s.deadline - now, core::Duration{1});
  std::map<std::uint32_t, ExportBlock> held;  // by ordinal
  for (auto& c : s.choices) {
    run.choices.push_back({.tokens = c.tokens, .finish = c.finish, .names = c.names});
    frozen.rows.push_back(c.computed);
    if (!plain_) {
      std::vector<std::vector<std::uint32_t>> tables(groups_.size());
      for (const auto& part : group_blocks(c, true)) {
        const auto block = c.table_of(part.group)[part.place];
        const std::uint32_t first = part.place * block_tokens;
        const auto ordinal = ordinal_of(e, block, first);
        e.blocks[ordinal].rows = std::max(e.blocks[ordinal].rows, part.rows);
        tables[part.group].push_back(ordinal);
        const auto name = part.rows == block_tokens ? name_at(s, c, part.group, part.place) : core::BlockName{};
        held[ordinal] = {ordinal, block, name, first, e.blocks[ordinal].rows, static_cast<std::uint32_t>(part.group)};
      }
      frozen.tables.insert(frozen.tables.end(), tables.begin(), tables.end());
      continue;
    }
    auto& table = frozen.tables.emplace_back();
    for (std::uint32_t b = 0; b < blocks_for(c.computed); ++b) {
      const std::uint32_t first = b * block_tokens;
      const std::uint32_t rows = std::min(block_tokens, c.computed - first);
      const auto ordinal = ordinal_of(e, c.table[b], first);
      e.blocks[ordinal].rows = std::max(e.blocks[ordinal].rows, rows);
      table.push_back(ordinal);
      const auto name = rows == block_tokens ? s.name_at(c, b) : core::BlockName{};
      held[ordinal] = {.ordinal = ordinal, .block = c.table[b], .name = name, .first_token = first, .rows = e.blocks[ordinal].rows};
    }
  }
  for (const auto& [ordinal, block] : held) frozen.blocks.push_back(block);
  tell(std::move(frozen), out);
}

}  // namespace spillway::sched
