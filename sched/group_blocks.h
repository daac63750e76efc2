#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "core/kv_groups.h"
#include "core/step.h"

namespace spillway::sched {

/// Blocks that a replica must have for `choices` choices of up to `rows` rows each that share a prompt, computed at most `step_rows` rows
/// at a time: with them it can finish, alone.
inline std::uint64_t capacity_blocks(std::span<const core::KvGroup> groups, std::uint64_t prompt, std::uint64_t rows, std::uint64_t choices,
                                     std::uint64_t step_rows) {
  if (core::only_full(groups)) {
    const std::uint64_t shared = prompt / core::block_tokens;
    return shared + ((rows + core::block_tokens - 1) / core::block_tokens - shared) * choices;
  }
  const std::uint64_t peak = core::peak_blocks(groups, rows, step_rows);
  if (choices <= 1) return peak;
  // Windows begin and end anywhere in a block: one more for each group.
  const std::uint64_t own = core::held_blocks(groups, rows);
  const std::uint64_t shared = std::min(own, core::shared_blocks(groups, prompt));
  return peak + (own - shared + groups.size()) * choices;
}

/// Groups in which blocks are added for good as a stream grows.
inline std::uint32_t growing_groups(std::span<const core::KvGroup> groups) {
  std::uint32_t count = 0;
  for (const core::KvGroup& group : core::kv_groups_or_full(groups)) count += group.kind == core::KvGroupKind::full ? 1 : 0;
  return count;
}

/// Nothing can be reused as a prefix.
inline bool keeps_state(std::span<const core::KvGroup> groups) {
  return std::any_of(groups.begin(), groups.end(), [](const core::KvGroup& group) { return group.kind == core::KvGroupKind::state; });
}

}  // namespace spillway::sched
