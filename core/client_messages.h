#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/ladder.h"
#include "core/messages.h"
#include "core/token_list.h"

/// Messages between a client (SDK, command line) and the router it talks to, on the client listener. A client sends Hello first;
/// both sides ping; a client that is silent for limits.client_silence_max loses its streams, and so does one whose connection
/// is gone. Any router continues a stream that is submitted again with its request id and the tokens received so far.
namespace spillway::core {

inline constexpr std::uint16_t protocol_version = 1;

/// Client -> router.
struct ClientHello {
  std::uint16_t version = protocol_version;
  std::string build;
  Incarnation client;  ///< random per client object
  std::string tenant;  ///< wished for; "" = default. Off loopback the key or token decides
  std::string token;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("version", s.version), v("build", s.build), v("client", s.client), v("tenant", s.tenant), v("token", s.token);
  }
};

/// Router -> client: the answer to Hello.
struct ServerHello {
  std::uint16_t version = protocol_version;
  std::string build;
  std::string node;
  Incarnation incarnation;
  std::vector<std::string> routers;  ///< client endpoints of all routers of the cluster file, for fail-over
  std::vector<std::string> models;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("version", s.version), v("build", s.build), v("node", s.node), v("incarnation", s.incarnation), v("routers", s.routers),
        v("models", s.models);
  }
};

struct ChatMessage {
  std::string role;
  std::string content;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("role", s.role), v("content", s.content);
  }
  friend bool operator==(const ChatMessage&, const ChatMessage&) = default;
};

enum class PromptKind : std::uint8_t { text = 0, chat = 1, tokens = 2 };

/// Where a stream stood when it was submitted again. Its tokens, per choice, are those the client received.
struct Resume {
  std::uint64_t seed = 0;
  U128 weights_digest;
  std::uint32_t numerics_id = 0;
  std::vector<ChoiceState> choices;  ///< names are left empty

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("seed", s.seed), v("weights_digest", s.weights_digest), v("numerics_id", s.numerics_id), v("choices", s.choices);
  }
};

/// Client -> router. Known by (tenant, request): submitting a running one again attaches this client to it.
struct Submit {
  RequestId request;
  std::string model;  ///< "" = the cluster's only or first model
  PromptKind kind = PromptKind::text;
  std::string text;
  std::vector<ChatMessage> messages;
  std::vector<TokenId> tokens;
  std::uint32_t choices = 1;
  std::uint32_t tokens_max = 0;  ///< 0 = up to the context
  Sampling sampling;
  bool seed_set = false;
  std::vector<std::string> stop;
  bool ignore_eos = false;
  std::uint32_t logprobs = 0;
  ServiceClass service_class = ServiceClass::interactive;
  Duration deadline{0};  ///< from now; 0 = none
  std::uint64_t required = 0;
  std::string traceparent;
  bool resumed = false;
  Resume resume;             ///< only when `resumed`
  std::string supersedes;    ///< channel: unfinished requests of this tenant and channel are cancelled; empty = none
  bool prompt_only = false;  ///< scoring: the prompt is computed and nothing answered. choices 1, tokens_max 0
  std::string adapter;       ///< by name; "" = none
  Grammar grammar;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("request", s.request), v("model", s.model), v("kind", s.kind), v("text", s.text), v("messages", s.messages), v("tokens", s.tokens);
    v("choices", s.choices), v("tokens_max", s.tokens_max), v("sampling", s.sampling), v("seed_set", s.seed_set), v("stop", s.stop);
    v("ignore_eos", s.ignore_eos), v("logprobs", s.logprobs), v("service_class", s.service_class), v("deadline", s.deadline);
    v("required", s.required), v("traceparent", s.traceparent), v("resumed", s.resumed), v("resume", s.resume);
    v("supersedes", s.supersedes), v("prompt_only", s.prompt_only), v("adapter", s.adapter), v("grammar", s.grammar);
  }
};

/// Router -> client, before the first token: what a re-submission must bring along.
struct Accepted {
  RequestId request;
  std::uint64_t seed = 0;
  U128 weights_digest;
  std::uint32_t numerics_id = 0;
  std::string isa;
  TokenList prompt;  ///< as tokenised
  /// Fitted to the context and, where it was left open, to the pools of the moment: a re-submission brings it along, so that the
  /// answer ends where it would have ended.
  std::uint32_t tokens_max = 0;
  /// What of the tenant's ladder was taken instead of a refusal, in the words of the cluster file; empty: the request as asked.
  std::vector<std::string> rungs;
  Pressure pressure = Pressure::none;  ///< why
  std::string model;                   ///< the one that answers where it is not the one asked for; a re-submission asks for it

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("request", s.request), v("seed", s.seed), v("weights_digest", s.weights_digest), v("numerics_id", s.numerics_id), v("isa", s.isa);
    v("prompt", s.prompt), v("tokens_max", s.tokens_max), v("rungs", s.rungs), v("pressure", s.pressure), v("model", s.model);
  }
};

