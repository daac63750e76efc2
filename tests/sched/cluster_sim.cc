#include "tests/sched/cluster_sim.h"

#include <boost/test/unit_test.hpp>
#include <cstring>

#include "core/assert.h"

namespace spillway::sched::test {

namespace {

using core::make_message;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t page_bytes = sizeof(Page);
constexpr std::uint64_t row_bytes = sizeof(Row);
constexpr core::Duration report_interval = milliseconds(100);
const core::TenantSecret secret = core::tenant_secret({}, "tests");

core::ReplicaInfo replica_info(const ClusterOptions& options) {
  core::ReplicaInfo info;
  info.model = core::model_id("fake");
  info.model_name = "fake";
  info.kv_id = core::KvId{{7, 7}};
  info.weights_digest = {1, 2};
  info.context_max = 4096;
  info.vocabulary = vocabulary;
  info.page_bytes = page_bytes;
  info.row_bytes = row_bytes;
  info.page_format = static_cast<std::uint32_t>(core::PageFormat::raw16);
  info.blocks = options.blocks;
  info.isa = "paced";
  info.adapters = {{"a", {1, 1}}, {"b", {1, 2}}};
  return info;
}

}  // namespace

ClusterCounts& ClusterCounts::operator+=(const ClusterCounts& o) {
  streams += o.streams, finished += o.finished, resubmitted += o.resubmitted, commits += o.commits, aborts += o.aborts,
      restarts += o.restarts;
  moves_asked += o.moves_asked, moves_done += o.moves_done, moves_refused += o.moves_refused, kills += o.kills;
  kills_with_streams += o.kills_with_streams, kills_with_moves += o.kills_with_moves, kills_of_source += o.kills_of_source;
  kills_of_destination += o.kills_of_destination, kills_of_owner += o.kills_of_owner, checked_moves += o.checked_moves;
  long_moves += o.long_moves, blocks_carried += o.blocks_carried, rows_after_freeze += o.rows_after_freeze, events += o.events;
  tokens += o.tokens, pages_written += o.pages_written;
  return *this;
}

ClusterSim::ClusterSim(const ClusterOptions& options) : options_(options), random_(options.seed), nodes_(options.nodes) {
  options_.batcher.sequences_max = options.sequences_max;
  options_.batcher.step_tokens_max = options.step_tokens_max;
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) {
    nodes_[n].name = "n" + std::to_string(n);
    nodes_[n].id = core::node_id(nodes_[n].name);
    index_[nodes_[n].id] = n;
  }
  for (std::uint32_t n = 0; n < nodes_.size(); ++n) start(n);
  run_for(milliseconds(400));
}

ClusterSim::~ClusterSim() = default;

void ClusterSim::fail(const std::string& what) const {
  BOOST_FAIL(what << " at " << core::to_ms(now_ - Instant{}) << " ms, seed " << options_.seed << (replay_line.empty() ? "" : "; replay: ")
                  << replay_line);
  std::abort();
}

void ClusterSim::at(Instant when, std::function<void()> then) {
  queue_.emplace(std::pair{std::max(when, now_), ++queued_}, std::move(then));
}
void ClusterSim::after(core::Duration delay, std::function<void()> then) {
  at(now_ + delay, std::move(then));
}

// -- Cores -----------------------------------------------------------------------------------------------------------------------

