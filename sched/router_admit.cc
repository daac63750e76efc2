#include <algorithm>
#include <array>
#include <string>

#include "core/assert.h"
#include "core/step.h"
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
  static constexpr std::array<std::string_view, 3> names{"seeded_sampling", "forks", "stop_strings"};
  std::string all;
  for (std::uint32_t bit = 0; bit < 64; ++bit) {
    if ((bits >> bit & 1U) == 0) continue;
    if (!all.empty()) all += ", ";
    all += bit < names.size() ? std::string(names[bit]) : "feature bit " + text(bit);
  }
  return all;
}

/// Blocks for `length` tokens of each of `choices` choices that share the prompt's full blocks. The last token is never fed back.
std::uint64_t blocks_for(std::uint64_t prompt, std::uint64_t length, std::uint64_t choices) {
  const std::uint64_t shared = prompt / block_tokens;
  return shared + ((length - 1 + block_tokens - 1) / block_tokens - shared) * choices;
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
  if (streams.size() >= limits.streams_max) return fail(Errc::queue_full, text(streams.size()) + " streams run here already", retry_later);
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
  bool matches = false;
  std::uint64_t lacking = 0;
  for (const auto& [id, node] : views.all()) {
    for (const auto& [index, replica] : node.replicas) {
      const core::ReplicaReport& report = replica.report;
      if (report.model != request.model) continue;
      known = true;
      if (!report.told()) return {};  // it loads: the stream waits for what it is
      lacking = request.required & ~report.features;
      if (lacking != 0) continue;
      supported = true;
      if (!admit.resumed || !admit.resume.weights_digest) matches = true;
      if (report.weights_digest == admit.resume.weights_digest && report.numerics_id == admit.resume.numerics_id) matches = true;
    }
  }
  if (matches || !views.complete()) return {};
  if (!known) return fail(Errc::unknown_model, "no replica serves the model");
  if (!supported) return fail(Errc::unsupported, "no replica has " + feature_names(lacking));
  return fail(Errc::incompatible, "no replica has the weights " + core::to_hex(admit.resume.weights_digest) + " and numerics id " +
                                      text(admit.resume.numerics_id) + " that the stream began with");
}

/// Fits tokens_max to the context and, where it was left open, to the largest pool.
core::Result<bool> RouterState::fit_tokens_max(core::Request& request) const {
  std::uint64_t context = 0;
  std::uint64_t blocks = 0;
  for (const auto& [id, node] : views.all()) {
    for (const auto& [index, replica] : node.replicas) {
      if (replica.report.model != request.model) continue;
      context = std::max<std::uint64_t>(context, replica.report.context_max);
      blocks = std::max<std::uint64_t>(blocks, replica.report.blocks_total);
    }
  }
  if (context == 0) return false;
  const std::uint64_t prompt = request.prompt.size();
  if (prompt >= context) {
    return fail(Errc::bad_argument,
                "the prompt has " + text(prompt) + " tokens, the context of the model " + text(context) + ": one must be left to generate");
  }
  if (request.prompt_only) {
    const std::uint64_t own = (prompt + block_tokens - 1) / block_tokens;
    if (own > blocks)
      return fail(Errc::no_capacity, text(prompt) + " tokens: " + text(own) + " blocks, and the largest replica has " + text(blocks));
    return true;
  }
  const bool open = request.tokens_max == 0;
  const std::uint64_t wanted = std::min<std::uint64_t>(open ? limits.output_tokens_max : request.tokens_max, context - prompt);
  request.tokens_max = static_cast<std::uint32_t>(wanted);
  const std::uint64_t needed = blocks_for(prompt, prompt + (open ? 1 : wanted), request.choices);
  if (needed > blocks) {
    return fail(Errc::no_capacity, text(prompt) + " + " + text(open ? 1 : wanted) + " tokens, " + text(request.choices) +
                                       " choices: " + text(needed) + " blocks, and the largest replica has " + text(blocks));
  }
  if (open) {
    const std::uint64_t shared = prompt / block_tokens;
    const std::uint64_t length = (shared + (blocks - shared) / request.choices) * block_tokens + 1;
    request.tokens_max = static_cast<std::uint32_t>(std::min<std::uint64_t>(wanted, length - prompt));
  }
  return true;
}

/// The same for a stream, and what it brought along held to it. Afterwards the request changes no more.
core::Result<bool> RouterState::fit(RouterStream& s) const {
  if (s.fitted) return true;
  core::Request request = *s.request;
  auto known = fit_tokens_max(request);
  if (!known || !*known) return known;
  for (RouterChoice& choice : s.choices) {
    if (choice.tokens.size() > request.tokens_max) {
      return fail(Errc::bad_argument, text(choice.tokens.size()) + " tokens brought along, tokens_max is " + text(request.tokens_max));
    }
    // The death came between the last token and the word that it was the last.
    if (choice.finish == core::FinishReason::none && choice.tokens.size() == request.tokens_max && !request.prompt_only)
      choice.finish = core::FinishReason::length;
  }
  s.request = std::make_shared<const core::Request>(std::move(request));
  s.fitted = true;
  return true;
}

