#pragma once

#include <array>
#include <string>
#include <vector>

#include "core/result.h"
#include "sim/run_record.h"

namespace spillway::app {

/// Objectives as `vllm bench serve --goodput` takes them: "ttft:500", "tpot:50", "e2e:3000" (milliseconds), of all classes or, as
/// "live.ttft:300", of one. Later ones outrank earlier ones. Errors: bad_argument naming the word and what was expected.
core::Result<std::array<sim::Slo, 3>> parse_objectives(const std::vector<std::string>& words);

}  // namespace spillway::app
