#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/placement_policy.h"
#include "core/time.h"
#include "sched/predicted_time.h"

namespace spillway::sched {

/// What placement knows of one replica.
struct PlacementView {
  core::ReplicaRef replica;
  bool eligible = true;                ///< up, trusted, fresh, ready, not draining, serves the request and did not just refuse it
  std::uint32_t blocks_total = 0;      ///< 0 = not told
  std::uint32_t blocks_used = 0;       ///< pinned by streams, as reported
  std::uint32_t blocks_free = 0;       ///< as reported: free or evictable at once
  std::uint32_t blocks_in_flight = 0;  ///< of Runs sent there that no report includes yet
  std::uint64_t prefill_tokens = 0;    ///< as reported: uncomputed prompt tokens
  std::uint64_t tokens_in_flight = 0;  ///< of Runs sent there that no report includes yet
  std::uint64_t progress_tokens = 0;   ///< of these two: computed since the report, by the replica's own pace
  std::uint32_t streams = 0;           ///< running
  std::uint32_t queued = 0;            ///< accepted, not running
  std::uint32_t dispatches = 0;        ///< Runs sent there that no report includes yet
  std::uint64_t decode_tokens = 0;     ///< sum of the contexts of its running streams
  std::uint64_t cached_tokens = 0;     ///< of this request, by announced names
  std::uint64_t names = 0;             ///< block names it announced
  StepCoefficients step;

  /// Requests that are there or on the way.
  std::uint64_t requests() const { return std::uint64_t{streams} + queued + dispatches; }
  /// Prompt tokens that are computed before those of a new request.
  std::uint64_t ahead() const { return prefill_tokens + tokens_in_flight - std::min(progress_tokens, prefill_tokens + tokens_in_flight); }
};

struct PlacementRequest {
  std::uint64_t tokens = 0;         ///< prompt and tokens so far, to be computed or found cached
  std::uint32_t blocks = 0;         ///< for these tokens
  std::uint64_t output_tokens = 0;  ///< still allowed, all choices together
  core::StreamKey key{};            ///< seeds the draws
  core::ModelId model{};
  core::Instant now{};
};

/// The policy and what tunes it; the keys of [placement] in the cluster file.
struct PlacementRules {
  core::PlacementPolicy policy = core::PlacementPolicy::additive;
  std::uint32_t sample_above = 64;  ///< with more replicas of a model than this, only a sample is looked at
  std::uint32_t sample = 8;         ///< replicas drawn at random, beside those known to hold the prefix; at most sample_max
  std::uint32_t step_tokens = 512;  ///< rows of one step of a replica (limits.step_tokens_max)
  // additive
  std::uint32_t prefix_weight_permille = 1000;  ///< worth of a cached token against an uncached one
  std::uint32_t decode_steps = 16;              ///< decode steps whose time is part of the cost
  // cache_aware
  std::uint32_t imbalance_requests = 32;
  std::uint32_t imbalance_permille = 1100;
  std::uint32_t match_permille = 500;
  std::uint32_t kv_spread_permille = 1000;  ///< 1000 = off
  std::uint32_t kv_use_permille = 1000;     ///< 1000 = off
  // dynamo
  std::uint32_t overlap_permille = 1000;      ///< s: weight of prefill blocks against decode blocks
  std::uint32_t credit_permille = 1000;       ///< c: worth of a block that the device holds
  std::uint32_t decay_permille = 0;           ///< how fast credit fades with the excess of prefill there
  std::uint32_t request_blocks_permille = 0;  ///< q: blocks that an active request counts as
  // preble
  core::Duration window{std::chrono::minutes(3)};
  std::uint32_t rebalance_permille = 1500;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("policy", s.policy), v("sample_above", s.sample_above), v("sample", s.sample), v("step_tokens", s.step_tokens),
        v("prefix_weight_permille", s.prefix_weight_permille), v("decode_steps", s.decode_steps),
        v("imbalance_requests", s.imbalance_requests), v("imbalance_permille", s.imbalance_permille), v("match_permille", s.match_permille),
        v("kv_spread_permille", s.kv_spread_permille), v("kv_use_permille", s.kv_use_permille), v("overlap_permille", s.overlap_permille),
        v("credit_permille", s.credit_permille), v("decay_permille", s.decay_permille),
        v("request_blocks_permille", s.request_blocks_permille), v("window", s.window), v("rebalance_permille", s.rebalance_permille);
  }
};

/// Why a replica was chosen.
enum class PlacementReason : std::uint8_t {
  least_cost = 0,       ///< additive, dynamo
  in_turn = 1,          ///< round_robin
  fewest_requests = 2,  ///< least_requests
  less_of_two = 3,      ///< power_of_two
  shortest_queue = 4,   ///< cache_aware, load out of balance
  longest_match = 5,    ///< cache_aware
  smallest_tree = 6,    ///< cache_aware, nothing matches
  exploited = 7,        ///< preble: more is cached there than new
  explored = 8,         ///< preble: the least loaded
  rebalanced = 9,       ///< preble: it is cached elsewhere, where the load is too high
};
std::string_view to_string(PlacementReason reason);

