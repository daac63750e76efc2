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
  node.router = std::make_unique<RouterCore>(node.id, node.name, node.incarnation, options_.router);
  node.batcher = std::make_unique<BatcherCore>(core::ReplicaRef{node.id, 0}, node.incarnation, info, options_.batcher);
  node.cache = std::make_unique<CacheCore>(node.id, node.incarnation, options_.cache);
  node.cache->set_replica(0, info);
  node.worker = std::make_unique<FakeWorker>(options_.blocks);
  node.worker_life = node.life;
  node.jobs.clear();
  node.working = false;
  node.tick_at = core::never;
  node.links.clear();
  node.links.resize(nodes_.size());
  node.linked.assign(nodes_.size(), false);
  core::Hello hello;
  hello.name = node.name;
  hello.credit_bytes = options_.link.credit_bytes;
  for (std::uint32_t peer = 0; peer < nodes_.size(); ++peer) {
    node.router->expect_node(nodes_[peer].id, nodes_[peer].name);
    if (peer != n) {
      node.links[peer] =
          std::make_unique<LinkCore>(node.id, node.incarnation, nodes_[peer].id, hello, options_.link, mix(node.incarnation.value, peer));
    }
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
  if (due(*node.router)) router(n, [&](RouterCore& core, auto& out) { core.on_tick(now_, out); });
  if (due(*node.batcher)) batcher(n, [&](BatcherCore& core, auto& out) { core.on_tick(now_, out); });
  if (due(*node.cache)) cache(n, [&](CacheCore& core, auto& out) { core.on_tick(now_, out); });
  for (std::uint32_t peer = 0; peer < nodes_.size(); ++peer) {
    if (peer != n && due(*node.links[peer])) link(n, peer, [&](LinkCore& core, auto& out) { core.on_tick(now_, out); });
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
  link(from, to, [&](LinkCore& core, auto& out) { core.send(message, now_, out); });
}

void ClusterSim::transmit(std::uint32_t from, std::uint32_t to, const core::Envelope& envelope) {
  if (cut_.contains({std::min(from, to), std::max(from, to)})) return;
  std::uint32_t copies = 1;
  if (options_.loss_permille > 0 && random_.below(1000) < options_.loss_permille) copies = 0;
  if (options_.repeat_permille > 0 && random_.below(1000) < options_.repeat_permille) ++copies;
  for (; copies > 0; --copies) {
    const auto jitter = static_cast<std::uint32_t>(options_.jitter.count());
    const auto delay = options_.latency + core::Duration(jitter == 0 ? 0 : random_.below(jitter));
    after(delay, [this, from, to, envelope] { link(to, from, [&](LinkCore& core, auto& out) { core.on(envelope, now_, out); }); });
  }
}

void ClusterSim::deliver(std::uint32_t from, std::uint32_t to, const core::MessagePtr& message) {
  const core::NodeId sender = nodes_[from].id;
  std::visit(
      [&](const auto& m) {
        using M = std::remove_cvref_t<decltype(m)>;
        if constexpr (requires(RouterCore & core, RouterCore::Actions & out) { core.on(sender, m, now_, out); }) {
          router(to, [&](RouterCore& core, auto& out) { core.on(sender, m, now_, out); });
        } else if constexpr (requires(BatcherCore & core, BatcherCore::Actions & out) { core.on(m, now_, out); }) {
          batcher(to, [&](BatcherCore& core, auto& out) { core.on(m, now_, out); });
        } else if constexpr (requires(CacheCore & core, CacheCore::Actions & out) { core.on(m, now_, out); }) {
          cache(to, [&](CacheCore& core, auto& out) { core.on(m, now_, out); });
        } else {
          static_assert(std::is_same_v<M, core::Drain>);
          nodes_[to].draining = m.mode != core::DrainMode::resume;
          nodes_[to].batcher->set_draining(nodes_[to].draining);
          report(to);
        }
      },
      *message);
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
              if (bytes > 0) link(n, peer, [&](LinkCore& core, auto& out) { core.consumed(bytes, now_, out); });
            });
          } else if constexpr (std::is_same_v<A, LinkCore::PeerUp>) {
            const core::Incarnation incarnation = a.incarnation;
            at(now_, [this, n, peer, id, incarnation] {
              nodes_[n].linked[peer] = true;
              router(n, [&](RouterCore& core, auto& out) { core.on_peer_up(id, incarnation, now_, out); });
              batcher(n, [&](BatcherCore& core, auto& out) { core.on_owner_gone(id, incarnation, now_, out); });
              announce_all(n, peer);
            });
          } else if constexpr (std::is_same_v<A, LinkCore::PeerSuspect>) {
            const bool suspect = a.suspect;
            at(now_,
               [this, n, id, suspect] { router(n, [&](RouterCore& core, auto& out) { core.on_peer_suspect(id, suspect, now_, out); }); });
          } else if constexpr (std::is_same_v<A, LinkCore::PeerDown>) {
            const core::Incarnation incarnation = a.incarnation;
            at(now_, [this, n, peer, id, incarnation] {
              nodes_[n].linked[peer] = false;
              router(n, [&](RouterCore& core, auto& out) { core.on_peer_down(id, incarnation, now_, out); });
              batcher(n, [&](BatcherCore& core, auto& out) { core.on_owner_gone(id, {}, now_, out); });
              cache(n, [&](CacheCore& core, auto& out) { core.on_peer_gone(id, now_, out); });
            });
          } else if constexpr (std::is_same_v<A, LinkCore::BulkCredit>) {
            const std::uint64_t bytes = a.bytes_in_flight;
            at(now_, [this, n, id, bytes] { cache(n, [&](CacheCore& core, auto& out) { core.on_credit(id, bytes, now_, out); }); });
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
              std::visit([&](const auto& e) { cache(n, [&](CacheCore& core, auto& out) { core.on(e, now_, out); }); }, event);
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
              std::visit([&](const auto& e) { batcher(n, [&](BatcherCore& core, auto& out) { core.on(e, now_, out); }); }, event);
            });
          } else if constexpr (std::is_same_v<A, CacheCore::ReadRows>) {
            enqueue(n, options_.row_copy, [this, n, a] {
              const Page& page = nodes_[n].worker->pages.at(a.block);
              core::ByteVector bytes((a.whole_page ? page_bytes : a.rows * row_bytes));
              std::memcpy(bytes.data(), page.data() + a.first_row, a.rows * row_bytes);
              const CacheCore::RowsRead read{a.transfer, a.ordinal, a.whole_page, a.first_row, a.rows, core::share(std::move(bytes))};
              cache(n, [&](CacheCore& core, auto& out) { core.on(read, now_, out); });
            });
          } else {
            enqueue(n, options_.row_copy, [this, n, a] {
              ++counts.pages_written;
              const std::size_t offset = a.whole_page ? a.first_row * row_bytes : 0;
              std::memcpy(nodes_[n].worker->pages.at(a.block).data() + a.first_row, a.data->data() + offset, a.rows * row_bytes);
              const CacheCore::RowsWritten written{a.transfer, a.ordinal, a.first_row, a.rows};
              cache(n, [&](CacheCore& core, auto& out) { core.on(written, now_, out); });
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
  auto step = node.batcher->plan_step(now_, out);
  perform(n, std::move(out));
  if (!step) return;
  std::uint32_t rows = 0;
  for (const core::StepItem& item : step->items) rows += static_cast<std::uint32_t>(item.tokens.size());
  enqueue(n, options_.step_base + options_.step_row * rows, [this, n, planned = std::make_shared<core::StepPlan>(std::move(*step))] {
    const core::StepResult result = nodes_[n].worker->run(*planned);
    batcher(n, [&](BatcherCore& core, auto& actions) { core.on(result, now_, actions); });
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
  batcher(n, [&](BatcherCore& core, auto& out) { core.on_worker_failed("its device fell over", now_, out); });
  report(n);
  after(down_for, [this, n, life = node.life] {
    if (!nodes_[n].alive || nodes_[n].life != life) return;
    nodes_[n].worker_ok = true;
    batcher(n, [&](BatcherCore& core, auto& out) { core.on_worker_ready(now_, out); });
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
  r.replicas.push_back(node.batcher->report(now_));
  r.counters = node.router->counters();
  const core::NodeCounters moved = node.cache->counters();
  r.counters.exports_committed = moved.exports_committed;
  r.counters.export_blocks = moved.export_blocks;
  r.counters.export_bytes = moved.export_bytes;
  r.counters.imports_committed = moved.imports_committed;
  node.batcher->set_report_number(r.number);
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
