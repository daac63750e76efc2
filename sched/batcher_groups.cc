#include <algorithm>

#include "core/assert.h"
#include "sched/batcher_state.h"
#include "sched/group_blocks.h"

/// Models with other KV groups than one of full attention: sliding windows, whose blocks are released as a stream goes on, and states of
/// fixed size. All blocks come from one pool. Where there are states nothing can be reused as a prefix.
namespace spillway::sched {

using core::block_tokens;
using core::KvGroupKind;

core::BlockName BatcherState::name_at(const BatchStream& s, const BatchChoice& c, std::size_t group, std::uint32_t place) const {
  return groups_[group].kind == KvGroupKind::state ? core::BlockName{} : core::group_name(s.name_at(c, place), group);
}

std::uint32_t BatcherState::group_hits(const BatchStream& s, const BatchChoice& c, std::uint32_t most) const {
  const auto held = [&](std::size_t g, std::uint32_t b) {
    const auto name = name_at(s, c, g, b);
    return name && ledger.find(name) != core::no_block;
  };
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].kind == KvGroupKind::state) return 0;
    if (groups_[g].kind != KvGroupKind::full) continue;
    std::uint32_t hits = 0;
    while (hits < most && held(g, hits)) ++hits;
    most = hits;
  }
  // The longest beginning whose last window is there, for each of the windows.
  for (; most > 0; --most) {
    bool whole = true;
    for (std::size_t g = 0; g < groups_.size() && whole; ++g) {
      for (auto b = static_cast<std::uint32_t>(core::first_kept_block(groups_[g], most * block_tokens)); b < most && whole; ++b)
        whole = groups_[g].kind == KvGroupKind::full || held(g, b);
    }
    if (whole) break;
  }
  return most;
}

std::uint32_t BatcherState::group_need(std::uint32_t hits, std::uint32_t rows) const {
  std::uint64_t need = 0;
  for (const auto& group : groups_) {
    if (group.kind == KvGroupKind::state) {
      need += group.blocks;
      continue;
    }
    // Of a window no more than it holds at once.
    const std::uint64_t first = core::first_kept_block(group, std::uint64_t{hits} * block_tokens);
    const std::uint64_t end = std::min<std::uint64_t>(blocks_for(rows), first + core::peak_blocks(group, rows, limits.step_tokens_max));
    need += end - std::min<std::uint64_t>(end, hits);
  }
  return static_cast<std::uint32_t>(need);
}

BatcherState::Match BatcherState::match_groups(const BatchStream& s) const {
  Match m;
  m.hits.resize(s.choices.size(), 0);
  const auto shared = static_cast<std::uint32_t>(core::shared_blocks(groups_, s.prompt()));
  std::uint32_t behind = 0;  // the prompt, of those who lack a part of it
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    const auto& c = s.choices[i];
    if (c.over()) continue;
    // The last known row is always computed here: its logits are needed.
    auto& hits = m.hits[i] = group_hits(s, c, (s.known(c) - 1) / block_tokens);
    if (hits * block_tokens >= s.prompt()) {
      m.need += group_need(hits, s.known(c));
      continue;
    }
    if (m.dependents == 0 || hits > m.hits[m.leader]) m.leader = i;
    ++m.dependents;
    const auto own = static_cast<std::uint32_t>(core::held_blocks(groups_, s.known(c)));
    behind += own - std::min(own, shared);
  }
  if (m.dependents == 1) m.need += group_need(m.hits[m.leader], s.known(s.choices[m.leader]));
  if (m.dependents > 1) m.need += group_need(m.hits[m.leader], s.prompt()) + behind;
  std::vector<BlockId> found;
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    if (s.choices[i].over() || (m.hits[i] * block_tokens < s.prompt() && i != m.leader)) continue;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      for (auto b = core::first_kept_block(groups_[g], m.hits[i] * block_tokens); b < m.hits[i]; ++b)
        found.push_back(ledger.find(name_at(s, s.choices[i], g, static_cast<std::uint32_t>(b))));
    }
  }
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  for (const auto block : found) m.cached += ledger.cached(block) ? 1 : 0;
  return m;
}

void BatcherState::start_groups(BatchStream& s, const Match& m) {
  // All hits first: what is allocated next must not evict them.
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    auto& c = s.choices[i];
    if (c.over()) continue;
    c.waits = m.hits[i] * block_tokens < s.prompt() && i != m.leader;
    if (c.waits) continue;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      auto& table = c.table_of(g);
      table.resize(core::first_kept_block(groups_[g], m.hits[i] * block_tokens), core::no_block);
      while (table.size() < m.hits[i]) {
        table.push_back(ledger.find(name_at(s, c, g, static_cast<std::uint32_t>(table.size()))));
        ledger.add_table(table.back());
      }
    }
    c.computed = m.hits[i] * block_tokens;
    counters.prefix_hit_tokens += c.computed;
  }
  for (std::uint32_t i = 0; i < s.choices.size(); ++i) {
    auto& c = s.choices[i];
    if (c.over() || c.waits) continue;
    for (std::size_t g = 0; g < groups_.size(); ++g) {
      auto& table = c.table_of(g);
      const auto& group = groups_[g];
      const std::uint64_t first = core::first_kept_block(group, c.computed);
      const std::uint64_t end =
          group.kind == KvGroupKind::state
              ? group.blocks
              : std::min<std::uint64_t>(blocks_for(s.limit(i)), first + core::peak_blocks(group, s.limit(i), limits.step_tokens_max));
      while (table.size() < end) {
        table.push_back(ledger.allocate());
        SPILLWAY_ASSERT(table.back() != core::no_block);
      }
    }
  }
}

