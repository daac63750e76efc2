#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "core/ids.h"
#include "core/time.h"
#include "sched/token_counters.h"

namespace spillway::sched {

/// Order within one tenant: earliest deadline first, ties by arrival. An overdue request is due since ever, so that it goes first and
/// those among them by arrival.
struct QueueKey {
  core::Instant due;
  std::uint64_t arrival = 0;
  std::uint32_t slot = 0;
  friend auto operator<=>(const QueueKey&, const QueueKey&) = default;
};

/// Why a request is the next one of its class.
enum class QueueReason : std::uint8_t {
  only_tenant,    ///< nobody else waits in this class; earliest deadline of the tenant
  least_counter,  ///< its tenant was served least; earliest deadline of the tenant
};
std::string_view to_string(QueueReason reason);

struct QueueHead {
  std::uint32_t slot = 0;
  QueueReason reason = QueueReason::only_tenant;
  std::uint64_t counter = 0;  ///< of its tenant
  bool overdue = false;       ///< it waited so long that its place in time does not depend on deadlines any more
};

/// The waiting requests of one class: fair between tenants (TokenCounters), earliest deadline first within a tenant. Starves nobody:
/// between tenants by the bound of the counters, within a tenant because a request becomes overdue by age (its batcher says when).
class ClassQueue {
 public:
  ClassQueue(const TokenCosts& costs, const TenantWeights& weights) : counters_(costs, weights) {}

  void insert(core::TenantId tenant, const QueueKey& key);
  /// False: it was not there.
  bool erase(core::TenantId tenant, const QueueKey& key);
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  bool contains(core::TenantId tenant, const QueueKey& key) const;
  /// The next request; nothing when empty.
  std::optional<QueueHead> head() const;
  /// The one to give up first: the last of the tenant that was served most. Nothing when empty.
  std::optional<std::uint32_t> last() const;
  /// The last request of the tenant that holds most places for its weight, when it would still hold no less than `newcomer` after
  /// that one got a place of it. Nothing otherwise: whoever has the places already keeps them.
  std::optional<std::uint32_t> beyond_share(core::TenantId newcomer) const;

  TokenCounters& counters() { return counters_; }
  const TokenCounters& counters() const { return counters_; }

 private:
  std::map<core::TenantId, std::set<QueueKey>> tenants_;  // none is empty
  TokenCounters counters_;
  std::size_t size_ = 0;
};

}  // namespace spillway::sched
