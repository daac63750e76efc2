#include "core/step.h"
#include "sched/placement.h"

namespace spillway::sched {

namespace {

struct Sent {
  std::uint64_t hit = 0;
  std::uint64_t miss = 0;
};

/// What was sent there within the window.
Sent sent_to(const PlacementQuestion& question, core::ReplicaRef replica) {
  Sent sum;
  const auto found = question.state.histories.find(replica);
  if (found == question.state.histories.end()) return sum;
  const core::Duration sixth = std::max(question.rules.window / static_cast<std::int64_t>(PlacementHistory::buckets), core::Duration{1});
  const auto present = static_cast<std::uint64_t>(question.request.now.time_since_epoch() / sixth) + 1;
  for (std::size_t i = 0; i < PlacementHistory::buckets; ++i) {
    const std::uint64_t stamp = found->second.stamps[i];
    if (stamp == 0 || stamp > present || present - stamp >= PlacementHistory::buckets) continue;
    sum.hit += found->second.hit_tokens[i];
    sum.miss += found->second.miss_tokens[i];
  }
  return sum;
}

/// Time to make again what the request's blocks would push out, weighed by how much of what is sent there is found cached.
core::Duration eviction_cost(const PlacementView& view, const PlacementRequest& request, const StepCoefficients& step, const Sent& sent) {
  const std::uint64_t evictable =
      view.names > view.blocks_used ? std::min<std::uint64_t>(view.names - view.blocks_used, view.blocks_free) : 0;
  const std::uint64_t empty = view.blocks_free - evictable;
  const std::uint64_t held = std::min<std::uint64_t>(view.cached_tokens / core::block_tokens, request.blocks);
  const std::uint64_t wanted = request.blocks - held + view.blocks_in_flight;
  if (wanted <= empty || sent.hit == 0) return core::Duration{0};
  const std::uint64_t tokens = (wanted - empty) * core::block_tokens * (sent.hit * 1000 / (sent.hit + sent.miss)) / 1000;
  return decode_time({core::Duration{0}, step.row}, 1, tokens);
}

}  // namespace

/// Preble's E2, for comparison. Load of a replica: the prefill of what missed there within the window, and requests there x
/// allowed output x time of a step. Where more of the request is cached than new it is exploited, at the least loaded of those that
/// hold the most; else explored: the least sum of load, eviction and own prefill. A holder whose load is rebalance_permille of the
/// least one, by more than the cached tokens save, is passed over (which copies the prefix to another replica).
PlacementPick pick_preble(const PlacementQuestion& question, std::span<std::int64_t> scores) {
  const PlacementRequest& request = question.request;
  const StepCoefficients unknown = mean_coefficients(question.views);
  std::uint64_t longest = 0;
  core::Duration least = core::Duration::max();
  core::Duration holder = core::Duration::max();
  core::Duration saved{0};
  for (const PlacementView& view : question.views) longest = std::max(longest, std::min(view.cached_tokens, request.tokens));
  for (std::size_t i = 0; i < question.views.size(); ++i) {
    const PlacementView& view = question.views[i];
    const StepCoefficients& step = view.step.known() ? view.step : unknown;
    const Sent sent = sent_to(question, view.replica);
    const core::Duration load = decode_time({core::Duration{0}, step.row}, 1, sent.miss) +
                                decode_time(step, view.requests() * std::max<std::uint64_t>(request.output_tokens, 1), view.requests());
    scores[i] = load.count();
    least = std::min(least, load);
    if (std::min(view.cached_tokens, request.tokens) < longest || load >= holder) continue;
    holder = load;
    saved = decode_time({core::Duration{0}, step.row}, 1, longest);
  }
  const bool cached = longest > request.tokens - longest;
  const bool overloaded =
      cached && holder.count() / 1000 > least.count() / 1000 * question.rules.rebalance_permille / 1000 && holder - least > saved;
  for (std::size_t i = 0; i < question.views.size(); ++i) {
    const PlacementView& view = question.views[i];
    if (cached && !overloaded) {
      if (std::min(view.cached_tokens, request.tokens) < longest) scores[i] = worst_score;
      continue;
    }
    const StepCoefficients& step = view.step.known() ? view.step : unknown;
    const std::uint64_t miss = request.tokens - std::min(view.cached_tokens, request.tokens);
    scores[i] += eviction_cost(view, request, step, sent_to(question, view.replica)).count() +
                 decode_time({core::Duration{0}, step.row}, 1, miss).count();
  }
  const PlacementReason explored = overloaded ? PlacementReason::rebalanced : PlacementReason::explored;
  return {lowest(question.views, scores), cached && !overloaded ? PlacementReason::exploited : explored};
}

}  // namespace spillway::sched
