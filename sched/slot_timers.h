#pragma once

#include <cstdint>
#include <vector>

#include "core/time.h"

namespace spillway::sched {

/// One timer for each of many slots. Made for timers that are put off far more often than they fire, as those for silence are: putting
/// one off costs a write, and it is sorted in anew only when its former time has come.
class SlotTimers {
 public:
  /// core::never: none.
  void set(std::uint32_t slot, core::Instant at);
  core::Instant at(std::uint32_t slot) const { return slot < at_.size() ? at_[slot] : core::never; }
  /// The earliest of all; core::never when none is set.
  core::Instant next() const;
  /// Adds the slots whose time is `now` or before, in no particular order. They are not told again until they are set again, be it to
  /// the same time.
  void due(core::Instant now, std::vector<std::uint32_t>& slots);

 private:
  struct Entry {
    core::Instant at{};
    std::uint32_t slot = 0;
  };
  static bool later(const Entry& a, const Entry& b) { return a.at != b.at ? a.at > b.at : a.slot > b.slot; }
  /// Until the first entry says what is true.
  void settle() const;
  void push(std::uint32_t slot, core::Instant at) const;

  std::vector<core::Instant> at_;  // by slot
  // Of each slot with a timer the heap has an entry at `queued_`, which is not after its timer; other entries are of before.
  mutable std::vector<core::Instant> queued_;
  mutable std::vector<Entry> heap_;
};

}  // namespace spillway::sched
