#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/request.h"
#include "model/tokenizer.h"

/// What a request asks of the logits before a token is drawn from them: a pure function of (logits, sampling, tokens so far), so that
/// a choice which moved goes on as if it had not. All arithmetic is in float, one operation at a time, but DRY's penalty, which is
/// computed in float64: equal logits give equal bits on every machine.
///
/// Order, as in vLLM, with DRY behind the penalties as in llama.cpp:
///   tokens_min          while the answer is shorter, end tokens (Tokenizer::ends) get -infinity, with ignore_eos too.
///   logit_bias          x + value.
///   repetition_penalty  of tokens in prompt or answer: x / penalty where x > 0, else x * penalty (Keskar et al., "CTRL", 2019).
///   frequency_penalty   of tokens in the answer: x - penalty * (times it is there).
///   presence_penalty    of tokens in the answer: x - penalty.
///   dry                 x - multiplier * base^(L - allowed_length) for a token that stood behind an earlier run of L tokens equal to
///                       the last L, the longest such run, where L >= max(1, allowed_length); exponents end at 255, penalties at
///                       1e30. Of the last `range` tokens, prompt included. A run has no breaker in it, and breakers lose nothing.
/// Off is off: what is not asked for leaves every bit as it was.
namespace spillway::model {

/// What stands before the next token of a choice.
struct TokensSoFar {
  std::span<const core::TokenId> prompt;
  std::span<const core::TokenId> answer;
};

/// Whether any of the rules above is on.
bool has_logit_rules(const core::Sampling& sampling);

/// Buffers that live from token to token.
class LogitRules {
 public:
  /// The logits after the rules: `logits` itself when none is on, else valid until the next call. `tokenizer` tells end tokens and
  /// breakers; null: there are none. Tokens outside the vocabulary count for nothing.
  std::span<const float> apply(std::span<const float> logits, const core::Sampling& sampling, const TokensSoFar& so_far,
                               const Tokenizer* tokenizer);

 private:
  void penalize(const core::Sampling& sampling, const TokensSoFar& so_far);
  void apply_dry(const core::Dry& dry, const TokensSoFar& so_far, const Tokenizer* tokenizer);
  void collect_recent(std::uint32_t range, const TokensSoFar& so_far);
  void measure_runs();
  bool known(core::TokenId token) const { return token >= 0 && static_cast<std::size_t>(token) < logits_.size(); }
  /// Remembers that marks_[token] is not 0 any more.
  void touch(core::TokenId token) { touched_.push_back(token); }
  void clear_marks();

  std::vector<float> logits_;
  std::vector<std::uint32_t> marks_;  // of each token; all 0 between the rules
  std::vector<core::TokenId> touched_;
  std::vector<core::TokenId> recent_;  // newest first
  std::vector<std::uint32_t> runs_;    // runs_[k]: tokens from k on that are equal to those from 0 on
};

}  // namespace spillway::model
