#include "model/sequences.h"

#include <algorithm>
#include <limits>
#include <string>

#include "core/log.h"

namespace spillway::model {

using core::Errc;
using core::fail;

void Sequences::open(const core::SequenceOpen& open) {
  Sequence sequence{.request = open.request, .choice = open.choice, .stop_window = {}, .answer = {}, .grammar = {}};
  if (open.request->grammar.kind != core::GrammarKind::none) {
    // The router has compiled it too, so an error is its own or that of the model's file.
    auto ready = grammars_.find(open.request->grammar);
    if (!ready) core::log_error("sequence " + std::to_string(open.sequence.value) + ": " + ready.error().message);
    if (ready) sequence.grammar.emplace(*ready, tokenizer_);
    for (const auto token : open.tokens)
      if (sequence.grammar) sequence.grammar->accept(token);
  }
  if (has_logit_rules(open.request->sampling)) sequence.answer = open.tokens;
  if (tokenizer_ != nullptr && !open.request->stop.empty()) {
    sequence.stop_window.emplace(tokenizer_, open.request->stop);
    for (const auto token : open.tokens) sequence.stop_window->feed(token);
  }
  sequences_.insert_or_assign(open.sequence, std::move(sequence));
}

Sequence* Sequences::find(core::SequenceId sequence) {
  const auto found = sequences_.find(sequence);
  return found == sequences_.end() ? nullptr : &found->second;
}

core::TokenOut Sequences::draw(Sequence& sequence, std::uint32_t index, std::span<const float> logits) {
  const auto& request = *sequence.request;
  auto ruled = rules_.apply(logits, request.sampling, {request.prompt, sequence.answer}, tokenizer_.get());
  core::TokenOut out;
  if (request.grammar.kind != core::GrammarKind::none && !follow_grammar(sequence, logits, ruled)) {
    core::log_error("request " + core::to_hex(request.key.request) + ": no token may follow in its grammar; the answer ends with an error");
    out.is_end = true;
    out.finish = core::FinishReason::error;
    return out;
  }
  sampler_.report(logits, sampler_.choose(ruled, request.sampling, sequence.choice, index), request.logprobs, out);
  accept(sequence, index, out);
  return out;
}

/// Takes out of `ruled` what the grammar does not allow; false when nothing is left.
bool Sequences::follow_grammar(Sequence& sequence, std::span<const float> logits, std::span<const float>& ruled) {
  if (!sequence.grammar || !sequence.grammar->mask(ruled, masked_)) return false;
  const auto nothing = [this] {
    return std::none_of(masked_.begin(), masked_.end(), [](float x) { return x > -std::numeric_limits<float>::infinity(); });
  };
  // A text that can only end does, though tokens_min would have more.
  if (nothing()) sequence.grammar->mask(logits, masked_);
  ruled = masked_;
  return !nothing();
}

void Sequences::accept(Sequence& sequence, std::uint32_t index, core::TokenOut& out) const {
  const auto& request = *sequence.request;
  if (has_logit_rules(request.sampling)) sequence.answer.push_back(out.token);
  if (sequence.grammar) sequence.grammar->accept(out.token);
  if (tokenizer_ != nullptr && !request.ignore_eos && tokenizer_->is_end(out.token)) {
    out.is_end = true;
    out.finish = core::FinishReason::stop;
    return;
  }
  if (sequence.stop_window) {
    sequence.stop_window->feed(out.token);
    if (sequence.stop_window->stopped()) {
      out.finish = core::FinishReason::stop;
      return;
    }
  }
  if (index + 1 >= request.tokens_max) out.finish = core::FinishReason::length;
}

namespace {

core::Result<void> check_item(const core::StepItem& item, const core::ReplicaInfo& info) {
  const auto name = "step item of sequence " + std::to_string(item.sequence.value);
  const std::size_t end = item.first_position + item.tokens.size();
  if (item.tokens.empty()) return fail(Errc::bad_argument, name + ": no tokens");
  if (end > info.context_max)
    return fail(Errc::bad_argument, name + ": position " + std::to_string(end - 1) + " is beyond the context of " +
                                        std::to_string(info.context_max) + " tokens");
  if (item.blocks.size() * core::block_tokens < end)
    return fail(Errc::bad_argument, name + ": " + std::to_string(item.blocks.size()) + " blocks for " + std::to_string(end) + " tokens");
  for (const auto block : item.blocks)
    if (block >= info.blocks) return fail(Errc::bad_argument, name + ": block " + std::to_string(block) + " is not in the pool");
  for (const auto token : item.tokens)
    if (token < 0 || static_cast<std::uint32_t>(token) >= info.vocabulary)
      return fail(Errc::bad_argument,
                  name + ": token " + std::to_string(token) + " is not in the vocabulary of " + std::to_string(info.vocabulary));
  return {};
}

}  // namespace

core::Result<void> Sequences::check(const core::StepPlan& plan, const core::ReplicaInfo& info, std::uint32_t rows_max) const {
  for (const auto& open : plan.opens) {
    const auto name = "sequence " + std::to_string(open.sequence.value);
    if (open.request == nullptr) return fail(Errc::bad_argument, name + ": no request");
    if (const auto& adapter = open.request->adapter; !adapter.empty() && core::find_adapter(info.adapters, adapter) == nullptr)
      return fail(Errc::unsupported, name + ": this device does not have the adapter '" + adapter + "'");
  }
  for (const auto& copy : plan.copies)
    if (copy.from >= info.blocks || copy.to >= info.blocks || copy.from == copy.to || copy.rows > core::block_tokens)
      return fail(Errc::bad_argument, "block copy from " + std::to_string(copy.from) + " to " + std::to_string(copy.to) + " of " +
                                          std::to_string(copy.rows) + " rows: not within the pool");
  std::size_t rows = 0;
  for (const auto& item : plan.items) {
    if (auto checked = check_item(item, info); !checked) return checked;
    rows += item.tokens.size();
    for (const auto& target : item.samples) {
      const auto opened = [&](const core::SequenceOpen& open) { return open.sequence == target.sequence; };
      if (!sequences_.contains(target.sequence) && std::none_of(plan.opens.begin(), plan.opens.end(), opened))
        return fail(Errc::bad_argument, "sample of sequence " + std::to_string(target.sequence.value) + ": it was not opened");
    }
  }
  if (rows > rows_max)
    return fail(Errc::bad_argument, "step of " + std::to_string(rows) + " rows; the device takes at most " + std::to_string(rows_max));
  return {};
}

}  // namespace spillway::model
