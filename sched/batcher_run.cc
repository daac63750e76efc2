#include <algorithm>
#include <string>

#include "core/assert.h"
#include "sched/batcher_state.h"

namespace spillway::sched {

using core::block_tokens;

namespace {

/// The lowest bit of `bits`, with its name where this build knows one.
std::string feature_text(std::uint64_t bits) {
  unsigned bit = 0;
  while ((bits >> bit & 1U) == 0) ++bit;
  const auto name = core::to_string(static_cast<core::Feature>(1ULL << bit));
  std::string text = "feature bit " + std::to_string(bit);
  if (!name.empty()) text += " (" + std::string(name) + ")";
  return text;
}

std::optional<core::Error> malformed(const core::Run& run, const core::ReplicaInfo& info) {
  const auto bad = [](std::string text) { return core::Error{core::Errc::bad_argument, std::move(text)}; };
  if (!run.request || run.request->prompt.empty()) return bad("a Run without a prompt");
  const auto& request = *run.request;
  if (run.choices.empty() || run.choices.size() != request.choices)
    return bad("a Run with " + std::to_string(run.choices.size()) + " choices of a request for " + std::to_string(request.choices));
  if (request.tokens_max == 0 && !request.prompt_only) return bad("tokens_max = 0: want at least 1");
  if (request.prompt_only && (request.tokens_max != 0 || request.choices != 1))
    return bad("a request without output for " + std::to_string(request.tokens_max) + " tokens and " + std::to_string(request.choices) +
               " choices: want 0 tokens and one choice");
  const auto known_token = [&info](core::TokenId id) {
    return id >= 0 && (info.vocabulary == 0 || static_cast<std::uint32_t>(id) < info.vocabulary);
  };
  bool alive = false;
  bool tokens_known = std::all_of(request.prompt.begin(), request.prompt.end(), known_token);
  for (const auto& choice : run.choices) {
    tokens_known = tokens_known && std::all_of(choice.tokens.begin(), choice.tokens.end(), known_token);
    if (choice.finish != core::FinishReason::none) continue;
    alive = true;
    if (choice.tokens.size() >= request.tokens_max + (request.prompt_only ? 1U : 0U))
      return bad("a choice that is not over has tokens_max tokens already");
  }
  if (!tokens_known) return bad("a token outside the vocabulary of " + std::to_string(info.vocabulary));
  if (!alive) return bad("a Run whose choices are all over");
  return std::nullopt;
}

}  // namespace

std::optional<core::Error> BatcherState::capacity_refusal(const core::Request& request, std::uint32_t unfinished) const {
  const std::uint64_t prompt = request.prompt.size();
  const std::uint64_t length = prompt + request.tokens_max;
  const auto none = [](std::string text) { return core::Error{core::Errc::no_capacity, std::move(text)}; };
  if (info.context_max != 0 && length > info.context_max)
    return none("prompt of " + std::to_string(prompt) + " tokens + tokens_max " + std::to_string(request.tokens_max) + " = " +
                std::to_string(length) + ": more than the context of " + std::to_string(info.context_max) + " tokens");
  if (unfinished > limits.sequences_max)
    return none(std::to_string(unfinished) + " choices: more than the " + std::to_string(limits.sequences_max) +
                " sequences of this replica");
  const std::uint64_t need = capacity_need(request, unfinished);
  if (need > ledger.total())
    return none(std::to_string(length) + " tokens in " + std::to_string(unfinished) + " choices need " + std::to_string(need) +
                " blocks: more than the pool of " + std::to_string(ledger.total()));
  return std::nullopt;
}

std::optional<core::Error> BatcherState::refusal(const core::Run& run) const {
  if (auto error = malformed(run, info)) return error;
  const auto& request = *run.request;
  if (const auto lacking = request.required & ~info.features; lacking != 0)
    return core::Error{core::Errc::unsupported, "this replica lacks " + feature_text(lacking)};
  if (request.model && info.model && request.model != info.model)
    return core::Error{core::Errc::unknown_model, "this replica serves another model (" + info.model_name + ")"};
  if (!request.adapter.empty() && core::find_adapter(info.adapters, request.adapter) == nullptr)
    return core::Error{core::Errc::unsupported,
                       "this replica does not serve the adapter '" + request.adapter + "': it has " + core::adapter_names(info.adapters)};
  std::uint32_t unfinished = 0;
  for (const auto& choice : run.choices) unfinished += choice.finish == core::FinishReason::none ? 1 : 0;
  return capacity_refusal(request, unfinished);
}

void BatcherState::refuse(const core::Run& run, core::Error&& error, Instant now, Actions& out) {
  remember_ended({run.key, run.epoch.owner}, run.epoch.counter, now);
  post(run.owner,
       core::RunRefused{.key = run.key,
                        .epoch = run.epoch,
                        .replica = self,
                        .code = error.code,
                        .reason = std::move(error.message),
                        .retry_after = error.retry_after},
       out);
}

bool BatcherState::make_room_in_queue(std::uint8_t service_class, core::TenantId tenant, Instant now, Actions& out) {
  if (queued_ < limits.queue_max) return true;
  for (std::uint8_t c = classes - 1; c > service_class; --c) {
    const auto last = queue_[c].last();
    if (!last) continue;
    give_back(*last, core::Errc::queue_full, "a more urgent request needed the place in the queue", now, out);
    return true;
  }
  // A tenant that fills the queue may not lock the others out of it.
  const auto last = queue_[service_class].beyond_share(tenant);
  if (!last) return false;
  give_back(*last, core::Errc::queue_full, "a tenant with fewer requests here needed the place in the queue", now, out);
  return true;
}

void BatcherState::on_run(const core::Run& run, Instant now, Actions& out) {
  const auto& box = boxes_[owner_box(run.owner)];
  if (box.alive && box.alive != run.epoch.owner) return;  // of an incarnation that is dead
  const Identity identity{run.key, run.epoch.owner};
  if (run.epoch.counter <= ended_counter(identity)) return;
  if (const auto slot = find_slot(identity); slot != no_slot) {
    const auto& s = streams_[slot];
    if (run.epoch.counter < s.epoch.counter) return;
    if (run.epoch.counter == s.epoch.counter) {
      auto again = s.accepted;
      again.report = report_number;
      return post(s.owner, again, out);
    }
    end_stream(slot, core::Errc::cancelled, "the owner runs the stream under a newer epoch", now, out);
  }
  if (!ready) return refuse(run, {core::Errc::unavailable, "the worker is restarting", std::chrono::milliseconds(200)}, now, out);
  if (draining) return refuse(run, {core::Errc::draining, "this node is draining"}, now, out);
  if (auto error = refusal(run)) return refuse(run, std::move(*error), now, out);
  const auto service_class = std::min<std::uint8_t>(static_cast<std::uint8_t>(run.request->service_class), classes - 1);
  if (!make_room_in_queue(service_class, run.key.tenant, now, out)) {
    const auto step = step_time(step_time_.costs(), limits.step_tokens_max, 0);
    const auto wait = std::clamp<core::Duration>(step * 8, std::chrono::milliseconds(50), std::chrono::seconds(2));
    return refuse(run, {core::Errc::queue_full, "the queue of " + std::to_string(limits.queue_max) + " is full", wait}, now, out);
  }
  const auto slot = create(run, now);
  auto& s = streams_[slot];
  s.queue_class = service_class;
  s.climb_at = now + limits.ageing;
  enqueue(slot);
  std::uint32_t held = 0;
  if (plain_) {
    while (held < s.prompt_names.size() && ledger.find(s.prompt_names[held]) != core::no_block) ++held;
  } else {
    held = group_hits(s, s.choices[0], static_cast<std::uint32_t>(s.prompt_names.size()));
  }
  s.accepted = {.key = s.key,
                .epoch = s.epoch,
                .replica = self,
                .report = report_number,
                .cached_tokens = std::min(held * block_tokens, s.prompt() - 1)};
  post(s.owner, core::RunAccepted{s.accepted}, out);
}

void BatcherState::on_cancel(const core::CancelRun& cancel, Instant now, Actions& out) {
  const Identity identity{cancel.key, cancel.epoch.owner};
  const auto slot = find_slot(identity);
  if (cancel.give_back) {
    if (slot == no_slot) return;
    const auto& s = streams_[slot];
    if (s.epoch != cancel.epoch || s.exporting) return;
    if (s.state == StreamState::queued)
      give_back(slot, core::Errc::queue_full, "given back before it began, as its owner wished", now, out);
    else if (s.state == StreamState::held) end_hold(slot, now, out);
    return;
  }
  if (slot != no_slot && streams_[slot].epoch.counter <= cancel.epoch.counter)
    end_stream(slot, core::Errc::cancelled, "cancelled by the owner", now, out);
  // Also when nothing runs: a Run or import of that epoch that comes late is not run. Blocks of an import stay reserved until the
  // cache-manager, which may still write to them, commits (and is refused) or cancels.
  if (cancel.epoch.counter > ended_counter(identity)) remember_ended(identity, cancel.epoch.counter, now);
}

void BatcherState::on_names(const core::BlockNames& message, Actions&) {
  auto* s = find(message.key, message.epoch);
  if (s == nullptr || message.choice >= s->choices.size()) return;
  auto& c = s->choices[message.choice];
  const std::uint32_t in_prompt = s->prompt() / block_tokens;
  if (message.first_block < in_prompt || message.first_block - in_prompt > c.names.size())
    return;  // a gap: names are told again with the next Run
  const std::size_t offset = message.first_block - in_prompt;
  const std::size_t names_max = s->known(c) / block_tokens - in_prompt;
  for (std::size_t i = c.names.size() - offset; i < message.names.size() && c.names.size() < names_max; ++i)
    c.names.push_back(message.names[i]);
  if (!c.waits) name_filled(*s, c, message.first_block * block_tokens, c.computed);
}

void BatcherState::on_owner_gone(core::NodeId owner, core::Incarnation alive, Instant now, Actions& out) {
  boxes_[owner_box(owner)].alive = alive;
  for (std::uint32_t slot = 0; slot < streams_.size(); ++slot) {
    const auto& s = streams_[slot];
    if (s.state == StreamState::unused || s.state == StreamState::ending || s.owner != owner) continue;
    if (!alive || s.epoch.owner != alive) end_stream(slot, core::Errc::unavailable, "the owner is gone", now, out);
  }
}

void BatcherState::on_worker_failed(std::string_view reason, Instant now, Actions& out) {
  ready = false;
  in_flight_ = false;
  const std::string text = "the worker failed: " + std::string(reason);
  for (std::uint32_t slot = 0; slot < streams_.size(); ++slot) {
    auto& s = streams_[slot];
    if (s.state == StreamState::unused) continue;
    s.in_flight = false;
    if (s.state != StreamState::ending) give_back(slot, core::Errc::unavailable, text, now, out);
  }
  for (const auto slot : ending_) release_stream(slot);
  ending_.clear();
  for (const auto& [transfer, import] : imports_)
    tell(ImportCommitted{.transfer = transfer, .accepted = false, .code = core::Errc::unavailable, .reason = text}, out);
  imports_.clear();
  reserved_choices_ = 0;
  closes_.clear();
  scheduled_.clear();
  targets_.clear();
  ledger.reset();
}

void BatcherState::expire(Instant now, Actions& out) {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
    const auto slot = deadlines_.begin()->second;
    auto& s = streams_[slot];
    if (s.state == StreamState::frozen) {
      deadlines_.erase(deadlines_.begin());  // it may run elsewhere by now: its owner decides; looked at again when it thaws
      continue;
    }
    give_back(slot, core::Errc::timeout, "the deadline has passed", now, out);
  }
}

