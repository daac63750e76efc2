#include "sched/class_queue.h"

#include "core/assert.h"

namespace spillway::sched {

std::string_view to_string(QueueReason reason) {
  switch (reason) {
    case QueueReason::only_tenant: return "only_tenant";
    case QueueReason::least_counter: return "least_counter";
  }
  return "unknown";
}

void ClassQueue::insert(core::TenantId tenant, const QueueKey& key) {
  auto& keys = tenants_[tenant];
  if (keys.empty()) counters_.activate(tenant);
  SPILLWAY_ASSERT(keys.insert(key).second);
  ++size_;
}

bool ClassQueue::erase(core::TenantId tenant, const QueueKey& key) {
  const auto it = tenants_.find(tenant);
  if (it == tenants_.end() || it->second.erase(key) == 0) return false;
  --size_;
  if (it->second.empty()) {
    tenants_.erase(it);
    counters_.deactivate(tenant);
  }
  return true;
}

bool ClassQueue::contains(core::TenantId tenant, const QueueKey& key) const {
  const auto it = tenants_.find(tenant);
  return it != tenants_.end() && it->second.contains(key);
}

std::optional<QueueHead> ClassQueue::head() const {
  const auto tenant = counters_.least();
  if (!tenant) return std::nullopt;
  const auto& first = *tenants_.at(*tenant).begin();
  return QueueHead{.slot = first.slot,
                   .reason = tenants_.size() == 1 ? QueueReason::only_tenant : QueueReason::least_counter,
                   .counter = counters_.counter(*tenant),
                   .overdue = first.due == core::Instant{}};
}

std::optional<std::uint32_t> ClassQueue::last() const {
  const std::set<QueueKey>* most = nullptr;
  std::uint64_t counter = 0;
  for (const auto& [tenant, keys] : tenants_) {
    const auto own = counters_.counter(tenant);
    if (most != nullptr && own <= counter) continue;
    most = &keys;
    counter = own;
  }
  return most == nullptr ? std::nullopt : std::optional(most->rbegin()->slot);
}

std::optional<std::uint32_t> ClassQueue::beyond_share(core::TenantId newcomer) const {
  const auto own = tenants_.find(newcomer);
  const std::uint64_t places = (own == tenants_.end() ? 0 : own->second.size()) + 1;
  const std::set<QueueKey>* most = nullptr;
  std::uint64_t most_weight = 1;
  for (const auto& [tenant, keys] : tenants_) {
    const std::uint64_t weight = counters_.weight(tenant);
    // Places for weight are compared as products: keys / weight > most / most_weight.
    if (tenant == newcomer || (most != nullptr && keys.size() * most_weight <= most->size() * weight)) continue;
    most = &keys;
    most_weight = weight;
  }
  if (most == nullptr || (most->size() - 1) * counters_.weight(newcomer) < places * most_weight) return std::nullopt;
  return most->rbegin()->slot;
}

}  // namespace spillway::sched
