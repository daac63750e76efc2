#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/assert.h"
#include "core/client_messages.h"
#include "core/messages.h"
#include "sim/cluster.h"
#include "sim/event_queue.h"
#include "sim/fluid_network.h"

/// What Cluster hides, in the files cluster{,_messages,_steps,_clients,_faults}.cc. Not for other folders.
namespace spillway::sim {

using core::Instant;

/// One replica: its batcher, and the step or jump in flight.
struct SimReplica {
  const ReplicaPlan* plan = nullptr;
  std::unique_ptr<sched::BatcherCore> core;  ///< null until the model is loaded for the first time
  bool ready = false;
  std::uint64_t loads = 0;  ///< of the model, so that an end of a load of before is known
  // In flight: steps [done, ends.size()), the first of them at the device.
  bool busy = false;
  Instant begun{};
  sched::StepOutline outline;
  std::vector<core::Duration> elapsed;
  std::vector<Instant> ends;
  std::size_t done = 0;
  std::uint64_t version = 0;  ///< of the event of the last end
  // Ends of the last steps, and since when tokens are kept back.
  std::array<Instant, 8> last_ends{};
  std::uint32_t last_end = 0;
  Instant told_at{};
  std::vector<core::BlockName> names_added;
  std::vector<core::BlockName> names_removed;
  std::array<std::uint64_t, 16> added_filter{};  ///< a bit for each hash of names_added
  bool pressed = false;                          ///< its router may move streams off it: its tokens are told before the router decides
  bool draining = false;

  static std::uint32_t filter_bit(const core::BlockName& name) {
    return static_cast<std::uint32_t>(((name.hi ^ name.lo * 0x9e3779b97f4a7c15ULL) * 0xd6e8feb86659fd93ULL) >> 54U);
  }
  /// Never false of a name in names_added.
  bool may_have_added(const core::BlockName& name) const {
    const std::uint32_t bit = filter_bit(name);
    return (added_filter[bit / 64] >> (bit % 64) & 1U) != 0;
  }
  void add_names(const std::vector<core::BlockName>& names) {
    for (const auto& name : names) {
      const std::uint32_t bit = filter_bit(name);
      added_filter[bit / 64] |= std::uint64_t{1} << (bit % 64);
    }
    names_added.insert(names_added.end(), names.begin(), names.end());
  }
};

struct SimNode {
  const NodePlan* plan = nullptr;
  core::Incarnation incarnation;
  std::uint32_t life = 0;  ///< counts its starts
  bool alive = false;
  bool draining = false;
  std::uint32_t slow_percent = 100;
  std::uint64_t report_number = 0;
  std::unique_ptr<sched::RouterCore> router;
  std::unique_ptr<sched::CacheCore> cache;
  std::vector<SimReplica> replicas;
  core::ReplicaReport last_report;  ///< of all replicas together, for samples
  Instant tick_at = core::never;
  Instant router_tick = core::never;  ///< next_tick of the router, as it was when the router was called last
  Instant cache_tick = core::never;   ///< likewise
  Instant ticked{};
  Instant up_since{};
  core::Duration up{0};
  core::Duration busy{0};
  FluidNetwork::Link nic_up = 0;
  FluidNetwork::Link nic_down = 0;
  std::uint32_t moves = 0;        ///< away, since the last sample
  std::uint64_t moved_bytes = 0;  ///< likewise
};

/// What a client knows of its request.
struct SimClient {
  std::uint32_t router = no_node;
  std::uint32_t got = 0;  ///< tokens
  core::FinishReason finish = core::FinishReason::none;
  bool over = false;
  bool accepted = false;
  bool newer = false;  ///< another request of its channel came since
};

struct Cluster::State {
  State(const ClusterPlan& cluster_plan, const ClusterOptions& cluster_options);

  enum Kind : std::uint32_t { mail, call, step_end, report_due, arrival, tick_due, network_due, sample_due };

  struct Mail {
    core::MessagePtr message;
    std::uint32_t from = 0;
    std::uint32_t to = 0;
    std::uint32_t to_life = 0;
    std::uint32_t bulk = 0;  ///< bytes of pages
  };

  // cluster.cc
  core::Result<ClusterOutcome> run(RequestSource& from);
  bool step_once();
  void dispatch(const Event& event);
  void finish(ClusterOutcome& outcome);
  bool settled() const;
  void check_clean();
  void sample();
  std::string stuck() const;
  void broken(const std::string& what);
  void at(Instant when, EventRank rank, std::uint32_t who, std::function<void()> then);

