#include "core/placement_policy.h"

namespace spillway::core {

namespace {

constexpr std::string_view names[] = {"additive", "round_robin", "least_requests", "power_of_two", "cache_aware", "dynamo", "preble"};

}  // namespace

std::string_view to_string(PlacementPolicy policy) {
  const auto index = static_cast<std::size_t>(policy);
  return index < std::size(names) ? names[index] : "unknown";
}

bool parse_placement_policy(std::string_view text, PlacementPolicy& policy) {
  for (std::size_t i = 0; i < std::size(names); ++i) {
    if (names[i] != text) continue;
    policy = static_cast<PlacementPolicy>(i);
    return true;
  }
  return false;
}

std::span<const std::string_view> placement_policy_names() {
  return names;
}

}  // namespace spillway::core
