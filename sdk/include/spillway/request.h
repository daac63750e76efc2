#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace spillway::sdk {

enum class ServiceClass : std::uint8_t { live = 0, interactive = 1, batch = 2 };

struct Message {
  std::string role;     ///< "system", "user", "assistant"
  std::string content;  ///< UTF-8; never parsed for control tokens
};

/// What is added to the logit of a token.
struct LogitBias {
  std::int32_t token = 0;  ///< id in the model's vocabulary
  float value = 0.0F;      ///< -100 to 100
};

/// What an answer must be a text of: at most one of these.
struct Grammar {
  std::string gbnf;          ///< rules in the notation of llama.cpp; `root` is the whole text; "" = none
  std::string json_schema;   ///< a JSON Schema; "" = none
  bool json_object = false;  ///< any JSON object
};

/// One call. Exactly one of `prompt`, `messages` and `prompt_tokens` is used: messages if there are any, else tokens if there
/// are any, else the prompt.
///
/// How a token is drawn, in this order, as in vLLM: min_tokens, logit_bias, repetition_penalty, frequency_penalty, presence_penalty, DRY,
/// the grammar; then the largest logit (temperature 0), or temperature, min_p, top_k, typical_p, top_p and a random number of
/// (seed, choice, index). Log-probabilities are those of the logits before all of it. Nothing but the tokens so far decides, so a stream
/// that moves goes on with the same tokens. Mirostat is not offered: what it learns could not be rebuilt from the tokens.
struct Request {
  std::string prompt;
  std::vector<Message> messages;
  std::vector<std::int32_t> prompt_tokens;
  std::string model;                  ///< "" = the cluster's first model
  std::uint32_t n = 1;                ///< choices
  std::uint32_t max_tokens = 0;       ///< of each choice; 0 = up to the context
  float temperature = 0.0F;           ///< 0 = greedy
  std::uint32_t top_k = 0;            ///< 0 = off
  float top_p = 1.0F;                 ///< 1 = off
  float min_p = 0.0F;                 ///< 0 = off
  float typical_p = 1.0F;             ///< locally typical sampling; 1 = off
  float repetition_penalty = 1.0F;    ///< of tokens in prompt or answer: positive logits are divided by it, others multiplied; 1 = off
  float presence_penalty = 0.0F;      ///< taken from the logits of tokens in the answer, -2 to 2
  float frequency_penalty = 0.0F;     ///< taken for each time the token is in the answer, -2 to 2
  std::vector<LogitBias> logit_bias;  ///< each token once, at most 1,024
  std::uint32_t min_tokens = 0;       ///< no end token before so many tokens of the answer; stop strings still end it
  /// DRY: a token that would prolong a run of tokens that stands in prompt or answer already loses
  /// dry_multiplier * dry_base^(tokens of the run - dry_allowed_length). 0 = off.
  float dry_multiplier = 0.0F;
  float dry_base = 1.75F;
  std::uint32_t dry_allowed_length = 2;
  std::uint32_t dry_range = 0;                                           ///< last tokens looked at; 0 = all
  std::vector<std::string> dry_sequence_breakers{"\n", ":", "\"", "*"};  ///< a token whose text holds one of these ends a run
  Grammar grammar;
  std::optional<std::uint64_t> seed;  ///< unset: a fixed function of tenant and request id
  std::vector<std::string> stop;
  bool ignore_eos = false;
  std::uint32_t logprobs = 0;  ///< K best tokens reported with each token
  ServiceClass service_class = ServiceClass::interactive;
  std::chrono::milliseconds deadline{0};  ///< worthless after this; refused at once when it cannot be met; 0 = none
  std::chrono::milliseconds timeout{0};   ///< the client gives up after this, fail-over included; 0 = never
  std::string request_id;                 ///< 32 hex digits; "" = drawn at random
  std::string traceparent;                ///< W3C trace context, passed through
  /// Channel of which only the newest request counts (captions of one programme): this request cancels the unfinished ones of the
  /// same tenant and channel at its router, and a later one will cancel this; "" = none.
  std::string supersedes;
  std::string adapter;  ///< laid over the model's weights, by name; "" = none. Refused where no replica of the model has it
  /// Scoring: the prompt is computed, nothing is answered, and the one choice ends with finish_reason "length". max_tokens 0, n 1.
  bool prompt_only = false;
};

struct TopLogprob {
  std::int32_t token = 0;
  float logprob = 0.0F;
};

/// One token with its natural-log probability under the raw distribution.
struct Token {
  std::int32_t id = 0;
  float logprob = 0.0F;
  std::vector<TopLogprob> top;  ///< the K best, descending
};

/// What arrived of one choice. `text` completes characters and is cut before a stop string; it may be empty.
struct Chunk {
  std::uint32_t choice = 0;
  std::vector<Token> tokens;
  std::string text;
  std::string finish_reason;  ///< "" while it goes on; else stop, length, cancelled, deadline, error
};

struct Choice {
  std::uint32_t index = 0;
  std::vector<Token> tokens;  ///< without the end token
  std::string text;
  std::string finish_reason;
};

struct Usage {
  std::uint32_t prompt_tokens = 0;
  std::uint32_t completion_tokens = 0;  ///< all choices together
  std::uint32_t cached_tokens = 0;      ///< prompt tokens whose KV was reused
};

/// A finished call.
struct Completion {
  std::string request_id;
  std::vector<std::int32_t> prompt_tokens;
  std::vector<Choice> choices;
  Usage usage;
  std::uint64_t seed = 0;
  std::uint32_t numerics_id = 0;
  std::string isa;
  std::uint32_t moves = 0;                          ///< times the stream was carried to another node
  std::uint32_t restarts = 0;                       ///< times it was begun again from its tokens (crash, preemption)
  std::uint32_t reconnects = 0;                     ///< times this client went on at another router
  std::chrono::nanoseconds time_to_first_token{0};  ///< as seen here
  std::chrono::nanoseconds longest_gap{0};          ///< between two arrivals after the first token
  std::chrono::nanoseconds total{0};
  /// What was taken from the request instead of refusing it, in the words of the tenant's ladder in the cluster file ("shorter:64",
  /// "model:NAME", "defer:5s"); empty: it ran as asked.
  std::vector<std::string> rungs;
  std::string pressure;  ///< why: quota, deadline, saturation; "" without rungs
  std::string model;     ///< the model that answered, where it is not the one asked for
};

}  // namespace spillway::sdk
