#pragma once

#include <cstdint>
#include <map>
#include <optional>

#include "core/ids.h"

namespace spillway::sched {

using TenantWeights = std::map<core::TenantId, std::uint32_t>;

/// What a token costs its tenant.
struct TokenCosts {
  std::uint32_t input = 1;   ///< a token of a prompt
  std::uint32_t output = 2;  ///< a generated one; not below `input`, or the bound below does not hold

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("input", s.input), v("output", s.output);
  }
};

/// Virtual token counters between tenants (VTC, Sheng et al., "Fairness in serving large language models"): a tenant's counter grows
/// by cost x tokens / weight for what it is served, and of the tenants with waiting requests the one with the least counter is next.
/// A tenant that comes back after a pause is lifted to the least counter among those that wait (with nobody waiting: to the counter
/// of the tenant that left last), so that idle time is not saved up.
///
/// Bound. Of two tenants that wait all the time, in any span, the service (cost x tokens / weight) differs by at most
/// 2 x max(input x longest prompt, output x tokens that fit the replica at once) / least weight.
///
/// Units   counters are in 2^-20 of a token's cost at weight 1; all whole numbers, so that replays agree.
/// Errors  none; an unknown tenant has weight 1.
class TokenCounters {
 public:
  explicit TokenCounters(const TokenCosts& costs = {}, TenantWeights weights = {});

  /// The tenant has a waiting request again, its first.
  void activate(core::TenantId tenant);
  /// Its last waiting request is gone. What still runs goes on being charged.
  void deactivate(core::TenantId tenant);
  void charge_input(core::TenantId tenant, std::uint64_t tokens) { charge(tenant, tokens, costs_.input); }
  void charge_output(core::TenantId tenant, std::uint64_t tokens) { charge(tenant, tokens, costs_.output); }

  /// The active tenant with the least counter, ties to the lower id.
  std::optional<core::TenantId> least() const;
  std::uint64_t counter(core::TenantId tenant) const;
  std::uint32_t weight(core::TenantId tenant) const;
  /// Entries kept: tenants that wait, and those whose pause may not yet be forgotten.
  std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    std::uint64_t counter = 0;
    bool active = false;
  };
  static constexpr std::uint64_t unit = 1ULL << 20;
  static constexpr std::size_t entries_kept = 256;

  void charge(core::TenantId tenant, std::uint64_t tokens, std::uint32_t cost);
  /// What a tenant that is new is lifted to.
  std::uint64_t lift() const;
  /// Drops tenants that would be lifted anyway.
  void prune();

  TokenCosts costs_;
  TenantWeights weights_;
  std::map<core::TenantId, Entry> entries_;
  std::size_t active_ = 0;
  std::uint64_t left_last_ = 0;  // counter of the tenant that became idle last
};

}  // namespace spillway::sched
