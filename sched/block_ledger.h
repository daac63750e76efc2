#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/ids.h"
#include "sched/fetch.h"
#include "sched/prefix_index.h"

namespace spillway::sched {

/// Who uses which block of one replica's pool. Every block is in exactly one state:
///   free    nobody refers to it, it has no name;
///   cached  nobody refers to it, it has a name and can be found or evicted (least recently used first);
///   held    at least one block table or pin (export, import reservation) refers to it, named or not.
/// All operations are O(1). Errors: none at run time; misuse is our own bug (SPILLWAY_ASSERT).
class BlockLedger {
 public:
  explicit BlockLedger(std::uint32_t blocks);

  /// A free block, or the least recently used cached one (its name is forgotten and goes to `removed_names()`), with one table
  /// reference; core::no_block when all are held.
  core::BlockId allocate();
  /// One more table refers to the block (held or cached).
  void add_table(core::BlockId block);
  void drop_table(core::BlockId block);
  /// One more pin on the block (held or cached).
  void add_pin(core::BlockId block);
  void drop_pin(core::BlockId block);

  /// The full block gets its name. Ignored when the block has one, or another block holds that name already.
  void set_name(core::BlockId block, const core::BlockName& name);
  /// The block that holds this name, or core::no_block.
  core::BlockId find(const core::BlockName& name) const { return index_.find(name); }
  const core::BlockName& name(core::BlockId block) const { return index_.name(block); }
  std::uint32_t tables(core::BlockId block) const { return blocks_[block].tables; }
  std::uint32_t pins(core::BlockId block) const { return blocks_[block].pins; }
  bool cached(core::BlockId block) const { return !held(block) && blocks_[block].named; }

  /// What is to be asked about soon (fetch.h).
  void fetch_block(core::BlockId block) const { fetch(&blocks_[block]); }
  void fetch_name(const core::BlockName& name) const { index_.fetch_place(name); }

  /// Blocks handed out by `allocate` since ever.
  std::uint64_t allocated() const { return allocated_; }
  std::uint32_t total() const { return static_cast<std::uint32_t>(blocks_.size()); }
  std::uint32_t free_count() const { return free_; }
  std::uint32_t cached_count() const { return cached_; }
  /// Blocks `allocate` can hand out: free or evictable.
  std::uint32_t available() const { return free_ + cached_; }
  /// All names held, in order of block (for a full announcement).
  std::vector<core::BlockName> names() const;

  /// Forgets everything: all blocks free. Names go to `removed_names()`.
  void reset();

  /// Names that came and went since the last `clear_changes`; a name may stand in both lists, or twice, after churn. Whether it is
  /// held now is `find`'s to say.
  std::span<const core::BlockName> added_names() const { return added_; }
  std::span<const core::BlockName> removed_names() const { return removed_; }
  void clear_changes();

  /// Asserts the ledger against the references found by the caller: tables[b] and pins[b] for each block b. Linear.
  void check(std::span<const std::uint32_t> tables, std::span<const std::uint32_t> pins) const;

 private:
  struct Block {
    std::uint32_t tables = 0;
    std::uint32_t pins : 31 = 0;
    std::uint32_t named : 1 = 0;          // its name is in the index
    core::BlockId next = core::no_block;  // in the free list or the LRU list
    core::BlockId previous = core::no_block;
  };

  bool held(core::BlockId block) const { return blocks_[block].tables + blocks_[block].pins > 0; }
  void fetch_evictable() const;
  void take_from_cache(core::BlockId block);
  void settle(core::BlockId block);  // after a reference was dropped
  void push_free(core::BlockId block);

  std::vector<Block> blocks_;
  PrefixIndex index_;
  core::BlockId free_head_ = core::no_block;
  core::BlockId lru_oldest_ = core::no_block;
  core::BlockId lru_newest_ = core::no_block;
  std::uint32_t free_ = 0;
  std::uint32_t cached_ = 0;
  std::uint64_t allocated_ = 0;
  std::vector<core::BlockName> added_;
  std::vector<core::BlockName> removed_;
};

}  // namespace spillway::sched
