#include "model/logit_rules.h"

#include <algorithm>
#include <limits>

namespace spillway::model {

namespace {

constexpr std::uint32_t exponent_max = 255;
constexpr double dry_penalty_max = 1e30;
/// Mark of a token that stands in the prompt alone; counts of the answer are below it.
constexpr std::uint32_t in_prompt = 1U << 31;

bool penalizes(const core::Sampling& sampling) {
  return sampling.repetition_penalty != 1.0F || sampling.presence_penalty != 0.0F || sampling.frequency_penalty != 0.0F;
}

double dry_penalty(const core::Dry& dry, std::uint32_t run) {
  double penalty = static_cast<double>(dry.multiplier);
  const std::uint32_t exponent = std::min(run - dry.allowed_length, exponent_max);
  for (std::uint32_t i = 0; i < exponent; ++i) penalty *= static_cast<double>(dry.base);
  return std::min(penalty, dry_penalty_max);
}

bool is_breaker(const core::Dry& dry, const Tokenizer* tokenizer, core::TokenId token) {
  if (tokenizer == nullptr) return false;
  const std::string_view text = tokenizer->piece(token);
  return std::any_of(dry.breakers.begin(), dry.breakers.end(), [&](const std::string& breaker) { return text.find(breaker) != text.npos; });
}

}  // namespace

bool has_logit_rules(const core::Sampling& sampling) {
  return penalizes(sampling) || sampling.tokens_min > 0 || !sampling.logit_bias.empty() || sampling.dry.multiplier != 0.0F;
}

std::span<const float> LogitRules::apply(std::span<const float> logits, const core::Sampling& sampling, const TokensSoFar& so_far,
                                         const Tokenizer* tokenizer) {
  if (!has_logit_rules(sampling)) return logits;
  logits_.assign(logits.begin(), logits.end());
  marks_.resize(logits_.size(), 0);
  if (so_far.answer.size() < sampling.tokens_min && tokenizer != nullptr) {
    for (const auto end : tokenizer->ends())
      if (known(end)) logits_[static_cast<std::size_t>(end)] = -std::numeric_limits<float>::infinity();
  }
  for (const auto& bias : sampling.logit_bias)
    if (known(bias.token)) logits_[static_cast<std::size_t>(bias.token)] += bias.value;
  if (penalizes(sampling)) penalize(sampling, so_far);
  if (sampling.dry.multiplier != 0.0F) apply_dry(sampling.dry, so_far, tokenizer);
  return logits_;
}

void LogitRules::penalize(const core::Sampling& sampling, const TokensSoFar& so_far) {
  for (const auto token : so_far.answer) {
    if (known(token) && marks_[static_cast<std::size_t>(token)]++ == 0) touch(token);
  }
  for (const auto token : so_far.prompt) {
    if (!known(token) || marks_[static_cast<std::size_t>(token)] != 0) continue;
    marks_[static_cast<std::size_t>(token)] = in_prompt;
    touch(token);
  }
  for (const auto token : touched_) {
    const std::uint32_t mark = marks_[static_cast<std::size_t>(token)];
    float& x = logits_[static_cast<std::size_t>(token)];
    x = x > 0.0F ? x / sampling.repetition_penalty : x * sampling.repetition_penalty;
    if (mark == in_prompt) continue;
    x -= sampling.frequency_penalty * static_cast<float>(mark);
    x -= sampling.presence_penalty;
  }
  clear_marks();
}

void LogitRules::apply_dry(const core::Dry& dry, const TokensSoFar& so_far, const Tokenizer* tokenizer) {
  collect_recent(dry.range, so_far);
  measure_runs();
  const std::uint32_t least = std::max(1U, dry.allowed_length);
  const std::uint32_t longest = runs_.empty() ? 0 : *std::max_element(runs_.begin(), runs_.end());
  if (longest < least) return;
  // Runs are equal to the newest tokens, so that a breaker among these is where each of them ends.
  std::uint32_t unbroken = 0;
  while (unbroken < longest && !is_breaker(dry, tokenizer, recent_[unbroken])) ++unbroken;
  if (unbroken < least) return;
  for (std::size_t k = 1; k < runs_.size(); ++k) {
    const std::uint32_t run = std::min(runs_[k], unbroken);
    const auto next = recent_[k - 1];
    if (run < least || !known(next)) continue;
    auto& mark = marks_[static_cast<std::size_t>(next)];
    if (mark == 0) touch(next);
    mark = std::max(mark, run);
  }
  for (const auto token : touched_) {
    if (is_breaker(dry, tokenizer, token)) continue;
    float& x = logits_[static_cast<std::size_t>(token)];
    x = static_cast<float>(static_cast<double>(x) - dry_penalty(dry, marks_[static_cast<std::size_t>(token)]));
  }
  clear_marks();
}

void LogitRules::collect_recent(std::uint32_t range, const TokensSoFar& so_far) {
  const std::size_t all = so_far.prompt.size() + so_far.answer.size();
  const std::size_t count = range == 0 ? all : std::min<std::size_t>(range, all);
  const std::size_t of_answer = std::min(count, so_far.answer.size());
  recent_.clear();
  for (std::size_t i = 0; i < of_answer; ++i) recent_.push_back(so_far.answer[so_far.answer.size() - 1 - i]);
  for (std::size_t i = 0; i < count - of_answer; ++i) recent_.push_back(so_far.prompt[so_far.prompt.size() - 1 - i]);
}

/// The Z-function (Gusfield, "Algorithms on Strings, Trees, and Sequences", 1997, 1.4): linear, however often a text repeats itself.
void LogitRules::measure_runs() {
  const std::size_t n = recent_.size();
  runs_.assign(n, 0);
  std::size_t left = 0;
  std::size_t right = 0;  // [left, right) is the known stretch, equal to the beginning, that reaches farthest
  for (std::size_t k = 1; k < n; ++k) {
    std::size_t run = k < right ? std::min<std::size_t>(right - k, runs_[k - left]) : 0;
    while (k + run < n && recent_[run] == recent_[k + run]) ++run;
    if (k + run > right) left = k, right = k + run;
    runs_[k] = static_cast<std::uint32_t>(run);
  }
}

void LogitRules::clear_marks() {
  for (const auto token : touched_) marks_[static_cast<std::size_t>(token)] = 0;
  touched_.clear();
}

}  // namespace spillway::model
