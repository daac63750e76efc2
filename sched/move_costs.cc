#include "sched/move_costs.h"

#include <algorithm>

#include "core/step.h"
#include "sched/predicted_time.h"

namespace spillway::sched {

namespace {

using core::block_tokens;
constexpr std::int64_t second = std::int64_t{1'000'000'000};
constexpr std::int64_t release_window = 10 * second;      // of ReplicaReport::blocks_released
constexpr std::int64_t time_max = std::int64_t{1} << 58;  // sums of a few of these stay in range

core::Duration bounded(std::uint64_t count, std::int64_t each) {
  if (count == 0 || each <= 0) return core::Duration{0};
  if (count > static_cast<std::uint64_t>(time_max / each)) return core::Duration{time_max};
  return core::Duration{static_cast<std::int64_t>(count) * each};
}

}  // namespace

std::int64_t freeness(const MoveReplica& r) {
  if (r.draining) return INT64_MIN;
  const std::int64_t demand = r.queued > 0 ? std::int64_t{r.blocks_head} : 0;
  return (static_cast<std::int64_t>(r.free_soon()) - demand) * block_tokens / std::max<std::int64_t>(1, r.growing_groups) /
         std::max<std::int64_t>(1, r.streams);
}

std::uint64_t growth(const MoveReplica& r) {
  if (r.streams == 0) return 0;
  const std::int64_t step = step_time(r.step, r.streams, r.decode_tokens).count();
  const std::uint64_t predicted = step <= 0 ? 0 : std::uint64_t{r.streams} * second / static_cast<std::uint64_t>(step);
  return std::max<std::uint64_t>(r.tokens_per_second, predicted);
}

core::Duration time_to_exhaustion(const MoveReplica& r) {
  const std::uint64_t pace = growth(r);
  if (pace == 0 || r.growing_groups == 0) return core::Duration::max();
  return bounded(r.free_soon() * block_tokens / r.growing_groups, second) / static_cast<std::int64_t>(pace);
}

core::Duration release_wait(const MoveReplica& r, std::uint64_t blocks) {
  if (blocks == 0) return core::Duration{0};
  if (r.blocks_released == 0) return release_wait_max;
  return std::min(release_wait_max, bounded(blocks, release_window) / static_cast<std::int64_t>(r.blocks_released));
}

core::Duration decode_delay(const MoveReplica& r, std::uint64_t steps, std::uint64_t streams, std::uint64_t tokens) {
  // Chunks of prompts lengthen the steps they are part of: all of them together by a row each.
  return bounded(steps, step_time(r.step, streams, tokens).count()) + bounded(r.ahead_tokens, r.step.row.count());
}

core::Duration token_time(const MoveReplica& r, std::uint64_t streams) {
  constexpr core::Duration most{std::int64_t{1} << 40};
  const std::uint64_t tokens = r.streams == 0 ? 0 : r.decode_tokens * std::min<std::uint64_t>(streams, r.streams) / r.streams;
  return std::min(most, step_time(r.step, streams, tokens));
}

core::Duration prompt_delay(const MoveReplica& r, std::uint64_t tokens, std::uint32_t step_tokens) {
  return prefill_time({r.step.base, r.step.row}, tokens, r.streams, step_tokens);
}

core::Duration copy_time(const MoveReplica& source, std::uint64_t blocks, const MoveCosts& costs) {
  const std::uint64_t bytes = std::min<std::uint64_t>(blocks * source.page_bytes, std::uint64_t{1} << 60);
  const std::uint64_t pace = std::max<std::uint64_t>(costs.bytes_per_second, 1);
  return bounded(bytes / pace, second) + bounded(bytes % pace, second) / static_cast<std::int64_t>(pace);
}

}  // namespace spillway::sched
