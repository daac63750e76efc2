#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/result.h"

namespace spillway::sim {

/// How the engine of a real run was set up, as a batcher needs it.
struct EngineSettings {
  std::uint32_t kv_blocks = 0;  ///< of 16 tokens
  std::uint32_t sequences_max = 256;
  std::uint32_t step_tokens_max = 2048;
  bool prefix_cache = true;
};

/// What the command line says; it outranks the file.
struct EngineFlags {
  std::optional<std::uint32_t> kv_blocks;
  std::optional<std::uint32_t> sequences_max;
  std::optional<std::uint32_t> step_tokens_max;
  bool no_prefix_cache = false;
};

inline constexpr std::int64_t kv_blocks_max = 1 << 26;
inline constexpr std::int64_t sequences_limit = 1 << 20;
inline constexpr std::int64_t step_tokens_limit = 1 << 22;

/// Reads FOLDER/vllm-meta.json (the configuration that vLLM resolved: kv_cache, resolved_config, engine_kwargs), which may be absent.
/// Errors  malformed, a value of another type or out of range, blocks of other than 16 tokens, more than one device; no number of KV
///         blocks in the file nor by flag.
core::Result<EngineSettings> read_engine_settings(const std::string& folder, const EngineFlags& flags);

}  // namespace spillway::sim
