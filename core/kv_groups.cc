#include "core/kv_groups.h"

#include <algorithm>
#include <array>

#include "core/step.h"

namespace spillway::core {

namespace {

constexpr KvGroup full_group{};

std::uint64_t blocks_of(std::uint64_t rows) {
  return (rows + block_tokens - 1) / block_tokens;
}

}  // namespace

std::string_view to_string(KvGroupKind kind) {
  constexpr std::array<std::string_view, 3> names{"full", "window", "state"};
  const auto index = static_cast<std::size_t>(kind);
  return index < names.size() ? names[index] : "unknown";
}

std::span<const KvGroup> kv_groups_or_full(std::span<const KvGroup> groups) {
  return groups.empty() ? std::span(&full_group, 1) : groups;
}

bool only_full(std::span<const KvGroup> groups) {
  return groups.empty() || (groups.size() == 1 && groups.front().kind == KvGroupKind::full);
}

std::uint64_t first_kept_block(const KvGroup& group, std::uint64_t rows) {
  // The next row, at position `rows`, attends to itself and the window - 1 rows before it.
  return group.kind == KvGroupKind::window && rows + 1 > group.window ? (rows + 1 - group.window) / block_tokens : 0;
}

std::uint64_t held_blocks(const KvGroup& group, std::uint64_t rows) {
  if (group.kind == KvGroupKind::state) return group.blocks;
  const std::uint64_t all = blocks_of(rows);
  return all - std::min(all, first_kept_block(group, rows));
}

std::uint64_t peak_blocks(const KvGroup& group, std::uint64_t rows, std::uint64_t step_rows) {
  if (group.kind == KvGroupKind::state) return group.blocks;
  const std::uint64_t all = blocks_of(rows);
  // Rows of a step see the window before its first one; both ends may lie within a block.
  return group.kind == KvGroupKind::full ? all : std::min(all, blocks_of(group.window + step_rows) + 1);
}

std::uint64_t held_blocks(std::span<const KvGroup> groups, std::uint64_t rows) {
  std::uint64_t sum = 0;
  for (const KvGroup& group : kv_groups_or_full(groups)) sum += held_blocks(group, rows);
  return sum;
}

std::uint64_t peak_blocks(std::span<const KvGroup> groups, std::uint64_t rows, std::uint64_t step_rows) {
  std::uint64_t sum = 0;
  for (const KvGroup& group : kv_groups_or_full(groups)) sum += peak_blocks(group, rows, step_rows);
  return sum;
}

std::uint64_t shared_blocks(std::span<const KvGroup> groups, std::uint64_t rows) {
  std::uint64_t sum = 0;
  for (const KvGroup& group : kv_groups_or_full(groups)) {
    if (group.kind == KvGroupKind::state) continue;
    const std::uint64_t whole = rows / block_tokens;
    sum += whole - std::min(whole, first_kept_block(group, rows));
  }
  return sum;
}

BlockName group_name(const BlockName& name, std::size_t group) {
  if (group == 0 || !name) return name;
  std::uint64_t x = name.lo + group * 0x9e3779b97f4a7c15ULL;
  x = (x ^ (x >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27U)) * 0x94d049bb133111ebULL;
  return {{name.hi ^ (group << 56U), x ^ (x >> 31U)}};
}

}  // namespace spillway::core
