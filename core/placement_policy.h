#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace spillway::core {

/// How a router chooses the replica of a stream (sched/placement.h has the rules). The names of the cluster file and of
/// `spillway sim run --policy` are those of to_string.
enum class PlacementPolicy : std::uint8_t {
  additive = 0,        ///< least time: miss tokens, work ahead, dispatches in flight, less the progress since the last report
  round_robin = 1,     ///< in turn
  least_requests = 2,  ///< fewest running, queued and dispatched requests
  power_of_two = 3,    ///< the less loaded of two drawn at random
  cache_aware = 4,     ///< as SGLang's gateway: longest match, unless the load is out of balance
  dynamo = 5,          ///< as NVIDIA Dynamo's router: prefill blocks less credit for hits, plus decode blocks
  preble = 6,          ///< as Preble's E2: exploit what is cached, else explore the least loaded
};

std::string_view to_string(PlacementPolicy policy);
/// False when `text` is no policy's name.
bool parse_placement_policy(std::string_view text, PlacementPolicy& policy);
/// All names in the order of the enum.
std::span<const std::string_view> placement_policy_names();

}  // namespace spillway::core
