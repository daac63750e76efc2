#include "sched/move_planner.h"

#include <algorithm>
#include <array>
#include <optional>

#include "core/assert.h"
#include "core/step.h"

namespace spillway::sched {

namespace {

using core::block_tokens;
using core::Duration;
constexpr std::size_t destinations_max = 64;  // the freest are compared
constexpr std::size_t victims_max = 16;       // the shortest streams are compared

/// Blocks that are lacking at a pressed replica: for the head of the queue, for the growth of twice `exhaustion`, and what counts as full.
std::uint64_t blocks_lacking(const MoveReplica& r, const MoveLimits& limits) {
  const auto window = static_cast<std::uint64_t>(std::max<std::int64_t>(limits.exhaustion.count() / 1'000'000, 0)) * 2;
  const std::uint64_t grown = growth(r) * window / 1000 / block_tokens * r.growing_groups;
  const std::uint64_t low = std::uint64_t{r.blocks_total} * limits.free_low_permille / 1000;
  const std::uint64_t wanted = (r.queued > 0 ? r.blocks_head : 0) + std::max(grown, low);
  return wanted - std::min(wanted, r.free_soon());
}

bool roomy(const MoveReplica& r, std::uint64_t blocks, std::uint32_t permille) {
  return r.free() >= blocks && (r.free() - blocks) * 1000 >= std::uint64_t{r.blocks_total} * permille;
}

class Planner {
 public:
  Planner(MoveView& view, const MoveLimits& limits, const PressedReplicas& full, const Pace& pace)
      : view_(view), limits_(limits), full_(full), pace_(pace) {}

  std::optional<PlannedMove> held(std::size_t from, const MoveStream& s, Duration again) {
    const MoveReplica& r = view_.replicas[from];
    if (r.imports || r.arriving > 0 || r.leaving >= limits_.leaving_max || !movable(s)) return std::nullopt;
    find_destinations();
    std::optional<PlannedMove> chosen;
    std::vector<MoveScore> scores;
    for (const std::size_t at : destinations_) {
      const MoveReplica& to = view_.replicas[at];
      if (!fits(r, to, s)) continue;
      const std::uint64_t tokens = uncached(s, at);
      again = std::min(again, prompt_delay(to, to.ahead_tokens + tokens, view_.step_tokens));
      if (to.kv_id != r.kv_id) continue;
      MoveDecision d;
      d.source = r.replica;
      d.destination = to.replica;
      d.reason = MoveReason::exhaustion;
      d.downtime = view_.costs.downtime;
      d.interference = copy_time(r, std::min<std::uint64_t>(s.blocks, (tokens + block_tokens - 1) / block_tokens * r.groups), view_.costs);
      d.freeness_source = freeness(r);
      d.freeness_destination = freeness(to);
      const Duration cost = d.downtime + d.interference;  // all wait for its blocks while they are copied
      scores.push_back({to.replica, -cost});
      if (!chosen || cost < chosen->decision.downtime + chosen->decision.interference) chosen = PlannedMove{s.key, std::move(d)};
    }
    if (!chosen) return std::nullopt;
    MoveDecision& d = chosen->decision;
    d.at_source = again;
    settle(d);
    for (MoveScore& score : scores) score.gain += again;
    d.scores = std::move(scores);
    return d.gain > Duration{0} ? std::move(chosen) : std::nullopt;
  }

  std::vector<PlannedMove> run() {
    for (const std::size_t at : sources()) {
      const auto streams = view_.streams.find(view_.replicas[at].replica);
      if (streams == view_.streams.end()) continue;
      find_destinations();
      give_back_queued(at, streams->second);
      move_running(at, streams->second);
    }
    return std::move(planned_);
  }

 private:
  struct Choice {
    std::size_t destination = 0;
    MoveDecision decision;
  };

  /// Pressed replicas with streams of ours, the least free first.
  std::vector<std::size_t> sources() const {
    std::vector<std::size_t> list;
    for (std::size_t i = 0; i < view_.replicas.size(); ++i) {
      const MoveReplica& r = view_.replicas[i];
      if (r.source && !r.imports && r.arriving == 0 && full_.contains(r.replica)) list.push_back(i);
    }
    std::vector<std::int64_t> free(view_.replicas.size());
    for (const std::size_t i : list) free[i] = freeness(view_.replicas[i]);
    std::stable_sort(list.begin(), list.end(), [&](std::size_t a, std::size_t b) { return free[a] < free[b]; });
    return list;
  }

