#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "core/assert.h"
#include "core/step.h"
#include "sched/move_planner.h"
#include "tests/sched/fake_worker.h"

/// Three routers plan for twenty replicas of unlike pace by reports that are late, while somebody sends bursts to a replica that is
/// drawn anew each time, lets replicas drain and answers wishes late. Each plan is held against the rules of the header.
namespace spillway::sched::test {

namespace {

using core::Duration;
using core::Instant;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint32_t replicas_count = 20;
constexpr std::uint32_t routers_count = 3;
constexpr std::uint32_t requests_count = 2000;
constexpr std::uint32_t blocks_total = 400;
constexpr Duration tick = milliseconds(50);
constexpr Duration report_late_max = milliseconds(400);

struct Counts {
  std::uint64_t requests = 0, finished = 0, plans = 0, placed = 0, moved = 0, recomputed = 0, preempted = 0, aborted = 0,
                begun_meanwhile = 0;
  Duration answered{0};        ///< from arrival to end, of all
  std::uint64_t opposite = 0;  ///< moves against one of another router that had begun within the age of a report
  Counts& operator+=(const Counts& o) {
    requests += o.requests, finished += o.finished, plans += o.plans, placed += o.placed, moved += o.moved, recomputed += o.recomputed;
    preempted += o.preempted, aborted += o.aborted, begun_meanwhile += o.begun_meanwhile, opposite += o.opposite;
    answered += o.answered;
    return *this;
  }
};

enum class Where : std::uint8_t { coming, queued, running, over };

struct Request {
  std::uint32_t router = 0;
  std::uint32_t at = 0;
  Where where = Where::coming;
  core::ServiceClass service_class = core::ServiceClass::interactive;
  std::uint32_t prompt = 0;
  std::uint32_t output = 0;
  std::uint32_t done = 0;      ///< tokens of the answer
  std::uint32_t computed = 0;  ///< of what is known, in its present place
  bool begun = false;          ///< a token of the present place
  Duration credit{0};
  Instant arrived{};
  std::uint32_t moves = 0;
  Instant moved_at = Instant{} - seconds(1000);
  std::uint32_t left = replicas_count;  ///< replica that it was moved from
  struct Move {
    std::uint32_t to = 0;
    MoveRoad road = MoveRoad::place;
    Instant begun{};
    Instant ends{};
  };
  std::optional<Move> move;
  std::uint32_t known() const { return prompt + done; }
  std::uint32_t blocks() const { return (known() + core::block_tokens) / core::block_tokens; }
};

class World {
 public:
  World(std::uint64_t seed, std::string replay, bool plans = true) : random_(seed), replay_(std::move(replay)), plans_(plans) {
    for (std::uint32_t i = 0; i < replicas_count; ++i) {
      // Some are four times as slow as others.
      steps_[i] = {milliseconds(5 + random_.below(15)), Duration{std::chrono::microseconds(50 + random_.below(150))},
                   Duration{std::chrono::microseconds(random_.below(200))}};
    }
    requests_.resize(requests_count);
    Instant arrives{seconds(1000)};
    std::uint32_t target = 0;
    for (std::uint32_t i = 0; i < requests_count; ++i) {
      Request& r = requests_[i];
      if (i % 100 == 0) target = random_.below(replicas_count), arrives += milliseconds(random_.below(1500));
      arrives += milliseconds(random_.below(8));
      r.arrived = arrives;
      r.router = random_.below(routers_count);
      r.at = random_.below(10) < 7 ? target : random_.below(replicas_count);
      r.service_class = static_cast<core::ServiceClass>(random_.below(3));
      r.prompt = 20 + random_.below(400);
      r.output = 20 + random_.below(300);
    }
    now_ = Instant{seconds(1000)};
    for (auto& late : reports_) late.resize(replicas_count);
  }

  Counts play() {
    counts_.requests = requests_count;
    for (std::uint32_t i = 0; i < 24'000 && over_ < requests_count; ++i) {
      arrive();
      for (std::uint32_t r = 0; r < replicas_count; ++r) work(r);
      end_moves();
      if (random_.below(40) == 0) draining_[random_.below(replicas_count)] ^= true;
      for (std::uint32_t router = 0; router < routers_count; ++router) {
        for (std::uint32_t r = 0; r < replicas_count; ++r) {
          if (random_.below(3) == 0 || now_ - reports_[router][r].at > report_late_max) reports_[router][r] = {now_, report(r)};
        }
        if (plans_ && (i + router) % 4 == 0) plan(router);
      }
      now_ += tick;
    }
    check(over_ == requests_count, "a request is never answered");
    counts_.finished = over_;
    return counts_;
  }

 private:
  struct Told {
    Instant at{};
    MoveReplica replica;
  };

