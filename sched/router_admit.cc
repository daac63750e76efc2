#include <algorithm>
#include <array>
#include <string>

#include "core/assert.h"
#include "core/step.h"
#include "sched/group_blocks.h"
#include "sched/router_state.h"

namespace spillway::sched {

namespace {

using core::block_tokens;
using core::Errc;
using core::fail;

constexpr core::Duration retry_soon = std::chrono::milliseconds(200);
constexpr core::Duration retry_later = std::chrono::milliseconds(500);
/// More than that is no deadline, and time must not overflow.
constexpr core::Duration deadline_max = std::chrono::hours(24 * 365);

std::string text(std::uint64_t value) {
  return std::to_string(value);
}

std::string feature_names(std::uint64_t bits) {
  std::string all;
  for (std::uint32_t bit = 0; bit < 64; ++bit) {
    if ((bits >> bit & 1U) == 0) continue;
    if (!all.empty()) all += ", ";
    const auto name = core::to_string(static_cast<core::Feature>(1ULL << bit));
    all += name.empty() ? "feature bit " + text(bit) : std::string(name);
  }
  return all;
}

}  // namespace

core::Result<void> RouterState::check_admission(const RouterCore::Admit& admit, Instant now) const {
  const core::Request& request = *admit.request;
  if (draining) return fail(Errc::draining, "node " + name + " is draining: submit at another router");
  if (request.prompt.empty()) return fail(Errc::bad_argument, "the prompt is empty");
  if (request.prompt_only && (request.tokens_max != 0 || request.choices != 1))
    return fail(Errc::bad_argument, "a request without output: want max_tokens 0 and n 1");
  if (request.choices == 0 || request.choices > 1024) return fail(Errc::bad_argument, "n = " + text(request.choices) + ": want 1 to 1024");
  if ((request.required & ~core::known_features) != 0) {
    return fail(Errc::unsupported, "this build lacks " + feature_names(request.required & ~core::known_features));
  }
  if (streams.size() + quota_waits_.size() >= limits.streams_max)
    return fail(Errc::queue_full, text(streams.size()) + " streams run here already", retry_later);
  if (waiting_.size() >= limits.waiting_max)
    return fail(Errc::queue_full, text(waiting_.size()) + " streams wait for room already", retry_soon);
  const auto tenant = by_tenant_.find(request.key.tenant);
  if (tenant != by_tenant_.end() && tenant->second >= limits.tenant_streams_max) {
    return fail(Errc::queue_full, "tenant " + admit.tenant_name + " has " + text(tenant->second) + " streams here already", retry_soon);
  }
  if (auto resume = check_resume(admit); !resume) return resume;
  return check_replicas(admit, now);
}

core::Result<void> RouterState::check_resume(const RouterCore::Admit& admit) const {
  if (!admit.resumed) return {};
  const core::Request& request = *admit.request;
  if (admit.resume.choices.size() != request.choices) {
    return fail(Errc::bad_argument, text(admit.resume.choices.size()) + " choices brought along for a request of " + text(request.choices));
  }
  return {};
}

/// Does anybody serve it? While nodes of the cluster file are missing the answer is left open and the stream waits.
core::Result<void> RouterState::check_replicas(const RouterCore::Admit& admit, Instant) const {
  const core::Request& request = *admit.request;
  bool known = false;
  bool supported = false;
  bool adapted = false;
  std::uint64_t lacking = 0;
  for (const ModelReplica& entry : views.of(request.model).list) {
    const core::ReplicaReport& report = entry.replica->report;
    known = true;
    if (!report.told()) return {};  // it loads: the stream waits for what it is
    lacking = request.required & ~report.features;
    if (lacking != 0) continue;
    supported = true;
    const auto weights = core::under_adapter(report.weights_digest, report.adapters, request.adapter);
    if (!weights) continue;
    adapted = true;
    if (!admit.resumed || !admit.resume.weights_digest) return {};
    if (*weights == admit.resume.weights_digest && report.numerics_id == admit.resume.numerics_id) return {};
  }
  if (!views.complete()) return {};
  if (!known) return fail(Errc::unknown_model, "no replica serves the model");
  if (!supported) return fail(Errc::unsupported, "no replica has " + feature_names(lacking));
  if (!adapted) return fail(Errc::unsupported, "no replica of the model serves the adapter '" + request.adapter + "'");
  return fail(Errc::incompatible, "no replica has the weights " + core::to_hex(admit.resume.weights_digest) + " and numerics id " +
                                      text(admit.resume.numerics_id) + " that the stream began with");
}

/// Fits tokens_max to the context and, where it was left open, to the largest pool.
core::Result<bool> RouterState::fit_tokens_max(const core::Request& request, std::uint32_t& tokens_max) const {
  const std::uint64_t prompt = request.prompt.size();
  const std::uint32_t choices = request.choices;
  const ModelReplicas& replicas = views.of(request.model);
  const std::uint64_t context = replicas.context_max;
  const std::uint64_t blocks = replicas.blocks_max;
  if (context == 0) return false;
  if (prompt >= context) {
    return fail(Errc::bad_argument,
                "the prompt has " + text(prompt) + " tokens, the context of the model " + text(context) + ": one must be left to generate");
  }
  // The last token is never fed back.
  const auto blocks_for = [&](std::uint64_t length) {
    return capacity_blocks(replicas.kv_groups, prompt, length - 1, choices, limits.placement.step_tokens);
  };
  if (request.prompt_only) {
    const std::uint64_t own = blocks_for(prompt + 1);
    if (own > blocks)
      return fail(Errc::no_capacity, text(prompt) + " tokens: " + text(own) + " blocks, and the largest replica has " + text(blocks));
    return true;
  }
  const bool open = tokens_max == 0;
  const std::uint64_t wanted = std::min<std::uint64_t>(open ? limits.output_tokens_max : tokens_max, context - prompt);
  tokens_max = static_cast<std::uint32_t>(wanted);
  const std::uint64_t needed = blocks_for(prompt + (open ? 1 : wanted));
  if (needed > blocks) {
    return fail(Errc::no_capacity, text(prompt) + " + " + text(open ? 1 : wanted) + " tokens, " + text(choices) +
                                       " choices: " + text(needed) + " blocks, and the largest replica has " + text(blocks));
  }
  if (open && !core::only_full(replicas.kv_groups)) {
    std::uint64_t most = 1;  // fits
    for (std::uint64_t over = wanted + 1; over - most > 1;) {
      const std::uint64_t middle = most + (over - most) / 2;
      (blocks_for(prompt + middle) <= blocks ? most : over) = middle;
    }
    tokens_max = static_cast<std::uint32_t>(most);
  } else if (open) {
    const std::uint64_t shared = prompt / block_tokens;
    const std::uint64_t length = (shared + (blocks - shared) / choices) * block_tokens + 1;
    tokens_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, length - prompt));
  }
  return true;
}

