#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/ladder.h"
#include "core/messages.h"
#include "sched/ladder.h"
#include "sched/placement.h"
#include "sched/token_bucket.h"

/// Admission and brown-out, without the router's tables: what may be run instead of a request, in which order, and what a tenant's
/// bucket has for it.
namespace spillway::sched {

/// Of a tenant, from its section of the cluster file.
struct TenantRules {
  BucketRules bucket;
  std::vector<core::Rung> ladder;
  std::uint32_t saturation_permille = 1000;      ///< from there on the first rung is taken
  std::uint32_t saturation_step_permille = 250;  ///< and each further one so much above

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("bucket", s.bucket), v("ladder", s.ladder), v("saturation_permille", s.saturation_permille),
        v("saturation_step_permille", s.saturation_step_permille);
  }
};

/// One way to run the request.
struct AdmissionOption {
  LadderStep step;
  std::uint64_t cost = 0;      ///< input and allowed output, in tokens
  core::Duration wait{0};      ///< it may be begun so much later
  core::Duration wait_min{0};  ///< and not earlier than that: the load asks for it
};

/// What is known of one step of the ladder.
struct AdmissionEstimate {
  LadderStep step;
  std::uint64_t cost = 0;
  std::optional<core::Duration> time;  ///< from now to the last token at the best replica; nothing when nobody can tell
};

struct AdmissionPlan {
  std::vector<AdmissionOption> options;            ///< in order of the ladder; the bucket decides between them
  core::Pressure pressure = core::Pressure::none;  ///< why the first option is not the request as it was asked
  std::optional<core::Duration> too_late;          ///< no options: by so much the best one would be late
};

/// Leaves the steps that the load allows (`rungs_wanted` rungs or more; the last step when there are not so many) and that end before
/// the deadline (from now, 0 = none). A step that may wait may do so as long as it still ends in time. Estimates are in order of the
/// ladder, the first is the request as it was asked.
AdmissionPlan plan_admission(std::span<const AdmissionEstimate> estimates, std::uint32_t rungs_wanted, core::Duration deadline);

/// Time until the last token of a request at this replica: its prefill behind the work ahead, then a step for each of `output_tokens` among
/// all that run there. Nothing while its pace is not known.
std::optional<core::Duration> completion_time(const PlacementView& view, const PlacementRequest& request, const PlacementRules& rules);

struct QuotaVerdict {
  bool granted = false;
  std::uint32_t option = 0;  ///< granted: index of the option
  core::Duration wait{0};    ///< granted: it begins so much later. Else: ask again after that; 0 = it is more than the bucket ever holds
};

/// Takes the first option from the bucket that it has enough for, now or within the option's wait.
QuotaVerdict take_quota(TokenBucket& bucket, const BucketRules& rules, std::span<const core::QuotaOption> options, core::Instant now);

/// Hash that ranks routers for a tenant: the highest is its home (rendezvous hashing), so that the loss of one moves no other tenant.
std::uint64_t home_rank(core::TenantId tenant, core::NodeId router);

}  // namespace spillway::sched
