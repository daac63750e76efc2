#include "sched/pools.h"

#include <algorithm>

namespace spillway::sched {

std::string_view to_string(DecodeChoice choice) {
  switch (choice) {
    case DecodeChoice::least_tpot: return "least_tpot";
    case DecodeChoice::pack: return "pack";
  }
  return "unknown";
}

bool PoolRules::prefills(core::NodeId node) const {
  return !std::binary_search(decode.begin(), decode.end(), node);
}

bool PoolRules::decodes(core::NodeId node) const {
  return !std::binary_search(prefill.begin(), prefill.end(), node);
}

bool narrow_to_pool(std::vector<PlacementView>& views, const PlacementRequest& request, const PoolRules& rules) {
  std::uint64_t cached = 0;
  for (const PlacementView& view : views) {
    if (rules.decodes(view.replica.node) && usable(view, request)) cached = std::max(cached, view.cached_tokens);
  }
  const bool prefill = request.tokens - std::min(cached, request.tokens) >= rules.prompt_tokens_min;
  // A decode node counts for prompts of any length, a prefill node for long ones alone; one of both pools for all.
  const auto belongs = [&](const PlacementView& view) {
    return prefill ? rules.prefills(view.replica.node) : rules.decodes(view.replica.node);
  };
  if (std::none_of(views.begin(), views.end(), [&](const PlacementView& view) { return belongs(view) && usable(view, request); }))
    return false;
  std::erase_if(views, [&](const PlacementView& view) { return !belongs(view); });
  return true;
}

core::Duration predicted_tpot(const MoveReplica& replica, std::uint64_t tokens) {
  return step_time(replica.step, std::uint64_t{replica.streams} + 1, replica.decode_tokens + tokens);
}

std::optional<std::size_t> pick_decode(std::span<const MoveReplica> replicas, std::uint64_t tokens, core::ServiceClass service_class,
                                       const PoolRules& rules) {
  const core::Duration promised = rules.tpot[std::min<std::size_t>(static_cast<std::size_t>(service_class), rules.tpot.size() - 1)];
  const core::Duration most = rules.decode_choice == DecodeChoice::pack ? promised * rules.tpot_permille / 1000 : core::Duration{0};
  std::optional<std::size_t> least;
  std::optional<std::size_t> packed;
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    const core::Duration tpot = predicted_tpot(replicas[i], tokens);
    const auto beats = [&](const std::optional<std::size_t>& best, bool more) {
      if (!best) return true;
      const core::Duration other = predicted_tpot(replicas[*best], tokens);
      if (tpot == other) return replicas[i].replica < replicas[*best].replica;
      return more ? tpot > other : tpot < other;
    };
    if (beats(least, false)) least = i;
    if (tpot < most && beats(packed, true)) packed = i;
  }
  return packed ? packed : least;
}

}  // namespace spillway::sched