  // cluster_messages.cc
  void send(std::uint32_t from, core::NodeId to, const core::MessagePtr& message);
  void post(std::uint32_t from, std::uint32_t to, core::MessagePtr message, core::Duration latency, std::uint32_t bulk);
  void send_bulk(std::uint32_t from, std::uint32_t to, const core::MessagePtr& message, std::uint32_t bytes);
  void bulk_through();
  void deliver(std::uint64_t slot);
  void deliver_to(const Mail& mail);
  void to_batchers(std::uint32_t n, const core::Message& message);
  void drain(std::uint32_t n, bool draining);
  void report(std::uint32_t n);
  void announce(std::uint32_t n, std::uint32_t r, bool full, std::uint32_t to);
  void note_report(const core::Report& report);
  void tell_pressed();
  core::Duration latency(std::uint32_t a, std::uint32_t b) const;
  bool cut(std::uint32_t a, std::uint32_t b) const { return !cuts_.empty() && cuts_.contains(std::minmax(a, b)); }
  void arm(std::uint32_t n);
  void tick(std::uint32_t n);
  void perform(std::uint32_t n, sched::RouterCore::Actions& actions);
  void perform(std::uint32_t n, std::uint32_t r, sched::BatcherCore::Actions& actions);
  void perform(std::uint32_t n, sched::CacheCore::Actions& actions);

  /// Calls a core of a node and does what it asks; nothing on a dead node.
  template <class F>
  void router(std::uint32_t n, F&& f) {
    SimNode& node = nodes_[n];
    if (!node.alive || !node.router) return;
    sched::RouterCore::Actions out = std::move(router_out_);
    out.clear();
    f(*node.router, out);
    perform(n, out);
    router_out_ = std::move(out);
    if (options_.check) node.router->check();
    node.router_tick = node.router->next_tick();
    arm(n);
  }
  template <class F>
  void batcher(std::uint32_t n, std::uint32_t r, JumpCut cause, F&& f) {
    SimNode& node = nodes_[n];
    if (!node.alive || !node.replicas[r].core) return;
    cut_jump(n, r, cause);
    sched::BatcherCore::Actions out = std::move(batcher_out_);
    out.clear();
    f(*node.replicas[r].core, out);
    perform(n, r, out);
    batcher_out_ = std::move(out);
    if (options_.check) node.replicas[r].core->check();
    begin_step(n, r);
    arm(n);
  }
  template <class F>
  void cache(std::uint32_t n, F&& f) {
    SimNode& node = nodes_[n];
    if (!node.alive || !node.cache) return;
    sched::CacheCore::Actions out;
    f(*node.cache, out);
    perform(n, out);
    if (options_.check) node.cache->check();
    node.cache_tick = node.cache->next_tick();
    arm(n);
  }

  // cluster_steps.cc
  void begin_step(std::uint32_t n, std::uint32_t r);
  void plan_jump(SimReplica& replica, std::uint32_t percent);
  core::Result<core::Duration> time_of(const SimReplica& replica, const sched::StepOutline& outline, std::uint32_t percent) const;
  void schedule_end(std::uint32_t n, std::uint32_t r);
  /// Takes the steps of the jump that have ended before now (with `inclusive`: by now), but for the last one. How many.
  std::size_t catch_up(std::uint32_t n, std::uint32_t r, bool inclusive);
  void cut_jump(std::uint32_t n, std::uint32_t r, JumpCut cause);
  void end_step(std::uint32_t n, std::uint32_t r, std::uint64_t version);
  void note_end(SimReplica& replica, Instant end);
  /// Steps whose tokens are under way to an owner that far away.
  std::uint32_t under_way(const SimReplica& replica, core::Duration way) const;
  /// What a router that dies has heard of messages that tell older tokens too.
  void hear_late_tokens(std::uint32_t n);
  /// Tells owners what they would have heard by now.
  void tell_now(std::uint32_t n, std::uint32_t r);
  /// Of a message that tells tokens late: its owner hears at once what it would have heard by now; the rest is sent.
  core::MessagePtr hear_early(std::uint32_t n, std::uint32_t r, std::uint32_t to, const core::MessagePtr& message);
  /// Tells owners everything, by the usual way.
  void tell_all(std::uint32_t n, std::uint32_t r);