void ClusterSim::start(std::uint32_t n) {
  Node& node = nodes_[n];
  node.life = next_life_++;
  node.incarnation = {mix(options_.seed, node.life) | 1};
  node.alive = node.worker_ok = true;
  node.draining = false;
  node.report_number = 0;
  const core::ReplicaInfo info = replica_info(options_);
  const auto log = options_.decision_log ? options_.decision_log(n) : nullptr;
  const decisions::RouterStart router_start{node.id, node.name, node.incarnation, options_.router};
  const decisions::BatcherStart batcher_start{{node.id, 0}, node.incarnation, info, options_.batcher};
  const decisions::CacheStart cache_start{node.id, node.incarnation, options_.cache};
  node.router = std::make_unique<RouterCore>(router_start.make());
  node.router_log = decisions::record<RouterCore>(log, router_start);
  node.batcher = std::make_unique<BatcherCore>(batcher_start.make());
  node.batcher_log = decisions::record<BatcherCore>(log, batcher_start);
  node.cache = std::make_unique<CacheCore>(cache_start.make());
  node.cache_log = decisions::record<CacheCore>(log, cache_start);
  CacheCore::Actions none;
  decisions::take<decisions::cache::SetReplica>(node.cache_log, *node.cache, now_, none, std::uint32_t{0}, info);
  node.worker = std::make_unique<FakeWorker>(options_.blocks);
  node.worker_life = node.life;
  node.jobs.clear();
  node.working = false;
  node.tick_at = core::never;
  node.links.clear();
  node.links.resize(nodes_.size());
  node.link_logs.clear();
  node.link_logs.resize(nodes_.size());
  node.linked.assign(nodes_.size(), false);
  core::Hello hello;
  hello.name = node.name;
  hello.credit_bytes = options_.link.credit_bytes;
  for (std::uint32_t peer = 0; peer < nodes_.size(); ++peer) {
    RouterCore::Actions nothing;
    decisions::take<decisions::router::ExpectNode>(node.router_log, *node.router, now_, nothing, nodes_[peer].id, nodes_[peer].name);
    if (peer == n) continue;
    const decisions::LinkStart start{
        node.id, node.incarnation, nodes_[peer].id, nodes_[peer].name, hello, options_.link, mix(node.incarnation.value, peer)};
    node.links[peer] = std::make_unique<LinkCore>(start.make());
    node.link_logs[peer] = decisions::record<LinkCore>(log, start);
  }
  arm(n);
  report(n);
}

void ClusterSim::arm(std::uint32_t n) {
  Node& node = nodes_[n];
  Instant next = std::min({node.router->next_tick(), node.batcher->next_tick(), node.cache->next_tick()});
  for (const auto& l : node.links) {
    if (l) next = std::min(next, l->next_tick());
  }
  if (next == core::never) return;
  next = std::max(next, now_) + std::chrono::microseconds(500);  // a body is never quite on time
  if (node.tick_at <= next) return;
  node.tick_at = next;
  at(next, [this, n, next, life = node.life] {
    if (!nodes_[n].alive || nodes_[n].life != life || nodes_[n].tick_at != next) return;
    nodes_[n].tick_at = core::never;
    tick(n);
  });
}

void ClusterSim::tick(std::uint32_t n) {
  const Node& node = nodes_[n];
  const auto due = [&](const auto& core) { return core.next_tick() <= now_; };
  if (due(*node.router)) router<decisions::router::Tick>(n);
  if (due(*node.batcher)) batcher<decisions::batcher::Tick>(n);
  if (due(*node.cache)) cache<decisions::cache::Tick>(n);
  for (std::uint32_t peer = 0; peer < nodes_.size(); ++peer) {
    if (peer != n && due(*node.links[peer])) link<decisions::link::Tick>(n, peer);
  }
  arm(n);
}

void ClusterSim::check_node(std::uint32_t n) const {
  nodes_[n].router->check();
  nodes_[n].batcher->check();
  nodes_[n].cache->check();
}

// -- Messages --------------------------------------------------------------------------------------------------------------------

void ClusterSim::send(std::uint32_t from, core::NodeId to, const core::MessagePtr& message) {
  observe(*message);
  const std::uint32_t target = index(to);
  Fate f;
  if (fate) f = fate(from, target, *message);
  if (f.lost) return;
  for (const core::Duration later : f.copies) {
    if (later == core::Duration{0}) {
      send_now(from, target, message);
    } else {
      after(later, [this, from, target, message] {
        // Also into another life of either: the cores themselves must see that it is old.
        if (nodes_[from].alive) send_now(from, target, message);
      });
    }
  }
}

void ClusterSim::send_now(std::uint32_t from, std::uint32_t to, const core::MessagePtr& message) {
  if (from == to) {
    at(now_, [this, from, message, life = nodes_[from].life] {
      if (nodes_[from].alive && nodes_[from].life == life) deliver(from, from, message);
    });
    return;
  }
  link<decisions::link::Send>(from, to, message);
}