  void check(bool good, const std::string& what) const {
    if (!good) BOOST_FAIL(what << "; " << replay_);
  }
  static core::ReplicaRef ref(std::uint32_t r) { return {{100 + std::uint64_t{r}}, 0}; }
  static std::uint32_t number(core::ReplicaRef ref) { return static_cast<std::uint32_t>(ref.node.value - 100); }

  void arrive() {
    for (; next_ < requests_count && requests_[next_].arrived <= now_; ++next_) enqueue(next_, requests_[next_].at);
  }
  void enqueue(std::uint32_t id, std::uint32_t r) {
    Request& s = requests_[id];
    s.at = r;
    s.where = Where::queued;
    s.computed = 0;
    s.begun = false;
    s.credit = {};
    queue_[r].push_back(id);
  }
  std::uint32_t used(std::uint32_t r) const {
    std::uint32_t blocks = reserved_[r];
    for (const std::uint32_t id : running_[r]) blocks += requests_[id].blocks();
    return std::min(blocks, blocks_total);
  }

  /// One tick of a replica: admits, computes prompts, adds tokens, preempts the last when the blocks run out.
  void work(std::uint32_t r) {
    std::uint32_t blocks = used(r);
    while (!queue_[r].empty() && blocks + requests_[queue_[r].front()].blocks() <= blocks_total) {
      const std::uint32_t id = queue_[r].front();
      queue_[r].erase(queue_[r].begin());
      requests_[id].where = Where::running;
      running_[r].push_back(id);
      blocks += requests_[id].blocks();
    }
    std::uint64_t context = 0;
    for (const std::uint32_t id : running_[r]) context += requests_[id].known();
    const Duration step = step_time(steps_[r], running_[r].size(), context);
    std::uint64_t rows = static_cast<std::uint64_t>(tick / std::max(step, Duration{1}) + 1) * 256;
    const auto here = running_[r];
    for (const std::uint32_t id : here) {
      Request& s = requests_[id];
      if (s.where != Where::running || s.at != r) continue;  // preempted meanwhile
      if (s.computed < s.known()) {
        const auto chunk = static_cast<std::uint32_t>(std::min<std::uint64_t>(rows, s.known() - s.computed));
        s.computed += chunk;
        rows -= chunk;
        continue;
      }
      for (s.credit += tick; s.credit >= step && s.done < s.output; s.credit -= step) {
        ++s.done;
        s.computed = s.known();
        s.begun = true;
      }
      if (s.done < s.output) continue;
      released_[r] += s.blocks();
      end(id);
    }
    for (blocks = used(r); blocks >= blocks_total && running_[r].size() > 1; blocks = used(r)) {
      const std::uint32_t id = running_[r].back();
      ++counts_.preempted;
      drop(id);
      enqueue(id, r);
      queue_[r].pop_back();
      queue_[r].insert(queue_[r].begin(), id);
    }
    released_[r] -= released_[r] / 200;  // what ended ten seconds ago is forgotten
  }
  void end(std::uint32_t id) {
    drop(id);
    requests_[id].where = Where::over;
    counts_.answered += now_ - requests_[id].arrived;
    ++over_;
  }
  /// It is no longer at its replica; a move of it is off.
  void drop(std::uint32_t id) {
    Request& s = requests_[id];
    std::erase(running_[s.at], id);
    std::erase(queue_[s.at], id);
    if (s.move && s.move->road == MoveRoad::move) {
      reserved_[s.move->to] -= std::min(reserved_[s.move->to], reservations_[id]);
      ++counts_.aborted;
    }
    if (s.move) s.move.reset();
  }

  MoveReplica report(std::uint32_t r) const {
    MoveReplica m;
    m.replica = ref(r);
    m.draining = draining_[r];
    m.source = m.destination = !m.draining;
    m.blocks_total = blocks_total;
    m.blocks_free = blocks_total - used(r);
    m.blocks_released = released_[r];
    m.streams = static_cast<std::uint32_t>(running_[r].size());
    m.queued = static_cast<std::uint32_t>(queue_[r].size());
    if (m.queued > 0) m.blocks_head = requests_[queue_[r].front()].blocks();
    for (const std::uint32_t id : running_[r])
      m.decode_tokens += requests_[id].known(), m.ahead_tokens += requests_[id].known() - requests_[id].computed;
    for (const std::uint32_t id : queue_[r]) m.blocks_queued += requests_[id].blocks(), m.ahead_tokens += requests_[id].known();
    m.page_bytes = 64 << 10;
    m.step = steps_[r];
    for (const Request& s : requests_) {
      if (!s.move || s.move->road != MoveRoad::move) continue;
      if (s.at == r) ++m.leaving, m.exports = true;
      if (s.move->to == r) ++m.arriving, m.imports = true;
    }
    return m;
  }

