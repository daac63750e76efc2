#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "decisions/recorder.h"
#include "sched/batcher_core.h"
#include "sched/cache_core.h"
#include "sched/link_core.h"
#include "sched/router_core.h"
#include "tests/sched/fake_worker.h"

/// A whole cluster in virtual time: on every node the real router, batcher, cache-manager and link cores and a fake worker with real
/// rows, over a network that loses, repeats, delays, cuts and crashes by one seed; and clients that submit again at another router
/// with the tokens they have. What a client receives is compared token by token with what it would have got undisturbed.
namespace spillway::sched::test {

struct ClusterOptions {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 3;
  std::uint32_t blocks = 400;
  std::uint32_t sequences_max = 64;
  std::uint32_t step_tokens_max = 64;
  std::uint32_t loss_permille = 0;  ///< of packets
  std::uint32_t repeat_permille = 0;
  core::Duration latency{std::chrono::microseconds(200)};
  core::Duration jitter{std::chrono::microseconds(100)};  ///< added at random: packets overtake each other
  core::Duration step_base{std::chrono::milliseconds(2)};
  core::Duration step_row{std::chrono::microseconds(20)};
  core::Duration row_copy{std::chrono::microseconds(20)};                            ///< one read or write of rows at the worker
  bool check_each = false;                                                           ///< every core's invariants after every event
  std::function<std::shared_ptr<decisions::Sink>(std::uint32_t node)> decision_log;  ///< asked at each start of a node; may be empty
  RouterLimits router;
  BatcherLimits batcher;
  CacheLimits cache;
  LinkLimits link;
};

/// What happens to a message between two nodes, above the links: for scripted faults.
struct Fate {
  bool lost = false;
  std::vector<core::Duration> copies{core::Duration{0}};  ///< one delivery each, so much later
};

struct ClusterCounts {
  std::uint64_t streams = 0, finished = 0, resubmitted = 0;
  std::uint64_t commits = 0, aborts = 0, restarts = 0;
  std::uint64_t moves_asked = 0, moves_done = 0, moves_refused = 0;
  std::uint64_t kills = 0, kills_with_streams = 0, kills_with_moves = 0, kills_of_source = 0, kills_of_destination = 0, kills_of_owner = 0;
  std::uint64_t checked_moves = 0, long_moves = 0, blocks_carried = 0, rows_after_freeze = 0, events = 0, tokens = 0, pages_written = 0;
  ClusterCounts& operator+=(const ClusterCounts& other);
};

class ClusterSim {
 public:
  explicit ClusterSim(const ClusterOptions& options);
  ~ClusterSim();

  struct StreamSpec {
    std::uint32_t prompt = 40;
    std::uint32_t choices = 1;
    std::uint32_t tokens_max = 64;
    bool ignore_eos = true;
    float temperature = 0;
    std::uint32_t router = 0;                  ///< node that it is submitted at
    std::vector<core::TokenId> prompt_tokens;  ///< empty: random
    core::Duration deadline{0};
    std::string adapter;  ///< "a", "b" or none
  };
  /// Submits a stream now; returns its number.
  std::size_t submit(const StreamSpec& spec);
  /// When choice 0 of a stream has `tokens` tokens: `then`.
  void at_tokens(std::size_t stream, std::uint32_t tokens, std::function<void()> then);
  void after(core::Duration delay, std::function<void()> then);
  /// An operator at node `router` asks; the outcome is kept in `operations` under the number returned.
  std::uint64_t ask_move(std::size_t stream, std::uint32_t destination, std::uint32_t router);
  std::uint64_t ask_drain(std::uint32_t node, core::DrainMode mode, std::uint32_t router);
  std::uint64_t ask_status(std::uint32_t router);
  void cancel(std::size_t stream);
  void client_gone(std::size_t stream);
  void kill(std::uint32_t node, core::Duration down_for);
  void fail_worker(std::uint32_t node, core::Duration down_for);
  void partition(std::uint32_t a, std::uint32_t b, core::Duration lasts);

