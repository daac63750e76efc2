#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/ids.h"

namespace spillway::sched {

/// Which blocks somebody else has announced: a set of block names, eight bytes each. It keeps 64 bits of a name's 128, so two names may
/// be taken for one, once in about 2^50 look-ups of a full pool; who asks knows that the answer may be out of date anyway. Open
/// addressing with linear probing and backward-shift deletion; grows by doubling, takes no memory while empty. Never iterated: order
/// cannot leak into decisions.
class NameSet {
 public:
  bool contains(const core::BlockName& name) const;
  /// False when it was there.
  bool insert(const core::BlockName& name);
  /// False when it was not there.
  bool erase(const core::BlockName& name);
  /// Many at once: the memory of the next ones is fetched while one is dealt with.
  void insert(std::span<const core::BlockName> names);
  void erase(std::span<const core::BlockName> names);
  /// How many of these, from the first on, are there without a gap.
  std::size_t run(std::span<const core::BlockName> names) const;
  void clear();
  /// `name` will be looked for soon (fetch.h).
  void fetch_place(const core::BlockName& name) const;
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  static std::uint64_t key_of(const core::BlockName& name);
  /// Where `key` is, or the empty place where it would go; not of a set without places.
  std::size_t place(std::uint64_t key) const;
  void grow();

  std::vector<std::uint64_t> keys_;  // 0: empty; a key's home are its lowest bits
  std::size_t mask_ = 0;
  std::size_t size_ = 0;
};

}  // namespace spillway::sched
