#pragma once

#include <cstdint>
#include <vector>

#include "core/ids.h"

namespace spillway::sched {

/// Name of a full block -> the block that holds it. Open addressing with linear probing and backward-shift deletion; sized once
/// for the pool, so nothing is allocated while serving. Never iterated: order cannot leak into decisions.
class PrefixIndex {
 public:
  explicit PrefixIndex(std::uint32_t blocks_max);

  /// The block named `name`, or core::no_block.
  core::BlockId find(const core::BlockName& name) const;
  /// False (and nothing changes) when the name is there already. `name` is not zero.
  bool insert(const core::BlockName& name, core::BlockId block);
  /// The name must be there.
  void erase(const core::BlockName& name);
  void clear();
  std::uint32_t size() const { return size_; }

 private:
  struct Entry {
    core::BlockName name;
    core::BlockId block = core::no_block;  ///< no_block: empty
  };

  std::size_t home(const core::BlockName& name) const;
  /// Where `name` is, or the empty place where it would go.
  std::size_t place(const core::BlockName& name) const;

  std::vector<Entry> entries_;
  std::size_t mask_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace spillway::sched