bool BatcherState::grow_groups(std::uint32_t slot, std::uint32_t choice, std::uint32_t end, Instant now, Actions& out) {
  auto& c = streams_[slot].choices[choice];
  const auto written = [&](std::size_t g, std::size_t place) {
    return groups_[g].kind == KvGroupKind::state || (c.computed % block_tokens != 0 && place == c.computed / block_tokens);
  };
  std::size_t need = 0;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const auto& table = c.table_of(g);
    const std::size_t wanted = groups_[g].kind == KvGroupKind::state ? groups_[g].blocks : blocks_for(end);
    need += wanted - std::min(wanted, table.size());
    for (std::size_t b = 0; b < table.size(); ++b) need += written(g, b) && ledger.tables(table[b]) > 1 ? 1 : 0;
  }
  // All or none: a copy of half a state is none.
  std::vector<BlockId> fresh;
  while (fresh.size() < need) {
    const auto block = allocate_or_preempt(slot, now, out);
    if (block == core::no_block) {
      for (const auto given : fresh) ledger.drop_table(given);
      return false;
    }
    fresh.push_back(block);
  }
  const auto next = [&fresh] {
    const auto block = fresh.back();
    fresh.pop_back();
    return block;
  };
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    auto& table = c.table_of(g);
    for (std::size_t b = 0; b < table.size(); ++b) {
      // The last sharer finds itself alone and keeps the original.
      if (!written(g, b) || ledger.tables(table[b]) == 1) continue;
      const auto own = next();
      c.copies.push_back({table[b], own, groups_[g].kind == KvGroupKind::state ? block_tokens : c.computed % block_tokens});
      ledger.drop_table(table[b]);
      table[b] = own;
    }
    const std::size_t wanted = groups_[g].kind == KvGroupKind::state ? groups_[g].blocks : blocks_for(end);
    while (table.size() < wanted) table.push_back(next());
  }
  for (const auto left : fresh) ledger.drop_table(left);
  return true;
}

void BatcherState::release_behind(BatchChoice& c) {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    auto& table = c.table_of(g);
    const auto first = std::min<std::uint64_t>(core::first_kept_block(groups_[g], c.computed), table.size());
    for (auto b = first; b > 0 && table[b - 1] != core::no_block; --b) {
      ledger.drop_table(table[b - 1]);
      table[b - 1] = core::no_block;
    }
  }
}

bool BatcherState::shares_written(const BatchChoice& c) const {
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    const auto& table = c.table_of(g);
    if (groups_[g].kind == KvGroupKind::state) {
      if (std::any_of(table.begin(), table.end(), [this](BlockId block) { return ledger.tables(block) > 1; })) return true;
    } else if (c.computed % block_tokens != 0 && ledger.tables(table[c.computed / block_tokens]) > 1) {
      return true;
    }
  }
  return false;
}

std::vector<BatcherState::GroupBlock> BatcherState::group_blocks(const BatchChoice& c, bool frozen) const {
  std::vector<GroupBlock> list;
  if (c.computed == 0) return list;
  for (std::size_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].kind == KvGroupKind::state) {
      // It changes with each row: it travels when there are no more.
      for (std::uint32_t b = 0; b < groups_[g].blocks; ++b) list.push_back({g, b, frozen ? block_tokens : 0});
      continue;
    }
    for (auto b = static_cast<std::uint32_t>(core::first_kept_block(groups_[g], c.computed)); b < blocks_for(c.computed); ++b)
      list.push_back({g, b, std::min(block_tokens, c.computed - b * block_tokens)});
  }
  return list;
}

std::uint64_t BatcherState::capacity_need(const core::Request& request, std::uint32_t unfinished) const {
  const std::uint64_t prompt = request.prompt.size();
  // The last token generated is never fed back, so its row is not needed.
  const std::uint64_t rows = request.prompt_only ? prompt : prompt + request.tokens_max - 1;
  return capacity_blocks(groups_, prompt, rows, unfinished, limits.step_tokens_max);
}

std::uint32_t BatcherState::blocks_when_begun(const BatchStream& s) const {
  if (!plain_) return match_groups(s).need;
  const std::uint32_t shared = s.prompt() / block_tokens;
  std::uint32_t blocks = shared;
  for (const auto& c : s.choices) {
    if (!c.over()) blocks += blocks_for(s.known(c)) - shared;
  }
  return blocks;
}

}  // namespace spillway::sched
