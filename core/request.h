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
};
inline constexpr std::uint64_t known_features = 0x7;

/// How the next token is drawn. temperature 0 = greedy (ties to the lower id). top_k 0, top_p 1, min_p 0 = off.
struct Sampling {
  float temperature = 0.0F;
  std::uint32_t top_k = 0;
  float top_p = 1.0F;
  float min_p = 0.0F;
  std::uint64_t seed = 0;  ///< always set once admitted: an unset seed is derived (core/digest.h)

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("temperature", s.temperature), v("top_k", s.top_k), v("top_p", s.top_p), v("min_p", s.min_p), v("seed", s.seed);
  }
  friend bool operator==(const Sampling&, const Sampling&) = default;
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

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("model", s.model), v("prompt", s.prompt), v("choices", s.choices), v("tokens_max", s.tokens_max);
    v("sampling", s.sampling), v("stop", s.stop), v("ignore_eos", s.ignore_eos), v("logprobs", s.logprobs);
    v("service_class", s.service_class), v("required", s.required), v("salt", s.salt), v("traceparent", s.traceparent);
    v("supersedes", s.supersedes), v("prompt_only", s.prompt_only), v("adapter", s.adapter);
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
