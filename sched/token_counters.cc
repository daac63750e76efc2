#include "sched/token_counters.h"

#include <algorithm>
#include <utility>

#include "core/assert.h"

namespace spillway::sched {

TokenCounters::TokenCounters(const TokenCosts& costs, TenantWeights weights) : costs_(costs), weights_(std::move(weights)) {
  for (const auto& [tenant, weight] : weights_) SPILLWAY_ASSERT(weight > 0);
}

std::uint32_t TokenCounters::weight(core::TenantId tenant) const {
  const auto it = weights_.find(tenant);
  return it == weights_.end() ? 1 : it->second;
}

std::uint64_t TokenCounters::lift() const {
  const auto tenant = least();
  return tenant ? entries_.at(*tenant).counter : left_last_;
}

void TokenCounters::activate(core::TenantId tenant) {
  const auto floor = lift();
  if (entries_.size() >= entries_kept) prune();
  auto& entry = entries_[tenant];
  SPILLWAY_ASSERT(!entry.active);
  entry.counter = std::max(entry.counter, floor);
  entry.active = true;
  ++active_;
}

void TokenCounters::deactivate(core::TenantId tenant) {
  auto& entry = entries_.at(tenant);
  SPILLWAY_ASSERT(entry.active);
  entry.active = false;
  --active_;
  left_last_ = entry.counter;
}

void TokenCounters::charge(core::TenantId tenant, std::uint64_t tokens, std::uint32_t cost) {
  // The charge of one token is cut to a whole number, so that k tokens cost the same whether they come one by one or at once.
  const std::uint64_t each = cost * unit / weight(tenant);
  const auto it = entries_.find(tenant);
  if (it != entries_.end()) {
    it->second.counter += each * tokens;
  } else {
    entries_[tenant] = {.counter = lift() + each * tokens, .active = false};
  }
}

std::optional<core::TenantId> TokenCounters::least() const {
  if (active_ == 0) return std::nullopt;
  auto best = entries_.end();
  for (auto it = entries_.begin(); it != entries_.end(); ++it) {
    if (it->second.active && (best == entries_.end() || it->second.counter < best->second.counter)) best = it;
  }
  return best->first;
}

std::uint64_t TokenCounters::counter(core::TenantId tenant) const {
  const auto it = entries_.find(tenant);
  return it == entries_.end() ? lift() : it->second.counter;
}

void TokenCounters::prune() {
  const auto floor = lift();
  std::erase_if(entries_, [floor](const auto& entry) { return !entry.second.active && entry.second.counter <= floor; });
}

}  // namespace spillway::sched