  void find_destinations() {
    destinations_.clear();
    for (std::size_t i = 0; i < view_.replicas.size(); ++i) {
      const MoveReplica& r = view_.replicas[i];
      if (r.destination && r.queued == 0 && r.leaving == 0 && !r.exports && !full_.contains(r.replica)) destinations_.push_back(i);
    }
    std::vector<std::int64_t> free(view_.replicas.size());
    for (const std::size_t i : destinations_) free[i] = freeness(view_.replicas[i]);
    std::stable_sort(destinations_.begin(), destinations_.end(), [&](std::size_t a, std::size_t b) { return free[a] > free[b]; });
    if (destinations_.size() > destinations_max) destinations_.resize(destinations_max);
  }

  bool movable(const MoveStream& s) const { return s.moves < limits_.moves_per_stream_max && view_.now >= s.again_at; }

  /// Rules 1, 5 and 6 for one pair.
  bool fits(const MoveReplica& from, const MoveReplica& to, const MoveStream& s) const {
    if (to.replica.node == from.replica.node || !runs_there(s, to)) return false;
    // Answers are made by decode nodes; a request stays in the pool it was placed in.
    if (s.begun ? !to.decodes : (!from.decodes && !to.prefills) || (!from.prefills && !to.decodes)) return false;
    if (!roomy(to, s.blocks, s.begun ? limits_.free_high_permille : limits_.free_low_permille)) return false;
    if (moving(to.replica.node, from.replica.node) > 0) return false;
    if (!s.begun) return true;  // it may wait for the replica's time alone, of which freeness says nothing
    MoveReplica after = to;
    after.blocks_free -= std::min(after.blocks_free, s.blocks);
    ++after.streams;
    if (freeness(after) <= freeness(from)) return false;
    return to.arriving < limits_.arriving_max && moving(from.replica.node, to.replica.node) < view_.moves_per_link_max;
  }

  std::uint32_t moving(core::NodeId from, core::NodeId to) const {
    const auto link = view_.links.find({from, to});
    return link == view_.links.end() ? 0 : link->second;
  }

  std::uint64_t uncached(const MoveStream& s, std::size_t at) const {
    const std::uint64_t held = view_.cached ? view_.cached(s.key, view_.replicas[at].replica) : 0;
    return s.tokens - std::min(held, s.tokens);
  }

  std::uint64_t horizon(const MoveStream& s) const {
    return std::max<std::uint64_t>(1, std::min<std::uint64_t>(limits_.horizon_tokens, s.output_tokens));
  }

  /// The next tokens of the stream at the destination.
  Duration answer_there(const MoveStream& s, const MoveReplica& to) const {
    return decode_delay(to, horizon(s), to.streams + 1, to.decode_tokens + s.tokens);
  }

  static void settle(MoveDecision& d) { d.gain = d.at_source - d.at_destination - d.downtime - d.interference; }

  /// The destination with the largest gain, if that passes the test; the first of equals is the freest.
  template <class Judge>
  std::optional<Choice> best(std::size_t from, const MoveStream& s, MoveReason reason, const Judge& judge) const {
    std::optional<Choice> chosen;
    std::vector<MoveScore> scores;
    for (const std::size_t at : destinations_) {
      const MoveReplica& to = view_.replicas[at];
      if (!fits(view_.replicas[from], to, s)) continue;
      MoveDecision d;
      d.source = view_.replicas[from].replica;
      d.destination = to.replica;
      d.reason = reason;
      judge(at, d);
      settle(d);
      scores.push_back({to.replica, d.gain});
      if (d.gain <= limits_.margin || (chosen && d.gain <= chosen->decision.gain)) continue;
      chosen = Choice{at, std::move(d)};
    }
    if (!chosen) return std::nullopt;
    chosen->decision.freeness_source = freeness(view_.replicas[from]);
    chosen->decision.freeness_destination = freeness(view_.replicas[chosen->destination]);
    chosen->decision.scores = std::move(scores);
    return chosen;
  }