void ClusterSim::transmit(std::uint32_t from, std::uint32_t to, const core::Envelope& envelope) {
  if (cut_.contains({std::min(from, to), std::max(from, to)})) return;
  std::uint32_t copies = 1;
  if (options_.loss_permille > 0 && random_.below(1000) < options_.loss_permille) copies = 0;
  if (options_.repeat_permille > 0 && random_.below(1000) < options_.repeat_permille) ++copies;
  for (; copies > 0; --copies) {
    const auto jitter = static_cast<std::uint32_t>(options_.jitter.count());
    const auto delay = options_.latency + core::Duration(jitter == 0 ? 0 : random_.below(jitter));
    after(delay, [this, from, to, envelope] { link<decisions::link::Envelope>(to, from, envelope); });
  }
}

void ClusterSim::deliver(std::uint32_t from, std::uint32_t to, const core::MessagePtr& message) {
  switch (core::traits(*message).part) {
    case core::Part::router: return router<decisions::router::Message>(to, nodes_[from].id, *message);
    case core::Part::batcher: return batcher<decisions::batcher::Message>(to, *message);
    case core::Part::cache: return cache<decisions::cache::Message>(to, *message);
    case core::Part::node: break;
  }
  Node& node = nodes_[to];
  node.draining = std::get<core::Drain>(*message).mode != core::DrainMode::resume;
  BatcherCore::Actions none;
  decisions::take<decisions::batcher::SetDraining>(node.batcher_log, *node.batcher, now_, none, node.draining);
  report(to);
}

void ClusterSim::perform(std::uint32_t n, std::uint32_t peer, LinkCore::Actions&& actions) {
  const core::NodeId id = nodes_[peer].id;
  for (auto& action : actions) {
    std::visit(
        [&](auto& a) {
          using A = std::remove_cvref_t<decltype(a)>;
          if constexpr (std::is_same_v<A, LinkCore::Transmit>) {
            transmit(n, peer, a.envelope);
          } else if constexpr (std::is_same_v<A, LinkCore::Deliver>) {
            at(now_, [this, n, peer, message = a.message, bytes = a.bulk_bytes, life = nodes_[n].life] {
              if (!nodes_[n].alive || nodes_[n].life != life) return;
              deliver(peer, n, message);
              if (bytes > 0) link<decisions::link::Consumed>(n, peer, bytes);
            });
          } else if constexpr (std::is_same_v<A, LinkCore::PeerUp>) {
            const core::Incarnation incarnation = a.incarnation;
            at(now_, [this, n, peer, id, incarnation] {
              nodes_[n].linked[peer] = true;
              router<decisions::router::PeerUp>(n, id, incarnation);
              batcher<decisions::batcher::OwnerGone>(n, id, incarnation);
              announce_all(n, peer);
            });
          } else if constexpr (std::is_same_v<A, LinkCore::PeerSuspect>) {
            const bool suspect = a.suspect;
            at(now_, [this, n, id, suspect] { router<decisions::router::PeerSuspect>(n, id, suspect); });
          } else if constexpr (std::is_same_v<A, LinkCore::PeerDown>) {
            const core::Incarnation incarnation = a.incarnation;
            at(now_, [this, n, peer, id, incarnation] {
              nodes_[n].linked[peer] = false;
              router<decisions::router::PeerDown>(n, id, incarnation);
              batcher<decisions::batcher::OwnerGone>(n, id, core::Incarnation{});
              cache<decisions::cache::PeerGone>(n, id);
            });
          } else if constexpr (std::is_same_v<A, LinkCore::BulkCredit>) {
            const std::uint64_t bytes = a.bytes_in_flight;
            at(now_, [this, n, id, bytes] { cache<decisions::cache::Credit>(n, id, bytes); });
          } else {
            fail("a link was refused: " + a.reason);
          }
        },
        action);
  }
}

void ClusterSim::perform(std::uint32_t n, RouterCore::Actions&& actions) {
  for (auto& action : actions) {
    std::visit(
        [&](auto& a) {
          using A = std::remove_cvref_t<decltype(a)>;
          if constexpr (std::is_same_v<A, RouterCore::Post>) send(n, a.to, a.message);
          if constexpr (std::is_same_v<A, RouterCore::ToClient>) to_client(n, a);
          if constexpr (std::is_same_v<A, RouterCore::Operation>) {
            auto& last = operations[a.update.operation];
            if (last.done) fail("an operation ended twice");
            last = a.update;
            if (!a.update.done || asked_moves_.erase(a.update.operation) == 0) return;
            (a.update.move.committed ? counts.moves_done : counts.moves_refused) += 1;
            if (!a.update.move.committed) last_refusal = a.update.text;
          }
          if constexpr (std::is_same_v<A, RouterCore::Status>) statuses[a.reply.operation] = a.reply;
        },
        action);
  }
}

