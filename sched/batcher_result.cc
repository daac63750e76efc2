#include <algorithm>
#include <utility>

#include "core/assert.h"
#include "sched/batcher_state.h"

namespace spillway::sched {

void BatcherState::on_result(const core::StepResult& result, Instant now, Actions& out) {
  if (!in_flight_ || result.step != step_) return;  // of a worker that failed since
  in_flight_ = false;
  if (result.rows > 0 && result.elapsed.count() > 0) step_time_.learn(result.rows, attended_, result.elapsed);
  take_rows(out);
  std::size_t next = 0;
  for (const auto& [slot, choice] : targets_) {
    const auto& s = streams_[slot];
    const auto& c = s.choices[choice];
    const auto most = 1 + c.guesses;
    for (std::uint32_t nth = 0; next < result.sampled.size() && result.sampled[next].sequence == c.sequence; ++next, ++nth) {
      SPILLWAY_ASSERT(nth < most);
      if (s.state == StreamState::ending || c.over()) continue;  // cancelled meanwhile; behind the end
      const auto& sampled = result.sampled[next];
      SPILLWAY_ASSERT(sampled.index == c.tokens.size());
      if (nth == 0) take_token(slot, choice, sampled.out, false);
      else take_guessed(slot, choice, sampled.out, false);
    }
    SPILLWAY_ASSERT(next > 0 && result.sampled[next - 1].sequence == c.sequence);  // at least one
  }
  SPILLWAY_ASSERT(next == result.sampled.size());
  after_tokens(now, out);
}

void BatcherState::after_tokens(Instant now, Actions& out) {
  for (const auto& [slot, choice] : targets_) streams_[slot].choices[choice].guesses = 0;
  end_prompt_only();
  // Tokens leave before anything that says the stream stopped.
  flush_tokens(now, out);
  for (const auto& e : scheduled_) {
    const auto& s = streams_[e.slot];
    if (s.state == StreamState::running && s.unfinished == 0)
      end_stream(e.slot, core::Errc::unknown_request, "the stream has finished", now, out);
  }
  for (const auto slot : ending_) {
    streams_[slot].in_flight = false;
    release_stream(slot);
  }
  ending_.clear();
  exports_after_step(now, out);
}

void BatcherState::take_rows(Actions&) {
  for (const auto& [slot, choice] : scheduled_) {
    auto& s = streams_[slot];
    if (s.state == StreamState::ending) continue;
    auto& c = s.choices[choice];
    s.in_flight = false;
    const auto from = c.computed;
    c.computed += c.chunk;
    c.chunk = 0;
    c.copy_from = core::no_block;
    c.copies.clear();
    name_filled(s, c, from, c.computed);
    if (!plain_) release_behind(c);
    if (s.waiting > 0 && choice == s.leader && c.computed == s.prompt()) fork(s);
    if (s.exporting) exports_.at(s.exporting).touched = true;
  }
}

void BatcherState::take_guessed(std::uint32_t slot, std::uint32_t choice, const core::TokenOut& token, bool late) {
  auto& s = streams_[slot];
  auto& c = s.choices[choice];
  ++c.computed;
  SPILLWAY_ASSERT(c.computed == s.known(c) && c.computed <= c.table.size() * core::block_tokens);
  name_filled(s, c, c.computed - 1, c.computed);
  take_token(slot, choice, token, late);
}

void BatcherState::take_token(std::uint32_t slot, std::uint32_t choice, const core::TokenOut& token, bool late) {
  auto& s = streams_[slot];
  auto& c = s.choices[choice];
  const auto index = static_cast<std::uint32_t>(c.tokens.size());
  if (s.exporting) exports_.at(s.exporting).sampled = true;
  ++tokens_made_;
  if (late && c.told_once && !s.exporting && token.finish == core::FinishReason::none && index + 1 < s.tokens_max) {
    c.tokens.push_back(token.token);
    ++c.untold;
    ++counters.tokens_generated;
    queue_[s.queue_class].counters().charge_output(s.key.tenant, 1);
    return;
  }
  auto& run = untold_run(s, choice);
  auto& told = run.tokens.emplace_back(token);
  c.told_once = true;
  if (told.finish == core::FinishReason::none && index + 1 >= s.tokens_max) told.finish = core::FinishReason::length;
  if (!told.is_end) c.tokens.push_back(told.token);
  if (!s.prompt_only) {
    ++counters.tokens_generated;
    queue_[s.queue_class].counters().charge_output(s.key.tenant, 1);
  }
  if (told.finish == core::FinishReason::none) return;
  c.finish = told.finish;
  const bool whole = (c.finish == core::FinishReason::stop || c.finish == core::FinishReason::length) && !s.prompt_only;
  if (whole) answers_[std::min<std::size_t>(s.service_class(), classes - 1)].record(static_cast<std::uint32_t>(c.tokens.size()));
  const auto available = ledger.available();
  release_table(c);
  freed_in_step_ += ledger.available() - available;
  close_sequence(s, c);
  --s.unfinished;
  --admitted_choices_;
}

core::TokenRun& BatcherState::untold_run(BatchStream& s, std::uint32_t choice) {
  auto& c = s.choices[choice];
  auto& box = boxes_[s.owner_box];
  if (box.tokens.runs.empty()) {
    boxes_used_.push_back(s.owner_box);
    box.tokens.runs.reserve(boxes_used_.size() == 1 ? targets_.size() : 4);  // most often one owner has them all
  }
  const auto first = static_cast<std::uint32_t>(c.tokens.size()) - c.untold;
  if (c.untold == 0 && !box.tokens.runs.empty()) {  // the token before it in this step
    auto& last = box.tokens.runs.back();
    if (last.key == s.key && last.epoch == s.epoch && last.choice == choice && last.first_index + last.tokens.size() == first) return last;
  }
  auto& run = box.tokens.runs.emplace_back(core::TokenRun{s.key, s.epoch, choice, first, {}});
  run.tokens.reserve(c.untold + 1);
  for (std::uint32_t i = first; i < c.tokens.size(); ++i) run.tokens.emplace_back().token = c.tokens[i];
  c.untold = 0;
  return run;
}

void BatcherState::end_prompt_only() {
  for (const auto& [slot, choice] : scheduled_) {
    const auto& s = streams_[slot];
    if (s.state == StreamState::ending || !s.prompt_only) continue;
    if (const auto& c = s.choices[choice]; c.over() || c.computed < s.known(c)) continue;
    core::TokenOut end;  // says that it is over, and counts as no token
    end.is_end = true;
    end.finish = core::FinishReason::length;
    take_token(slot, choice, end, false);
  }
}

void BatcherState::flush_tokens(Instant now, Actions& out) {
  for (const auto index : boxes_used_) {
    auto& box = boxes_[index];
    box.tokens.replica = self;
    post(box.node, std::move(box.tokens), out);
    box.tokens = {};
  }
  boxes_used_.clear();
  if (tokens_made_ > 0) rate_.add(tokens_made_, now);
  tokens_made_ = 0;
  if (freed_in_step_ > 0) released_.add(std::exchange(freed_in_step_, 0), now);
}

}  // namespace spillway::sched
