#include <algorithm>
#include <bit>

#include "sim/cluster_state.h"

/// The clients: they send at their times, take what comes, and submit again where a router is gone.
namespace spillway::sim {

namespace {

constexpr core::Duration submit_again_after = std::chrono::milliseconds(20);
constexpr core::Duration no_router_pause = std::chrono::milliseconds(100);
constexpr std::uint64_t seed_step = 1'000'003;  // so that tokens of different requests differ

}  // namespace

void Cluster::State::arrive() {
  const std::uint64_t index = arrived_++;
  ++arrivals_sampled_;
  if (arrived_ == source_->count()) {
    for (const auto& node : nodes_) counts_.queued_at_last_arrival += node.last_report.queued;
  }
  if (arrived_ < source_->count())
    events_.push(std::max(now_, origin_ + core::Duration(source_->arrival_ns(arrived_))), EventRank::arrival, arrival, 0, 0);
  const ClientRequest asked = source_->request(index);
  clients_.emplace_back();
  RunRecord& record = records_.emplace_back();
  record.id = index;
  record.arrival_ns = record.sent_ns = (now_ - origin_).count();
  record.deadline_ns = asked.deadline_ns;
  record.prompt_tokens = asked.input_tokens;
  record.tenant = asked.tenant;
  record.model = asked.model;
  record.session = asked.session;
  record.service_class = asked.service_class;
  ++open_;
  if (!asked.channel.empty()) {
    const auto [at, fresh] = channels_.try_emplace({asked.tenant, asked.channel}, index);
    if (!fresh) clients_[std::exchange(at->second, index)].newer = true;
  }
  const core::Duration way = plan_.network.client_latency;
  if (asked.cancel_ns > 0) at(now_ + way + core::Duration(asked.cancel_ns), EventRank::timer, 0, [this, index] { give_up(index); });
  submit(index, false);
}

std::uint32_t Cluster::State::router_for(std::uint64_t index) const {
  for (std::size_t i = 0; i < routers_.size(); ++i) {
    const std::uint32_t n = routers_[(index + i) % routers_.size()];
    if (nodes_[n].alive && !nodes_[n].draining) return n;
  }
  return no_node;
}

void Cluster::State::submit(std::uint64_t index, bool again) {
  SimClient& client = clients_[index];
  if (client.over) return;
  const std::uint32_t n = router_for(index);
  if (n == no_node) {
    client.router = no_node;
    return at(now_ + no_router_pause, EventRank::timer, 0, [this, index, again] { submit(index, again); });
  }
  client.router = n;
  const core::Duration way = plan_.network.client_latency;
  const auto ask = [this, index, again, n, life = nodes_[n].life] {
    if (clients_[index].router == n && nodes_[n].life == life) admit(index, again, n);
  };
  if (way > core::Duration{0}) return at(now_ + way, EventRank::arrival, n, ask);
  ask();
}

/// Nobody reads the tokens of a prompt here, so all prompts are beginnings of one list.
core::TokenList Cluster::State::some_prompt(std::uint32_t tokens) {
  if (prompt_.size() < tokens) prompt_ = std::vector<core::TokenId>(std::bit_ceil(tokens));
  return prompt_.first(tokens);
}

/// The request reaches the router.
void Cluster::State::admit(std::uint64_t index, bool again, std::uint32_t n) {
  SimClient& client = clients_[index];
  if (client.over) return;
  const core::Duration way = plan_.network.client_latency;
  const ClientRequest asked = source_->request(index);
  auto request = std::make_shared<core::Request>();
  request->key = {core::tenant_id(source_->tenants().at(asked.tenant)), core::RequestId{{1, index}}};
  request->model = models_[asked.model];
  request->prompt = some_prompt(asked.input_tokens);
  request->tokens_max = asked.output_tokens;
  request->prompt_only = asked.output_tokens == 0;
  request->sampling.seed = index * seed_step + 1;
  request->ignore_eos = true;
  request->service_class = asked.service_class;
  request->supersedes = asked.channel;
  request->adapter = asked.adapter;
  sched::RouterCore::Admit admit;
  admit.client = {index + 1};
  admit.tenant_name = source_->tenants().at(asked.tenant);
  source_->block_names(index, names_);
  admit.name_stand_ins = names_;
  if (asked.deadline_ns > 0)
    admit.deadline = std::max(core::Duration{1}, origin_ + core::Duration(records_[index].arrival_ns + asked.deadline_ns) + way - now_);
  if (again && client.accepted) {
    admit.resumed = true;
    admit.resume.seed = request->sampling.seed;
    auto& had = admit.resume.choices.emplace_back();
    for (std::uint32_t i = 0; i < client.got; ++i) had.tokens.push_back(sched::counted_token(*request, 0, i));
  }
  admit.request = std::move(request);
  router(n, [&](sched::RouterCore& core, auto& out) { core.on(admit, now_, out); });
}

void Cluster::State::to_client(std::uint32_t n, sched::RouterCore::ToClient& action) {
  const std::uint64_t index = action.key.request.lo;
  SimClient& client = clients_[index];
  if (client.over || client.router != n) return;
  if (const auto* accepted = std::get_if<core::Accepted>(&action.message)) {
    client.accepted = true;
    for (const auto& rung : accepted->rungs) records_[index].rung = static_cast<std::uint16_t>(rungs_.add(rung) + 1);
  } else if (const auto* delta = std::get_if<core::Delta>(&action.message)) {
    take_delta(index, *delta);
  } else if (const auto* finished = std::get_if<core::Finished>(&action.message)) {
    take_end(index, *finished);
  } else {
    take_failure(n, index, std::get<core::Failed>(action.message));
  }
}

void Cluster::State::take_delta(std::uint64_t index, const core::Delta& delta) {
  SimClient& client = clients_[index];
  RunRecord& record = records_[index];
  if (delta.first_index != client.got)
    return broken("request " + std::to_string(index) + " got token " + std::to_string(delta.first_index) + " after " +
                  std::to_string(client.got));
  for (const auto& token : delta.tokens) {
    const auto due = static_cast<core::TokenId>((index * seed_step + 1 + client.got) & 0x3fffffffU);
    if (token.is_end || token.token != due) return broken("request " + std::to_string(index) + " got a token of another place");
    ++client.got;
    ++counts_.delivered;
  }
  if (!delta.tokens.empty() && record.first_token_ns == never_ns) record.first_token_ns = seen_ns();
  if (delta.finish != core::FinishReason::none) client.finish = delta.finish;
}

void Cluster::State::take_end(std::uint64_t index, const core::Finished& finished) {
  const SimClient& client = clients_[index];
  RunRecord& record = records_[index];
  record.cached_tokens = finished.cached_tokens;
  record.moves = static_cast<std::uint16_t>(std::min(finished.moves, 65535U));
  record.preemptions = static_cast<std::uint16_t>(std::min(finished.restarts, 65535U));
  counts_.prefix_hits += finished.cached_tokens / core::block_tokens;
  if (finished.completion_tokens != client.got)
    return broken("request " + std::to_string(index) + " finished with " + std::to_string(finished.completion_tokens) + " tokens and got " +
                  std::to_string(client.got));
  switch (client.finish) {
    case core::FinishReason::stop:
    case core::FinishReason::length: return end_request(index, RequestOutcome::finished);
    case core::FinishReason::deadline: return end_request(index, RequestOutcome::expired);
    case core::FinishReason::cancelled: return end_request(index, client.newer ? RequestOutcome::superseded : RequestOutcome::cancelled);
    case core::FinishReason::none:
    case core::FinishReason::error: return end_request(index, RequestOutcome::failed);
  }
}

void Cluster::State::take_failure(std::uint32_t n, std::uint64_t index, const core::Failed& failed) {
  SimClient& client = clients_[index];
  if (failed.code == core::Errc::draining) {
    client.router = no_node;
    const bool elsewhere = std::any_of(routers_.begin(), routers_.end(), [&](std::uint32_t other) { return other != n; });
    if (elsewhere) return at(now_ + submit_again_after, EventRank::timer, n, [this, index] { submit(index, true); });
  }
  const bool never_began = !client.accepted && client.got == 0;
  end_request(index, never_began ? RequestOutcome::refused : RequestOutcome::failed);
}

void Cluster::State::end_request(std::uint64_t index, RequestOutcome outcome) {
  SimClient& client = clients_[index];
  RunRecord& record = records_[index];
  client.over = true;
  record.outcome = outcome;
  record.end_ns = seen_ns();
  // What somebody had who gave up depends on what was under way: it is no result.
  record.output_tokens = outcome == RequestOutcome::finished ? client.got : 0;
  --open_;
  last_end_ = now_ + plan_.network.client_latency;
}

void Cluster::State::give_up(std::uint64_t index) {
  SimClient& client = clients_[index];
  if (client.over || client.router == no_node) return;
  const core::StreamKey key{core::tenant_id(source_->tenants().at(records_[index].tenant)), core::RequestId{{1, index}}};
  router(client.router, [&](sched::RouterCore& core, auto& out) { core.on_cancel({index + 1}, key, now_, out); });
}

void Cluster::State::router_died(std::uint32_t n) {
  for (std::uint64_t index = 0; index < clients_.size(); ++index) {
    SimClient& client = clients_[index];
    if (client.over || client.router != n) continue;
    client.router = no_node;
    ++counts_.resubmitted;
    at(now_ + submit_again_after, EventRank::timer, n, [this, index] { submit(index, true); });
  }
}

}  // namespace spillway::sim