  /// Requests that have not begun, most urgent first. Of those of ours that have no token yet the first may have begun by now: as many
  /// as are ours beyond the queue. The place of the others in the queue is guessed from their order.
  void give_back_queued(std::size_t from, const std::vector<MoveStream>& streams) {
    std::vector<const MoveStream*> waiting;
    for (const MoveStream& s : streams) {
      if (!s.begun) waiting.push_back(&s);
    }
    const std::uint64_t queued = view_.replicas[from].queued;
    if (waiting.empty() || queued == 0) return;
    std::sort(waiting.begin(), waiting.end(), [](const MoveStream* a, const MoveStream* b) {
      return a->service_class != b->service_class ? a->service_class < b->service_class : a->arrival < b->arrival;
    });
    const std::size_t begun = waiting.size() > queued ? waiting.size() - queued : 0;
    const std::uint64_t ours = waiting.size() - begun;
    std::uint32_t given = 0;
    for (std::uint64_t i = 0; i < ours && given < limits_.given_back_max; ++i) {
      const MoveStream& s = *waiting[begun + i];
      if (!movable(s)) continue;
      const MoveReplica& r = view_.replicas[from];
      // Its place, less those that leave before it.
      const std::uint64_t place = (i + 1 - given) * queued / ours;
      const Duration at_source =
          wait_in_queue(r, s, place, queued) + decode_delay(r, horizon(s), r.streams + 1, r.decode_tokens + s.tokens);
      auto choice = best(from, s, MoveReason::queue, [&](std::size_t at, MoveDecision& d) {
        const MoveReplica& to = view_.replicas[at];
        d.road = MoveRoad::place;
        d.at_source = at_source;
        d.at_destination = prompt_delay(to, to.ahead_tokens + uncached(s, at), view_.step_tokens) + answer_there(s, to);
        d.downtime = view_.costs.downtime;
      });
      if (!choice) continue;
      ++given;
      take(from, s, *choice);
    }
  }

  /// Until the request at this place of the queue has its blocks and its prompt is computed.
  Duration wait_in_queue(const MoveReplica& r, const MoveStream& s, std::uint64_t place, std::uint64_t queued) const {
    const std::uint64_t blocks = std::max<std::uint64_t>(s.blocks, std::uint64_t{r.blocks_queued} * place / queued);
    const std::uint64_t tokens = std::max<std::uint64_t>(uncached(s, index_of(r)), r.ahead_tokens * place / queued);
    return release_wait(r, blocks - std::min(blocks, r.free_soon())) + prompt_delay(r, tokens, view_.step_tokens);
  }
  std::size_t index_of(const MoveReplica& r) const { return static_cast<std::size_t>(&r - view_.replicas.data()); }

  void move_running(std::size_t from, const std::vector<MoveStream>& streams) {
    std::vector<const MoveStream*> running;
    for (const MoveStream& s : streams) {
      if (s.begun && movable(s)) running.push_back(&s);
    }
    // Less urgent classes first, as they are preempted first; of a class the shortest, which are moved at the least cost.
    std::sort(running.begin(), running.end(), [](const MoveStream* a, const MoveStream* b) {
      if (a->service_class != b->service_class) return a->service_class > b->service_class;
      return a->tokens != b->tokens ? a->tokens < b->tokens : a->arrival > b->arrival;
    });
    if (running.empty()) return;
    const auto last = [](const MoveStream* a, const MoveStream* b) {
      return a->service_class != b->service_class ? a->service_class < b->service_class : a->arrival < b->arrival;
    };
    victim_ = *std::max_element(running.begin(), running.end(), last);
    if (running.size() > victims_max) running.resize(victims_max);
    const MoveReplica& r = view_.replicas[from];
    const std::uint64_t all = std::max<std::uint64_t>({1, r.owned, std::uint64_t{r.streams} + r.queued});
    const bool short_of_room = pressed(r, limits_, view_.step_tokens, true);
    std::uint64_t lacking = short_of_room ? (blocks_lacking(r, limits_) * r.owned + all - 1) / all : 0;
    std::uint64_t crowd = (crowd_of(r) * r.owned + all - 1) / all;
    while ((lacking > 0 || crowd > 0) && r.leaving < limits_.leaving_max) {
      std::optional<Choice> chosen;
      std::size_t goes = 0;
      for (std::size_t i = 0; i < running.size(); ++i) {
        auto choice = best_for_running(from, *running[i], lacking > 0);
        if (!choice || (chosen && choice->decision.gain <= chosen->decision.gain)) continue;
        chosen = std::move(choice);
        goes = i;
      }
      if (!chosen) return;
      const MoveStream& s = *running[goes];
      lacking -= std::min<std::uint64_t>(lacking, s.blocks);
      crowd -= std::min<std::uint64_t>(crowd, 1);
      take(from, s, *chosen);
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(goes));
    }
  }

