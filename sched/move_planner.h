#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "sched/move_costs.h"

namespace spillway::sched {

/// How a stream gets to its new replica.
enum class MoveRoad : std::uint8_t {
  place = 0,      ///< it has not begun: given back by the one, placed at the other
  move = 1,       ///< its blocks are carried while it goes on
  recompute = 2,  ///< it is ended here and Run there with its tokens: cheaper than to carry what is soon computed
};
std::string_view to_string(MoveRoad road);

/// Why it may not stay.
enum class MoveReason : std::uint8_t {
  queue = 0,       ///< it waits, and would begin earlier elsewhere
  exhaustion = 1,  ///< the blocks there do not last: somebody would be preempted
  head = 2,        ///< the head of the queue waits for its blocks
  full = 3,        ///< there is a queue and hardly a block free
  prefilled = 4,   ///< its prompt is computed, and answers are made elsewhere (pools.h)
  crowded = 5,     ///< tokens take much longer there than elsewhere
};
std::string_view to_string(MoveReason reason);

/// What a destination would have saved.
struct MoveScore {
  core::ReplicaRef replica;
  core::Duration gain{0};

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("replica", s.replica), v("gain", s.gain);
  }
};

/// Explains one move. gain = at_source - at_destination - downtime - interference.
struct MoveDecision {
  core::ReplicaRef source;
  core::ReplicaRef destination;
  MoveRoad road = MoveRoad::move;
  MoveReason reason = MoveReason::queue;
  core::Duration at_source{0};       ///< expected delay where it is, that of those who wait for its blocks with it
  core::Duration at_destination{0};  ///< expected delay there
  core::Duration downtime{0};        ///< of the stream: of the move, or of computing its tokens again
  core::Duration interference{0};    ///< of its neighbours
  core::Duration gain{0};
  std::int64_t freeness_source = 0;  ///< in decode steps, before the move
  std::int64_t freeness_destination = 0;
  std::vector<MoveScore> scores;  ///< of every destination that could have been taken

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("source", s.source), v("destination", s.destination), v("road", s.road), v("reason", s.reason), v("at_source", s.at_source);
    v("at_destination", s.at_destination), v("downtime", s.downtime), v("interference", s.interference), v("gain", s.gain);
    v("freeness_source", s.freeness_source), v("freeness_destination", s.freeness_destination), v("scores", s.scores);
  }
};

struct PlannedMove {
  core::StreamKey key;
  MoveDecision decision;
};

/// One model as its router sees it: all replicas, and the router's streams at those that are pressed.
struct MoveView {
  std::vector<MoveReplica> replicas;                                     ///< by ref
  std::map<core::ReplicaRef, std::vector<MoveStream>> streams;           ///< by where they are; those that may be moved
  std::map<std::pair<core::NodeId, core::NodeId>, std::uint32_t> links;  ///< this router's moves under way
  MoveCosts costs;
  std::function<std::uint64_t(const core::StreamKey&, core::ReplicaRef)> cached;  ///< tokens of a stream that a replica holds; may be empty
  std::uint32_t step_tokens = 512;
  std::uint32_t moves_per_link_max = 16;
  core::Instant now{};
};

/// What outlives a plan.
using PressedReplicas = std::set<core::ReplicaRef>;

/// Is the replica too full? It is from the moment its blocks last less than `exhaustion`, or somebody waits although little is free,
/// the head of the queue has not its blocks, or the prompts take longer than `queue_wait`; until nobody waits and its blocks last twice
/// as long, or `free_high` is free (hysteresis: `was`). Nothing is sent to a pressed replica.
bool pressed(const MoveReplica& replica, const MoveLimits& limits, std::uint32_t step_tokens, bool was);

/// How long a token takes at the replicas of a model, on average.
class Pace {
 public:
  /// Counts replicas that are fit for new work and have told their costs.
  void add(const MoveReplica& replica);
  /// Mean of the others, as if one more stream ran there; 0 when there are none.
  core::Duration elsewhere(const MoveReplica& replica) const;

 private:
  core::Duration sum_{0};
  std::int64_t count_ = 0;
};

/// Do too many streams share the steps of the replica? They do from the moment a token takes `crowd` of what it takes elsewhere, until
/// half of that excess is left (hysteresis: `was`). `leaving`: streams that have left by then.
bool crowded(const MoveReplica& replica, core::Duration elsewhere, const MoveLimits& limits, bool was, std::uint64_t leaving = 0);

/// Plans moves off pressed replicas; pure. Fills replicas whose costs are not known with the mean of the others, updates `pressed`, and
/// takes its own moves into account as it goes: the view is used up.
///
/// Rules, after Llumnix (freeness, pairs, first waiting, shortest running) with a gain test of our own.
///  1. Sources are pressed or crowded replicas, the least free first. Destinations are neither, and nobody queues there. A running stream
///     leaves `free_high` of their blocks free, and they are freer afterwards than the source is now; a request that has not begun
///     leaves `free_low` free.
///  2. Requests that have not begun go first, the most urgent first; then running streams, one at a time, the one that gains most of
///     the shortest (16), until as many blocks leave as are lacking, and as many streams as crowd it, of which this router takes the part
///     of its own streams.
///  3. Gain test, in time by each replica's own coefficients: expected delay at the source - at the destination - downtime -
///     interference > margin. The delay at the source of a running stream holds what its blocks save others: a preemption, when they
///     run out, and the wait of the head of the queue. The time of the next `horizon_tokens` tokens is compared.
///  4. A running stream is carried only if T_0 + downtime < computing its tokens there + wait; else it is run there anew.
///  5. A stream is moved `moves_per_stream_max` times at most, `cool_down` apart. A move takes a place on its link and at both ends,
///     where the moves of others count too.
///  6. Never from a to b while something moves from b to a. Of its own moves a router knows that. Those of other routers show in the
///     reports: a replica that streams are leaving takes none, and one where streams are arriving sends none away. Two routers that
///     plan opposite moves within one report interval are not kept from it by this rule, but by rule 1: both judge by the same
///     reports, by which one replica alone is the freer.
std::vector<PlannedMove> plan_moves(MoveView& view, const MoveLimits& limits, PressedReplicas& pressed);

/// A running stream that its batcher holds because all blocks are in use: where it is moved to, if that costs less than computing its
/// tokens again, which takes `again` where it is. Destinations and caps are those of the rules above; the cheapest copy wins, of equals the
/// freest.
std::optional<PlannedMove> plan_held(MoveView& view, const MoveLimits& limits, PressedReplicas& pressed, const MoveStream& stream,
                                     core::ReplicaRef source, core::Duration again);

/// May the replica take the stream over, as to features, weights and what it refused of late?
bool runs_there(const MoveStream& stream, const MoveReplica& replica);
/// The mean of the costs that are known, for replicas that have not told theirs.
void fill_costs(std::vector<MoveReplica>& replicas);

}  // namespace spillway::sched
