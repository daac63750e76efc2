#include <algorithm>
#include <utility>

#include "sched/batcher_state.h"

/// Whether the head of the queue may begin.
namespace spillway::sched {

using core::block_tokens;

AdmissionDecision BatcherState::decide_admission(const BatchStream& s, const Match& m) const {
  AdmissionDecision decision{.reason = AdmissionReason::blocks, .need = m.need, .have = ledger.available() - m.cached};
  // Room to grow is kept for it and for those that run; with nobody running there is nothing to wait for.
  const bool alone = running_.empty();
  if (!alone) decision.need += limits.reserve_blocks;
  const auto service_class = std::min<std::size_t>(s.service_class(), classes - 1);
  const bool foresees = limits.admission == AdmissionPolicy::past_future && answers_[service_class].samples() >= answers_min;
  if (!alone && !foresees && limits.admission != AdmissionPolicy::prompt)
    decision.need += std::uint64_t{s.unfinished} * limits.growth_blocks;
  if (decision.have < decision.need) return decision;
  if (!alone && foresees) return forecast(s, m);
  decision.reason = AdmissionReason::admitted;
  return decision;
}

AdmissionDecision BatcherState::forecast(const BatchStream& s, const Match& m) const {
  std::vector<ForecastEntry> entries;
  entries.reserve(admitted_choices_ + s.unfinished);
  std::uint64_t held = 0;
  for (const auto slot : running_) {
    const auto& other = streams_[slot];
    for (const auto& c : other.choices) {
      if (c.over()) continue;
      entries.push_back({.held = held_tokens(c), .remaining = tokens_to_come(other, c)});
      held += entries.back().held;
    }
  }
  // What it finds in the cache nobody holds: it takes those blocks too.
  std::uint32_t own = (m.need + m.cached) * block_tokens;
  for (const auto& c : s.choices) {
    if (c.over()) continue;
    entries.push_back({.held = std::exchange(own, 0), .remaining = tokens_to_come(s, c)});
  }
  AdmissionDecision decision{.reason = AdmissionReason::admitted, .need = predicted_peak(entries), .have = 0};
  decision.need += std::uint64_t{limits.reserve_blocks} * block_tokens;
  // Blocks of frozen streams, exports and imports come back too, but not by this forecast's doing.
  decision.have = std::uint64_t{ledger.available()} * block_tokens + held;
  if (decision.need >= decision.have) decision.reason = AdmissionReason::forecast;
  return decision;
}

std::uint32_t BatcherState::held_tokens(const BatchChoice& c) const {
  std::uint32_t tokens = 0;
  for (std::size_t group = 0; group < groups_.size(); ++group) {
    for (const auto block : c.table_of(group)) {
      if (block == core::no_block) continue;
      const auto sharers = ledger.tables(block);
      tokens += (block_tokens + sharers - 1) / sharers;
    }
  }
  return tokens;
}

std::uint32_t BatcherState::tokens_to_come(const BatchStream& s, const BatchChoice& c) const {
  if (s.prompt_only) return 0;
  const auto service_class = std::min<std::size_t>(s.service_class(), classes - 1);
  return answers_[service_class].remaining(static_cast<std::uint32_t>(c.tokens.size()), s.tokens_max, limits.answer_quantile_permille);
}

}  // namespace spillway::sched