  MoveView view_of(std::uint32_t router) const {
    MoveView view;
    view.now = now_;
    view.costs = {milliseconds(20), 100'000'000};
    view.moves_per_link_max = 2;
    for (const Told& told : reports_[router]) view.replicas.push_back(told.replica);
    std::array<std::uint32_t, replicas_count> leaving{};
    std::array<std::uint32_t, replicas_count> arriving{};
    for (std::uint32_t id = 0; id < next_; ++id) {
      const Request& s = requests_[id];
      if (s.router != router || s.where == Where::over) continue;
      MoveReplica& r = view.replicas[s.at];
      ++r.owned;
      if (s.move) {
        ++view.links[{ref(s.at).node, ref(s.move->to).node}];
        if (s.move->road == MoveRoad::move) {
          r.blocks_leaving += s.blocks(), view.replicas[s.move->to].blocks_in_flight += s.blocks();
          ++leaving[s.at], ++arriving[s.move->to];
        }
        continue;
      }
      MoveStream m;
      m.key = {{1}, {{0, id}}};
      m.begun = s.begun;
      m.service_class = s.service_class;
      m.arrival = id;
      m.tokens = s.known();
      m.blocks = s.blocks();
      m.output_tokens = s.output - s.done;
      m.moves = s.moves;
      m.again_at = s.moved_at + limits_.cool_down;
      view.streams[ref(s.at)].push_back(m);
    }
    for (std::uint32_t r = 0; r < replicas_count; ++r) {
      view.replicas[r].leaving = std::max(view.replicas[r].leaving, leaving[r]);
      view.replicas[r].arriving = std::max(view.replicas[r].arriving, arriving[r]);
    }
    return view;
  }

  void plan(std::uint32_t router) {
    MoveView view = view_of(router);
    const MoveView before = view;
    const auto planned = plan_moves(view, limits_, pressed_[router]);
    std::map<std::uint32_t, std::uint32_t> given;
    for (const PlannedMove& p : planned) {
      ++counts_.plans;
      check_planned(router, before, p);
      if (p.decision.road == MoveRoad::place) ++given[number(p.decision.source)];
      begin(static_cast<std::uint32_t>(p.key.request.lo), p);
    }
    for (const auto& [r, count] : given) check(count <= limits_.given_back_max, "too many given back at once");
    check_caps(router);
  }

  void check_planned(std::uint32_t router, const MoveView& before, const PlannedMove& p) {
    const auto id = static_cast<std::uint32_t>(p.key.request.lo);
    const Request& s = requests_[id];
    const MoveDecision& d = p.decision;
    const std::uint32_t to = number(d.destination);
    check(s.router == router && d.source == ref(s.at), "a stream that is not there moves");
    check(d.gain > limits_.margin && d.gain == d.at_source - d.at_destination - d.downtime - d.interference, "a move without gain");
    check(s.moves < limits_.moves_per_stream_max, "a stream moves too often");
    check(now_ >= s.moved_at + limits_.cool_down, "a stream moves within its cool-down");
    check(to != s.left || now_ >= s.moved_at + limits_.cool_down, "a stream returns within its cool-down");
    check(!pressed_[router].contains(d.destination) && pressed_[router].contains(d.source),
          "from where there is room, or to where there is none");
    check(!before.replicas[to].exports && !before.replicas[s.at].imports, "against a move that the reports tell of");
    check(!before.replicas[to].draining, "to a replica that drains");
    for (const Request& other : requests_) {
      if (!other.move || other.at != to || other.move->to != s.at) continue;
      check(other.router != router, "a to b while b to a");
      if (other.move->road != MoveRoad::move) continue;
      check(now_ - other.move->begun <= report_late_max + tick, "a to b while another router's move from b to a was told");
      ++counts_.opposite;
    }
  }

  void check_caps(std::uint32_t router) const {
    std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> links;
    std::map<std::uint32_t, std::uint32_t> leaving;
    std::map<std::uint32_t, std::uint32_t> arriving;
    for (const Request& s : requests_) {
      if (!s.move || s.router != router || s.move->road != MoveRoad::move) continue;
      ++links[{s.at, s.move->to}], ++leaving[s.at], ++arriving[s.move->to];
    }
    for (const auto& [link, count] : links) check(count <= 2, "too many moves on a link");
    for (const auto& [r, count] : leaving) check(count <= limits_.leaving_max, "too many moves leave a replica");
    for (const auto& [r, count] : arriving) check(count <= limits_.arriving_max, "too many moves to a replica");
  }

