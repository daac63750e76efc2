#pragma once

#include <cstdint>
#include <vector>

#include "core/time.h"

namespace spillway::sim {

/// Order of events at equal time. A report thus carries the state after the steps that end with it, and an arrival finds it delivered
/// where nothing lies between.
enum class EventRank : std::uint8_t { transfer = 0, step_end = 1, report = 2, arrival = 3, timer = 4 };

/// What happens and to whom is the simulator's business.
struct Event {
  core::Instant at{};
  std::uint64_t order = 0;  ///< rank, who, number of insertion: no two events are equal
  std::uint32_t kind = 0;
  std::uint32_t who = 0;
  std::uint64_t what = 0;

  EventRank rank() const { return static_cast<EventRank>(order >> 60); }
  bool before(const Event& other) const { return at != other.at ? at < other.at : order < other.order; }
};

/// Events in total order, in a heap of four children a node. Whoever changes its mind leaves the old event where it is and knows it
/// by a version when it comes.
class EventQueue {
 public:
  /// At equal time and rank events go by `who` (below 2^24), then in the order of their insertion.
  void push(core::Instant at, EventRank rank, std::uint32_t kind, std::uint32_t who, std::uint64_t what);
  bool empty() const { return heap_.empty(); }
  std::size_t size() const { return heap_.size(); }
  /// Not of an empty queue.
  const Event& top() const { return heap_.front(); }
  Event pop();

 private:
  std::vector<Event> heap_;
  std::uint64_t pushed_ = 0;
};

}  // namespace spillway::sim
