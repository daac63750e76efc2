// From what a client asks to what the router's core admits: limits, tokens, seed.

#include "actors/router_actor.h"
#include "model/grammar.h"
#include "model/logit_rules.h"
#include "model/sampler.h"

namespace spillway::actors {

namespace {

using core::Errc;

/// A channel is a name, not a text.
constexpr std::size_t supersedes_bytes_max = 256;
constexpr std::size_t adapter_bytes_max = 256;

core::Error over(const std::string& what, std::uint64_t value, std::uint64_t limit, const std::string& key) {
  return {Errc::bad_argument,
          what + " = " + std::to_string(value) + ": this cluster allows at most " + std::to_string(limit) + " (" + key + ")",
          {}};
}

core::Result<void> check_limits(const core::Submit& submit, const SubmitLimits& limits) {
  if (!submit.request) return core::fail(Errc::bad_argument, "the request id is zero: draw 128 random bits");
  if (submit.choices == 0) return core::fail(Errc::bad_argument, "n = 0: ask for at least one choice");
  if (submit.choices > limits.choices_max) return tl::make_unexpected(over("n", submit.choices, limits.choices_max, "limits.choices_max"));
  if (submit.logprobs > limits.logprobs_max) {
    return tl::make_unexpected(over("logprobs", submit.logprobs, limits.logprobs_max, "limits.logprobs_max"));
  }
  if (submit.tokens_max > limits.output_tokens_max) {
    return tl::make_unexpected(over("max_tokens", submit.tokens_max, limits.output_tokens_max, "limits.output_tokens_max"));
  }
  if (submit.stop.size() > limits.stop_strings_max) {
    return tl::make_unexpected(over("number of stop strings", submit.stop.size(), limits.stop_strings_max, "limits.stop_strings_max"));
  }
  for (const auto& stop : submit.stop) {
    if (stop.empty()) return core::fail(Errc::bad_argument, "a stop string is empty: leave it out");
    if (stop.size() > limits.stop_string_bytes_max) {
      return tl::make_unexpected(over("bytes of a stop string", stop.size(), limits.stop_string_bytes_max, "limits.stop_string_bytes_max"));
    }
  }
  if (submit.supersedes.size() > supersedes_bytes_max) {
    return core::fail(Errc::bad_argument, "supersedes: " + std::to_string(submit.supersedes.size()) + " bytes, want at most " +
                                              std::to_string(supersedes_bytes_max) + ": name the channel shorter");
  }
  if (submit.adapter.size() > adapter_bytes_max) {
    return core::fail(Errc::bad_argument, "adapter: a name of " + std::to_string(submit.adapter.size()) + " bytes, want at most " +
                                              std::to_string(adapter_bytes_max));
  }
  if (submit.prompt_only && (submit.tokens_max != 0 || submit.choices != 1)) {
    return core::fail(Errc::bad_argument, "prompt_only: a request without output has max_tokens 0 and n 1, not " +
                                              std::to_string(submit.tokens_max) + " and " + std::to_string(submit.choices));
  }
  if (submit.tokens_max != 0 && submit.sampling.tokens_min > submit.tokens_max) {
    return core::fail(Errc::bad_argument, "min_tokens = " + std::to_string(submit.sampling.tokens_min) + ": want at most max_tokens, " +
                                              std::to_string(submit.tokens_max));
  }
  return model::check_sampling(submit.sampling);
}

core::Result<std::vector<core::TokenId>> chat_tokens(const core::Submit& submit, const RoutedModel& model) {
  if (submit.messages.empty()) return core::fail(Errc::bad_argument, "the conversation is empty: give at least one message");
  if (!model.chat) {
    std::string text;
    for (const auto& message : submit.messages) text += message.role + ": " + message.content + "\n";
    return model.tokenizer->encode_prompt(text);
  }
  if (!*model.chat) return tl::make_unexpected(model.chat->error());
  std::vector<model::ChatMessage> messages;
  messages.reserve(submit.messages.size());
  for (const auto& message : submit.messages) messages.push_back({message.role, message.content});
  const auto pieces = (*model.chat)->render(messages);
  if (!pieces) return tl::make_unexpected(pieces.error());
  return model.tokenizer->encode_pieces(*pieces);
}

bool in_vocabulary(core::TokenId token, const model::Tokenizer& tokenizer) {
  return token >= 0 && static_cast<std::uint32_t>(token) < tokenizer.size();
}

core::Result<std::vector<core::TokenId>> prompt_tokens(const core::Submit& submit, const RoutedModel& model) {
  switch (submit.kind) {
    case core::PromptKind::text: return model.tokenizer->encode_prompt(submit.text);
    case core::PromptKind::chat: return chat_tokens(submit, model);
    case core::PromptKind::tokens: break;
  }
  if (submit.tokens.empty()) return core::fail(Errc::bad_argument, "the prompt has no tokens: give at least one");
  for (const auto token : submit.tokens) {
    if (in_vocabulary(token, *model.tokenizer)) continue;
    return core::fail(Errc::bad_argument, "prompt token " + std::to_string(token) + " is outside the vocabulary of " +
                                              std::to_string(model.tokenizer->size()) + " tokens");
  }
  return submit.tokens;
}

const RoutedModel* find_model(const RouterSetup& setup, const std::string& name) {
  if (name.empty() && !setup.models.empty()) return &setup.models.front();
  for (const auto& model : setup.models) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

std::uint64_t required_features(const core::Request& request) {
  std::uint64_t required = request.required;
  if (request.sampling.temperature > 0.0F) required |= static_cast<std::uint64_t>(core::Feature::seeded_sampling);
  if (request.choices > 1) required |= static_cast<std::uint64_t>(core::Feature::forks);
  if (!request.stop.empty()) required |= static_cast<std::uint64_t>(core::Feature::stop_strings);
  if (model::has_logit_rules(request.sampling)) required |= static_cast<std::uint64_t>(core::Feature::logit_rules);
  if (request.grammar.kind != core::GrammarKind::none) required |= static_cast<std::uint64_t>(core::Feature::grammar);
  if (request.sampling.typical_p < 1.0F) required |= static_cast<std::uint64_t>(core::Feature::typical_p);
  return required;
}

/// Do both vocabularies have the same words under the same numbers?
bool same_tokens(const model::Tokenizer& a, const model::Tokenizer& b) {
  if (&a == &b) return true;
  if (a.size() != b.size() || a.eos() != b.eos() || a.bos() != b.bos()) return false;
  for (std::uint32_t i = 0; i < a.size(); ++i) {
    if (a.piece(static_cast<core::TokenId>(i)) != b.piece(static_cast<core::TokenId>(i))) return false;
  }
  return true;
}

/// The prompt in the tokens of the models that the tenant's ladder may come to. One that cannot take it is left out.
std::vector<sched::RouterCore::Alternative> alternatives(const core::Submit& submit, const RouterSetup& setup, const RoutedTenant& tenant,
                                                         const RoutedModel& asked) {
  std::vector<sched::RouterCore::Alternative> list;
  for (const auto id : tenant.ladder_models) {
    for (const auto& other : setup.models) {
      if (other.id != id || other.id == asked.id) continue;
      const bool by_id = submit.kind == core::PromptKind::tokens || !submit.sampling.logit_bias.empty();
      if (by_id && !same_tokens(*asked.tokenizer, *other.tokenizer)) continue;
      auto prompt = prompt_tokens(submit, other);
      if (prompt && prompt->size() <= setup.submit.prompt_tokens_max) list.push_back({other.id, std::move(*prompt)});
    }
  }
  return list;
}

core::Result<void> check_bias(const core::Sampling& sampling, const model::Tokenizer& tokenizer) {
  for (const auto& bias : sampling.logit_bias) {
    if (in_vocabulary(bias.token, tokenizer)) continue;
    return core::fail(Errc::bad_argument, "logit_bias: token " + std::to_string(bias.token) + " is outside the vocabulary of " +
                                              std::to_string(tokenizer.size()) + " tokens");
  }
  return {};
}

/// The worker compiles it again; here it is for the client to hear what is wrong.
core::Result<void> check_grammar(const core::Grammar& grammar) {
  if (grammar.kind == core::GrammarKind::none) return {};
  if (const auto compiled = model::compile_grammar(grammar); !compiled) return tl::make_unexpected(compiled.error());
  return {};
}

core::Result<void> check_resume(const core::Submit& submit, const model::Tokenizer& tokenizer) {
  if (submit.resume.choices.size() > submit.choices) {
    return core::fail(Errc::bad_argument, "resume: more choices than the request has");
  }
  for (const auto& choice : submit.resume.choices) {
    for (const auto token : choice.tokens) {
      if (!in_vocabulary(token, tokenizer)) {
        return core::fail(Errc::bad_argument, "resume: token " + std::to_string(token) + " is outside the vocabulary");
      }
    }
  }
  return {};
}

}  // namespace

core::Result<sched::RouterCore::Admit> prepare(const core::Submit& submit, const RouterSetup& setup, const std::string& tenant) {
  if (auto checked = check_limits(submit, setup.submit); !checked) return tl::make_unexpected(checked.error());
  const RoutedModel* model = find_model(setup, submit.model);
  if (model == nullptr) return core::fail(Errc::unknown_model, "model '" + submit.model + "' is not in the cluster file");
  const RoutedTenant* owner = setup.tenants.empty() ? nullptr : &setup.tenants.front();
  for (const auto& candidate : setup.tenants) {
    if (!tenant.empty() && candidate.name == tenant) owner = &candidate;
  }
  if (owner == nullptr || (!tenant.empty() && owner->name != tenant)) {
    return core::fail(Errc::unauthorized, "tenant '" + tenant + "' is not in the cluster file");
  }
  if ((owner->classes >> static_cast<unsigned>(submit.service_class) & 1U) == 0) {
    return core::fail(Errc::unauthorized, "tenant '" + owner->name + "' may not ask for the class " +
                                              std::string(core::to_string(submit.service_class)) +
                                              ": ask for another, or add it to `classes` of the tenant in the cluster file");
  }
  auto prompt = prompt_tokens(submit, *model);
  if (!prompt) return tl::make_unexpected(prompt.error());
  if (prompt->size() > setup.submit.prompt_tokens_max) {
    return tl::make_unexpected(over("prompt tokens", prompt->size(), setup.submit.prompt_tokens_max, "limits.prompt_tokens_max"));
  }
  if (auto checked = check_bias(submit.sampling, *model->tokenizer); !checked) return tl::make_unexpected(checked.error());
  if (auto checked = check_grammar(submit.grammar); !checked) return tl::make_unexpected(checked.error());
  if (auto checked = check_resume(submit, *model->tokenizer); submit.resumed && !checked) return tl::make_unexpected(checked.error());

  auto request = std::make_shared<core::Request>();
  request->key = {owner->id, submit.request};
  request->model = model->id;
  request->prompt = std::move(*prompt);
  request->choices = submit.choices;
  request->tokens_max = submit.tokens_max;
  request->sampling = submit.sampling;
  if (submit.resumed) {
    request->sampling.seed = submit.resume.seed;
  } else if (!submit.seed_set) {
    request->sampling.seed = core::derived_seed(owner->secret, request->key);
  }
  request->stop = submit.stop;
  request->ignore_eos = submit.ignore_eos;
  request->logprobs = submit.logprobs;
  request->service_class = submit.service_class;
  request->traceparent = submit.traceparent;
  request->supersedes = submit.supersedes;
  request->prompt_only = submit.prompt_only;
  request->adapter = submit.adapter;
  request->grammar = submit.grammar;
  request->required = submit.required;
  request->required = required_features(*request);

  sched::RouterCore::Admit admit;
  admit.tenant_name = owner->name;
  admit.secret = owner->secret;
  admit.request = std::move(request);
  admit.deadline = submit.deadline;
  admit.resumed = submit.resumed;
  admit.resume = submit.resume;
  admit.resume.choices.resize(submit.resumed ? submit.choices : 0);
  // The ladder's other models do not have its adapter.
  if (!submit.resumed && submit.adapter.empty()) admit.alternatives = alternatives(submit, setup, *owner, *model);
  return admit;
}

}  // namespace spillway::actors