/// Router -> client: tokens [first_index, ...) of a choice and the text they complete. Tokens come once and in order; `text` is
/// cut before a stop string and never holds half a character. The end token is not among `tokens`.
struct Delta {
  RequestId request;
  std::uint32_t choice = 0;
  std::uint32_t first_index = 0;
  std::vector<TokenOut> tokens;
  std::string text;
  FinishReason finish = FinishReason::none;  ///< != none: this choice is over

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("request", s.request), v("choice", s.choice), v("first_index", s.first_index), v("tokens", s.tokens), v("text", s.text),
        v("finish", s.finish);
  }
};

/// Router -> client: all choices are over.
struct Finished {
  RequestId request;
  std::uint32_t prompt_tokens = 0;
  std::uint32_t completion_tokens = 0;  ///< all choices together
  std::uint32_t cached_tokens = 0;
  std::uint32_t moves = 0;
  std::uint32_t restarts = 0;
  Duration ttft{0};  ///< submit to first token, at the router
  Duration total{0};

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("request", s.request), v("prompt_tokens", s.prompt_tokens), v("completion_tokens", s.completion_tokens),
        v("cached_tokens", s.cached_tokens);
    v("moves", s.moves), v("restarts", s.restarts), v("ttft", s.ttft), v("total", s.total);
  }
};

/// Router -> client: refused or failed. Errc::draining: submit again at another router.
struct Failed {
  RequestId request;
  Errc code = Errc::internal;
  std::string reason;
  Duration retry_after{0};

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("request", s.request), v("code", s.code), v("reason", s.reason), v("retry_after", s.retry_after);
  }
};

struct ClientCancel {
  RequestId request;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("request", s.request);
  }
};

/// Both ways; the answer repeats the number.
struct Ping {
  std::uint64_t number = 0;
  bool answer = false;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("number", s.number), v("answer", s.answer);
  }
};

// -- Operators -----------------------------------------------------------------------------------------------------------------

struct StatusRequest {
  std::uint64_t operation = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("operation", s.operation);
  }
};

enum class NodeState : std::uint8_t { up = 0, suspect = 1, draining = 2, down = 3 };
std::string_view to_string(NodeState state);

struct NodeStatus {
  std::string name;
  std::uint32_t pid = 0;
  Incarnation incarnation;
  NodeState state = NodeState::down;
  std::uint32_t roles = 0;
  std::uint32_t streams = 0;
  std::uint32_t queue = 0;
  std::uint32_t kv_blocks_used = 0;
  std::uint32_t kv_blocks_total = 0;
  std::uint32_t tokens_per_second = 0;
  NodeCounters counters;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("name", s.name), v("pid", s.pid), v("incarnation", s.incarnation), v("state", s.state), v("roles", s.roles), v("streams", s.streams);
    v("queue", s.queue), v("kv_blocks_used", s.kv_blocks_used), v("kv_blocks_total", s.kv_blocks_total);
    v("tokens_per_second", s.tokens_per_second), v("counters", s.counters);
  }
};

struct StatusReply {
  std::uint64_t operation = 0;
  std::vector<NodeStatus> nodes;
  std::vector<StreamStatus> streams;
  NodeCounters counters;  ///< sum over all nodes known

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("operation", s.operation), v("nodes", s.nodes), v("streams", s.streams), v("counters", s.counters);
  }
};

struct MoveRequest {
  std::uint64_t operation = 0;
  RequestId request;
  std::string node;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("operation", s.operation), v("request", s.request), v("node", s.node);
  }
};

struct DrainRequest {
  std::uint64_t operation = 0;
  std::string node;
  DrainMode mode = DrainMode::begin;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("operation", s.operation), v("node", s.node), v("mode", s.mode);
  }
};

/// Router -> client, while an operation goes on and at its end.
struct OperationUpdate {
  std::uint64_t operation = 0;
  bool done = false;
  Errc code = Errc::ok;
  std::string text;                ///< progress, or the reason of a refusal
  std::uint32_t streams_left = 0;  ///< drain
  std::uint32_t commits = 0;
  std::uint64_t blocks = 0;
  std::uint64_t bytes = 0;
  std::uint32_t rows_recomputed = 0;
  Duration pause_max{0};
  MoveOutcome move;         ///< of `move`
  Duration retry_after{0};  ///< with queue_full

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("operation", s.operation), v("done", s.done), v("code", s.code), v("text", s.text), v("streams_left", s.streams_left);
    v("commits", s.commits), v("blocks", s.blocks), v("bytes", s.bytes), v("rows_recomputed", s.rows_recomputed),
        v("pause_max", s.pause_max);
    v("move", s.move), v("retry_after", s.retry_after);
  }
};

/// Append only: the index is the type number on the wire.
using ClientMessage = std::variant<ClientHello, ServerHello, Submit, Accepted, Delta, Finished, Failed, ClientCancel, Ping, StatusRequest,
                                   StatusReply, MoveRequest, DrainRequest, OperationUpdate>;
using ClientMessagePtr = std::shared_ptr<const ClientMessage>;

std::string_view client_message_name(const ClientMessage& message);

template <class M>
ClientMessagePtr make_client_message(M&& message) {
  return std::make_shared<const ClientMessage>(std::forward<M>(message));
}

}  // namespace spillway::core