void ClusterSim::perform(std::uint32_t n, BatcherCore::Actions&& actions) {
  for (auto& action : actions) {
    std::visit(
        [&](auto& a) {
          using A = std::remove_cvref_t<decltype(a)>;
          if constexpr (std::is_same_v<A, BatcherCore::Post>) {
            send(n, a.to, a.message);
          } else if constexpr (std::is_same_v<A, BatcherCore::Local>) {
            at(now_, [this, n, event = a.event, life = nodes_[n].life] {
              if (nodes_[n].life != life) return;
              cache<decisions::cache::Local>(n, event);
            });
          } else {
            core::Announce announce{{nodes_[n].id, 0}, replica_info(options_).kv_id, false, a.added, a.removed};
            const auto message = make_message(std::move(announce));
            for (const Node& to : nodes_) send(n, to.id, message);
          }
        },
        action);
  }
}

void ClusterSim::perform(std::uint32_t n, CacheCore::Actions&& actions) {
  for (auto& action : actions) {
    std::visit(
        [&](auto& a) {
          using A = std::remove_cvref_t<decltype(a)>;
          if constexpr (std::is_same_v<A, CacheCore::Post>) {
            send(n, a.to, a.message);
          } else if constexpr (std::is_same_v<A, CacheCore::Local>) {
            at(now_, [this, n, event = a.event, life = nodes_[n].life] {
              if (nodes_[n].life != life) return;
              batcher<decisions::batcher::Local>(n, event);
            });
          } else if constexpr (std::is_same_v<A, CacheCore::ReadRows>) {
            enqueue(n, options_.row_copy, [this, n, a] {
              const Page& page = nodes_[n].worker->pages.at(a.block);
              core::ByteVector bytes((a.whole_page ? page_bytes : a.rows * row_bytes));
              std::memcpy(bytes.data(), page.data() + a.first_row, a.rows * row_bytes);
              const CacheCore::RowsRead read{a.transfer, a.ordinal, a.whole_page, a.first_row, a.rows, core::share(std::move(bytes))};
              cache<decisions::cache::RowsRead>(n, read);
            });
          } else {
            enqueue(n, options_.row_copy, [this, n, a] {
              ++counts.pages_written;
              const std::size_t offset = a.whole_page ? a.first_row * row_bytes : 0;
              std::memcpy(nodes_[n].worker->pages.at(a.block).data() + a.first_row, a.data->data() + offset, a.rows * row_bytes);
              const CacheCore::RowsWritten written{a.transfer, a.ordinal, a.first_row, a.rows};
              cache<decisions::cache::RowsWritten>(n, written);
            });
          }
        },
        action);
  }
}

// -- Worker ----------------------------------------------------------------------------------------------------------------------

void ClusterSim::enqueue(std::uint32_t n, core::Duration time, std::function<void()> done) {
  if (!nodes_[n].worker_ok) return;
  nodes_[n].jobs.push_back({time, std::move(done)});
  work(n);
}

void ClusterSim::work(std::uint32_t n) {
  Node& node = nodes_[n];
  if (node.working || node.jobs.empty()) return;
  node.working = true;
  after(node.jobs.front().time, [this, n, life = node.worker_life] {
    Node& same = nodes_[n];
    if (!same.alive || same.worker_life != life) return;
    const auto job = std::move(same.jobs.front());
    same.jobs.pop_front();
    same.working = false;
    job.done();
    if (same.alive && same.worker_life == life) work(n);
  });
}

void ClusterSim::plan(std::uint32_t n) {
  Node& node = nodes_[n];
  if (!node.worker_ok) return;
  BatcherCore::Actions out;
  auto step = decisions::take<decisions::batcher::Plan>(node.batcher_log, *node.batcher, now_, out);
  perform(n, std::move(out));
  if (!step) return;
  std::uint32_t rows = 0;
  for (const core::StepItem& item : step->items) rows += static_cast<std::uint32_t>(item.tokens.size());
  enqueue(n, options_.step_base + options_.step_row * rows, [this, n, planned = std::make_shared<core::StepPlan>(std::move(*step))] {
    const core::StepResult result = nodes_[n].worker->run(*planned);
    batcher<decisions::batcher::StepDone>(n, result);
  });
}

