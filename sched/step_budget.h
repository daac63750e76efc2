#pragma once

#include <cstdint>
#include <string_view>

#include "core/time.h"

namespace spillway::sched {

/// What a step of a replica costs: base + rows x row + attended tokens / 1,024 x context. A row at position p attends to p + 1
/// tokens. Learnt by StepTime.
struct StepCosts {
  core::Duration base{0};
  core::Duration row{0};
  core::Duration context{0};  ///< for each 1,024 tokens attended

  bool known() const { return base + row + context > core::Duration{0}; }
};

/// Time of a step of `rows` rows that attend to `attended` tokens, all rows together.
core::Duration step_time(const StepCosts& costs, std::uint64_t rows, std::uint64_t attended);
/// Tokens that `rows` rows from `position` on attend to.
constexpr std::uint64_t attended_by(std::uint64_t position, std::uint64_t rows) {
  return rows * position + rows * (rows + 1) / 2;
}

/// What the batcher asks about a step whose decodes are assigned.
struct StepNeeds {
  std::uint32_t rows_max = 0;         ///< token budget of a step
  std::uint32_t decodes = 0;          ///< rows that running decodes take
  std::uint64_t decode_attended = 0;  ///< sum of their contexts
  core::Duration tpot{0};             ///< tightest target of the streams that decode; 0 = none has one
};

enum class BudgetReason : std::uint8_t {
  rows_max,  ///< no target, nothing learnt, or the target allows more: the budget of the cluster file
  tpot,      ///< the tightest target of the batch allows no more
  floor,     ///< the target allows less than the share kept for prompts
};
std::string_view to_string(BudgetReason reason);

/// How much of a step prompts may take, so that nobody who decodes waits longer for the next token than its class is promised:
///   T* = max { T : base + row x T + context x attended <= tightest time per output token of the batch }.
/// Decodes are never cut, and prompts always get an eighth of the budget: without it a target that cannot be met, or a slow moment,
/// would stop every prompt. Chunks are cut by their own attention too, so a long prompt's last chunks are shorter than its first.
class StepBudget {
 public:
  StepBudget() = default;
  StepBudget(const StepCosts& costs, const StepNeeds& needs);

  /// Rows of a chunk from `position` on that the step has room for, at most `wanted`.
  std::uint32_t prompt_rows(std::uint32_t position, std::uint32_t wanted) const;
  void take(std::uint32_t position, std::uint32_t rows);

  BudgetReason reason() const { return reason_; }
  /// T*, not above rows_max: decodes and prompts together, the attention of prompts not yet counted.
  std::uint32_t rows() const { return rows_; }

 private:
  StepCosts costs_;
  bool limited_ = false;
  BudgetReason reason_ = BudgetReason::rows_max;
  std::uint32_t rows_ = 0;
  std::uint32_t floor_left_ = 0;
  core::Duration time_left_{0};
};

}  // namespace spillway::sched
