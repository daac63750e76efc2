#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "core/ids.h"

namespace spillway::sched {

/// Where streams with the same beginning were sent of late, so that a router of many nodes asks the likely holders of a prefix without
/// asking all. A table of fixed size by the names of every first, second, fourth, eighth, ... block: a hint may be lost or wrong, what
/// a replica holds is always looked up in its own names. Empty until the first note.
class PrefixHints {
 public:
  static constexpr std::size_t entries = 8192;  ///< a power of two
  static constexpr std::size_t holders = 4;     ///< remembered per name; the oldest is forgotten
  using Found = std::array<core::ReplicaRef, holders>;

  /// A stream whose prompt has these names goes to `replica`.
  void note(const std::vector<core::BlockName>& prompt, core::ReplicaRef replica);
  /// Fills `found` with distinct replicas, those of the longest beginning first; returns how many.
  std::size_t find(const std::vector<core::BlockName>& prompt, Found& found) const;

 private:
  struct Entry {
    core::BlockName name;
    std::array<core::ReplicaRef, holders> replicas{};  ///< newest first; node 0 = none
  };
  static std::size_t slot(const core::BlockName& name) { return (name.hi ^ name.lo) % entries; }
  std::vector<Entry> table_;
};

}  // namespace spillway::sched
