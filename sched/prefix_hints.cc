#include "sched/prefix_hints.h"

#include <algorithm>

namespace spillway::sched {

void PrefixHints::note(const std::vector<core::BlockName>& prompt, core::ReplicaRef replica) {
  if (prompt.empty()) return;
  if (table_.empty()) table_.resize(entries);
  for (std::size_t depth = 1; depth <= prompt.size(); depth *= 2) {
    const core::BlockName& name = prompt[depth - 1];
    Entry& entry = table_[slot(name)];
    if (entry.name != name) entry = {name, {}};
    auto& list = entry.replicas;
    auto at = std::find(list.begin(), list.end(), replica);
    if (at == list.end()) at = list.end() - 1;
    std::rotate(list.begin(), at, at + 1);
    list.front() = replica;
  }
}

std::size_t PrefixHints::find(const std::vector<core::BlockName>& prompt, Found& found) const {
  if (prompt.empty() || table_.empty()) return 0;
  std::size_t depth = 1;
  while (depth * 2 <= prompt.size()) depth *= 2;
  std::size_t count = 0;
  for (; depth > 0 && count < holders; depth /= 2) {
    const Entry& entry = table_[slot(prompt[depth - 1])];
    if (entry.name != prompt[depth - 1]) continue;
    for (const core::ReplicaRef& replica : entry.replicas) {
      if (!replica.node || count == holders) break;
      if (std::find(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), replica) !=
          found.begin() + static_cast<std::ptrdiff_t>(count))
        continue;
      found[count++] = replica;
    }
  }
  return count;
}

}  // namespace spillway::sched