  /// Streams that have to leave until it is not crowded, as many as may leave at once.
  std::uint64_t crowd_of(const MoveReplica& r) const {
    std::uint64_t count = 0;
    while (count < limits_.leaving_max && crowded(r, pace_.elsewhere(r), limits_, true, r.leaving + count)) ++count;
    return count;
  }

  std::optional<Choice> best_for_running(std::size_t from, const MoveStream& s, bool lacks_blocks) const {
    const MoveReplica& r = view_.replicas[from];
    const bool runs_out = time_to_exhaustion(r) < limits_.exhaustion;
    const std::uint64_t short_of = r.queued > 0 ? r.blocks_head - std::min<std::uint64_t>(r.blocks_head, r.free_soon()) : 0;
    // Those that are leaving take their rows with them; where blocks are lacking, others wait for the room.
    const std::uint64_t stay = lacks_blocks ? r.streams : r.streams - std::min(r.leaving, r.streams - std::min(1U, r.streams));
    Duration at_source = decode_delay(r, horizon(s), stay, r.streams == 0 ? r.decode_tokens : r.decode_tokens * stay / r.streams);
    // When the blocks run out the last of the least urgent is preempted: computes its tokens again, once there is room for it.
    if (runs_out) at_source += prompt_delay(r, victim_->tokens, view_.step_tokens) + release_wait(r, victim_->blocks);
    at_source += release_wait(r, short_of) - release_wait(r, short_of - std::min<std::uint64_t>(short_of, s.blocks));
    const MoveReason reason = runs_out       ? MoveReason::exhaustion
                              : short_of > 0 ? MoveReason::head
                              : lacks_blocks ? MoveReason::full
                                             : MoveReason::crowded;
    return best(from, s, reason, [&](std::size_t at, MoveDecision& d) {
      const MoveReplica& to = view_.replicas[at];
      d.at_source = at_source;
      d.at_destination = answer_there(s, to);
      const std::uint64_t tokens = uncached(s, at);
      const Duration copy =
          copy_time(r, std::min<std::uint64_t>(s.blocks, (tokens + block_tokens - 1) / block_tokens * r.groups), view_.costs);
      const Duration again = prompt_delay(to, to.ahead_tokens + tokens, view_.step_tokens);
      const bool carried = to.kv_id == r.kv_id && copy + view_.costs.downtime < again;
      d.road = carried ? MoveRoad::move : MoveRoad::recompute;
      d.downtime = carried ? view_.costs.downtime : again;
      d.interference = (carried ? copy : prompt_delay(to, tokens, view_.step_tokens)) * limits_.interference_permille / 1000;
    });
  }

  /// The stream goes: what later decisions of this plan see.
  void take(std::size_t at, const MoveStream& s, Choice& choice) {
    MoveReplica& from = view_.replicas[at];
    MoveReplica& to = view_.replicas[choice.destination];
    to.blocks_in_flight += s.blocks;
    ++to.streams;
    if (choice.decision.road == MoveRoad::move) {
      to.decode_tokens += s.tokens;
      ++to.arriving;
    } else {
      to.ahead_tokens += uncached(s, choice.destination);
    }
    if (s.begun) {
      from.blocks_leaving += s.blocks;
      ++from.leaving;
    } else {
      from.blocks_queued -= std::min(from.blocks_queued, s.blocks);
      from.ahead_tokens -= std::min(from.ahead_tokens, s.tokens);
    }
    ++view_.links[{from.replica.node, to.replica.node}];
    planned_.push_back({s.key, std::move(choice.decision)});
  }

  MoveView& view_;
  const MoveLimits& limits_;
  const PressedReplicas& full_;
  const Pace& pace_;
  std::vector<std::size_t> destinations_;
  const MoveStream* victim_ = nullptr;  ///< of ours at the source, whom the batcher would preempt first
  std::vector<PlannedMove> planned_;
};

}  // namespace

std::string_view to_string(MoveRoad road) {
  constexpr std::array<std::string_view, 3> names{"place", "move", "recompute"};
  const auto index = static_cast<std::size_t>(road);
  return index < names.size() ? names[index] : "unknown";
}

std::string_view to_string(MoveReason reason) {
  constexpr std::array<std::string_view, 6> names{"queue", "exhaustion", "head", "full", "prefilled", "crowded"};
  const auto index = static_cast<std::size_t>(reason);
  return index < names.size() ? names[index] : "unknown";
}