  /// Plays until all streams have ended, then until nothing is left of them anywhere; a limit reached is a failure.
  void play(core::Duration limit = std::chrono::seconds(120));
  void run_for(core::Duration time);

  /// Node the stream runs on by its owner's word; nodes() when none.
  std::uint32_t place_of(std::size_t stream) const;
  std::uint32_t router_of(std::size_t stream) const;
  std::uint32_t nodes() const { return static_cast<std::uint32_t>(nodes_.size()); }
  bool over(std::size_t stream) const;
  bool moving(std::size_t stream) const;
  std::uint32_t tokens_of(std::size_t stream, std::uint32_t choice) const;
  bool alive(std::uint32_t node) const;
  std::uint32_t streams_on(std::uint32_t node) const;
  Instant now() const { return now_; }
  Random& random() { return random_; }
  [[noreturn]] void fail(const std::string& what) const;

  ClusterCounts counts;
  std::map<std::uint64_t, core::OperationUpdate> operations;  ///< last update of each
  std::map<std::uint64_t, core::StatusReply> statuses;
  std::function<Fate(std::uint32_t from, std::uint32_t to, const core::Message& message)> fate;
  std::string last_refusal;  ///< of a move that was asked for
  std::string replay_line;   ///< printed with a failure

 private:
  struct Client {
    core::RequestId request;
    std::shared_ptr<const core::Request> spec;
    core::Duration deadline{0};
    std::vector<std::vector<core::TokenOut>> expected;
    std::vector<std::vector<core::TokenOut>> got;
    std::vector<core::FinishReason> finish;
    std::uint32_t router = 0;
    ClientRef ref;
    bool accepted = false;
    core::Resume resume;
    bool over = false;
    bool cancelled = false;
    bool gone = false;
    core::Finished finished;
    std::multimap<std::uint32_t, std::function<void()>> at_tokens;
  };
  struct Job {  ///< of a worker, in order
    core::Duration time;
    std::function<void()> done;
  };
  struct Node {
    core::NodeId id;
    std::string name;
    core::Incarnation incarnation;
    std::uint64_t life = 0;
    bool alive = false;
    bool worker_ok = true;
    bool draining = false;
    std::uint64_t report_number = 0;
    std::unique_ptr<RouterCore> router;
    std::unique_ptr<BatcherCore> batcher;
    std::unique_ptr<CacheCore> cache;
    std::unique_ptr<FakeWorker> worker;
    std::vector<std::unique_ptr<LinkCore>> links;  ///< by node; empty at its own place
    std::unique_ptr<decisions::Recorder<RouterCore>> router_log;
    std::unique_ptr<decisions::Recorder<BatcherCore>> batcher_log;
    std::unique_ptr<decisions::Recorder<CacheCore>> cache_log;
    std::vector<std::unique_ptr<decisions::Recorder<LinkCore>>> link_logs;  ///< as links
    std::vector<bool> linked;
    std::deque<Job> jobs;
    bool working = false;
    std::uint64_t worker_life = 0;
    Instant tick_at = core::never;
  };
  struct Carried {  ///< what was seen of one move
    std::uint32_t choices = 0;
    std::optional<core::RunAccepted> accepted;
    std::optional<core::MoveReport> report;
  };

