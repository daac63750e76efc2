#include "sched/admission.h"

#include <algorithm>

#include "core/philox.h"

namespace spillway::sched {

AdmissionPlan plan_admission(std::span<const AdmissionEstimate> estimates, std::uint32_t rungs_wanted, core::Duration deadline) {
  AdmissionPlan plan;
  if (estimates.empty()) return plan;
  const std::uint32_t from = std::min(rungs_wanted, estimates.back().step.rungs);
  const auto excluded = [&](core::Pressure why) {
    if (plan.options.empty() && plan.pressure == core::Pressure::none) plan.pressure = why;
  };
  for (const AdmissionEstimate& estimate : estimates) {
    if (estimate.step.rungs < from) {
      excluded(core::Pressure::saturation);
      continue;
    }
    AdmissionOption option{estimate.step, estimate.cost, estimate.step.wait, core::Duration{0}};
    if (deadline > core::Duration{0} && estimate.time) {
      if (*estimate.time > deadline) {
        excluded(core::Pressure::deadline);
        const core::Duration late = *estimate.time - deadline;
        if (!plan.too_late || late < *plan.too_late) plan.too_late = late;
        continue;
      }
      option.wait = std::min(option.wait, deadline - *estimate.time);
    }
    // The load itself asked for the rung that waits: then it is no use to begin at once.
    if (rungs_wanted >= estimate.step.rungs && estimate.step.rungs > 0) option.wait_min = option.wait;
    plan.options.push_back(option);
  }
  if (!plan.options.empty()) plan.too_late.reset();
  return plan;
}

std::optional<core::Duration> completion_time(const PlacementView& view, const PlacementRequest& request, const PlacementRules& rules) {
  if (!view.step.known()) return std::nullopt;
  const std::uint64_t miss = request.tokens - std::min(view.cached_tokens, request.tokens);
  const std::uint64_t others = view.requests();
  // What is cached there still needs the step that makes the first token.
  return prefill_time(view.step, std::max<std::uint64_t>(1, miss) + view.ahead(), others, rules.step_tokens) +
         decode_time(view.step, request.output_tokens, others + 1);
}

QuotaVerdict take_quota(TokenBucket& bucket, const BucketRules& rules, std::span<const core::QuotaOption> options, core::Instant now) {
  QuotaVerdict verdict;
  for (std::uint32_t i = 0; i < options.size(); ++i) {
    const auto wait = bucket.wait(rules, options[i].cost, now);
    if (!wait) continue;
    if (*wait <= options[i].wait) {
      const core::Duration begins = std::max(*wait, options[i].wait_min);
      bucket.take(rules, options[i].cost, now + begins);
      return {true, i, begins};
    }
    if (verdict.wait == core::Duration{0} || *wait - options[i].wait < verdict.wait) verdict.wait = *wait - options[i].wait;
  }
  return verdict;
}

std::uint64_t home_rank(core::TenantId tenant, core::NodeId router) {
  const auto words = core::philox4x32({static_cast<std::uint32_t>(router.value), static_cast<std::uint32_t>(router.value >> 32), 0, 0},
                                      {static_cast<std::uint32_t>(tenant.value), static_cast<std::uint32_t>(tenant.value >> 32)});
  return std::uint64_t{words[0]} << 32 | words[1];
}

}  // namespace spillway::sched
