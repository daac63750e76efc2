#include "core/step.h"
#include "sched/placement.h"
#include "sched/placement_draw.h"

namespace spillway::sched {

namespace {

std::uint64_t blocks_of(std::uint64_t tokens) {
  return (tokens + core::block_tokens - 1) / core::block_tokens;
}

std::uint64_t prefill_blocks(const PlacementView& view) {
  return blocks_of(view.prefill_tokens + view.tokens_in_flight);
}

}  // namespace

/// The cost of NVIDIA Dynamo's router, for comparison, in thousandths of a block:
///   s x max(active + incoming prefill blocks - credit, 0) + decode blocks + q x active requests,
///   credit = c / (1 + decay x excess / request blocks) x blocks held, excess = active prefill above that of the least loaded.
/// Its temperature is 0 here: a softmax needs exp, which no core may use. Ties are drawn at random, as there.
PlacementPick pick_dynamo(const PlacementQuestion& question, std::span<std::int64_t> scores) {
  const PlacementRules& rules = question.rules;
  const std::uint64_t incoming = std::max<std::uint64_t>(1, blocks_of(question.request.tokens));
  std::uint64_t least = UINT64_MAX;
  for (const PlacementView& view : question.views) least = std::min(least, prefill_blocks(view));
  std::int64_t best = worst_score;
  for (std::size_t i = 0; i < question.views.size(); ++i) {
    const PlacementView& view = question.views[i];
    const std::uint64_t active = prefill_blocks(view);
    const std::uint64_t held = std::min(view.cached_tokens / core::block_tokens, incoming);
    const std::uint64_t credit =
        held * rules.credit_permille * incoming * 1000 / (incoming * 1000 + (active - least) * rules.decay_permille);
    const std::uint64_t wanted = (active + incoming) * 1000;
    const std::uint64_t prefill = (wanted - std::min(wanted, credit)) * rules.overlap_permille / 1000;
    const std::uint64_t decode = (blocks_of(view.decode_tokens) + view.blocks_in_flight) * 1000;
    scores[i] = static_cast<std::int64_t>(prefill + decode + view.requests() * rules.request_blocks_permille);
    best = std::min(best, scores[i]);
  }
  std::uint32_t ties = 0;
  for (const std::int64_t score : scores) ties += score == best ? 1 : 0;
  std::uint32_t skip = ties == 1 ? 0 : PlacementDraw(question.request.key, question.state.draws).below(ties);
  for (std::size_t i = 0; i < question.views.size(); ++i) {
    if (scores[i] == best && skip-- == 0) return {i, PlacementReason::least_cost};
  }
  return {lowest(question.views, scores), PlacementReason::least_cost};
}

}  // namespace spillway::sched
