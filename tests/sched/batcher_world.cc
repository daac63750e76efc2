#include "tests/sched/batcher_world.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>

namespace spillway::sched::test {

using core::block_tokens;
using namespace std::chrono_literals;

namespace {
void must(bool holds, const char* rule) {
  if (!holds) BOOST_FAIL(rule);
}
}  // namespace

WorldCounts& WorldCounts::operator+=(const WorldCounts& o) {
  finished += o.finished, cancelled += o.cancelled, expired += o.expired, refused += o.refused, returned += o.returned,
      orphaned += o.orphaned;
  preemptions += o.preemptions, copies += o.copies, forks += o.forks, prefix_hit_tokens += o.prefix_hit_tokens,
      mixed_steps += o.mixed_steps;
  exports += o.exports, moves += o.moves, thaws += o.thaws, exports_ended += o.exports_ended, imports_refused += o.imports_refused;
  blocks_held += o.blocks_held, worker_failures += o.worker_failures, owner_deaths += o.owner_deaths;
  replaced += o.replaced, replays += o.replays, dropped_results += o.dropped_results, names_told += o.names_told,
      names_gone += o.names_gone, guessed += o.guessed;
  held += o.held, held_moved += o.held_moved;
  return *this;
}

namespace {
/// One model, the same on both nodes.
std::vector<core::KvGroup> draw_groups(Random& random) {
  const core::KvGroup window{core::KvGroupKind::window, 1 + random.below(50), 0};
  const core::KvGroup state{core::KvGroupKind::state, 0, 1 + random.below(2)};
  switch (random.below(7)) {
    case 0: return {{}, window};
    case 1: return {window};
    case 2: return {window, {}, {}};
    case 3: return {{}, state};
    case 4: return {state};
    case 5: return {state, window, {}};
    default: return {};
  }
}
}  // namespace

World::World(const WorldOptions& options) : options_(options), random_(options.seed), owners_{{101}, {102}} {
  const auto groups = options.groups ? draw_groups(random_) : std::vector<core::KvGroup>{};
  for (std::uint32_t n = 0; n < 2; ++n) {
    core::ReplicaInfo info;
    info.kv_groups = groups;
    info.vocabulary = vocabulary;
    info.context_max = 4096;
    info.blocks = options.blocks;
    info.page_bytes = 16 * 64;
    info.row_bytes = 64;
    info.tokens_per_step_max = random_.one_in(2) ? 1 : 2 + random_.below(4);
    info.adapters = {{"a", {1, 1}}, {"b", {1, 2}}};
    BatcherLimits limits;
    limits.step_tokens_max = options.step_tokens_max;
    limits.sequences_max = options.sequences_max;
    limits.queue_max = options.queue_max;
    limits.reserve_blocks = random_.below(3);
    limits.ageing = 200ms;
    limits.hold_max = random_.one_in(2) ? 0ms : 1ms * (1 + random_.below(20));
    auto& node = nodes_.emplace_back();
    node.core = std::make_unique<BatcherCore>(core::ReplicaRef{{n + 1}, 0}, core::Incarnation{n + 7}, info, limits);
    node.worker = std::make_unique<FakeWorker>(options.blocks, groups);
  }
}

void World::submit() {
  auto request = std::make_shared<core::Request>();
  request->key = {{1}, {{9, next_request_++}}};
  const std::uint32_t length = 1 + random_.below(options_.prompt_max);
  const std::uint32_t family = random_.below(3);  // prompts of a family begin alike
  const std::uint32_t common = random_.below(length + 1);
  std::vector<core::TokenId> prompt;
  for (std::uint32_t p = 0; p < length; ++p)
    prompt.push_back(static_cast<core::TokenId>(p < common ? mix(family, p) % vocabulary : random_.below(vocabulary)));
  request->prompt = std::move(prompt);
  if (random_.one_in(3)) request->adapter = random_.one_in(2) ? "a" : "b";
  request->choices = random_.one_in(3) ? 2 + random_.below(3) : 1;
  request->tokens_max = 1 + random_.below(options_.tokens_max);
  request->sampling.seed = random_.one_in(4) ? 5 : random_.next();
  request->ignore_eos = random_.one_in(2);
  request->service_class = static_cast<core::ServiceClass>(random_.below(3));
  auto& s = streams_[request->key];
  s.request = request;
  s.got.resize(request->choices);
  for (std::uint32_t c = 0; c < request->choices; ++c) s.expected.push_back(undisturbed(*request, c));
  s.prompt_names = names_of(*request, {});
  s.owner = {500 + random_.below(2)};
  if (options_.faults && random_.one_in(6)) s.deadline = now_ + 1ms * (10 + random_.below(400));
  run(s, random_.below(2));
}

void World::run(Stream& s, std::uint32_t node) {
  s.epoch = {owners_[s.owner.value - 500], next_counter_++};
  s.moving.reset();
  s.node = node;
  s.retry_at = core::never;
  s.accepted = false;
  core::Run run;
  run.key = s.request->key;
  run.epoch = s.epoch;
  run.owner = s.owner;
  run.replica = {{node + 1}, 0};
  run.request = s.request;
  run.choices = s.got;
  run.prompt_names = s.prompt_names;
  if (random_.one_in(8)) run.prompt_names.clear();  // names are an offer, never needed
  if (s.deadline != core::never) run.deadline_left = std::max<core::Duration>(s.deadline - now_, 1ns);
  s.last_run = run;
  give(node, run);
}

void World::step(std::uint32_t n) {
  auto& node = nodes_[n];
  if (node.plan) {
    const auto result = node.worker->run(*node.plan);
    node.plan.reset();
    give(n, result);
    return;
  }
  BatcherCore::Actions out;
  auto plan = node.core->plan_step(now_, out);
  if (plan) {
    std::uint32_t rows = 0;
    for (const auto& item : plan->items) {
      rows += static_cast<std::uint32_t>(item.tokens.size());
      if (item.samples.size() == 1) rows += item.samples[0].tokens_max - 1;
      counts_.forks += item.samples.size() > 1 ? 1 : 0;
    }
    must(rows <= options_.step_tokens_max, "a step keeps to the token budget");
  }
  node.plan = std::move(plan);
  node.core->check();
  perform(n, std::move(out));
}

void World::send_names(Stream& s) {
  const auto choice = random_.below(s.request->choices);
  auto& got = s.got[choice];
  const auto all = names_of(*s.request, got.tokens);
  const std::size_t from = s.request->prompt.size() / block_tokens + got.names.size();
  if (from >= all.size()) return;
  core::BlockNames message{
      .key = s.request->key, .epoch = s.epoch, .choice = choice, .first_block = static_cast<std::uint32_t>(from), .names = {}};
  message.names.assign(all.begin() + static_cast<std::ptrdiff_t>(from), all.end());
  got.names.insert(got.names.end(), message.names.begin(), message.names.end());
  give(s.node, message);
}

void World::end(Stream& s) {
  s.over = true;
  s.retry_at = core::never;
}

void World::cancel(Stream& s) {
  const auto epoch = s.moving ? *s.moving : s.epoch;
  end(s);
  ++counts_.cancelled;
  const core::CancelRun message{.key = s.request->key, .epoch = epoch};
  counts_.dropped_results += nodes_[s.node].plan ? 1 : 0;
  give(0, message);
  give(1, message);
}

void World::replay(Stream& s) {
  ++counts_.replays;
  auto old = s.last_run;
  if (random_.one_in(2) && old.epoch.counter > 1)
    old.epoch.counter -= 1 + random_.below(static_cast<std::uint32_t>(std::min<std::uint64_t>(old.epoch.counter - 1, 3)));
  // An older epoch of this stream may never have been handed out for this key; it must lose against the newer one all the same.
  give(s.node, old);
}

World::Stream* World::pick_live() {
  std::vector<Stream*> live;
  for (auto& [key, s] : streams_) {
    if (!s.over) live.push_back(&s);
  }
  return live.empty() ? nullptr : live[random_.below(static_cast<std::uint32_t>(live.size()))];
}

void World::begin_move(Stream& s) {
  if (s.moving || !s.accepted || s.retry_at != core::never) return;
  const TransferId id{next_transfer_++};
  auto& t = transfers_[id];
  t.key = s.request->key;
  t.epoch = s.epoch;
  t.new_epoch = {s.epoch.owner, next_counter_++};
  t.from = s.node;
  t.to = 1 - s.node;
  s.moving = t.new_epoch;
  ++counts_.exports;
  give(t.from, ExportBegin{.transfer = id, .key = t.key, .epoch = t.epoch});
}

void World::fail_worker(std::uint32_t n) {
  auto& node = nodes_[n];
  ++counts_.worker_failures;
  node.failed = true;
  node.plan.reset();
  node.worker->crash();
  BatcherCore::Actions out;
  node.core->on_worker_failed("bad luck", now_, out);
  node.core->check();
  must(node.core->idle(), "a failed worker leaves nothing");
  must(node.core->report(now_).blocks_free == options_.blocks && !node.core->report(now_).ready, "a failed worker forgets all blocks");
  perform(n, std::move(out));
  must(node.names.empty(), "the names of a failed worker are gone");
}

void World::kill_owner(std::uint32_t owner) {
  ++counts_.owner_deaths;
  owners_[owner].value += 1000;
  for (auto& [key, s] : streams_) {
    if (s.over || s.owner.value != 500 + owner) continue;
    end(s);
    ++counts_.orphaned;
  }
  const auto alive = random_.one_in(2) ? owners_[owner] : core::Incarnation{};
  for (std::uint32_t n = 0; n < 2; ++n) {
    BatcherCore::Actions out;
    nodes_[n].core->on_owner_gone({500 + owner}, alive, now_, out);
    nodes_[n].core->check();
    perform(n, std::move(out));
  }
}

void World::time_passes() {
  now_ += 100us * (1 + random_.below(20));
  for (std::uint32_t n = 0; n < 2; ++n) {
    if (nodes_[n].core->next_tick() > now_) continue;
    BatcherCore::Actions out;
    nodes_[n].core->on_tick(now_, out);
    nodes_[n].core->check();
    perform(n, std::move(out));
    must(nodes_[n].core->next_tick() > now_, "a tick does what was due");
  }
  for (auto& [key, s] : streams_) {
    if (!s.over && s.retry_at <= now_) run(s, random_.below(2));
  }
}

void World::something() {
  const auto dice = random_.below(100);
  auto* s = pick_live();
  if (dice < 6 && next_request_ <= options_.streams) return submit();
  if (dice < 70) return step(random_.below(2));
  if (s == nullptr) return;
  if (dice < 78) return send_names(*s);
  if (dice < 82 && options_.moves) return begin_move(*s);
  if (dice < 88 && !transfers_.empty()) {
    auto it = transfers_.begin();
    std::advance(it, random_.below(static_cast<std::uint32_t>(transfers_.size())));
    auto& t = it->second;
    const bool known = std::all_of(t.blocks.begin(), t.blocks.end(), [&](const auto& b) { return t.slots.contains(b.ordinal); });
    if (random_.one_in(10)) return abort_move(it->first, random_.one_in(2));
    if (!t.freezing && known) {
      t.freezing = true;
      give(t.from, ExportFreeze{.transfer = it->first});
    }
    return;
  }
  if (!options_.faults) return;
  if (dice == 88 && random_.one_in(6)) return cancel(*s);
  if (dice == 89 || dice == 90) return replay(*s);
  if (dice == 91 && random_.one_in(12)) return fail_worker(random_.below(2));
  if (dice == 92 && random_.one_in(12)) return kill_owner(random_.below(2));
  if (dice == 93 && !s->moving && s->accepted && random_.one_in(3)) {  // the owner starts it anew without waiting, perhaps where it runs
    ++counts_.replaced;
    run(*s, random_.below(2));
  }
}

WorldCounts World::play() {
  std::uint32_t turns = 0;
  for (;; ++turns) {
    must(turns < 400000, "everything ends");
    for (auto& node : nodes_) {
      if (!node.failed || !random_.one_in(20)) continue;
      node.failed = false;
      BatcherCore::Actions out;
      node.core->on_worker_ready(now_, out);
      must(out.empty() && node.core->report(now_).ready, "a worker comes back");
    }
    something();
    if (random_.one_in(3)) time_passes();
    const bool busy = std::any_of(streams_.begin(), streams_.end(), [](const auto& s) { return !s.second.over; });
    if (!busy && next_request_ > options_.streams) break;
  }
  while (!transfers_.empty()) abort_move(transfers_.begin()->first, false);
  for (std::uint32_t n = 0; n < 2; ++n) {
    auto& node = nodes_[n];
    // A stream cancelled under an epoch that its owner replaced may still run for nobody; the owner would cancel it on hearing of it.
    for (const auto& [key, s] : streams_) give(n, core::CancelRun{.key = key, .epoch = {s.epoch.owner, next_counter_}});
    for (int i = 0; i < 4; ++i) step(n);
    must(!node.plan, "nothing is left to do");
    must(node.core->idle(), "no stream is left");
    must(node.worker->open_sequences() == 0, "every sequence is closed");
    const auto report = node.core->report(now_);
    must(report.blocks_free == options_.blocks && report.blocks_used == 0, "all blocks are free or cached");
    must(report.streams == 0 && report.queued == 0 && report.prefill_tokens == 0 && report.decode_tokens == 0, "an idle report");
    const auto names = node.core->cached_names();
    must(node.names == std::set<core::BlockName>(names.begin(), names.end()), "the announced names are those held");
    counts_.preemptions += node.core->counters().preemptions;
    counts_.prefix_hit_tokens += node.core->counters().prefix_hit_tokens;
    counts_.copies += node.worker->copies;
    counts_.mixed_steps += node.worker->mixed_steps;
    counts_.guessed += node.worker->guessed;
    counts_.held_moved += node.core->counters().preemptions_moved;
  }
  return counts_;
}

void World::perform(std::uint32_t n, BatcherCore::Actions&& actions) {
  for (auto& action : actions) {
    if (auto* changed = std::get_if<BatcherCore::NamesChanged>(&action)) {
      for (const auto& name : changed->added) nodes_[n].names.insert(name);
      for (const auto& name : changed->removed) nodes_[n].names.erase(name);
      counts_.names_told += changed->added.size();
      counts_.names_gone += changed->removed.size();
    } else if (auto* post = std::get_if<BatcherCore::Post>(&action)) {
      std::visit(
          [&](const auto& message) {
            if constexpr (requires { receive(n, message); }) receive(n, message);
          },
          *post->message);
    } else {
      std::visit([&](const auto& event) { local(n, event); }, std::get<BatcherCore::Local>(action).event);
    }
  }
}

void World::receive(std::uint32_t n, const core::Tokens& message) {
  must(message.replica.node.value == n + 1 && !message.runs.empty(), "tokens say where they come from");
  for (const auto& run : message.runs) {
    auto& s = streams_.at(run.key);
    if (s.over) continue;
    if (!hears(s, run.epoch)) {
      give(n, core::CancelRun{.key = run.key, .epoch = run.epoch});
      continue;
    }
    if (s.moving && run.epoch == *s.moving) {
      s.epoch = *s.moving;
      s.moving.reset();
    }
    auto& got = s.got.at(run.choice);
    const auto& expected = s.expected[run.choice];
    must(run.first_index == got.tokens.size() && got.finish == core::FinishReason::none, "each token once and in order");
    for (const auto& out : run.tokens) {
      must(got.finish == core::FinishReason::none, "nothing follows the last token");
      must(out == expected.at(got.tokens.size()), "the token is the undisturbed one");
      if (!out.is_end) got.tokens.push_back(out.token);
      got.finish = out.finish;
    }
    const bool all = std::all_of(s.got.begin(), s.got.end(), [](const auto& c) { return c.finish != core::FinishReason::none; });
    if (!all) continue;
    end(s);
    ++counts_.finished;
  }
}

void World::receive(std::uint32_t, const core::RunAccepted& message) {
  auto& s = streams_.at(message.key);
  if (message.epoch == s.epoch) s.accepted = true;
}

void World::receive(std::uint32_t, const core::RunRefused& message) {
  auto& s = streams_.at(message.key);
  if (s.over || message.epoch != s.epoch) return;
  must(!message.reason.empty(), "a refusal says why");
  if (message.code == core::Errc::no_capacity) {
    end(s);
    ++counts_.refused;
    return;
  }
  s.retry_at = now_ + 1ms * (1 + random_.below(20));
}

void World::receive(std::uint32_t, const core::RunReturned& message) {
  auto& s = streams_.at(message.key);
  if (s.over || !hears(s, message.epoch)) return;
  ++counts_.returned;
  if (message.code == core::Errc::timeout) {
    must(s.deadline <= now_, "a deadline does not come early");
    ++counts_.expired;
    return end(s);
  }
  s.moving.reset();
  s.epoch.counter = next_counter_++;  // neither the old epoch nor that of a move is heard until the next Run
  s.accepted = false;
  s.retry_at = now_ + 1ms * random_.below(10);
}

void World::receive(std::uint32_t n, const core::RunHeld& message) {
  auto& s = streams_.at(message.key);
  must(message.patience > core::Duration{0} && message.recompute >= message.patience, "a hold is worth its patience");
  ++counts_.held;
  if (s.over || s.moving || message.epoch != s.epoch) return;
  if (options_.moves && s.accepted && s.retry_at == core::never && !random_.one_in(3)) return begin_move(s);
  if (random_.one_in(2)) give(n, core::CancelRun{.key = message.key, .epoch = message.epoch, .give_back = true});
}

void World::read_rows(Transfer& t, const std::vector<ExportBlock>& blocks) {
  for (const auto& b : blocks) {
    if (b.ordinal >= t.blocks.size()) {
      must(b.ordinal == t.blocks.size(), "ordinals are given in order");
      t.blocks.push_back(b);
      t.rows.emplace_back();
      t.blocks.back().rows = 0;
    }
    auto& known = t.blocks[b.ordinal];
    must(known.block == b.block && known.first_token == b.first_token && b.rows >= known.rows, "an ordinal never changes meaning");
    const auto& page = nodes_[t.from].worker->pages.at(b.block);
    for (std::uint32_t r = 0; r < known.rows; ++r) must(t.rows[b.ordinal][r] == page[r], "a row that was told never changes");
    for (std::uint32_t r = known.rows; r < b.rows; ++r) t.rows[b.ordinal][r] = page[r];
    known = b;
  }
}

void World::reserve(TransferId id, const std::vector<ExportBlock>& blocks, std::uint32_t choices) {
  auto& t = transfers_.at(id);
  ImportReserve event{.transfer = id, .key = t.key, .epoch = t.new_epoch, .choices = choices, .blocks = {}};
  for (const auto& b : blocks) {
    if (!t.slots.contains(b.ordinal))
      event.blocks.push_back({.ordinal = b.ordinal, .name = b.name, .first_token = b.first_token, .rows = b.rows});
  }
  t.reserved_any = true;
  give(t.to, event);
}

void World::local(std::uint32_t n, const ExportGrown& event) {
  const auto it = transfers_.find(event.transfer);
  if (it == transfers_.end()) return;
  must(it->second.from == n && !it->second.frozen, "an export grows at its source, until it is frozen");
  read_rows(it->second, event.blocks);
  reserve(event.transfer, event.blocks, event.choices);
}

void World::local(std::uint32_t, const ExportEnded& event) {
  const auto it = transfers_.find(event.transfer);
  if (it == transfers_.end()) return;
  const auto t = it->second;
  transfers_.erase(it);
  ++counts_.exports_ended;
  auto& s = streams_.at(t.key);
  if (s.moving && *s.moving == t.new_epoch) s.moving.reset();
  if (t.reserved_any) give(t.to, ImportCancel{event.transfer});
}

void World::local(std::uint32_t n, const ImportReserved& event) {
  const auto it = transfers_.find(event.transfer);
  if (it == transfers_.end()) return;
  must(it->second.to == n, "room is reserved at the destination");
  if (!event.accepted) {
    must(!event.reason.empty() && event.code != core::Errc::ok && event.slots.empty(), "a refusal says why");
    return abort_move(event.transfer, false);
  }
  for (const auto& slot : event.slots) {
    it->second.slots[slot.ordinal] = slot;
    counts_.blocks_held += slot.held ? 1 : 0;
  }
}

void World::local(std::uint32_t n, const ExportFrozen& event) {
  const auto id = event.transfer;
  if (!transfers_.contains(id)) return;
  auto& t = transfers_.at(id);
  must(t.from == n && event.run.key == t.key && event.run.epoch == t.epoch, "a frozen stream is the one that was exported");
  t.frozen = true;
  read_rows(t, event.blocks);
  const auto& s = streams_.at(t.key);
  for (std::size_t c = 0; c < s.got.size(); ++c)
    must(s.over || (event.run.choices[c].tokens == s.got[c].tokens), "no token is under way after the freeze");
  reserve(id, event.blocks, static_cast<std::uint32_t>(event.run.choices.size()));
  if (!transfers_.contains(id)) return;
  auto& pages = nodes_[t.to].worker->pages;
  ImportCommit commit{.transfer = id, .run = event.run, .tables = event.tables, .rows = event.rows, .blocks = {}};
  for (const auto& b : event.blocks) {
    const auto& slot = t.slots.at(b.ordinal);
    for (std::uint32_t r = 0; r < b.rows; ++r) {
      if (slot.held) must(pages.at(slot.block)[r] == t.rows[b.ordinal][r], "a block that is held holds the same rows");
      pages.at(slot.block)[r] = t.rows[b.ordinal][r];
    }
    commit.blocks.push_back({.ordinal = b.ordinal, .name = b.name, .first_token = b.first_token, .rows = b.rows});
  }
  commit.run.epoch = t.new_epoch;
  commit.run.replica = {{t.to + 1}, 0};
  if (random_.one_in(6)) return abort_move(id, random_.one_in(2));
  give(t.to, commit);
}

void World::local(std::uint32_t, const ImportCommitted& event) {
  const auto it = transfers_.find(event.transfer);
  if (it == transfers_.end()) return;
  if (!event.accepted) {
    ++counts_.imports_refused;
    return abort_move(event.transfer, false);
  }
  const auto t = it->second;
  transfers_.erase(it);
  ++counts_.moves;
  auto& s = streams_.at(t.key);
  if (s.moving && *s.moving == t.new_epoch) {
    s.epoch = t.new_epoch;
    s.moving.reset();
    s.node = t.to;
    s.accepted = true;
  }
  give(t.from, ExportRelease{event.transfer});
}

void World::abort_move(TransferId id, bool new_grant) {
  const auto t = transfers_.at(id);
  transfers_.erase(id);
  ++counts_.thaws;
  auto& s = streams_.at(t.key);
  auto epoch = t.epoch;
  if (s.moving && *s.moving == t.new_epoch) {
    s.moving.reset();
    if (new_grant && t.frozen) epoch = s.epoch = {t.epoch.owner, next_counter_++};
  }
  give(t.from, ExportThaw{.transfer = id, .epoch = epoch});
  if (t.reserved_any) give(t.to, ImportCancel{id});
}

}  // namespace spillway::sched::test
