#pragma once

#include <optional>
#include <string_view>

#include "core/ladder.h"

namespace spillway::config {

/// A rung of a tenant's ladder: "shorter:TOKENS" (1 to 1,048,576), "model:NAME", "defer:TIME" (1 ms to 10 min). Nothing when it is none
/// of these. Whether the model exists is for check.h.
std::optional<core::Rung> parse_rung(std::string_view text);

}  // namespace spillway::config
