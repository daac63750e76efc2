#include "sched/slot_timers.h"

#include <algorithm>

namespace spillway::sched {

void SlotTimers::set(std::uint32_t slot, core::Instant at) {
  if (slot >= at_.size()) {
    at_.resize(slot + 1, core::never);
    queued_.resize(slot + 1, core::never);
  }
  at_[slot] = at;
  if (at < queued_[slot]) push(slot, at);
}

void SlotTimers::push(std::uint32_t slot, core::Instant at) const {
  queued_[slot] = at;
  heap_.push_back({at, slot});
  std::push_heap(heap_.begin(), heap_.end(), later);
}

void SlotTimers::settle() const {
  while (!heap_.empty()) {
    const Entry first = heap_.front();
    const bool current = queued_[first.slot] == first.at;
    if (current && at_[first.slot] == first.at) return;
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.pop_back();
    if (!current) continue;
    queued_[first.slot] = core::never;
    if (at_[first.slot] != core::never) push(first.slot, at_[first.slot]);
  }
}

core::Instant SlotTimers::next() const {
  settle();
  return heap_.empty() ? core::never : heap_.front().at;
}

void SlotTimers::due(core::Instant now, std::vector<std::uint32_t>& slots) {
  for (settle(); !heap_.empty() && heap_.front().at <= now; settle()) {
    const std::uint32_t slot = heap_.front().slot;
    slots.push_back(slot);
    std::pop_heap(heap_.begin(), heap_.end(), later);
    heap_.pop_back();
    queued_[slot] = core::never;
  }
}

}  // namespace spillway::sched
