#include <algorithm>

#include "core/digest.h"
#include "sdk/session.h"

namespace spillway::sdk {

static_assert(static_cast<int>(Code::draining) == static_cast<int>(core::Errc::draining), "the two lists of codes are one");

std::string_view to_string(Code code) {
  return core::to_string(static_cast<core::Errc>(code));
}

Error to_error(core::Errc code, const std::string& message, core::Duration retry_after) {
  return {static_cast<Code>(code), message, std::chrono::duration_cast<std::chrono::milliseconds>(retry_after)};
}

Error to_error(const core::Error& error) {
  return to_error(error.code, error.message, error.retry_after);
}

core::Duration bounded(std::chrono::milliseconds wait) {
  constexpr std::chrono::milliseconds longest = std::chrono::hours(24 * 365 * 100);
  return std::clamp(wait, -longest, longest);
}

namespace {

core::Sampling to_sampling(const Request& request) {
  core::Sampling sampling{request.temperature, request.top_k, request.top_p, request.min_p, request.seed.value_or(0)};
  sampling.typical_p = request.typical_p;
  sampling.repetition_penalty = request.repetition_penalty;
  sampling.presence_penalty = request.presence_penalty;
  sampling.frequency_penalty = request.frequency_penalty;
  sampling.tokens_min = request.min_tokens;
  for (const auto& bias : request.logit_bias) sampling.logit_bias.push_back({bias.token, bias.value});
  // Without DRY its other fields say nothing and stay as they are by default: requests that ask for the same are equal.
  if (request.dry_multiplier != 0.0F) {
    sampling.dry = {request.dry_multiplier, request.dry_base, request.dry_allowed_length, request.dry_range, request.dry_sequence_breakers};
  }
  return sampling;
}

}  // namespace

Result<core::Submit> to_submit(const Request& request) {
  core::Submit submit;
  if (request.request_id.empty()) {
    submit.request = {{core::random_u64(), core::random_u64()}};
  } else if (!core::from_hex(request.request_id, submit.request)) {
    return Error{Code::bad_argument, "request_id '" + request.request_id + "': want 32 hex digits, for example a UUID", {}};
  }
  submit.model = request.model;
  if (!request.messages.empty()) {
    submit.kind = core::PromptKind::chat;
    for (const auto& message : request.messages) submit.messages.push_back({message.role, message.content});
  } else if (!request.prompt_tokens.empty()) {
    submit.kind = core::PromptKind::tokens;
    submit.tokens = request.prompt_tokens;
  } else {
    submit.text = request.prompt;
  }
  submit.choices = request.n;
  submit.tokens_max = request.max_tokens;
  submit.sampling = to_sampling(request);
  submit.seed_set = request.seed.has_value();
  submit.stop = request.stop;
  submit.ignore_eos = request.ignore_eos;
  submit.logprobs = request.logprobs;
  submit.service_class = static_cast<core::ServiceClass>(request.service_class);
  submit.deadline = bounded(request.deadline);
  submit.traceparent = request.traceparent;
  submit.supersedes = request.supersedes;
  submit.prompt_only = request.prompt_only;
  submit.adapter = request.adapter;
  if (request.grammar.json_object) submit.grammar = {core::GrammarKind::json_object, {}};
  if (!request.grammar.gbnf.empty()) submit.grammar = {core::GrammarKind::gbnf, request.grammar.gbnf};
  if (!request.grammar.json_schema.empty()) submit.grammar = {core::GrammarKind::json_schema, request.grammar.json_schema};
  if (int{request.grammar.json_object} + int{!request.grammar.gbnf.empty()} + int{!request.grammar.json_schema.empty()} > 1)
    return Error{Code::bad_argument, "grammar: more than one of gbnf, json_schema and json_object is set: ask for one", {}};
  if (request.n == 0) return Error{Code::bad_argument, "n = 0: ask for at least one choice", {}};
  if (request.n > 4096) return Error{Code::bad_argument, "n = " + std::to_string(request.n) + ": want at most 4096", {}};
  return submit;
}

Token to_token(const core::TokenOut& token) {
  Token made{token.token, token.logprob, {}};
  made.top.reserve(token.top.size());
  for (const auto& [id, logprob] : token.top) made.top.push_back({id, logprob});
  return made;
}

}  // namespace spillway::sdk
