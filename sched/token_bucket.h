#pragma once

#include <cstdint>
#include <optional>

#include "core/time.h"

namespace spillway::sched {

struct BucketRules {
  std::uint64_t tokens_per_second = 0;  ///< 0 = no bucket: everything may be taken. At most 10^9
  std::uint64_t burst_tokens = 0;       ///< what a full bucket holds. At most 10^9

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("tokens_per_second", s.tokens_per_second), v("burst_tokens", s.burst_tokens);
  }
};

/// A token bucket kept as the time at which it would be full again (as in the generic cell rate algorithm), so that it needs no timer.
/// Exact in integers: over any stretch of time never more than burst + rate x time is taken. Full at first.
class TokenBucket {
 public:
  /// How long until `cost` may be taken, 0 = now; nothing when it never may, as it is more than the burst.
  std::optional<core::Duration> wait(const BucketRules& rules, std::uint64_t cost, core::Instant now) const;
  /// Takes `cost` at `when`, now or later: at least wait() after now.
  void take(const BucketRules& rules, std::uint64_t cost, core::Instant when);
  /// Tokens it holds, rounded down.
  std::uint64_t level(const BucketRules& rules, core::Instant now) const;

 private:
  core::Instant full_at_{};
};

}  // namespace spillway::sched