/// The same for a stream, and what it brought along held to it. Afterwards the request changes no more.
core::Result<bool> RouterState::fit(RouterStream& s) const {
  if (s.fitted) return true;
  std::uint32_t tokens_max = s.request->tokens_max;
  auto known = fit_tokens_max(*s.request, tokens_max);
  if (!known || !*known) return known;
  for (RouterChoice& choice : s.choices) {
    if (choice.tokens.size() > tokens_max) {
      return fail(Errc::bad_argument, text(choice.tokens.size()) + " tokens brought along, tokens_max is " + text(tokens_max));
    }
    // The death came between the last token and the word that it was the last.
    if (choice.finish == core::FinishReason::none && choice.tokens.size() == tokens_max && !s.request->prompt_only)
      choice.finish = core::FinishReason::length;
  }
  if (tokens_max != s.request->tokens_max) {
    auto request = std::make_shared<core::Request>(*s.request);
    request->tokens_max = tokens_max;
    s.request = std::move(request);
  }
  s.fitted = true;
  return true;
}

void RouterState::refuse(const RouterCore::Admit& admit, const core::Error& error, Actions& out) const {
  const StreamKey& key = admit.request->key;
  out.emplace_back(RouterCore::ToClient{admit.client, key, core::Failed{key.request, error.code, error.message, error.retry_after}});
  out.emplace_back(RouterCore::StreamEnded{key});
}

