#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/shell.h"
#include "core/digest.h"
#include "decisions/recorder.h"
#include "model/chat_template.h"
#include "model/text_stream.h"
#include "model/tokenizer.h"
#include "sched/router_core.h"

namespace spillway::actors {

/// A model as a router sees it: its words, not its weights.
struct RoutedModel {
  std::string name;
  core::ModelId id;
  std::shared_ptr<const model::Tokenizer> tokenizer;
  /// Renders a conversation; its error says why this model cannot chat. Null: messages are put one behind the other as plain text.
  std::optional<core::Result<model::ChatTemplate>> chat;
};

struct RoutedTenant {
  std::string name;
  core::TenantId id;
  core::TenantSecret secret{};
  std::uint32_t classes = ~0U;                 ///< bit of each core::ServiceClass that it may ask for
  std::vector<core::ModelId> ladder_models{};  ///< which may answer instead of the model asked for
};

/// Bounds of what a client may ask for.
struct SubmitLimits {
  std::uint32_t prompt_tokens_max = 131072;
  std::uint32_t output_tokens_max = 65536;
  std::uint32_t choices_max = 16;
  std::uint32_t stop_strings_max = 16;
  std::uint32_t stop_string_bytes_max = 1024;
  std::uint32_t logprobs_max = 20;
};

struct RouterSetup {
  std::shared_ptr<const Wiring> wiring;
  std::string name;  ///< of this node
  sched::RouterLimits limits;
  SubmitLimits submit;
  std::vector<RoutedModel> models;                                     ///< the first serves requests that name none
  std::vector<RoutedTenant> tenants;                                   ///< the first serves clients that name none
  std::map<core::NodeId, std::string> nodes;                           ///< of the cluster file
  std::vector<std::string> endpoints;                                  ///< of all routers, for fail-over
  std::function<bool(sched::ClientRef, core::ClientMessagePtr)> send;  ///< to a client; any thread
  std::shared_ptr<decisions::Sink> decision_log;                       ///< null: nothing is logged
};

/// Text state of one choice: the tokens fed so far and the stream that makes text of them.
struct ChoiceText {
  std::vector<core::TokenId> tokens;
  std::unique_ptr<model::TextStream> stream;
};

struct StreamText {
  std::shared_ptr<const model::Tokenizer> tokenizer;
  std::vector<std::string> stop;
  std::vector<ChoiceText> choices;
};

struct RouterShell {
  RouterSetup setup;
  std::unique_ptr<sched::RouterCore> core;
  std::unique_ptr<decisions::Recorder<sched::RouterCore>> log;
  sched::RouterCore::Actions actions;
  std::map<core::StreamKey, StreamText> texts;
  Timer timer;
};

/// The shell of a RouterCore: prompts become tokens on the way in, tokens become text on the way out.
RouterActor::behavior_type router_actor(RouterActor::stateful_pointer<RouterShell> self, RouterSetup setup);

/// Checks a Submit against the limits and turns it into an Admit (without client). Pure; errors name the field, the value and the bound.
core::Result<sched::RouterCore::Admit> prepare(const core::Submit& submit, const RouterSetup& setup, const std::string& tenant);

}  // namespace spillway::actors