/// Score of one replica: lower is better; worst_score = not compared.
struct PlacementScore {
  core::ReplicaRef replica;
  bool usable = false;  ///< eligible and with room; others are never chosen
  std::int64_t score = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("replica", s.replica), v("usable", s.usable), v("score", s.score);
  }
};
inline constexpr std::int64_t worst_score = INT64_MAX;

/// Explains one placement.
struct PlacementDecision {
  core::ReplicaRef replica;
  core::PlacementPolicy policy = core::PlacementPolicy::additive;
  PlacementReason reason = PlacementReason::least_cost;
  std::vector<PlacementScore> scores;  ///< of every replica looked at; units are the policy's (additive: nanoseconds)

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("replica", s.replica), v("policy", s.policy), v("reason", s.reason), v("scores", s.scores);
  }
};

/// What was sent to a replica of late, for preble: six buckets of a sixth of the window each.
struct PlacementHistory {
  static constexpr std::size_t buckets = 6;
  std::uint64_t hit_tokens[buckets] = {};
  std::uint64_t miss_tokens[buckets] = {};
  std::uint64_t stamps[buckets] = {};  ///< number of the sixth that the bucket stands for, plus one; 0 = none
};

/// All that policies remember, owned by the router. Nothing else of a policy outlives a call.
struct PlacementState {
  std::uint64_t draws = 0;                                 ///< placements so far: counter of the random numbers
  std::map<core::ModelId, core::ReplicaRef> turns;         ///< round_robin: the replica chosen last
  std::map<core::ReplicaRef, PlacementHistory> histories;  ///< preble
};

struct PlacementPick {
  std::size_t index = 0;
  PlacementReason reason = PlacementReason::least_cost;
};

/// What a policy is asked: `views` holds only replicas that may take the request, and at least one.
struct PlacementQuestion {
  std::span<const PlacementView> views;
  const PlacementRequest& request;
  const PlacementRules& rules;
  const PlacementState& state;
};

// The policies, one file each. Each fills scores[i] for views[i] and picks one with the lowest score; ties go to the lowest replica
// (dynamo: to one drawn at random).
PlacementPick pick_additive(const PlacementQuestion& question, std::span<std::int64_t> scores);
PlacementPick pick_round_robin(const PlacementQuestion& question, std::span<std::int64_t> scores);
PlacementPick pick_least_requests(const PlacementQuestion& question, std::span<std::int64_t> scores);
PlacementPick pick_power_of_two(const PlacementQuestion& question, std::span<std::int64_t> scores);
PlacementPick pick_cache_aware(const PlacementQuestion& question, std::span<std::int64_t> scores);
PlacementPick pick_dynamo(const PlacementQuestion& question, std::span<std::int64_t> scores);
PlacementPick pick_preble(const PlacementQuestion& question, std::span<std::int64_t> scores);

/// Index of the lowest score; ties to the lowest replica. There is at least one view.
std::size_t lowest(std::span<const PlacementView> views, std::span<const std::int64_t> scores);

/// Cost of running the request there: the time until its first token (its own uncached tokens behind those ahead of it, in steps
/// shared with the decodes of the others) and that of `decode_steps` steps among them, where a stream counts as a 16th of a step at least.
/// By Llumnix 2's rule, in time instead of tokens so that unlike replicas compare. `unknown` stands in where the replica has not learnt its
/// own coefficients.
core::Duration additive_cost(const PlacementView& view, const PlacementRequest& request, const PlacementRules& rules,
                             const StepCoefficients& unknown);
/// Mean of the coefficients that are known among the views; 0 and 1 us (a cost in tokens) where none is.
StepCoefficients mean_coefficients(std::span<const PlacementView> views);

/// May the replica take the request: eligible, and room for its blocks beside those on the way.
bool usable(const PlacementView& view, const PlacementRequest& request);

/// The policy's choice. Moves the usable views to the front (`usable_count` of them); scores[i] belongs to views[i] afterwards and
/// is worst_score behind them. Nothing when none is usable. `scores` is as long as `views`.
std::optional<PlacementPick> choose(std::span<PlacementView> views, const PlacementRequest& request, const PlacementRules& rules,
                                    const PlacementState& state, std::span<std::int64_t> scores, std::size_t& usable_count);
/// The request goes to `view`: what the policy of `rules` has to remember.
void remember(PlacementState& state, const PlacementView& view, const PlacementRequest& request, const PlacementRules& rules);

/// Index of the view that is usable at the least additive cost, whatever the policy; for moves.
std::optional<std::size_t> place(std::span<const PlacementView> views, const PlacementRequest& request, const PlacementRules& rules = {});

}  // namespace spillway::sched
