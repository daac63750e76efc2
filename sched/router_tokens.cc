#include <algorithm>

#include "core/assert.h"
#include "sched/fetch.h"
#include "sched/router_state.h"

namespace spillway::sched {

RouterState::Heard RouterState::heard(const RouterStream& s, core::NodeId from, const Epoch& epoch) const {
  if (s.move && s.move->new_epoch == epoch && s.move->destination.node == from) return Heard::move;
  if (s.stage == Stage::waiting) return Heard::no;
  if (s.epoch == epoch && s.place.node == from) return Heard::current;
  for (const RouterStream::Also& also : s.also) {
    if (also.epoch == epoch && also.node == from) return Heard::also;
  }
  return Heard::no;
}

std::vector<std::uint32_t> RouterState::names_known(const RouterStream& s) {
  std::vector<std::uint32_t> known;
  for (std::uint32_t c = 0; c < s.choices.size(); ++c) known.push_back(static_cast<std::uint32_t>(s.names.choice(c).size()));
  return known;
}

void RouterState::tell_names(RouterStream& s, const std::vector<std::uint32_t>& known, Actions& out) {
  for (std::uint32_t c = 0; c < s.choices.size(); ++c) {
    const auto& names = s.names.choice(c);
    if (names.size() <= known[c] || s.choices[c].finish != core::FinishReason::none) continue;
    core::BlockNames message{s.key, s.epoch, c, s.names.first_own_block() + known[c], {}};
    message.names.assign(names.begin() + known[c], names.end());
    post(s.place.node, std::move(message), out);
  }
}

void RouterState::on(core::NodeId from, const core::Tokens& message, Instant now, Actions& out) {
  if (message.runs.size() > 1) {
    constexpr std::size_t lines = 6;
    for (const core::TokenRun& run : message.runs) streams.fetch_place(run.key);
    for (const core::TokenRun& run : message.runs) {
      if (const RouterStream* s = find(run.key)) fetch(s, lines);
    }
  }
  for (const core::TokenRun& run : message.runs) {
    RouterStream* s = find(run.key);
    const Heard how = s == nullptr ? Heard::no : heard(*s, from, run.epoch);
    if (how == Heard::no || run.choice >= s->choices.size()) {
      cancel_stale(from, run.key, run.epoch, now, out);
      continue;
    }
    if (how == Heard::current) {
      s->begun = true;
      s->going.reset();
      if (s->stage == Stage::sent) {
        s->stage = Stage::running;
        s->resend_at = core::never;
      }
      s->give_up_at = core::never;
      // From one node tokens come in order: what an earlier grant sent has come before.
      std::erase_if(s->also, [&](const RouterStream::Also& also) { return also.node == from; });
    }
    s->stall_at = now + limits.stall_max;
    known_.clear();
    for (std::uint32_t c = 0; c < s->choices.size(); ++c) known_.push_back(static_cast<std::uint32_t>(s->names.choice(c).size()));
    commit_pending_ = false;
    take_run(*s, run, now);
    if (commit_pending_) {
      commit(*s, now, out);
    } else {
      tell_names(*s, known_, out);
    }
    const std::size_t early = s->early_tokens();
    if (early == 0) {
      s->gap_at = core::never;
    } else if (s->gap_at == core::never) {
      s->gap_at = now + limits.gap_max;
    }
    if (!deliver(*s, now, out)) continue;
    if (early > limits.gap_tokens_max) {
      restart(*s, "too many tokens came before their turn", true, now, out);
    } else {
      if (s->begun && !s->move && !limits.pools.decodes(s->place.node)) hand_over(*s, now, out);
      touch(*s);
    }
  }
}

void RouterState::take_run(RouterStream& s, const core::TokenRun& run, Instant now) {
  constexpr std::uint32_t room_max = 512;
  RouterChoice& choice = s.choices[run.choice];
  if (choice.tokens.size() == 0) choice.tokens.reserve(std::min(s.request->tokens_max, room_max));
  choice.news.reserve(run.tokens.size());
  for (std::uint32_t i = 0; i < run.tokens.size();) {
    const std::uint64_t index = std::uint64_t{run.first_index} + i;
    if (index == choice.tokens.size() && choice.finish == core::FinishReason::none) {
      if (const auto plain = accept_plain(s, run.choice, std::span(run.tokens).subspan(i), run.epoch, now)) {
        i += plain;
        continue;
      }
    }
    const core::TokenOut& token = run.tokens[i++];
    if (choice.finish != core::FinishReason::none || index < choice.tokens.size() || index > s.request->tokens_max) continue;
    if (index > choice.tokens.size()) {
      choice.early.try_emplace(static_cast<std::uint32_t>(index), RouterChoice::Early{token, run.epoch});
      continue;
    }
    accept(s, run.choice, token, run.epoch, now);
  }
  while (!choice.early.empty()) {
    const auto first = choice.early.begin();
    if (choice.finish == core::FinishReason::none && first->first > choice.tokens.size()) break;
    if (choice.finish == core::FinishReason::none && first->first == choice.tokens.size()) {
      accept(s, run.choice, first->second.token, first->second.epoch, now);
    }
    choice.early.erase(first);
  }
}

void RouterState::accept(RouterStream& s, std::uint32_t c, const core::TokenOut& token, const Epoch& epoch, Instant now) {
  RouterChoice& choice = s.choices[c];
  choice.finish = token.finish;
  if (!token.is_end) {
    choice.tokens.push_back(token);
    s.names.add(c, token.token);
    if (choice.tokens.size() > choice.told + choice.news.size()) choice.news.push_back(token);
  }
  // The end of a choice is certain by now, whatever the worker forgot to say.
  if (choice.finish == core::FinishReason::none && choice.tokens.size() >= s.request->tokens_max)
    choice.finish = core::FinishReason::length;
  note_token(s, epoch, now);
}

std::uint32_t RouterState::accept_plain(RouterStream& s, std::uint32_t c, std::span<const core::TokenOut> tokens, const Epoch& epoch,
                                        Instant now) {
  RouterChoice& choice = s.choices[c];
  const std::size_t had = choice.tokens.size();
  std::uint32_t count = 0;
  while (count < tokens.size() && had + count + 1 < s.request->tokens_max && !tokens[count].is_end &&
         tokens[count].finish == core::FinishReason::none)
    ++count;
  if (count == 0) return 0;
  for (const core::TokenOut& token : tokens.first(count)) {
    choice.tokens.push_back(token);
    s.names.add(c, token.token);
  }
  // A client that submitted again may have some of them already.
  const std::size_t told = choice.told + choice.news.size();
  const std::size_t known = std::min<std::size_t>(count, told > had ? told - had : 0);
  const auto news = tokens.subspan(known, count - known);
  choice.news.insert(choice.news.end(), news.begin(), news.end());
  note_token(s, epoch, now);
  return count;
}

void RouterState::note_token(RouterStream& s, const Epoch& epoch, Instant now) {
  if (s.move && epoch == s.move->new_epoch && !commit_pending_) {
    commit_pending_ = true;
    ClosingMove& move = closing[{s.key, epoch}];
    move.outcome.pause = s.last_token == core::never ? core::Duration{0} : now - s.last_token;
  }
  s.last_token = now;
  if (s.first_token == core::never) s.first_token = now;
}

bool RouterState::deliver(RouterStream& s, Instant now, Actions& out) {
  for (std::uint32_t c = 0; c < s.choices.size(); ++c) {
    RouterChoice& choice = s.choices[c];
    const bool ends = choice.finish != core::FinishReason::none && !choice.finish_told;
    if (choice.news.empty() && !ends) continue;
    core::Delta delta{s.key.request, c, static_cast<std::uint32_t>(choice.told), std::move(choice.news), {}, core::FinishReason::none};
    choice.told += delta.tokens.size();
    choice.news.clear();
    if (ends) delta.finish = choice.finish;
    choice.finish_told = choice.finish_told || ends;
    out.emplace_back(RouterCore::ToClient{s.client, s.key, std::move(delta)});
  }
  if (!s.over()) return true;
  ++counters.streams_finished;
  if (s.request->prompt_only && s.choices[0].finish == core::FinishReason::length) ++counters.streams_scored;
  core::Finished finished{s.key.request,
                          static_cast<std::uint32_t>(s.request->prompt.size()),
                          static_cast<std::uint32_t>(s.generated()),
                          s.cached_tokens,
                          s.moves,
                          s.restarts,
                          {},
                          now - s.admitted};
  if (s.first_token != core::never) finished.ttft = s.first_token - s.admitted;
  out.emplace_back(RouterCore::ToClient{s.client, s.key, finished});
  if (s.move) {
    post(s.move->destination.node, core::CancelRun{s.key, s.move->new_epoch}, out);
    revoke(s, core::Errc::unknown_request, "the stream finished before it was taken over", false, now, out);
  }
  forget(s, out);
  return false;
}

void RouterState::end_choices(RouterStream& s, core::FinishReason reason, Instant now, Actions& out) {
  for (RouterChoice& choice : s.choices) {
    if (choice.finish == core::FinishReason::none) choice.finish = reason;
    choice.early.clear();
  }
  deliver(s, now, out);
}

void RouterState::cancel_runs(RouterStream& s, Actions& out) {
  if (s.stage != Stage::waiting) post(s.place.node, core::CancelRun{s.key, s.epoch}, out);
  if (s.move) post(s.move->destination.node, core::CancelRun{s.key, s.move->new_epoch}, out);
}

void RouterState::fail_stream(RouterStream& s, core::Errc code, std::string reason, core::Duration retry_after, Actions& out) {
  ++counters.streams_failed;
  for (const RouterChoice& choice : s.choices) counters.tokens_lost += choice.news.size();
  out.emplace_back(RouterCore::ToClient{s.client, s.key, core::Failed{s.key.request, code, std::move(reason), retry_after}});
  forget(s, out);
}

void RouterState::drop_client(const RouterStream& s) {
  const auto it = by_client_.find(s.client);
  if (it == by_client_.end()) return;
  std::erase(it->second, s.key);
  if (it->second.empty()) by_client_.erase(it);
}

void RouterState::forget(RouterStream& s, Actions& out) {
  drop_move(s);
  const StreamKey key = s.key;
  if (s.stage == Stage::waiting) {
    waiting_.erase(wait_key(s));
  } else {
    set_place(s, Stage::waiting, {});
  }
  timers_.set(s.slot, core::never);
  drop_client(s);
  const auto tenant = by_tenant_.find(key.tenant);
  SPILLWAY_ASSERT(tenant != by_tenant_.end());
  if (--tenant->second == 0) by_tenant_.erase(tenant);
  if (!s.request->supersedes.empty()) channels_.leave(key.tenant, s.request->supersedes, key);
  out.emplace_back(RouterCore::StreamEnded{key});
  streams.erase(s);
}

}  // namespace spillway::sched