  void start(std::uint32_t n);
  void at(Instant when, std::function<void()> then);
  void tick(std::uint32_t n);
  void arm(std::uint32_t n);
  void send(std::uint32_t from, core::NodeId to, const core::MessagePtr& message);
  void send_now(std::uint32_t from, std::uint32_t to, const core::MessagePtr& message);
  void transmit(std::uint32_t from, std::uint32_t to, const core::Envelope& envelope);
  void deliver(std::uint32_t from, std::uint32_t to, const core::MessagePtr& message);
  void observe(const core::Message& message);
  void check_move(const StreamKey& key, const Carried& carried);
  void report(std::uint32_t n);
  void announce_all(std::uint32_t n, std::uint32_t to);
  void plan(std::uint32_t n);
  void work(std::uint32_t n);
  void enqueue(std::uint32_t n, core::Duration time, std::function<void()> done);
  void submit_again(std::size_t stream, core::Duration delay);
  void submit_now(std::size_t stream);
  void to_client(std::uint32_t n, const RouterCore::ToClient& action);
  void take_delta(Client& client, const core::Delta& delta);
  void check_node(std::uint32_t n) const;
  void check_empty() const;
  bool empty() const;

  void perform(std::uint32_t n, RouterCore::Actions&& actions);
  void perform(std::uint32_t n, BatcherCore::Actions&& actions);
  void perform(std::uint32_t n, CacheCore::Actions&& actions);
  void perform(std::uint32_t n, std::uint32_t peer, LinkCore::Actions&& actions);
  std::uint32_t index(core::NodeId id) const { return index_.at(id); }

  template <class Call, class... A>
  void router(std::uint32_t n, const A&... arguments);
  template <class Call, class... A>
  void batcher(std::uint32_t n, const A&... arguments);
  template <class Call, class... A>
  void cache(std::uint32_t n, const A&... arguments);
  template <class Call, class... A>
  void link(std::uint32_t n, std::uint32_t peer, const A&... arguments);

  ClusterOptions options_;
  Random random_;
  Instant now_{std::chrono::seconds(1)};
  std::map<std::pair<Instant, std::uint64_t>, std::function<void()>> queue_;
  std::uint64_t queued_ = 0;
  std::vector<Node> nodes_;
  std::map<core::NodeId, std::uint32_t> index_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> cut_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::map<std::pair<std::uint32_t, ClientRef>, std::size_t> by_ref_;
  std::map<StreamKey, std::size_t> by_key_;
  std::map<std::pair<StreamKey, Epoch>, Carried> carried_;
  std::set<std::uint64_t> asked_moves_;
  std::uint64_t next_ref_ = 1;
  std::uint64_t next_operation_ = 1;
  std::uint64_t next_life_ = 1;
};

// A call of a core of a node (decisions/calls.h), and what follows from it.

template <class Call, class... A>
void ClusterSim::router(std::uint32_t n, const A&... arguments) {
  if (!nodes_[n].alive) return;
  RouterCore::Actions out;
  decisions::take<Call>(nodes_[n].router_log, *nodes_[n].router, now_, out, arguments...);
  perform(n, std::move(out));
  if (options_.check_each) nodes_[n].router->check();
  arm(n);
}

template <class Call, class... A>
void ClusterSim::batcher(std::uint32_t n, const A&... arguments) {
  if (!nodes_[n].alive) return;
  BatcherCore::Actions out;
  decisions::take<Call>(nodes_[n].batcher_log, *nodes_[n].batcher, now_, out, arguments...);
  perform(n, std::move(out));
  if (options_.check_each) nodes_[n].batcher->check();
  plan(n);
  arm(n);
}

template <class Call, class... A>
void ClusterSim::cache(std::uint32_t n, const A&... arguments) {
  if (!nodes_[n].alive) return;
  CacheCore::Actions out;
  decisions::take<Call>(nodes_[n].cache_log, *nodes_[n].cache, now_, out, arguments...);
  perform(n, std::move(out));
  if (options_.check_each) nodes_[n].cache->check();
  arm(n);
}

template <class Call, class... A>
void ClusterSim::link(std::uint32_t n, std::uint32_t peer, const A&... arguments) {
  if (!nodes_[n].alive || n == peer) return;
  LinkCore::Actions out;
  decisions::take<Call>(nodes_[n].link_logs[peer], *nodes_[n].links[peer], now_, out, arguments...);
  perform(n, peer, std::move(out));
  arm(n);
}

}  // namespace spillway::sched::test