core::Accepted RouterState::accepted(const RouterStream& s, std::string isa) const {
  core::Accepted message{s.key.request,     s.request->sampling.seed, s.weights_digest, s.numerics_id, std::move(isa),
                         s.request->prompt, s.request->tokens_max,    s.rungs,          s.pressure,    {}};
  if (s.asked && s.asked->model != s.request->model) {
    for (const core::Rung& rung : rules_of(s.key.tenant).ladder) {
      if (rung.kind == core::Rung::Kind::model) message.model = rung.model;
    }
  }
  return message;
}

void RouterState::admit(const RouterCore::Admit& admit, Instant now, Actions& out) {
  const StreamKey key = admit.request->key;
  if (RouterStream* running = find(key)) return attach(*running, admit, now, out);
  if (const auto asked = quota_keys_.find(key); asked != quota_keys_.end()) {
    // Said again while its tokens are asked for: the answer goes to this client.
    RouterCore::Admit& waits = quota_waits_.at(asked->second).admit;
    if (*waits.request == *admit.request) {
      waits.client = admit.client;
    } else {
      out.emplace_back(RouterCore::ToClient{
          admit.client, key, core::Failed{key.request, Errc::already_exists, "another request waits for tokens under this id", {}}});
    }
    return;
  }
  if (const auto fine = check_admission(admit, now); !fine) return refuse(admit, fine.error(), out);
  const bool plain = admit.deadline <= core::Duration{0} && !limits.tenants.contains(key.tenant);
  if (admit.resumed || plain) {
    // There is nothing to weigh; or it was let in, and paid for, in its life before.
    LadderStep as_asked;
    as_asked.tokens_max = admit.request->tokens_max;
    as_asked.model = admit.request->model;
    return begin(admit, as_asked, core::Pressure::none, core::Duration{0}, now, out);
  }
  auto plan = plan_options(admit, now);
  if (!plan) return refuse(admit, plan.error(), out);
  ask_quota(admit, std::move(*plan), 1, now, out);
}

void RouterState::begin(const RouterCore::Admit& admit, const LadderStep& step, core::Pressure pressure, core::Duration wait, Instant now,
                        Actions& out) {
  const StreamKey key = admit.request->key;
  const std::shared_ptr<core::Request> request = request_on(admit, step);
  RouterStream s;
  s.key = key;
  s.client = admit.client;
  s.tenant = admit.tenant_name;
  s.arrival = ++arrivals_;
  s.admitted = now;
  s.waiting_since = now + wait;
  s.deferred = wait > core::Duration{0};
  if (request != admit.request) s.asked = admit.request;
  s.rungs = rung_words(rules_of(key.tenant).ladder, step);
  s.pressure = pressure;
  if (admit.deadline > core::Duration{0}) s.deadline = now + std::min<core::Duration>(admit.deadline, deadline_max);
  s.choices.resize(request->choices);
  s.names = names_of(admit, *request);
  if (admit.resumed) {
    request->sampling.seed = admit.resume.seed;
    s.bound = static_cast<bool>(admit.resume.weights_digest);
    s.weights_digest = admit.resume.weights_digest;
    s.numerics_id = admit.resume.numerics_id;
    for (std::uint32_t c = 0; c < s.choices.size(); ++c) {
      const core::ChoiceState& had = admit.resume.choices[c];
      RouterChoice& choice = s.choices[c];
      for (const core::TokenId token : had.tokens) {
        core::TokenOut had_token;
        had_token.token = token;
        choice.tokens.push_back(had_token);
        s.names.add(c, token);
      }
      choice.told = choice.tokens.size();
      choice.finish = had.finish;
      choice.finish_told = had.finish != core::FinishReason::none;
    }
  }
  s.request = request;
  if (const auto known = fit(s); !known) return refuse(admit, known.error(), out);
  count_rungs(key.tenant, step);
  RouterStream& stream = streams.insert(std::move(s));
  if (!stream.deferred) waiting_.insert(wait_key(stream));
  by_client_[admit.client].push_back(key);
  ++by_tenant_[key.tenant];
  if (!supersede(stream, admit.resumed, now, out)) return;
  if (stream.over()) {
    out.emplace_back(RouterCore::ToClient{stream.client, key, accepted(stream, {})});
    deliver(stream, now, out);
    return;
  }
  if (stream.deferred) return touch(stream);
  place_or_wait(stream, now, out);
}

