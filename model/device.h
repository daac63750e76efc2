#pragma once

#include <cstdint>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/result.h"
#include "core/step.h"

namespace spillway::model {

/// One loaded model on one device: executes the steps that a batcher plans and holds the pages that the batcher's ledger counts.
/// Called by one thread at a time.
class Device {
 public:
  virtual ~Device() = default;

  virtual const core::ReplicaInfo& info() const = 0;

  /// Executes opens, copies, items, closes, in this order. What is sampled is a function of (request, tokens, pages) alone.
  /// Errors (bad_argument): a plan that names an unknown sequence, block or token, or has more rows than the device takes; the
  /// message names it. Nothing of such a plan is executed.
  virtual core::Result<core::StepResult> execute(const core::StepPlan& plan) = 0;

  /// True when the caller must hold a result back until StepResult::elapsed has passed since it called (nothing sleeps in
  /// here, so a paced device works under a virtual clock).
  virtual bool paced() const { return false; }

  /// Copies rows [first_row, first_row + rows) of a block out of or into the pool, in the canonical layout of core/page.h with
  /// `rows` rows: rows * info().row_bytes bytes. Rows and block within bounds, size exact: SPILLWAY_ASSERT.
  virtual void read_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::MutableBytes out) = 0;
  virtual void write_rows(core::BlockId block, std::uint32_t first_row, std::uint32_t rows, core::Bytes in) = 0;
};

}  // namespace spillway::model
