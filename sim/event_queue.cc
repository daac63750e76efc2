#include "sim/event_queue.h"

#include "core/assert.h"

namespace spillway::sim {

namespace {
constexpr std::size_t fan = 4;
}  // namespace

void EventQueue::push(core::Instant at, EventRank rank, std::uint32_t kind, std::uint32_t who, std::uint64_t what) {
  const Event event{at, static_cast<std::uint64_t>(rank) << 60 | std::uint64_t{who} << 36 | ++pushed_, kind, who, what};
  std::size_t i = heap_.size();
  heap_.push_back(event);
  while (i > 0) {
    const std::size_t parent = (i - 1) / fan;
    if (!event.before(heap_[parent])) break;
    heap_[i] = heap_[parent];
    i = parent;
  }
  heap_[i] = event;
}

Event EventQueue::pop() {
  SPILLWAY_ASSERT(!heap_.empty());
  const Event first = heap_.front();
  const Event last = heap_.back();
  heap_.pop_back();
  const std::size_t size = heap_.size();
  if (size == 0) return first;
  std::size_t i = 0;
  for (;;) {
    const std::size_t begin = i * fan + 1;
    if (begin >= size) break;
    std::size_t least = begin;
    for (std::size_t child = begin + 1; child < begin + fan && child < size; ++child) {
      if (heap_[child].before(heap_[least])) least = child;
    }
    if (!heap_[least].before(last)) break;
    heap_[i] = heap_[least];
    i = least;
  }
  heap_[i] = last;
  return first;
}

}  // namespace spillway::sim
