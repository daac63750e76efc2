#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/ladder.h"

namespace spillway::sched {

/// A request on its tenant's ladder.
struct LadderStep {
  std::uint32_t rungs = 0;    ///< how many of the ladder are taken
  std::uint32_t changed = 0;  ///< bit i: the i-th of them changes something
  std::uint32_t tokens_max = 0;
  core::ModelId model;
  core::Duration wait{0};  ///< it may be begun so much later
};

/// The request as it was asked, then with ever more rungs of the ladder taken. A rung that changes nothing gives no step: an answer that
/// is short enough already, a model that `available` says no to. `tokens_max` 0 = left open.
std::vector<LadderStep> ladder_steps(std::span<const core::Rung> ladder, std::uint32_t tokens_max, core::ModelId model,
                                     const std::function<bool(core::ModelId)>& available);

/// Words of the rungs that a step changed something by.
std::vector<std::string> rung_words(std::span<const core::Rung> ladder, const LadderStep& step);

/// Rungs that the load of the replicas asks for by itself: none below `from`, then one, and one more for each `step` above it.
std::uint32_t rungs_at(std::size_t rungs, std::uint32_t saturation_permille, std::uint32_t from_permille, std::uint32_t step_permille);

}  // namespace spillway::sched
