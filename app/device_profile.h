#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "model/device.h"

namespace spillway::app {

/// What is measured: every combination that the device's rows, context and pool allow.
struct ProfileGrid {
  std::vector<std::uint32_t> rows;       ///< of a step, for the work that does not depend on context
  std::vector<std::uint32_t> decodes;    ///< streams of one row each
  std::vector<std::uint32_t> contexts;   ///< tokens, the stream's own row included
  std::vector<std::uint32_t> chunks;     ///< rows of one prompt
  std::vector<std::uint32_t> histories;  ///< tokens before the chunk
  std::uint32_t rounds = 3;              ///< of each point the median counts

  /// Powers of two up to the limits; context_max as told, or less where the pool is small.
  static ProfileGrid up_to(std::uint32_t rows_max, std::uint32_t decodes_max, std::uint32_t context_max);
};

/// One attention point; see sim/profile.h for the columns.
struct AttentionTime {
  std::uint32_t chunk = 0, history = 0, decodes = 0, context = 0;
  double time_us = 0;
};

struct RowTime {
  std::uint32_t count = 0;
  double time_us = 0;
};

/// Times of whole steps of one device, taken apart:
///   dense(rows)          a step of short prompts of 16 tokens, no token drawn
///   head(sequences)      a step of that many decodes with one token of context, less dense
///   attention(shape)     a step of that shape, less dense and head; never below 0
struct DeviceTimes {
  std::vector<RowTime> dense;
  std::vector<RowTime> head;
  std::vector<AttentionTime> attention;
};

/// Called after each point with those done and those to do; false stops.
using ProfileProgress = std::function<bool(std::size_t done, std::size_t all)>;

/// The device computes on whatever its pages hold. Errors: the device's own; cancelled when `progress` said so.
core::Result<DeviceTimes> measure(model::Device& device, const ProfileGrid& grid, const ProfileProgress& progress);

/// How far the sum of the tables is from steps between their points.
struct ProfileCheck {
  std::size_t steps = 0;
  double mean_percent = 0;  ///< of the absolute differences
  double worst_percent = 0;
};

/// Times steps of mixed shapes that lie between the grid's points, against what a reader of `folder` says. Errors as above.
core::Result<ProfileCheck> check_profile(model::Device& device, const std::string& folder, const ProfileGrid& grid);

/// Writes dense.csv, per_sequence.csv, attention.csv and meta.yaml, each whole or not at all. `folder` is made when it is not there.
/// Errors (io): the file that cannot be written.
core::Result<void> write_profile(const std::string& folder, const DeviceTimes& times, const core::ReplicaInfo& info, unsigned threads);

}  // namespace spillway::app
