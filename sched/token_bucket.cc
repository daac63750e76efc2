#include "sched/token_bucket.h"

#include <algorithm>

#include "core/assert.h"

namespace spillway::sched {

namespace {

constexpr std::int64_t second = 1'000'000'000;

}  // namespace

// A bucket that lacks `missing` of being full holds burst - missing x rate; products stay below 10^9 x 10^9 but for a rounding.

std::optional<core::Duration> TokenBucket::wait(const BucketRules& rules, std::uint64_t cost, core::Instant now) const {
  if (rules.tokens_per_second == 0) return core::Duration{0};
  if (cost > rules.burst_tokens) return std::nullopt;
  const std::int64_t missing = std::max<std::int64_t>(0, (full_at_ - now).count());
  const auto may_miss = static_cast<std::int64_t>((rules.burst_tokens - cost) * second / rules.tokens_per_second);
  return core::Duration{std::max<std::int64_t>(0, missing - may_miss)};
}

void TokenBucket::take(const BucketRules& rules, std::uint64_t cost, core::Instant when) {
  if (rules.tokens_per_second == 0) return;
  SPILLWAY_ASSERT(cost <= rules.burst_tokens);
  // Rounded up, so that what is left is never more than it should be.
  const std::uint64_t time = (cost * second + rules.tokens_per_second - 1) / rules.tokens_per_second;
  full_at_ = std::max(full_at_, when) + core::Duration{static_cast<std::int64_t>(time)};
}

std::uint64_t TokenBucket::level(const BucketRules& rules, core::Instant now) const {
  const auto missing = static_cast<std::uint64_t>(std::max<std::int64_t>(0, (full_at_ - now).count()));
  const std::uint64_t whole = missing / second * rules.tokens_per_second;
  const std::uint64_t taken = whole + (missing % second * rules.tokens_per_second + second - 1) / second;
  return rules.burst_tokens - std::min(taken, rules.burst_tokens);
}

}  // namespace spillway::sched
