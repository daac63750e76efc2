#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "sched/move_costs.h"
#include "sched/placement.h"

/// Prefill nodes and decode nodes as a policy: a long prompt is computed where only prompts are, and its stream moves on with the first
/// token. Without such nodes everything is as if this file were not there.
namespace spillway::sched {

/// How the node of an answer is chosen.
enum class DecodeChoice : std::uint8_t {
  least_tpot = 0,  ///< where a token takes least time
  pack = 1,        ///< where it takes most and still less than the class is promised: others stay free. Else least_tpot
};
std::string_view to_string(DecodeChoice choice);

struct PoolRules {
  std::vector<core::NodeId> prefill;      ///< in order: nodes that only compute prompts
  std::vector<core::NodeId> decode;       ///< in order: nodes that only make answers (and compute short prompts)
  std::uint32_t prompt_tokens_min = 512;  ///< with so many tokens that no decode node holds, a prompt goes to a prefill node
  DecodeChoice decode_choice = DecodeChoice::least_tpot;
  std::uint32_t tpot_permille = 850;     ///< of the promised time per token that pack fills
  std::array<core::Duration, 3> tpot{};  ///< promised, by class; 0 = none

  bool active() const { return !prefill.empty() || !decode.empty(); }
  /// A node in neither list does both.
  bool prefills(core::NodeId node) const;
  bool decodes(core::NodeId node) const;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("prefill", s.prefill), v("decode", s.decode), v("prompt_tokens_min", s.prompt_tokens_min), v("decode_choice", s.decode_choice);
    v("tpot_permille", s.tpot_permille), v("tpot", s.tpot);
  }
};

/// Leaves the views of the pool that the request belongs to: prefill nodes when at least `prompt_tokens_min` of its tokens are cached at
/// no usable decode node, decode nodes otherwise. False when no view of that pool is usable:
/// then all are left.
bool narrow_to_pool(std::vector<PlacementView>& views, const PlacementRequest& request, const PoolRules& rules);

/// Predicted time per token of the stream there, which adds `tokens` of context to the batch.
core::Duration predicted_tpot(const MoveReplica& replica, std::uint64_t tokens);
/// Index of the replica for an answer of this class whose context has `tokens`; all that are given could take it. Ties go to the lowest
/// replica. Nothing when none is given.
std::optional<std::size_t> pick_decode(std::span<const MoveReplica> replicas, std::uint64_t tokens, core::ServiceClass service_class,
                                       const PoolRules& rules);

}  // namespace spillway::sched
