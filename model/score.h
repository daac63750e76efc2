#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/request.h"
#include "core/result.h"
#include "model/cpu_device.h"

namespace spillway::model {

struct ScoreCase {
  std::vector<core::TokenId> prompt;  ///< not empty
  std::vector<core::TokenId> tokens;  ///< the answer to judge, perhaps empty
};

/// Feeds the prompt and the given tokens and reports, for each given token, its log-probability and the `top` best at its place:
/// what a greedy run that drew these tokens reports, bit for bit. finish and is_end are not set.
/// Uses blocks 0, 1, ... of the device's pool, so the device must hold nothing else.
/// Errors: bad_argument (an empty prompt, a token outside the vocabulary, more tokens than context or pool), naming it.
core::Result<std::vector<core::TokenOut>> score(CpuDevice& device, const ScoreCase& given, std::uint32_t top);

}  // namespace spillway::model