void ClusterSim::fail_worker(std::uint32_t n, core::Duration down_for) {
  Node& node = nodes_[n];
  if (!node.alive || !node.worker_ok) return;
  node.worker_ok = false;
  node.worker_life = next_life_++;
  node.jobs.clear();
  node.working = false;
  node.worker->crash();
  batcher<decisions::batcher::WorkerFailed>(n, std::string("its device fell over"));
  report(n);
  after(down_for, [this, n, life = node.life] {
    if (!nodes_[n].alive || nodes_[n].life != life) return;
    nodes_[n].worker_ok = true;
    batcher<decisions::batcher::WorkerReady>(n);
    report(n);
  });
}

// -- Nodes -----------------------------------------------------------------------------------------------------------------------

void ClusterSim::report(std::uint32_t n) {
  Node& node = nodes_[n];
  if (!node.alive) return;
  core::Report r;
  r.node = node.id;
  r.name = node.name;
  r.number = ++node.report_number;
  r.roles = 3;
  r.draining = node.draining;
  r.owned_streams = static_cast<std::uint32_t>(node.router->streams());
  BatcherCore::Actions none;
  r.replicas.push_back(decisions::take<decisions::batcher::Report>(node.batcher_log, *node.batcher, now_, none, r.number).first);
  r.counters = node.router->counters();
  const core::NodeCounters moved = node.cache->counters();
  r.counters.exports_committed = moved.exports_committed;
  r.counters.export_blocks = moved.export_blocks;
  r.counters.export_bytes = moved.export_bytes;
  r.counters.imports_committed = moved.imports_committed;
  const auto message = make_message(std::move(r));
  for (const Node& to : nodes_) send(n, to.id, message);
  const std::uint64_t number = node.report_number;
  after(report_interval, [this, n, number, life = node.life] {
    if (nodes_[n].life == life && nodes_[n].report_number == number) report(n);
  });
}

void ClusterSim::announce_all(std::uint32_t n, std::uint32_t to) {
  if (!nodes_[n].alive) return;
  core::Announce announce{{nodes_[n].id, 0}, replica_info(options_).kv_id, true, nodes_[n].batcher->cached_names(), {}};
  send(n, nodes_[to].id, make_message(std::move(announce)));
  report(n);
}

void ClusterSim::kill(std::uint32_t n, core::Duration down_for) {
  Node& node = nodes_[n];
  if (!node.alive) return;
  ++counts.kills;
  std::uint32_t sources = 0;
  std::uint32_t destinations = 0;
  std::uint32_t owned = 0;
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (clients_[i]->over) continue;
    owned += clients_[i]->router == n && moving(i) ? 1 : 0;
  }
  sources = static_cast<std::uint32_t>(node.cache->exports());
  destinations = static_cast<std::uint32_t>(node.cache->imports());
  counts.kills_with_streams += streams_on(n) > 0 || node.router->streams() > 0 ? 1 : 0;
  counts.kills_with_moves += sources + destinations + owned > 0 ? 1 : 0;
  counts.kills_of_source += sources > 0 ? 1 : 0;
  counts.kills_of_destination += destinations > 0 ? 1 : 0;
  counts.kills_of_owner += owned > 0 ? 1 : 0;
  counts.commits += node.router->counters().moves_committed;
  counts.aborts += node.router->counters().moves_aborted;
  counts.restarts += node.router->counters().streams_restarted;
  node.alive = false;
  node.jobs.clear();
  for (std::size_t i = 0; i < clients_.size(); ++i) {
    if (!clients_[i]->over && clients_[i]->router == n) submit_again(i, milliseconds(20));
  }
  after(down_for, [this, n] { start(n); });
}

void ClusterSim::partition(std::uint32_t a, std::uint32_t b, core::Duration lasts) {
  const std::pair pair{std::min(a, b), std::max(a, b)};
  cut_.insert(pair);
  after(lasts, [this, pair] { cut_.erase(pair); });
}

bool ClusterSim::alive(std::uint32_t node) const {
  return nodes_[node].alive;
}

std::uint32_t ClusterSim::streams_on(std::uint32_t n) const {
  const core::ReplicaReport report = nodes_[n].batcher->report(now_);
  return report.streams + report.queued;
}

}  // namespace spillway::sched::test
