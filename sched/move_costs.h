#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/adapter.h"
#include "core/ids.h"
#include "core/request.h"
#include "core/time.h"
#include "sched/step_budget.h"

namespace spillway::sched {

/// When streams are moved off a full replica, and by what it is judged; the keys of [spill] in the cluster file.
struct MoveLimits {
  bool enabled = true;
  core::Duration interval{std::chrono::milliseconds(200)};  ///< between two plans
  std::uint32_t free_low_permille = 50;                     ///< with a queue and less than this free a replica is full
  std::uint32_t free_high_permille = 300;                   ///< what a running stream leaves free where it goes
  core::Duration exhaustion{std::chrono::seconds(2)};       ///< a replica whose blocks last no longer is full
  core::Duration queue_wait{std::chrono::seconds(1)};       ///< and so is one whose prompts take longer than this
  std::uint32_t crowd_permille = 1500;                      ///< and one whose tokens take so much of what they take elsewhere; 0 = none
  core::Duration margin{std::chrono::milliseconds(50)};     ///< a move has to save more than this
  std::uint32_t moves_per_stream_max = 2;                   ///< planned ones; drains and operators may move it more often
  core::Duration cool_down{std::chrono::seconds(5)};        ///< between two planned moves of a stream
  std::uint32_t leaving_max = 4;                            ///< moves at once away from one replica
  std::uint32_t arriving_max = 4;                           ///< moves at once to one replica
  std::uint32_t given_back_max = 16;                        ///< queued requests that leave a replica with one plan
  std::uint32_t horizon_tokens = 128;                       ///< of a stream's answer, whose time is compared
  core::Duration downtime{std::chrono::milliseconds(20)};   ///< of a move, until moves have been measured
  std::uint64_t bytes_per_second = 100'000'000;             ///< of a copy, likewise
  std::uint32_t interference_permille = 100;                ///< part of the time of a copy that it costs others

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("enabled", s.enabled), v("interval", s.interval), v("free_low_permille", s.free_low_permille);
    v("free_high_permille", s.free_high_permille), v("exhaustion", s.exhaustion), v("queue_wait", s.queue_wait),
        v("crowd_permille", s.crowd_permille), v("margin", s.margin);
    v("moves_per_stream_max", s.moves_per_stream_max), v("cool_down", s.cool_down), v("leaving_max", s.leaving_max);
    v("arriving_max", s.arriving_max), v("given_back_max", s.given_back_max), v("horizon_tokens", s.horizon_tokens);
    v("downtime", s.downtime), v("bytes_per_second", s.bytes_per_second), v("interference_permille", s.interference_permille);
  }
};

/// What the planner knows of one replica.
struct MoveReplica {
  core::ReplicaRef replica;
  core::KvId kv_id;
  core::U128 weights_digest;
  std::vector<core::AdapterInfo> adapters;
  std::uint32_t numerics_id = 1;
  std::uint64_t features = 0;
  bool source = false;       ///< up and heard of, not draining (a drain has its own way): its streams may be moved
  bool destination = false;  ///< fit for new work
  bool draining = false;
  bool prefills = true;  ///< requests may be placed there (pools.h)
  bool decodes = true;   ///< and answers be made
  std::uint32_t blocks_total = 0;
  std::uint32_t blocks_free = 0;       ///< as reported
  std::uint32_t blocks_in_flight = 0;  ///< of what was sent there and no report includes yet
  std::uint32_t blocks_leaving = 0;    ///< of streams on their way from there, by this router's moves
  std::uint32_t blocks_head = 0;
  std::uint32_t blocks_queued = 0;
  std::uint32_t blocks_released = 0;  ///< in ten seconds
  std::uint32_t streams = 0;          ///< running
  std::uint32_t queued = 0;
  std::uint32_t owned = 0;         ///< streams of this router there
  std::uint64_t ahead_tokens = 0;  ///< prompt tokens to be computed there
  std::uint64_t decode_tokens = 0;
  std::uint32_t tokens_per_second = 0;
  std::uint64_t page_bytes = 0;
  std::uint32_t groups = 1;          ///< KV groups; 16 tokens fill a block in each
  std::uint32_t growing_groups = 1;  ///< of them, those that keep it
  std::uint32_t leaving = 0;         ///< moves under way from there: this router's, or as many as it reports
  std::uint32_t arriving = 0;        ///< to there, likewise
  bool exports = false;              ///< its report tells of streams that leave it
  bool imports = false;              ///< of streams that arrive
  StepCosts step;

  std::uint32_t free() const { return blocks_free > blocks_in_flight ? blocks_free - blocks_in_flight : 0; }
  /// Free blocks once those that leave have left.
  std::uint64_t free_soon() const { return std::uint64_t{free()} + blocks_leaving; }
};

/// A stream of this router at a replica that is too full.
struct MoveStream {
  core::StreamKey key;
  bool begun = false;  ///< it has a token of its present life; else it may still wait in the queue there
  core::ServiceClass service_class = core::ServiceClass::interactive;
  std::uint64_t arrival = 0;
  std::uint64_t tokens = 0;         ///< prompt and answers so far
  std::uint32_t blocks = 0;         ///< of these
  std::uint64_t output_tokens = 0;  ///< still allowed
  std::uint64_t required = 0;       ///< features
  core::U128 weights_digest;        ///< under its adapter
  std::string adapter;
  std::uint32_t numerics_id = 1;
  std::uint32_t moves = 0;              ///< planned so far
  core::Instant again_at{};             ///< not moved before
  std::vector<core::ReplicaRef> avoid;  ///< refused it of late
};

/// What moves were measured to cost.
struct MoveCosts {
  core::Duration downtime{0};
  std::uint64_t bytes_per_second = 1;
};

/// Freeness by Llumnix's rule, in decode steps: (free tokens - demand of the head of the queue) / running streams; the lowest number
/// there is while the replica drains, whose virtual use is infinite.
std::int64_t freeness(const MoveReplica& replica);
/// KV tokens that its running streams add in a second: as measured, or as its step time predicts, whichever is more.
std::uint64_t growth(const MoveReplica& replica);
/// Time until its free blocks are used up at that pace (t_x); core::Duration::max() where nothing grows.
core::Duration time_to_exhaustion(const MoveReplica& replica);
/// Time until `blocks` more blocks are free than now, at the pace of those released of late; at most release_wait_max.
core::Duration release_wait(const MoveReplica& replica, std::uint64_t blocks);
inline constexpr core::Duration release_wait_max = std::chrono::seconds(10);

/// Time of the next `steps` tokens of one of `streams` streams whose contexts add up to `tokens`, behind the prompts that are computed
/// meanwhile.
core::Duration decode_delay(const MoveReplica& replica, std::uint64_t steps, std::uint64_t streams, std::uint64_t tokens);
/// Time of one token of each of its streams if `streams` of those that run there were left, their contexts as long as they are now on
/// average; at most 2^40 ns. 0 where the costs are not known.
core::Duration token_time(const MoveReplica& replica, std::uint64_t streams);
/// Time of computing `tokens` prompt tokens in steps of `step_tokens` rows shared with the decodes there.
core::Duration prompt_delay(const MoveReplica& replica, std::uint64_t tokens, std::uint32_t step_tokens);
/// T_0: time of copying `blocks` pages.
core::Duration copy_time(const MoveReplica& source, std::uint64_t blocks, const MoveCosts& costs);

}  // namespace spillway::sched
