#include "sched/step_budget.h"

#include <algorithm>

namespace spillway::sched {

core::Duration step_time(const StepCosts& costs, std::uint64_t rows, std::uint64_t attended) {
  return costs.base + costs.row * static_cast<std::int64_t>(rows) + costs.context * static_cast<std::int64_t>(attended) / 1024;
}

std::string_view to_string(BudgetReason reason) {
  switch (reason) {
    case BudgetReason::rows_max: return "rows_max";
    case BudgetReason::tpot: return "tpot";
    case BudgetReason::floor: return "floor";
  }
  return "unknown";
}

StepBudget::StepBudget(const StepCosts& costs, const StepNeeds& needs) : costs_(costs), rows_(needs.rows_max) {
  if (needs.tpot <= core::Duration{0} || !costs.known()) return;
  limited_ = true;
  floor_left_ = std::max(needs.rows_max / 8, 1U);
  time_left_ = needs.tpot - step_time(costs, needs.decodes, needs.decode_attended);
  const std::uint32_t room = needs.rows_max - std::min(needs.decodes, needs.rows_max);
  std::uint64_t prompt = room;
  if (costs.row > core::Duration{0})
    prompt = std::min<std::uint64_t>(room, static_cast<std::uint64_t>(std::max<std::int64_t>(time_left_ / costs.row, 0)));
  if (time_left_ <= core::Duration{0}) prompt = 0;
  if (prompt < room) reason_ = prompt > floor_left_ ? BudgetReason::tpot : BudgetReason::floor;
  rows_ =
      std::min(needs.rows_max, needs.decodes + static_cast<std::uint32_t>(std::max<std::uint64_t>(prompt, std::min(floor_left_, room))));
}

std::uint32_t StepBudget::prompt_rows(std::uint32_t position, std::uint32_t wanted) const {
  if (!limited_) return wanted;
  const auto fits = [&](std::uint32_t rows) {
    return costs_.row * rows + costs_.context * static_cast<std::int64_t>(attended_by(position, rows)) / 1024 <= time_left_;
  };
  std::uint32_t most = 0;  // fits
  std::uint32_t over = wanted + 1;
  while (over - most > 1) {
    const std::uint32_t middle = most + (over - most) / 2;
    (fits(middle) ? most : over) = middle;
  }
  return std::max(most, std::min(wanted, floor_left_));
}

void StepBudget::take(std::uint32_t position, std::uint32_t rows) {
  if (!limited_) return;
  floor_left_ -= std::min(floor_left_, rows);
  time_left_ -= costs_.row * rows + costs_.context * static_cast<std::int64_t>(attended_by(position, rows)) / 1024;
}

}  // namespace spillway::sched
