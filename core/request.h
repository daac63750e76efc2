#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.h"
#include "core/time.h"
#include "core/token_list.h"

namespace spillway::core {

/// Order of service and of what may be degraded or dropped first.
enum class ServiceClass : std::uint8_t { live = 0, interactive = 1, batch = 2 };
enum class FinishReason : std::uint8_t { none = 0, stop = 1, length = 2, cancelled = 3, deadline = 4, error = 5 };

std::string_view to_string(ServiceClass value);
std::string_view to_string(FinishReason value);
bool parse_service_class(std::string_view text, ServiceClass& value);

/// Features that change bytes. A node that lacks a required one refuses the Run by name. Bits are append-only.
enum class Feature : std::uint64_t {
  none = 0,
  seeded_sampling = 1U << 0,  ///< Philox counter sampling, temperature, top-k, top-p, min-p
  forks = 1U << 1,            ///< n > 1
  stop_strings = 1U << 2,
  logit_rules = 1U << 3,  ///< penalties, DRY, logit bias, tokens_min
  typical_p = 1U << 4,
  grammar = 1U << 5,
};
inline constexpr std::uint64_t known_features = 0x3f;
/// Of a single bit; empty for one that this build does not know.
std::string_view to_string(Feature bit);

/// What is added to the logit of a token.
struct LogitBias {
  TokenId token = 0;
  float value = 0.0F;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("token", s.token), v("value", s.value);
  }
  friend bool operator==(const LogitBias&, const LogitBias&) = default;
};

/// "Don't repeat yourself" (model/logit_rules.h): a token that would make a repeated run of tokens longer loses
/// multiplier * base^(length of the run - allowed_length). multiplier 0 = off.
struct Dry {
  float multiplier = 0.0F;
  float base = 1.75F;
  std::uint32_t allowed_length = 2;     ///< tokens of a run that are not yet punished
  std::uint32_t range = 0;              ///< last tokens looked at, the prompt's included; 0 = all
  std::vector<std::string> breakers{};  ///< a token whose text holds one of these ends a run

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("multiplier", s.multiplier), v("base", s.base), v("allowed_length", s.allowed_length), v("range", s.range);
    v("breakers", s.breakers);
  }
  friend bool operator==(const Dry&, const Dry&) = default;
};

/// How the next token is drawn; model/sampler.h has the ranges and the order. temperature 0 = greedy (ties to the lower id). Off: top_k 0,
/// top_p 1, min_p 0, typical_p 1, repetition_penalty 1, the other penalties 0.
struct Sampling {
  float temperature = 0.0F;
  std::uint32_t top_k = 0;
  float top_p = 1.0F;
  float min_p = 0.0F;
  std::uint64_t seed = 0;  ///< always set once admitted: an unset seed is derived (core/digest.h)
  float typical_p = 1.0F;
  float repetition_penalty = 1.0F;  ///< of tokens in prompt or answer
  float presence_penalty = 0.0F;    ///< of tokens in the answer, once
  float frequency_penalty = 0.0F;   ///< of tokens in the answer, for each time
  std::uint32_t tokens_min = 0;     ///< no end token is drawn before so many of the answer
  std::vector<LogitBias> logit_bias{};
  Dry dry{};

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("temperature", s.temperature), v("top_k", s.top_k), v("top_p", s.top_p), v("min_p", s.min_p), v("seed", s.seed);
    v("typical_p", s.typical_p), v("repetition_penalty", s.repetition_penalty), v("presence_penalty", s.presence_penalty);
    v("frequency_penalty", s.frequency_penalty), v("tokens_min", s.tokens_min), v("logit_bias", s.logit_bias), v("dry", s.dry);
  }
  friend bool operator==(const Sampling&, const Sampling&) = default;
};

enum class GrammarKind : std::uint8_t {
  none = 0,
  gbnf = 1,         ///< text: rules (model/grammar_gbnf.h)
  json_object = 2,  ///< any JSON object; no text
  json_schema = 3,  ///< text: the schema (model/grammar_schema.h)
};

/// What every answer must be a text of.
struct Grammar {
  GrammarKind kind = GrammarKind::none;
  std::string text;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("kind", s.kind), v("text", s.text);
  }
  friend bool operator==(const Grammar&, const Grammar&) = default;
};

/// One call of a client, immutable once admitted. Everything a stream computes is a function of (request, tokens).
struct Request {
  StreamKey key;
  ModelId model;
  TokenList prompt;              ///< never empty; begins with BOS where the model wants it
  std::uint32_t choices = 1;     ///< n
  std::uint32_t tokens_max = 0;  ///< generated tokens of each choice, at least 1 (prompt_only: 0)
  Sampling sampling;
  std::vector<std::string> stop;  ///< stop strings, UTF-8, none empty
  bool ignore_eos = false;
  std::uint32_t logprobs = 0;  ///< K best of the raw distribution reported with each token
  ServiceClass service_class = ServiceClass::interactive;
  std::uint64_t required = 0;  ///< bits of Feature
  std::uint64_t salt = 0;      ///< salt of the block names
  std::string traceparent;
  std::string supersedes;    ///< channel of which only the newest request is worth anything; empty = none (sched/supersede.h)
  bool prompt_only = false;  ///< nothing is generated: over when the prompt is computed (scoring). One choice, tokens_max 0
  std::string adapter;       ///< laid over the model's weights, by name (core/adapter.h); empty = none
  Grammar grammar;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("model", s.model), v("prompt", s.prompt), v("choices", s.choices), v("tokens_max", s.tokens_max);
    v("sampling", s.sampling), v("stop", s.stop), v("ignore_eos", s.ignore_eos), v("logprobs", s.logprobs);
    v("service_class", s.service_class), v("required", s.required), v("salt", s.salt), v("traceparent", s.traceparent);
    v("supersedes", s.supersedes), v("prompt_only", s.prompt_only), v("adapter", s.adapter), v("grammar", s.grammar);
  }
  friend bool operator==(const Request&, const Request&) = default;
};

/// One generated token. `top` is descending by logprob, ties to the lower id; logprobs are natural logs of the softmax of the
/// raw logits. The token that ends a choice carries `finish`; an end token itself (EOS) comes with `finish == stop` and
/// `is_end`, and is not part of the text or of the counted tokens.
struct TokenOut {
  TokenId token = 0;
  bool is_end = false;
  FinishReason finish = FinishReason::none;
  float logprob = 0.0F;
  std::vector<std::pair<TokenId, float>> top;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("token", s.token), v("is_end", s.is_end), v("finish", s.finish), v("logprob", s.logprob), v("top", s.top);
  }
  friend bool operator==(const TokenOut&, const TokenOut&) = default;
};

}  // namespace spillway::core