void BatcherState::on_tick(Instant now, Actions& out) {
  expire(now, out);
  expire_hold(now, out);
  forget_ended(now);
}

Instant BatcherState::next_tick() const {
  Instant next = deadlines_.empty() ? core::never : deadlines_.begin()->first;
  if (held_ != no_slot) next = std::min(next, held_until_);
  if (!ended_order_.empty()) next = std::min(next, ended_order_.front().first + limits.ended_memory);
  return next;
}

core::ReplicaReport BatcherState::report(Instant now) const {
  core::ReplicaReport r;
  r.index = self.index;
  r.generation = generation;
  r.model = info.model;
  r.kv_id = info.kv_id;
  r.weights_digest = info.weights_digest;
  r.numerics_id = info.numerics_id;
  r.features = info.features;
  r.format = static_cast<core::PageFormat>(info.page_format);
  r.page_bytes = info.page_bytes;
  r.context_max = info.context_max;
  r.ready = ready;
  r.blocks_total = ledger.total();
  r.blocks_free = ledger.available();
  r.blocks_used = ledger.total() - ledger.available();
  r.streams = admitted_streams_;
  r.queued = queued_;
  for (const auto& s : streams_) {
    if (s.state == StreamState::unused || s.state == StreamState::ending) continue;
    std::uint32_t deepest = 0;
    if (s.state == StreamState::queued) r.blocks_queued += blocks_when_begun(s);
    for (const auto& c : s.choices) {
      deepest = std::max(deepest, c.over() ? s.prompt() : c.computed);
      if (!c.over()) r.decode_tokens += c.computed;
    }
    r.prefill_tokens += s.prompt() - std::min(deepest, s.prompt());
  }
  if (queued_ > 0) r.blocks_head = match(streams_[queue_head()]).need;
  r.blocks_released = released_.sum(now);
  r.exporting = static_cast<std::uint32_t>(exports_.size());
  r.importing = static_cast<std::uint32_t>(imports_.size());
  r.tokens_per_second = rate_.sum(now);
  r.step_base = step_time_.base();
  r.step_row = step_time_.row();
  r.step_context = step_time_.context();
  r.isa = info.isa;
  r.adapters = info.adapters;
  r.kv_groups = info.kv_groups;
  return r;
}

}  // namespace spillway::sched
