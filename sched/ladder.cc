#include "sched/ladder.h"

#include <algorithm>

namespace spillway::sched {

std::vector<LadderStep> ladder_steps(std::span<const core::Rung> ladder, std::uint32_t tokens_max, core::ModelId model,
                                     const std::function<bool(core::ModelId)>& available) {
  std::vector<LadderStep> steps;
  LadderStep at;
  at.tokens_max = tokens_max;
  at.model = model;
  steps.push_back(at);
  for (std::uint32_t i = 0; i < ladder.size(); ++i) {
    const core::Rung& rung = ladder[i];
    at.rungs = i + 1;
    bool changes = false;
    switch (rung.kind) {
      case core::Rung::Kind::shorter:
        changes = at.tokens_max == 0 || rung.tokens < at.tokens_max;
        if (changes) at.tokens_max = rung.tokens;
        break;
      case core::Rung::Kind::model:
        changes = rung.model_id != at.model && available(rung.model_id);
        if (changes) at.model = rung.model_id;
        break;
      case core::Rung::Kind::defer:
        changes = rung.wait > core::Duration{0};
        at.wait = rung.wait;
        break;
    }
    if (!changes) continue;
    at.changed |= 1U << i;
    steps.push_back(at);
  }
  return steps;
}

std::vector<std::string> rung_words(std::span<const core::Rung> ladder, const LadderStep& step) {
  std::vector<std::string> words;
  for (std::size_t i = 0; i < ladder.size(); ++i) {
    if ((step.changed >> i & 1U) != 0) words.push_back(ladder[i].text);
  }
  return words;
}

std::uint32_t rungs_at(std::size_t rungs, std::uint32_t saturation_permille, std::uint32_t from_permille, std::uint32_t step_permille) {
  if (rungs == 0 || saturation_permille < from_permille) return 0;
  if (step_permille == 0) return static_cast<std::uint32_t>(rungs);
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(rungs, 1ULL + (saturation_permille - from_permille) / step_permille));
}

}  // namespace spillway::sched