bool pressed(const MoveReplica& r, const MoveLimits& limits, std::uint32_t step_tokens, bool was) {
  if (!r.source || r.blocks_total == 0) return false;
  const Duration lasts = time_to_exhaustion(r);
  const bool scarce = r.free_soon() * 1000 < std::uint64_t{r.blocks_total} * limits.free_low_permille;
  const bool waits =
      r.queued > 0 && (scarce || r.blocks_head > r.free_soon() || prompt_delay(r, r.ahead_tokens, step_tokens) > limits.queue_wait);
  if (waits || lasts < limits.exhaustion) return true;
  if (!was || r.free_soon() * 1000 >= std::uint64_t{r.blocks_total} * limits.free_high_permille) return false;
  return r.queued > 0 || lasts / 2 < limits.exhaustion;
}

void Pace::add(const MoveReplica& r) {
  if (!r.destination || !r.step.known()) return;
  sum_ += token_time(r, r.streams + 1);
  ++count_;
}

Duration Pace::elsewhere(const MoveReplica& r) const {
  const bool counted = r.destination && r.step.known();
  const std::int64_t others = count_ - (counted ? 1 : 0);
  if (others <= 0) return Duration{0};
  return (sum_ - (counted ? token_time(r, r.streams + 1) : Duration{0})) / others;
}

bool crowded(const MoveReplica& r, Duration elsewhere, const MoveLimits& limits, bool was, std::uint64_t leaving) {
  if (!r.source || limits.crowd_permille == 0 || elsewhere <= Duration{0} || r.streams < 2 + leaving) return false;
  const std::int64_t most = was ? (std::int64_t{1000} + limits.crowd_permille) / 2 : std::int64_t{limits.crowd_permille};
  return token_time(r, r.streams - leaving).count() * 1000 > elsewhere.count() * most;
}

bool runs_there(const MoveStream& s, const MoveReplica& r) {
  const auto weights = core::under_adapter(r.weights_digest, r.adapters, s.adapter);
  return (s.required & ~r.features) == 0 && weights && (!s.weights_digest || s.weights_digest == *weights) &&
         s.numerics_id == r.numerics_id && std::find(s.avoid.begin(), s.avoid.end(), r.replica) == s.avoid.end();
}

void fill_costs(std::vector<MoveReplica>& replicas) {
  StepCosts mean;
  std::int64_t known = 0;
  Duration row{0};
  std::int64_t rows_known = 0;
  for (const MoveReplica& r : replicas) {
    if (!r.step.known()) continue;
    ++known;
    mean.base += r.step.base;
    mean.row += r.step.row;
    mean.context += r.step.context;
    if (r.step.row == Duration{0}) continue;
    ++rows_known;
    row += r.step.row;
  }
  if (known == 0) return;
  mean = {mean.base / known, mean.row / known, mean.context / known};
  for (MoveReplica& r : replicas) {
    if (!r.step.known()) r.step = mean;
    // Who has seen steps of one size alone does not know what a row costs: prompts are not free there.
    if (r.step.row == Duration{0} && rows_known > 0) r.step.row = row / rows_known;
  }
}

namespace {

Pace note_pressed(const MoveView& view, const MoveLimits& limits, PressedReplicas& full) {
  Pace pace;
  for (const MoveReplica& r : view.replicas) pace.add(r);
  for (const MoveReplica& r : view.replicas) {
    const bool was = full.contains(r.replica);
    if (pressed(r, limits, view.step_tokens, was) || crowded(r, pace.elsewhere(r), limits, was)) full.insert(r.replica);
    else full.erase(r.replica);
  }
  return pace;
}

}  // namespace

std::vector<PlannedMove> plan_moves(MoveView& view, const MoveLimits& limits, PressedReplicas& full) {
  fill_costs(view.replicas);
  const Pace pace = note_pressed(view, limits, full);
  return Planner(view, limits, full, pace).run();
}

std::optional<PlannedMove> plan_held(MoveView& view, const MoveLimits& limits, PressedReplicas& full, const MoveStream& stream,
                                     core::ReplicaRef source, Duration again) {
  fill_costs(view.replicas);
  const Pace pace = note_pressed(view, limits, full);
  const auto from = std::find_if(view.replicas.begin(), view.replicas.end(), [&](const MoveReplica& r) { return r.replica == source; });
  if (from == view.replicas.end() || !from->source) return std::nullopt;
  // Its report is older than the word that nothing is left.
  from->blocks_free = 0;
  return Planner(view, limits, full, pace).held(static_cast<std::size_t>(from - view.replicas.begin()), stream, again);
}

}  // namespace spillway::sched
