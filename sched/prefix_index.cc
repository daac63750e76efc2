#include "sched/prefix_index.h"

#include <algorithm>
#include <bit>

#include "core/assert.h"

namespace spillway::sched {

PrefixIndex::PrefixIndex(std::uint32_t blocks_max)
    : places_(std::bit_ceil(std::max<std::size_t>(16, std::size_t{blocks_max} + blocks_max / 2))),
      names_(blocks_max),
      mask_(places_.size() - 1) {}

std::size_t PrefixIndex::place(const core::BlockName& name, std::uint32_t hash) const {
  std::size_t i = hash & mask_;
  while (places_[i].block != core::no_block && (places_[i].hash != hash || names_[places_[i].block] != name)) i = (i + 1) & mask_;
  return i;
}

core::BlockId PrefixIndex::find(const core::BlockName& name) const {
  return places_[place(name, hash_of(name))].block;
}

bool PrefixIndex::insert(const core::BlockName& name, core::BlockId block) {
  SPILLWAY_ASSERT(name && block < names_.size() && !names_[block]);  // at most one name a block, so a third of the places stay empty
  const std::uint32_t hash = hash_of(name);
  auto& at = places_[place(name, hash)];
  if (at.block != core::no_block) return false;
  at = {hash, block};
  names_[block] = name;
  ++size_;
  return true;
}

void PrefixIndex::erase(core::BlockId block) {
  SPILLWAY_ASSERT(names_[block]);
  std::size_t hole = hash_of(names_[block]) & mask_;
  while (places_[hole].block != block) {
    SPILLWAY_ASSERT(places_[hole].block != core::no_block);
    hole = (hole + 1) & mask_;
  }
  // Backward shift: pull up each later place of the run whose home does not lie between the hole and itself.
  for (std::size_t i = (hole + 1) & mask_; places_[i].block != core::no_block; i = (i + 1) & mask_) {
    const std::size_t from_home = (i - places_[i].hash) & mask_;
    if (from_home < ((i - hole) & mask_)) continue;
    places_[hole] = places_[i];
    hole = i;
  }
  places_[hole] = {};
  names_[block] = {};
  --size_;
}

void PrefixIndex::clear() {
  std::fill(places_.begin(), places_.end(), Place{});
  std::fill(names_.begin(), names_.end(), core::BlockName{});
  size_ = 0;
}

}  // namespace spillway::sched