  void begin(std::uint32_t id, const PlannedMove& p) {
    Request& s = requests_[id];
    const std::uint32_t to = number(p.decision.destination);
    const Duration copy = p.decision.road == MoveRoad::move ? milliseconds(20 + random_.below(600)) : milliseconds(random_.below(200));
    if (p.decision.road == MoveRoad::recompute) {
      ++counts_.recomputed;
      s.left = s.at;
      arrived(s);
      drop(id);
      return enqueue(id, to);
    }
    if (p.decision.road == MoveRoad::move) {
      // Reserved first, or refused: other routers' moves may have taken the room.
      if (blocks_total - used(to) < s.blocks() + 4) return;
      reservations_[id] = s.blocks() + 4;
      reserved_[to] += reservations_[id];
    }
    s.move = Request::Move{to, p.decision.road, now_, now_ + copy};
  }
  void arrived(Request& s) const {
    ++s.moves;
    s.moved_at = now_;
  }
  void end_moves() {
    for (std::uint32_t id = 0; id < next_; ++id) {
      Request& s = requests_[id];
      if (!s.move || now_ < s.move->ends) continue;
      const Request::Move move = *s.move;
      if (move.road == MoveRoad::place) {
        s.move.reset();
        if (s.where != Where::queued) {
          ++counts_.begun_meanwhile;
          continue;
        }
        ++counts_.placed;
        s.left = s.at;
        arrived(s);
        drop(id);
        enqueue(id, move.to);
        continue;
      }
      ++counts_.moved;
      s.move.reset();
      reserved_[move.to] -= reservations_[id];
      std::erase(running_[s.at], id);
      s.left = s.at;
      s.at = move.to;
      arrived(s);
      running_[move.to].push_back(id);
    }
  }

  Random random_;
  std::string replay_;
  bool plans_;
  MoveLimits limits_;
  Instant now_{};
  std::array<StepCosts, replicas_count> steps_;
  std::array<std::vector<std::uint32_t>, replicas_count> queue_;
  std::array<std::vector<std::uint32_t>, replicas_count> running_;
  std::array<std::uint32_t, replicas_count> reserved_{};
  std::array<std::uint32_t, replicas_count> released_{};
  std::array<bool, replicas_count> draining_{};
  std::map<std::uint32_t, std::uint32_t> reservations_;
  std::vector<Request> requests_;
  std::uint32_t next_ = 0;
  std::uint32_t over_ = 0;
  std::array<std::vector<Told>, routers_count> reports_;
  std::array<PressedReplicas, routers_count> pressed_;
  Counts counts_;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t slower = 10;  // the sanitizers get a tenth of the seeds
#else
constexpr std::uint64_t slower = 1;
#endif

}  // namespace

BOOST_AUTO_TEST_SUITE(move_planner_properties)

BOOST_AUTO_TEST_CASE(plans_under_adversarial_load_keep_the_rules) {
  const char* longer = std::getenv("SPILLWAY_TEST_LONG");
  const char* one = std::getenv("SPILLWAY_TEST_SEED");
  std::uint64_t first = 1;
  std::uint64_t last = longer != nullptr && std::string_view(longer) == "1" ? 10'000 : 200 / slower;
  if (one != nullptr) first = last = std::strtoull(one, nullptr, 10);
  Counts sum;
  for (std::uint64_t seed = first; seed <= last; ++seed)
    sum += World(seed, "SPILLWAY_TEST_SEED=" + std::to_string(seed) + " sched_test --run_test=move_planner_properties").play();
  std::cout << "plans_under_adversarial_load_keep_the_rules: " << last - first + 1 << " seeds, " << sum.requests << " requests, "
            << sum.plans << " planned, " << sum.placed << " given back and placed, " << sum.begun_meanwhile << " begun meanwhile, "
            << sum.moved << " moved, " << sum.aborted << " moves off, " << sum.recomputed << " recomputed, " << sum.preempted
            << " preempted, " << sum.opposite << " against a move not told yet\n";
  BOOST_TEST(sum.finished == sum.requests);
  if (one != nullptr) return;
  BOOST_TEST(sum.placed >= 1000U);
  BOOST_TEST(sum.moved >= 1000U);
  BOOST_TEST(sum.recomputed >= 100U);
  BOOST_TEST(sum.preempted >= 1000U);
}

BOOST_AUTO_TEST_CASE(planned_moves_save_time_and_preemptions) {
  Counts with;
  Counts without;
  constexpr std::uint64_t seeds = 20 / slower;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    with += World(seed, "seed " + std::to_string(seed)).play();
    without += World(seed, "seed " + std::to_string(seed) + " without plans", false).play();
  }
  std::cout << "planned_moves_save_time_and_preemptions: " << seeds << " seeds, mean answer in "
            << with.answered.count() / 1'000'000 / static_cast<std::int64_t>(with.requests) << " ms with, "
            << without.answered.count() / 1'000'000 / static_cast<std::int64_t>(without.requests) << " ms without plans, " << with.preempted
            << " and " << without.preempted << " preempted\n";
  BOOST_TEST((with.answered < without.answered));
  BOOST_TEST(with.preempted < without.preempted);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::sched::test
