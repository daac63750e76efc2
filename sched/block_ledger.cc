#include "sched/block_ledger.h"

#include "core/assert.h"

namespace spillway::sched {

BlockLedger::BlockLedger(std::uint32_t blocks) : blocks_(blocks), index_(blocks) {
  for (core::BlockId b = blocks; b > 0; --b) push_free(b - 1);  // block 0 is handed out first
}

void BlockLedger::push_free(core::BlockId block) {
  blocks_[block].next = free_head_;
  free_head_ = block;
  ++free_;
}

core::BlockId BlockLedger::allocate() {
  core::BlockId block = free_head_;
  if (block != core::no_block) {
    free_head_ = blocks_[block].next;
    blocks_[block].next = core::no_block;
    --free_;
  } else {
    block = lru_oldest_;
    if (block == core::no_block) return core::no_block;
    take_from_cache(block);
    fetch_evictable();
    removed_.push_back(index_.name(block));
    index_.erase(block);
    blocks_[block].named = 0;
  }
  blocks_[block].tables = 1;
  ++allocated_;
  return block;
}

/// Those that are evicted next, if more blocks are wanted.
void BlockLedger::fetch_evictable() const {
  const core::BlockId next = lru_oldest_;
  if (next == core::no_block) return;
  index_.fetch_place(index_.name(next));
  const core::BlockId then = blocks_[next].next;
  if (then == core::no_block) return;
  fetch(&blocks_[then]);
  fetch(&index_.name(then));
}

void BlockLedger::take_from_cache(core::BlockId block) {
  auto& b = blocks_[block];
  (b.previous == core::no_block ? lru_oldest_ : blocks_[b.previous].next) = b.next;
  (b.next == core::no_block ? lru_newest_ : blocks_[b.next].previous) = b.previous;
  b.next = b.previous = core::no_block;
  --cached_;
}

void BlockLedger::add_table(core::BlockId block) {
  if (!held(block)) {
    SPILLWAY_ASSERT(blocks_[block].named);
    take_from_cache(block);
  }
  ++blocks_[block].tables;
}

void BlockLedger::add_pin(core::BlockId block) {
  if (!held(block)) {
    SPILLWAY_ASSERT(blocks_[block].named);
    take_from_cache(block);
  }
  ++blocks_[block].pins;
}

void BlockLedger::drop_table(core::BlockId block) {
  SPILLWAY_ASSERT(blocks_[block].tables > 0);
  --blocks_[block].tables;
  settle(block);
}

void BlockLedger::drop_pin(core::BlockId block) {
  SPILLWAY_ASSERT(blocks_[block].pins > 0);
  --blocks_[block].pins;
  settle(block);
}

void BlockLedger::settle(core::BlockId block) {
  if (held(block)) return;
  if (!blocks_[block].named) return push_free(block);
  blocks_[block].previous = lru_newest_;
  (lru_newest_ == core::no_block ? lru_oldest_ : blocks_[lru_newest_].next) = block;
  lru_newest_ = block;
  ++cached_;
}

void BlockLedger::set_name(core::BlockId block, const core::BlockName& name) {
  SPILLWAY_ASSERT(held(block));
  if (blocks_[block].named || !index_.insert(name, block)) return;
  blocks_[block].named = 1;
  added_.push_back(name);
}

std::vector<core::BlockName> BlockLedger::names() const {
  std::vector<core::BlockName> result;
  result.reserve(index_.size());
  for (core::BlockId b = 0; b < total(); ++b) {
    if (blocks_[b].named) result.push_back(index_.name(b));
  }
  return result;
}

void BlockLedger::reset() {
  free_head_ = lru_oldest_ = lru_newest_ = core::no_block;
  free_ = cached_ = 0;
  for (core::BlockId b = total(); b > 0; --b) {
    if (blocks_[b - 1].named) removed_.push_back(index_.name(b - 1));
    blocks_[b - 1] = {};
    push_free(b - 1);
  }
  index_.clear();
}

void BlockLedger::clear_changes() {
  added_.clear();
  removed_.clear();
}

void BlockLedger::check(std::span<const std::uint32_t> tables, std::span<const std::uint32_t> pins) const {
  SPILLWAY_ASSERT(tables.size() == blocks_.size() && pins.size() == blocks_.size());
  std::vector<std::uint8_t> seen(blocks_.size(), 0);
  std::uint32_t free_found = 0;
  for (auto b = free_head_; b != core::no_block; b = blocks_[b].next) {
    SPILLWAY_ASSERT(!seen[b] && !held(b) && !blocks_[b].named);
    seen[b] = 1;
    ++free_found;
  }
  std::uint32_t cached_found = 0;
  auto previous = core::no_block;
  for (auto b = lru_oldest_; b != core::no_block; b = blocks_[b].next) {
    SPILLWAY_ASSERT(!seen[b] && !held(b) && blocks_[b].named && blocks_[b].previous == previous);
    seen[b] = 1;
    previous = b;
    ++cached_found;
  }
  SPILLWAY_ASSERT(previous == lru_newest_ && free_found == free_ && cached_found == cached_);
  std::uint32_t named = 0;
  for (core::BlockId b = 0; b < total(); ++b) {
    SPILLWAY_ASSERT(blocks_[b].tables == tables[b] && blocks_[b].pins == pins[b]);
    SPILLWAY_ASSERT(static_cast<bool>(seen[b]) != held(b));  // free, cached or held: exactly one
    SPILLWAY_ASSERT(static_cast<bool>(blocks_[b].named) == static_cast<bool>(index_.name(b)));
    if (!blocks_[b].named) continue;
    ++named;
    SPILLWAY_ASSERT(index_.find(index_.name(b)) == b);
  }
  SPILLWAY_ASSERT(named == index_.size());
}

}  // namespace spillway::sched
