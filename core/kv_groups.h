#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/ids.h"

namespace spillway::core {

/// What layers keep of the KV of a stream. Layers with one rule are a group, with a block table of their own.
enum class KvGroupKind : std::uint8_t {
  full = 0,    ///< every row
  window = 1,  ///< the last `window` rows, the one being computed among them; blocks that lie before are released as the stream goes on
  state = 2,   ///< `blocks` blocks of fixed size, rewritten by each row: nothing of them can be reused as a prefix
};
std::string_view to_string(KvGroupKind kind);

struct KvGroup {
  KvGroupKind kind = KvGroupKind::full;
  std::uint32_t window = 0;  ///< rows, at least 1; of a window
  std::uint32_t blocks = 0;  ///< at least 1; of a state

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("kind", s.kind), v("window", s.window), v("blocks", s.blocks);
  }
  friend bool operator==(const KvGroup&, const KvGroup&) = default;
};

/// The groups of a replica that names none: one of full attention. All blocks of all groups come from one pool and have one size.
std::span<const KvGroup> kv_groups_or_full(std::span<const KvGroup> groups);
/// One group of full attention: what most models have.
bool only_full(std::span<const KvGroup> groups);

/// First block of the group that is still needed when `rows` rows are computed; those before are released.
std::uint64_t first_kept_block(const KvGroup& group, std::uint64_t rows);
/// Blocks that a choice of `rows` computed rows holds in the group.
std::uint64_t held_blocks(const KvGroup& group, std::uint64_t rows);
/// The most that it holds on the way to `rows` rows, computed at most `step_rows` at a time.
std::uint64_t peak_blocks(const KvGroup& group, std::uint64_t rows, std::uint64_t step_rows);

/// Sums over the groups (none: one of full attention).
std::uint64_t held_blocks(std::span<const KvGroup> groups, std::uint64_t rows);
std::uint64_t peak_blocks(std::span<const KvGroup> groups, std::uint64_t rows, std::uint64_t step_rows);
/// Blocks that choices which share the first `rows` rows share: whole ones that neither grow nor are rewritten.
std::uint64_t shared_blocks(std::span<const KvGroup> groups, std::uint64_t rows);

/// Name of the block of a group at the place of `name`: `name` itself in the first group.
BlockName group_name(const BlockName& name, std::size_t group);

}  // namespace spillway::core
