#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/result.h"
#include "sim/cost_model.h"

namespace spillway::sim {

inline constexpr std::int64_t layers_max = 1024;

/// A folder of measured times: attention.csv (prefill_chunk, kv_prefill, n_decode, kv_decode, time_us), dense.csv (layer, tokens,
/// time_us), per_sequence.csv (layer, sequences, time_us), meta.yaml. Times are microseconds of one layer on one device.
///
/// A dense.csv whose one layer is `step` has the dense work of whole steps (`spillway profile` writes it so).
/// Of meta.yaml are read `model`, `tp_degrees`, `skew_fit` and, where they are there, `layers` and `step_overhead_us`;
/// `engine_effective` and its `hf_overrides` describe the profiler's own engine and say nothing of the one that serves.
struct Profile {
  std::string model;
  CostModel costs;
};

/// `layers`: of the served model; without it meta.yaml says them, or the model's name.
/// Errors  a file missing or malformed, an op missing or unknown, a model of unknown depth: file:line, what is wrong, what is wanted.
core::Result<Profile> read_profile(const std::string& folder, std::optional<std::int64_t> layers);

}  // namespace spillway::sim
