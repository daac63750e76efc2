#include "sched/name_set.h"

#include <utility>

#include "sched/fetch.h"

namespace spillway::sched {

namespace {
constexpr std::size_t places_min = 64;
constexpr std::size_t ahead = 6;  // names whose memory is on its way
}  // namespace

std::uint64_t NameSet::key_of(const core::BlockName& name) {
  std::uint64_t x = name.hi ^ (name.lo * 0x9e3779b97f4a7c15ULL);
  x = (x ^ (x >> 32U)) * 0xd6e8feb86659fd93ULL;
  x = (x ^ (x >> 32U)) * 0xd6e8feb86659fd93ULL;
  x ^= x >> 32U;
  return x == 0 ? 1 : x;
}

std::size_t NameSet::place(std::uint64_t key) const {
  std::size_t i = key & mask_;
  while (keys_[i] != 0 && keys_[i] != key) i = (i + 1) & mask_;
  return i;
}

void NameSet::fetch_place(const core::BlockName& name) const {
  if (!keys_.empty()) fetch(&keys_[key_of(name) & mask_]);
}

bool NameSet::contains(const core::BlockName& name) const {
  return size_ > 0 && keys_[place(key_of(name))] != 0;
}

bool NameSet::insert(const core::BlockName& name) {
  if ((size_ + 1) * 4 > keys_.size() * 3) grow();
  const std::uint64_t key = key_of(name);
  auto& at = keys_[place(key)];
  if (at != 0) return false;
  at = key;
  ++size_;
  return true;
}

bool NameSet::erase(const core::BlockName& name) {
  if (size_ == 0) return false;
  std::size_t hole = place(key_of(name));
  if (keys_[hole] == 0) return false;
  // Pull up each later key of the run whose home does not lie between the hole and itself.
  for (std::size_t i = (hole + 1) & mask_; keys_[i] != 0; i = (i + 1) & mask_) {
    if (((i - keys_[i]) & mask_) < ((i - hole) & mask_)) continue;
    keys_[hole] = keys_[i];
    hole = i;
  }
  keys_[hole] = 0;
  --size_;
  return true;
}

void NameSet::insert(std::span<const core::BlockName> names) {
  while ((size_ + names.size()) * 4 > keys_.size() * 3) grow();
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i + ahead < names.size()) fetch_place(names[i + ahead]);
    insert(names[i]);
  }
}

void NameSet::erase(std::span<const core::BlockName> names) {
  for (std::size_t i = 0; i < names.size() && size_ > 0; ++i) {
    if (i + ahead < names.size()) fetch_place(names[i + ahead]);
    erase(names[i]);
  }
}

std::size_t NameSet::run(std::span<const core::BlockName> names) const {
  std::size_t hits = 0;
  while (hits < names.size() && contains(names[hits])) ++hits;
  return hits;
}

void NameSet::clear() {
  keys_.clear();
  keys_.shrink_to_fit();
  mask_ = size_ = 0;
}

void NameSet::grow() {
  std::vector<std::uint64_t> before(keys_.empty() ? places_min : keys_.size() * 2);
  before.swap(keys_);
  mask_ = keys_.size() - 1;
  for (const std::uint64_t key : before) {
    if (key != 0) keys_[place(key)] = key;
  }
}

}  // namespace spillway::sched
