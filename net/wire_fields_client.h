#pragma once

#include "net/wire_fields.h"

/// The table of wire_fields.h for the messages between clients and routers.
namespace spillway::net {

SPILLWAY_WIRE(ClientHello, SPILLWAY_F(version, Version), SPILLWAY_F(build, Build), SPILLWAY_F(client, Client), SPILLWAY_F(tenant, Tenant),
              SPILLWAY_F(token, Token));
SPILLWAY_WIRE(ServerHello, SPILLWAY_F(version, Version), SPILLWAY_F(build, Build), SPILLWAY_F(node, Node),
              SPILLWAY_F(incarnation, Incarnation), SPILLWAY_F(routers, Routers), SPILLWAY_F(models, Models));
SPILLWAY_WIRE(ChatMessage, SPILLWAY_F(role, Role), SPILLWAY_F(content, Content));
SPILLWAY_WIRE(Resume, SPILLWAY_F(seed, Seed), SPILLWAY_F(weights_digest, WeightsDigest), SPILLWAY_F(numerics_id, NumericsId),
              SPILLWAY_F(choices, Choices));
SPILLWAY_WIRE(Submit, SPILLWAY_F(request, Request), SPILLWAY_F(model, Model), SPILLWAY_F(kind, Kind), SPILLWAY_F(text, Text),
              SPILLWAY_F(messages, Messages), SPILLWAY_F(tokens, Tokens), SPILLWAY_F(choices, Choices), SPILLWAY_F(tokens_max, TokensMax),
              SPILLWAY_F(sampling, Sampling), SPILLWAY_F(seed_set, SeedSet), SPILLWAY_F(stop, Stop), SPILLWAY_F(ignore_eos, IgnoreEos),
              SPILLWAY_F(logprobs, Logprobs), SPILLWAY_F(service_class, ServiceClass), SPILLWAY_F(deadline, Deadline),
              SPILLWAY_F(required, Required), SPILLWAY_F(traceparent, Traceparent), SPILLWAY_F(resumed, Resumed),
              SPILLWAY_F(resume, Resume), SPILLWAY_F(supersedes, Supersedes), SPILLWAY_F(prompt_only, PromptOnly),
              SPILLWAY_F(adapter, Adapter), SPILLWAY_F(grammar, Grammar));
SPILLWAY_WIRE(Accepted, SPILLWAY_F(request, Request), SPILLWAY_F(seed, Seed), SPILLWAY_F(weights_digest, WeightsDigest),
              SPILLWAY_F(numerics_id, NumericsId), SPILLWAY_F(isa, Isa), SPILLWAY_F(prompt, Prompt), SPILLWAY_F(tokens_max, TokensMax),
              SPILLWAY_F(rungs, Rungs), SPILLWAY_F(pressure, Pressure), SPILLWAY_F(model, Model));
SPILLWAY_WIRE(Delta, SPILLWAY_F(request, Request), SPILLWAY_F(choice, Choice), SPILLWAY_F(first_index, FirstIndex),
              SPILLWAY_F(tokens, Tokens), SPILLWAY_F(text, Text), SPILLWAY_F(finish, Finish));
SPILLWAY_WIRE(Finished, SPILLWAY_F(request, Request), SPILLWAY_F(prompt_tokens, PromptTokens),
              SPILLWAY_F(completion_tokens, CompletionTokens), SPILLWAY_F(cached_tokens, CachedTokens), SPILLWAY_F(moves, Moves),
              SPILLWAY_F(restarts, Restarts), SPILLWAY_F(ttft, Ttft), SPILLWAY_F(total, Total));
SPILLWAY_WIRE(Failed, SPILLWAY_F(request, Request), SPILLWAY_F(code, Code), SPILLWAY_F(reason, Reason),
              SPILLWAY_F(retry_after, RetryAfter));
SPILLWAY_WIRE(ClientCancel, SPILLWAY_F(request, Request));
SPILLWAY_WIRE(Ping, SPILLWAY_F(number, Number), SPILLWAY_F(answer, Answer));
SPILLWAY_WIRE(StatusRequest, SPILLWAY_F(operation, Operation));
SPILLWAY_WIRE(NodeStatus, SPILLWAY_F(name, Name), SPILLWAY_F(pid, Pid), SPILLWAY_F(incarnation, Incarnation), SPILLWAY_F(state, State),
              SPILLWAY_F(roles, Roles), SPILLWAY_F(streams, Streams), SPILLWAY_F(queue, Queue), SPILLWAY_F(kv_blocks_used, KvBlocksUsed),
              SPILLWAY_F(kv_blocks_total, KvBlocksTotal), SPILLWAY_F(tokens_per_second, TokensPerSecond), SPILLWAY_F(counters, Counters));
SPILLWAY_WIRE(StatusReply, SPILLWAY_F(operation, Operation), SPILLWAY_F(nodes, Nodes), SPILLWAY_F(streams, Streams),
              SPILLWAY_F(counters, Counters));
SPILLWAY_WIRE(MoveRequest, SPILLWAY_F(operation, Operation), SPILLWAY_F(request, Request), SPILLWAY_F(node, Node));
SPILLWAY_WIRE(DrainRequest, SPILLWAY_F(operation, Operation), SPILLWAY_F(node, Node), SPILLWAY_F(mode, Mode));
SPILLWAY_WIRE(OperationUpdate, SPILLWAY_F(operation, Operation), SPILLWAY_F(done, Done), SPILLWAY_F(code, Code), SPILLWAY_F(text, Text),
              SPILLWAY_F(streams_left, StreamsLeft), SPILLWAY_F(commits, Commits), SPILLWAY_F(blocks, Blocks), SPILLWAY_F(bytes, Bytes),
              SPILLWAY_F(rows_recomputed, RowsRecomputed), SPILLWAY_F(pause_max, PauseMax), SPILLWAY_F(move, Move),
              SPILLWAY_F(retry_after, RetryAfter));

SPILLWAY_ARM(ClientFrame, ClientHello, CLIENT_HELLO);
SPILLWAY_ARM(ClientFrame, ServerHello, SERVER_HELLO);
SPILLWAY_ARM(ClientFrame, Submit, SUBMIT);
SPILLWAY_ARM(ClientFrame, Accepted, ACCEPTED);
SPILLWAY_ARM(ClientFrame, Delta, DELTA);
SPILLWAY_ARM(ClientFrame, Finished, FINISHED);
SPILLWAY_ARM(ClientFrame, Failed, FAILED);
SPILLWAY_ARM(ClientFrame, ClientCancel, CLIENT_CANCEL);
SPILLWAY_ARM(ClientFrame, Ping, PING);
SPILLWAY_ARM(ClientFrame, StatusRequest, STATUS_REQUEST);
SPILLWAY_ARM(ClientFrame, StatusReply, STATUS_REPLY);
SPILLWAY_ARM(ClientFrame, MoveRequest, MOVE_REQUEST);
SPILLWAY_ARM(ClientFrame, DrainRequest, DRAIN_REQUEST);
SPILLWAY_ARM(ClientFrame, OperationUpdate, OPERATION_UPDATE);

}  // namespace spillway::net
