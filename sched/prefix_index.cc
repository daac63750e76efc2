#include "sched/prefix_index.h"

#include <algorithm>
#include <bit>

#include "core/assert.h"

namespace spillway::sched {

PrefixIndex::PrefixIndex(std::uint32_t blocks_max)
    : entries_(std::bit_ceil(std::max<std::size_t>(16, std::size_t{blocks_max} * 2))), mask_(entries_.size() - 1) {}

std::size_t PrefixIndex::home(const core::BlockName& name) const {
  const std::uint64_t mixed = (name.hi ^ (name.lo * 0x9e3779b97f4a7c15ULL)) * 0xc2b2ae3d27d4eb4fULL;
  return static_cast<std::size_t>(mixed >> 29) & mask_;
}

std::size_t PrefixIndex::place(const core::BlockName& name) const {
  std::size_t i = home(name);
  while (entries_[i].block != core::no_block && entries_[i].name != name) i = (i + 1) & mask_;
  return i;
}

core::BlockId PrefixIndex::find(const core::BlockName& name) const {
  return entries_[place(name)].block;
}

bool PrefixIndex::insert(const core::BlockName& name, core::BlockId block) {
  SPILLWAY_ASSERT(name);
  SPILLWAY_ASSERT(size_ * std::size_t{2} <= mask_);  // at most one name a block, so half the places stay empty
  auto& entry = entries_[place(name)];
  if (entry.block != core::no_block) return false;
  entry = {name, block};
  ++size_;
  return true;
}

void PrefixIndex::erase(const core::BlockName& name) {
  std::size_t hole = place(name);
  SPILLWAY_ASSERT(entries_[hole].block != core::no_block);
  // Backward shift: pull up each later entry of the run whose home does not lie between the hole and itself.
  for (std::size_t i = (hole + 1) & mask_; entries_[i].block != core::no_block; i = (i + 1) & mask_) {
    const std::size_t from_home = (i - home(entries_[i].name)) & mask_;
    if (from_home < ((i - hole) & mask_)) continue;
    entries_[hole] = entries_[i];
    hole = i;
  }
  entries_[hole] = {};
  --size_;
}

void PrefixIndex::clear() {
  std::fill(entries_.begin(), entries_.end(), Entry{});
  size_ = 0;
}

}  // namespace spillway::sched