  // cluster_clients.cc
  void arrive();
  void submit(std::uint64_t index, bool again);
  core::TokenList some_prompt(std::uint32_t tokens);
  void admit(std::uint64_t index, bool again, std::uint32_t n);
  /// When the client sees what its router says now.
  std::int64_t seen_ns() const { return (now_ + plan_.network.client_latency - origin_).count(); }
  std::uint32_t router_for(std::uint64_t index) const;
  void to_client(std::uint32_t n, sched::RouterCore::ToClient& action);
  void take_delta(std::uint64_t index, const core::Delta& delta);
  void take_end(std::uint64_t index, const core::Finished& finished);
  void take_failure(std::uint32_t n, std::uint64_t index, const core::Failed& failed);
  void end_request(std::uint64_t index, RequestOutcome outcome);
  void give_up(std::uint64_t index);
  void router_died(std::uint32_t n);

  // cluster_faults.cc
  void bear(std::uint32_t n);
  void join(std::uint32_t n);
  void make_replica(std::uint32_t n, std::uint32_t r);
  void load(std::uint32_t n, std::uint32_t r);
  void loaded(std::uint32_t n, std::uint32_t r, std::uint64_t loads);
  void strike(const Fault& fault);
  void kill(std::uint32_t n, core::Duration lasts);
  void lost(std::uint32_t of, std::uint32_t by, core::Incarnation incarnation);
  void suspect(std::uint32_t of, std::uint32_t by, bool suspected);
  void fail_worker(std::uint32_t n);
  void slow(std::uint32_t n, std::uint32_t percent);
  void part(std::uint32_t a, std::uint32_t b, core::Duration lasts);
  void link_down(std::uint32_t a, std::uint32_t b);
  void heal(std::uint32_t a, std::uint32_t b);
  void meet(std::uint32_t a, std::uint32_t b);
  void stop_flows(const std::function<bool(std::uint32_t from, std::uint32_t to)>& which, bool keep);
  void operator_drains(std::uint32_t n, core::DrainMode mode);

 private:
  ClusterPlan plan_;
  ClusterOptions options_;
  RequestSource* source_ = nullptr;
  EventQueue events_;
  Instant now_{};
  EventRank events_rank_ = EventRank::timer;  ///< of the event that is dealt with
  Instant origin_{};                          ///< of the workload
  Instant last_end_{};
  std::string error_;
  bool stopped_ = false;

  std::vector<SimNode> nodes_;
  std::unordered_map<core::NodeId, std::uint32_t> index_;  // looked up, never iterated
  std::vector<std::uint32_t> routers_;                     // nodes with that role
  std::vector<std::pair<std::uint32_t, std::uint32_t>> pressed_;
  std::uint64_t births_ = 0;

  std::deque<Mail> mails_;
  std::vector<std::uint64_t> free_mails_;
  std::deque<std::function<void()>> calls_;
  std::vector<std::uint64_t> free_calls_;
  FluidNetwork network_;
  std::vector<FluidNetwork::Link> zone_up_;
  std::vector<FluidNetwork::Link> zone_down_;
  Instant network_at_ = core::never;
  std::map<std::uint64_t, std::uint64_t> bulk_in_flight_;  // by flow
  std::map<std::uint64_t, std::function<void()>> loads_;   // by tag of the network
  std::uint64_t next_load_ = 0;
  std::set<std::pair<std::uint32_t, std::uint32_t>> cuts_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> missed_;                            // one of them started behind the cut
  std::set<std::pair<std::uint32_t, std::uint32_t>> downs_;                             // cut for so long that both ends gave up
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::uint64_t>> held_;  // mails behind a cut, by (from, to)

  std::vector<core::ModelId> models_;  // by number in the source
  std::vector<SimClient> clients_;
  std::vector<RunRecord> records_;
  std::map<std::pair<std::uint32_t, std::string>, std::uint64_t> channels_;  // newest request, by tenant
  std::uint64_t arrived_ = 0;
  std::uint64_t open_ = 0;
  std::vector<core::BlockName> names_;  // scratch
  core::TokenList prompt_;              // the longest so far
  std::uint32_t arrivals_sampled_ = 0;
  NameTable rungs_;

  ClusterCounts counts_;
  RunSeries series_;
  sched::RouterCore::Actions router_out_;
  sched::BatcherCore::Actions batcher_out_;
};

}  // namespace spillway::sim
