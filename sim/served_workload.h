#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/result.h"

namespace spillway::sim {

inline constexpr std::int64_t request_tokens_max = 1 << 23;
inline constexpr std::size_t requests_max = 10'000'000;

/// One request of a workload.
struct ServedItem {
  std::uint32_t line = 0;  ///< of the file
  std::uint32_t input_tokens = 0;
  std::uint32_t output_tokens = 0;
  std::vector<std::uint64_t> hash_ids;  ///< of the first full blocks of 16 prompt tokens; equal ids behind equal ids are equal KV
};

struct ServedWorkload {
  std::string path;
  std::vector<ServedItem> items;  ///< in order of the file
};

/// JSON lines with `input_length`, `output_length` (both at least 1) and `hash_ids`, which may be missing: nothing is shared then.
/// Errors  file:line: malformed, a length out of range, more ids than the prompt has full blocks.
core::Result<ServedWorkload> read_served_workload(const std::string& path);

}  // namespace spillway::sim