StreamNames RouterState::names_of(const RouterCore::Admit& admit, const core::Request& request) {
  if (!admit.name_stand_ins.empty() && request.choices == 1)
    return StreamNames::stand_ins(admit.name_stand_ins, request.prompt.size(), request.adapter);
  return StreamNames(admit.secret, request.salt, request.prompt, request.choices, request.adapter);
}

void RouterState::count_rungs(core::TenantId tenant, const LadderStep& step) {
  const auto& ladder = rules_of(tenant).ladder;
  for (std::size_t i = 0; i < ladder.size(); ++i) {
    if ((step.changed >> i & 1U) == 0) continue;
    switch (ladder[i].kind) {
      case core::Rung::Kind::shorter: ++counters.rungs_shorter; break;
      case core::Rung::Kind::model: ++counters.rungs_model; break;
      case core::Rung::Kind::defer: ++counters.rungs_defer; break;
    }
  }
}

bool RouterState::supersede(RouterStream& s, bool resumed, Instant now, Actions& out) {
  if (s.request->supersedes.empty()) return true;
  const auto end = [&](RouterStream& older) {
    ++counters.streams_superseded;
    cancel_runs(older, out);
    end_choices(older, core::FinishReason::cancelled, now, out);
  };
  const auto decision = channels_.enter(s.key.tenant, s.request->supersedes, s.key, resumed);
  for (const StreamKey& key : decision.cancel) end(*find(key));
  if (decision.superseded) end(s);
  return !decision.superseded;
}

/// A running stream is submitted again: this client is its client from now on, and goes on after the tokens it has.
void RouterState::attach(RouterStream& s, const RouterCore::Admit& admit, Instant now, Actions& out) {
  const core::Request& theirs = *admit.request;
  // Who has not heard that another model answers asks as before.
  const core::Request& mine = s.asked && s.asked->model == theirs.model ? *s.asked : *s.request;
  core::Sampling sampling = theirs.sampling;
  if (admit.resumed) sampling.seed = admit.resume.seed;
  const bool same = mine.prompt == theirs.prompt && mine.choices == theirs.choices && mine.model == theirs.model &&
                    mine.stop == theirs.stop && mine.sampling == sampling && mine.prompt_only == theirs.prompt_only &&
                    mine.adapter == theirs.adapter && mine.grammar == theirs.grammar;
  if (!same) {
    out.emplace_back(RouterCore::ToClient{admit.client, s.key,
                                          core::Failed{s.key.request, Errc::already_exists, "another request runs under this id", {}}});
    return;
  }
  drop_client(s);
  s.client = admit.client;
  by_client_[s.client].push_back(s.key);
  if (s.accepted_told) {
    const ReplicaView* replica = views.find(s.place);
    out.emplace_back(RouterCore::ToClient{s.client, s.key, accepted(s, replica == nullptr ? std::string{} : replica->report.isa)});
  }
  for (std::uint32_t c = 0; c < s.choices.size(); ++c) {
    RouterChoice& choice = s.choices[c];
    choice.finish_told = false;
    choice.told = admit.resumed && c < admit.resume.choices.size() ? admit.resume.choices[c].tokens.size() : 0;
    choice.finish_told = admit.resumed && c < admit.resume.choices.size() && admit.resume.choices[c].finish != core::FinishReason::none;
    if (choice.told > choice.tokens.size()) continue;  // it has more than we: the next ones are kept back until then
    choice.news = choice.tokens.from(choice.told);
    choice.told = choice.tokens.size() - choice.news.size();
  }
  deliver(s, now, out);
}

}  // namespace spillway::sched
