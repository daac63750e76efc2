#pragma once

#include <string>
#include <vector>

#include "core/result.h"
#include "core/time.h"
#include "sim/served_workload.h"

namespace spillway::sim {

/// When a real engine queued a request, gave its first token and its last; since the first request was queued.
struct ServedRequest {
  core::Duration queued{0};
  core::Duration first{0};
  core::Duration last{0};
};

struct Truth {
  std::vector<ServedRequest> requests;  ///< in order of the workload
  std::vector<std::string> doubts;      ///< stamps that no engine would give, "file:line: ..."; they are taken as they are
};

/// JSON lines with `input_toks`, `output_toks`, `queued_ts`, `first_token_ts`, `last_token_ts` (seconds), one for each request of
/// the workload: paired by the number at the end of `request_id` ("bench-7") where these count from 0 without gaps, else by order.
/// Errors  file:line: malformed, another count or other lengths than the workload's.
core::Result<Truth> read_truth(const std::string& path, const ServedWorkload& workload);

}  // namespace spillway::sim
