#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "core/ids.h"

namespace spillway::sched {

/// What placement knows of one replica.
struct PlacementView {
  core::ReplicaRef replica;
  bool eligible = true;                ///< up, trusted, fresh, ready, not draining, serves the request and did not just refuse it
  std::uint32_t blocks_free = 0;       ///< as reported
  std::uint32_t blocks_in_flight = 0;  ///< of Runs sent there that no report includes yet
  std::uint64_t prefill_tokens = 0;    ///< as reported: uncomputed prompt tokens
  std::uint64_t tokens_in_flight = 0;  ///< of Runs sent there that no report includes yet
  std::uint32_t streams = 0;           ///< running
  std::uint64_t decode_tokens = 0;     ///< sum of the contexts of its running streams
  std::uint64_t cached_tokens = 0;     ///< of this request, by announced names
};

struct PlacementRequest {
  std::uint64_t tokens = 0;  ///< prompt and tokens so far, to be computed or found cached
  std::uint32_t blocks = 0;  ///< for these tokens
  std::uint32_t prefix_weight_permille = 1000;
};

/// Cost of running the request there, in tokens: what must be computed first (its own uncached tokens and those ahead of it), and
/// a share for the streams it will decode among (16 each, and a 32nd of their contexts, which every step reads).
std::uint64_t placement_cost(const PlacementView& view, const PlacementRequest& request);

/// Index of the cheapest eligible view with room; ties to the lowest replica. Nothing when there is none.
std::optional<std::size_t> place(std::span<const PlacementView> views, const PlacementRequest& request);

}  // namespace spillway::sched
