#pragma once

#include <cstdint>
#include <vector>

#include "core/ids.h"
#include "sched/fetch.h"

namespace spillway::sched {

/// Names of the full blocks of one pool, both ways: which block holds a name, and which name a block has. Open addressing with linear
/// probing and backward-shift deletion; a place holds half of a name's hash and the block, so that a search seldom looks at a name that
/// it does not want. Sized once for the pool, so nothing is allocated while serving. Never iterated by name: order cannot leak into
/// decisions.
class PrefixIndex {
 public:
  /// For blocks [0, blocks_max).
  explicit PrefixIndex(std::uint32_t blocks_max);

  /// The block named `name`, or core::no_block.
  core::BlockId find(const core::BlockName& name) const;
  /// Zero: it has none.
  const core::BlockName& name(core::BlockId block) const { return names_[block]; }
  /// False (and nothing changes) when the name is there already. `name` is not zero, `block` has none.
  bool insert(const core::BlockName& name, core::BlockId block);
  /// The name of `block`, which has one, is forgotten.
  void erase(core::BlockId block);
  void clear();
  /// `name` will be looked for soon (fetch.h).
  void fetch_place(const core::BlockName& name) const { fetch(&places_[hash_of(name) & mask_]); }
  std::uint32_t size() const { return size_; }

 private:
  struct Place {
    std::uint32_t hash = 0;                ///< its lowest bits are the home
    core::BlockId block = core::no_block;  ///< no_block: empty
  };

  static std::uint32_t hash_of(const core::BlockName& name) {
    const std::uint64_t mixed = (name.hi ^ (name.lo * 0x9e3779b97f4a7c15ULL)) * 0xc2b2ae3d27d4eb4fULL;
    return static_cast<std::uint32_t>(mixed >> 29U);
  }
  /// Where `name` is, or the empty place where it would go.
  std::size_t place(const core::BlockName& name, std::uint32_t hash) const;

  std::vector<Place> places_;
  std::vector<core::BlockName> names_;  // by block
  std::size_t mask_ = 0;
  std::uint32_t size_ = 0;
};

}  // namespace spillway::sched