/// A deadline that even the least loaded replica cannot meet is refused at once: the time to the first token is what its own prompt
/// and those ahead of it cost, by the step times it reported.
core::Result<void> RouterState::check_deadline(const RouterCore::Admit& admit, Instant now) const {
  if (admit.deadline <= core::Duration{0}) return {};
  const core::Request& request = *admit.request;
  std::optional<core::Duration> best;
  for (const auto& [id, node] : views.all()) {
    if (!NodeViews::fit(node, now, limits.report_stale)) continue;
    for (const auto& [index, replica] : node.replicas) {
      const core::ReplicaReport& report = replica.report;
      if (report.model != request.model || !report.ready) continue;
      // Cached blocks would shorten it: they are counted as found, so that nothing is refused that might be in time.
      const std::uint64_t ahead = report.prefill_tokens + replica.tokens_in_flight + 1;
      const core::Duration time = report.step_base + report.step_row * static_cast<std::int64_t>(ahead);
      if (!best || time < *best) best = time;
    }
  }
  if (!best || *best <= admit.deadline) return {};
  return fail(Errc::deadline_infeasible,
              "the first token would take " + text(static_cast<std::uint64_t>(best->count() / 1000000)) + " ms, the deadline is in " +
                  text(static_cast<std::uint64_t>(admit.deadline.count() / 1000000)) + " ms",
              *best - admit.deadline);
}

void RouterState::admit(const RouterCore::Admit& admit, Instant now, Actions& out) {
  const StreamKey key = admit.request->key;
  if (RouterStream* running = find(key)) return attach(*running, admit, now, out);
  const auto refuse = [&](const core::Error& error) {
    out.emplace_back(RouterCore::ToClient{admit.client, key, core::Failed{key.request, error.code, error.message, error.retry_after}});
    out.emplace_back(RouterCore::StreamEnded{key});
  };
  core::Result<void> fine = check_admission(admit, now);
  if (fine && !admit.resumed) fine = check_deadline(admit, now);
  if (!fine) return refuse(fine.error());
  RouterStream s;
  s.key = key;
  s.client = admit.client;
  s.tenant = admit.tenant_name;
  s.arrival = ++arrivals_;
  s.admitted = s.waiting_since = now;
  if (admit.deadline > core::Duration{0}) s.deadline = now + std::min<core::Duration>(admit.deadline, deadline_max);
  s.choices.resize(admit.request->choices);
  s.names = StreamNames(admit.secret, admit.request->salt, admit.request->prompt, admit.request->choices);
  if (admit.resumed) {
    admit.request->sampling.seed = admit.resume.seed;
    s.bound = static_cast<bool>(admit.resume.weights_digest);
    s.weights_digest = admit.resume.weights_digest;
    s.numerics_id = admit.resume.numerics_id;
    for (std::uint32_t c = 0; c < s.choices.size(); ++c) {
      const core::ChoiceState& had = admit.resume.choices[c];
      RouterChoice& choice = s.choices[c];
      for (const core::TokenId token : had.tokens) {
        choice.tokens.emplace_back().token = token;
        s.names.add(c, token);
      }
      choice.told = choice.tokens.size();
      choice.finish = had.finish;
      choice.finish_told = had.finish != core::FinishReason::none;
    }
  }
  s.request = admit.request;
  if (const auto known = fit(s); !known) return refuse(known.error());
  RouterStream& stream = streams.emplace(key, std::move(s)).first->second;
  waiting_.insert(wait_key(stream));
  by_client_[admit.client].insert(key);
  ++by_tenant_[key.tenant];
  if (!supersede(stream, admit.resumed, now, out)) return;
  if (stream.over()) {
    out.emplace_back(RouterCore::ToClient{stream.client, key,
                                          core::Accepted{key.request,
                                                         stream.request->sampling.seed,
                                                         stream.weights_digest,
                                                         stream.numerics_id,
                                                         {},
                                                         stream.request->prompt,
                                                         stream.request->tokens_max}});
    deliver(stream, now, out);
    return;
  }
  place_or_wait(stream, now, out);
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
  const core::Request& mine = *s.request;
  const core::Request& theirs = *admit.request;
  core::Sampling sampling = theirs.sampling;
  if (admit.resumed) sampling.seed = admit.resume.seed;
  const bool same = mine.prompt == theirs.prompt && mine.choices == theirs.choices && mine.model == theirs.model &&
                    mine.stop == theirs.stop && mine.sampling == sampling;
  if (!same) {
    out.emplace_back(RouterCore::ToClient{admit.client, s.key,
                                          core::Failed{s.key.request, Errc::already_exists, "another request runs under this id", {}}});
    return;
  }
  if (const auto it = by_client_.find(s.client); it != by_client_.end()) {
    it->second.erase(s.key);
    if (it->second.empty()) by_client_.erase(it);
  }
  s.client = admit.client;
  by_client_[s.client].insert(s.key);
  if (s.accepted_told) {
    const ReplicaView* replica = views.find(s.place);
    out.emplace_back(
        RouterCore::ToClient{s.client, s.key,
                             core::Accepted{s.key.request, mine.sampling.seed, s.weights_digest, s.numerics_id,
                                            replica == nullptr ? std::string{} : replica->report.isa, mine.prompt, mine.tokens_max}});
  }
  for (std::uint32_t c = 0; c < s.choices.size(); ++c) {
    RouterChoice& choice = s.choices[c];
    choice.finish_told = false;
    choice.told = admit.resumed && c < admit.resume.choices.size() ? admit.resume.choices[c].tokens.size() : 0;
    choice.finish_told = admit.resumed && c < admit.resume.choices.size() && admit.resume.choices[c].finish != core::FinishReason::none;
    if (choice.told > choice.tokens.size()) continue;  // it has more than we: the next ones are kept back until then
    choice.news.assign(choice.tokens.begin() + static_cast<std::ptrdiff_t>(choice.told), choice.tokens.end());
    choice.told = choice.tokens.size() - choice.news.size();
  }
  deliver(s, now, out);
}

}  // namespace spillway::sched
