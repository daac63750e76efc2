#pragma once

#include <type_traits>

#include "core/envelope.h"
#include "net/wire.capnp.h"

/// The one table that joins the structs of core/ to the structs of wire.capnp, member by member. Encoder and decoder both walk it:
/// `Fields<T>::map(io, s, w)` calls io.field(name, member, w, access) for each member. A member that is missing here fails the
/// round-trip test, which walks the visitors of core/ instead.
namespace spillway::net {

/// Accessors of one field of a generated Reader or Builder; only those that exist for its kind may be called.
template <class Get, class Set, class Init, class Has>
struct Access {
  Get get;
  Set set;
  Init init;
  Has has;
};
template <class Get, class Set, class Init, class Has>
Access(Get, Set, Init, Has) -> Access<Get, Set, Init, Has>;

template <class T>
struct Fields;

/// Accessors of the member of a union that carries message type M; `number` is its number on the wire.
template <class M>
struct Arm;

#define SPILLWAY_F(member, Name)                                                                \
  io.field(#member, s.member, w,                                                                \
           Access{[](auto r) { return r.get##Name(); }, [](auto b, auto v) { b.set##Name(v); }, \
                  [](auto b, auto... n) { return b.init##Name(n...); }, [](auto r) { return r.has##Name(); }})

#define SPILLWAY_WIRE(Type, ...)                                                            \
  template <>                                                                               \
  struct Fields<core::Type> {                                                               \
    template <class Io, class S, class W>                                                   \
    static void map([[maybe_unused]] Io& io, [[maybe_unused]] S& s, [[maybe_unused]] W w) { \
      __VA_ARGS__;                                                                          \
    }                                                                                       \
  }

#define SPILLWAY_ARM(Union, Type, NAME)                             \
  template <>                                                       \
  struct Arm<core::Type> {                                          \
    static constexpr auto number = wire::Union::NAME;               \
    static auto get(auto reader) { return reader.get##Type(); }     \
    static auto init(auto builder) { return builder.init##Type(); } \
  }

template <class T>
requires std::is_base_of_v<core::U128, T>
struct Fields<T> {
  template <class Io, class S, class W>
  static void map(Io& io, S& s, W w) {
    SPILLWAY_F(hi, Hi), SPILLWAY_F(lo, Lo);
  }
};

SPILLWAY_WIRE(StreamKey, SPILLWAY_F(tenant, Tenant), SPILLWAY_F(request, Request));
SPILLWAY_WIRE(Epoch, SPILLWAY_F(owner, Owner), SPILLWAY_F(counter, Counter));
SPILLWAY_WIRE(ReplicaRef, SPILLWAY_F(node, Node), SPILLWAY_F(index, Index));
SPILLWAY_WIRE(LogitBias, SPILLWAY_F(token, Token), SPILLWAY_F(value, Value));
SPILLWAY_WIRE(Dry, SPILLWAY_F(multiplier, Multiplier), SPILLWAY_F(base, Base), SPILLWAY_F(allowed_length, AllowedLength),
              SPILLWAY_F(range, Range), SPILLWAY_F(breakers, Breakers));
SPILLWAY_WIRE(Sampling, SPILLWAY_F(temperature, Temperature), SPILLWAY_F(top_k, TopK), SPILLWAY_F(top_p, TopP), SPILLWAY_F(min_p, MinP),
              SPILLWAY_F(seed, Seed), SPILLWAY_F(typical_p, TypicalP), SPILLWAY_F(repetition_penalty, RepetitionPenalty),
              SPILLWAY_F(presence_penalty, PresencePenalty), SPILLWAY_F(frequency_penalty, FrequencyPenalty),
              SPILLWAY_F(tokens_min, TokensMin), SPILLWAY_F(logit_bias, LogitBias), SPILLWAY_F(dry, Dry));
SPILLWAY_WIRE(Grammar, SPILLWAY_F(kind, Kind), SPILLWAY_F(text, Text));
SPILLWAY_WIRE(Request, SPILLWAY_F(key, Key), SPILLWAY_F(model, Model), SPILLWAY_F(prompt, Prompt), SPILLWAY_F(choices, Choices),
              SPILLWAY_F(tokens_max, TokensMax), SPILLWAY_F(sampling, Sampling), SPILLWAY_F(stop, Stop), SPILLWAY_F(ignore_eos, IgnoreEos),
              SPILLWAY_F(logprobs, Logprobs), SPILLWAY_F(service_class, ServiceClass), SPILLWAY_F(required, Required),
              SPILLWAY_F(salt, Salt), SPILLWAY_F(traceparent, Traceparent), SPILLWAY_F(supersedes, Supersedes),
              SPILLWAY_F(prompt_only, PromptOnly), SPILLWAY_F(adapter, Adapter), SPILLWAY_F(grammar, Grammar));
SPILLWAY_WIRE(TokenOut, SPILLWAY_F(token, Token), SPILLWAY_F(is_end, IsEnd), SPILLWAY_F(finish, Finish), SPILLWAY_F(logprob, Logprob),
              SPILLWAY_F(top, Top));
SPILLWAY_WIRE(PageHeader, SPILLWAY_F(version, Version), SPILLWAY_F(format, Format), SPILLWAY_F(group, Group),
              SPILLWAY_F(first_token, FirstToken), SPILLWAY_F(rows, Rows), SPILLWAY_F(layout, Layout), SPILLWAY_F(checksum, Checksum));

// -- between nodes

SPILLWAY_WIRE(ChoiceState, SPILLWAY_F(tokens, Tokens), SPILLWAY_F(finish, Finish), SPILLWAY_F(names, Names));
SPILLWAY_WIRE(Run, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(owner, Owner), SPILLWAY_F(replica, Replica),
              SPILLWAY_F(request, Request), SPILLWAY_F(choices, Choices), SPILLWAY_F(prompt_names, PromptNames),
              SPILLWAY_F(deadline_left, DeadlineLeft));
SPILLWAY_WIRE(RunAccepted, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(replica, Replica), SPILLWAY_F(report, Report),
              SPILLWAY_F(cached_tokens, CachedTokens), SPILLWAY_F(imported, Imported), SPILLWAY_F(rows_to_compute, RowsToCompute),
              SPILLWAY_F(blocks_imported, BlocksImported));
SPILLWAY_WIRE(RunRefused, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(replica, Replica), SPILLWAY_F(code, Code),
              SPILLWAY_F(reason, Reason), SPILLWAY_F(retry_after, RetryAfter));
SPILLWAY_WIRE(RunReturned, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(replica, Replica), SPILLWAY_F(code, Code),
              SPILLWAY_F(reason, Reason));
SPILLWAY_WIRE(RunHeld, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(replica, Replica), SPILLWAY_F(recompute, Recompute),
              SPILLWAY_F(patience, Patience));
SPILLWAY_WIRE(CancelRun, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(give_back, GiveBack));
SPILLWAY_WIRE(BlockNames, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(choice, Choice), SPILLWAY_F(first_block, FirstBlock),
              SPILLWAY_F(names, Names));
SPILLWAY_WIRE(TokenRun, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(choice, Choice), SPILLWAY_F(first_index, FirstIndex),
              SPILLWAY_F(tokens, Tokens));
SPILLWAY_WIRE(Tokens, SPILLWAY_F(replica, Replica), SPILLWAY_F(runs, Runs));
SPILLWAY_WIRE(Move, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(new_epoch, NewEpoch), SPILLWAY_F(owner, Owner),
              SPILLWAY_F(source, Source), SPILLWAY_F(destination, Destination));
SPILLWAY_WIRE(MoveFailed, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(new_epoch, NewEpoch), SPILLWAY_F(code, Code),
              SPILLWAY_F(reason, Reason));
SPILLWAY_WIRE(Release, SPILLWAY_F(key, Key), SPILLWAY_F(new_epoch, NewEpoch));
SPILLWAY_WIRE(MoveReport, SPILLWAY_F(key, Key), SPILLWAY_F(new_epoch, NewEpoch), SPILLWAY_F(blocks, Blocks),
              SPILLWAY_F(blocks_sent, BlocksSent), SPILLWAY_F(page_bytes, PageBytes), SPILLWAY_F(row_bytes, RowBytes),
              SPILLWAY_F(resent_bytes, ResentBytes), SPILLWAY_F(rows_after_freeze, RowsAfterFreeze),
              SPILLWAY_F(steps_during_copy, StepsDuringCopy), SPILLWAY_F(copy, Copy), SPILLWAY_F(frozen, Frozen));
SPILLWAY_WIRE(AskOwner, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(new_epoch, NewEpoch), SPILLWAY_F(replica, Replica));
SPILLWAY_WIRE(StillYours, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch), SPILLWAY_F(granted, Granted));
SPILLWAY_WIRE(Gone, SPILLWAY_F(key, Key), SPILLWAY_F(epoch, Epoch));
SPILLWAY_WIRE(TransferBlock, SPILLWAY_F(ordinal, Ordinal), SPILLWAY_F(name, Name), SPILLWAY_F(first_token, FirstToken),
              SPILLWAY_F(rows, Rows), SPILLWAY_F(group, Group));
SPILLWAY_WIRE(Offer, SPILLWAY_F(transfer, Transfer), SPILLWAY_F(key, Key), SPILLWAY_F(new_epoch, NewEpoch), SPILLWAY_F(owner, Owner),
              SPILLWAY_F(source, Source), SPILLWAY_F(destination, Destination), SPILLWAY_F(kv_id, KvId),
              SPILLWAY_F(numerics_id, NumericsId), SPILLWAY_F(format, Format), SPILLWAY_F(page_bytes, PageBytes),
              SPILLWAY_F(required, Required), SPILLWAY_F(choices, Choices), SPILLWAY_F(blocks, Blocks), SPILLWAY_F(adapter, Adapter));
SPILLWAY_WIRE(OfferReply, SPILLWAY_F(transfer, Transfer), SPILLWAY_F(from, From), SPILLWAY_F(accepted, Accepted),
              SPILLWAY_F(blocks_reserved, BlocksReserved), SPILLWAY_F(held, Held), SPILLWAY_F(code, Code), SPILLWAY_F(reason, Reason));
SPILLWAY_WIRE(PageFrame, SPILLWAY_F(transfer, Transfer), SPILLWAY_F(ordinal, Ordinal), SPILLWAY_F(whole_page, WholePage),
              SPILLWAY_F(first_row, FirstRow), SPILLWAY_F(header, Header), SPILLWAY_F(offset, Offset),
              SPILLWAY_F(payload_bytes, PayloadBytes), SPILLWAY_F(data_bytes, DataBytes));
SPILLWAY_WIRE(RowRange, SPILLWAY_F(ordinal, Ordinal), SPILLWAY_F(first_row, FirstRow), SPILLWAY_F(rows, Rows));
SPILLWAY_WIRE(MissingPages, SPILLWAY_F(transfer, Transfer), SPILLWAY_F(ranges, Ranges));
SPILLWAY_WIRE(Handoff, SPILLWAY_F(transfer, Transfer), SPILLWAY_F(run, Run), SPILLWAY_F(blocks, Blocks), SPILLWAY_F(tables, Tables),
              SPILLWAY_F(rows, Rows));
SPILLWAY_WIRE(HandoffReply, SPILLWAY_F(transfer, Transfer), SPILLWAY_F(key, Key), SPILLWAY_F(new_epoch, NewEpoch),
              SPILLWAY_F(accepted, Accepted), SPILLWAY_F(code, Code), SPILLWAY_F(reason, Reason));
SPILLWAY_WIRE(TransferAbort, SPILLWAY_F(transfer, Transfer), SPILLWAY_F(key, Key), SPILLWAY_F(new_epoch, NewEpoch),
              SPILLWAY_F(reason, Reason));
SPILLWAY_WIRE(KvGroup, SPILLWAY_F(kind, Kind), SPILLWAY_F(window, Window), SPILLWAY_F(blocks, Blocks));
SPILLWAY_WIRE(AdapterInfo, SPILLWAY_F(name, Name), SPILLWAY_F(digest, Digest));
SPILLWAY_WIRE(ReplicaReport, SPILLWAY_F(index, Index), SPILLWAY_F(generation, Generation), SPILLWAY_F(model, Model),
              SPILLWAY_F(kv_id, KvId), SPILLWAY_F(weights_digest, WeightsDigest), SPILLWAY_F(numerics_id, NumericsId),
              SPILLWAY_F(features, Features), SPILLWAY_F(format, Format), SPILLWAY_F(page_bytes, PageBytes),
              SPILLWAY_F(context_max, ContextMax), SPILLWAY_F(ready, Ready), SPILLWAY_F(blocks_total, BlocksTotal),
              SPILLWAY_F(blocks_free, BlocksFree), SPILLWAY_F(blocks_used, BlocksUsed), SPILLWAY_F(streams, Streams),
              SPILLWAY_F(queued, Queued), SPILLWAY_F(prefill_tokens, PrefillTokens), SPILLWAY_F(decode_tokens, DecodeTokens),
              SPILLWAY_F(tokens_per_second, TokensPerSecond), SPILLWAY_F(step_base, StepBase), SPILLWAY_F(step_row, StepRow),
              SPILLWAY_F(isa, Isa), SPILLWAY_F(step_context, StepContext), SPILLWAY_F(blocks_head, BlocksHead),
              SPILLWAY_F(blocks_queued, BlocksQueued), SPILLWAY_F(blocks_released, BlocksReleased), SPILLWAY_F(exporting, Exporting),
              SPILLWAY_F(importing, Importing), SPILLWAY_F(adapters, Adapters), SPILLWAY_F(kv_groups, KvGroups));
SPILLWAY_WIRE(NodeCounters, SPILLWAY_F(moves_committed, MovesCommitted), SPILLWAY_F(moves_aborted, MovesAborted),
              SPILLWAY_F(streams_restarted, StreamsRestarted), SPILLWAY_F(tokens_lost, TokensLost),
              SPILLWAY_F(streams_finished, StreamsFinished), SPILLWAY_F(streams_failed, StreamsFailed),
              SPILLWAY_F(exports_committed, ExportsCommitted), SPILLWAY_F(export_blocks, ExportBlocks),
              SPILLWAY_F(export_bytes, ExportBytes), SPILLWAY_F(imports_committed, ImportsCommitted), SPILLWAY_F(preemptions, Preemptions),
              SPILLWAY_F(tokens_generated, TokensGenerated), SPILLWAY_F(prefix_hit_tokens, PrefixHitTokens),
              SPILLWAY_F(rungs_shorter, RungsShorter), SPILLWAY_F(rungs_model, RungsModel), SPILLWAY_F(rungs_defer, RungsDefer),
              SPILLWAY_F(refused_quota, RefusedQuota), SPILLWAY_F(refused_deadline, RefusedDeadline),
              SPILLWAY_F(streams_superseded, StreamsSuperseded), SPILLWAY_F(streams_scored, StreamsScored),
              SPILLWAY_F(preemptions_moved, PreemptionsMoved));
SPILLWAY_WIRE(Report, SPILLWAY_F(node, Node), SPILLWAY_F(name, Name), SPILLWAY_F(number, Number), SPILLWAY_F(pid, Pid),
              SPILLWAY_F(roles, Roles), SPILLWAY_F(draining, Draining), SPILLWAY_F(owned_streams, OwnedStreams),
              SPILLWAY_F(replicas, Replicas), SPILLWAY_F(counters, Counters));
SPILLWAY_WIRE(Announce, SPILLWAY_F(replica, Replica), SPILLWAY_F(kv_id, KvId), SPILLWAY_F(full, Full), SPILLWAY_F(added, Added),
              SPILLWAY_F(removed, Removed));
SPILLWAY_WIRE(Drain, SPILLWAY_F(node, Node), SPILLWAY_F(mode, Mode));
SPILLWAY_WIRE(OperatorMove, SPILLWAY_F(operation, Operation), SPILLWAY_F(asker, Asker), SPILLWAY_F(request, Request),
              SPILLWAY_F(destination, Destination));
SPILLWAY_WIRE(MoveOutcome, SPILLWAY_F(committed, Committed), SPILLWAY_F(code, Code), SPILLWAY_F(reason, Reason), SPILLWAY_F(source, Source),
              SPILLWAY_F(destination, Destination), SPILLWAY_F(report, Report), SPILLWAY_F(rows_recomputed, RowsRecomputed),
              SPILLWAY_F(pause, Pause));
SPILLWAY_WIRE(OperatorMoveDone, SPILLWAY_F(operation, Operation), SPILLWAY_F(outcome, Outcome));
SPILLWAY_WIRE(StatusAsk, SPILLWAY_F(operation, Operation), SPILLWAY_F(asker, Asker));
SPILLWAY_WIRE(StreamStatus, SPILLWAY_F(key, Key), SPILLWAY_F(tenant, Tenant), SPILLWAY_F(service_class, ServiceClass),
              SPILLWAY_F(owner, Owner), SPILLWAY_F(node, Node), SPILLWAY_F(tokens, Tokens), SPILLWAY_F(moves, Moves));
SPILLWAY_WIRE(QuotaOption, SPILLWAY_F(cost, Cost), SPILLWAY_F(wait, Wait), SPILLWAY_F(wait_min, WaitMin));
SPILLWAY_WIRE(QuotaAsk, SPILLWAY_F(number, Number), SPILLWAY_F(tenant, Tenant), SPILLWAY_F(options, Options));
SPILLWAY_WIRE(QuotaReply, SPILLWAY_F(number, Number), SPILLWAY_F(granted, Granted), SPILLWAY_F(option, Option), SPILLWAY_F(wait, Wait));
SPILLWAY_WIRE(StatusPart, SPILLWAY_F(operation, Operation), SPILLWAY_F(from, From), SPILLWAY_F(streams, Streams));

SPILLWAY_WIRE(Hello, SPILLWAY_F(version, Version), SPILLWAY_F(build, Build), SPILLWAY_F(name, Name), SPILLWAY_F(kv_ids, KvIds),
              SPILLWAY_F(numerics_ids, NumericsIds), SPILLWAY_F(features, Features), SPILLWAY_F(frame_bytes_max, FrameBytesMax),
              SPILLWAY_F(credit_bytes, CreditBytes));
// Without hello, text and message: which of them travels depends on the kind (codec.cc).
SPILLWAY_WIRE(Envelope, SPILLWAY_F(version, Version), SPILLWAY_F(kind, Kind), SPILLWAY_F(lane, Lane), SPILLWAY_F(from, From),
              SPILLWAY_F(to, To), SPILLWAY_F(incarnation, Incarnation), SPILLWAY_F(to_incarnation, ToIncarnation),
              SPILLWAY_F(session, Session), SPILLWAY_F(sequence, Sequence), SPILLWAY_F(acknowledged[0], AcknowledgedControl),
              SPILLWAY_F(acknowledged[1], AcknowledgedToken), SPILLWAY_F(credit, Credit));

SPILLWAY_ARM(Message, Run, RUN);
SPILLWAY_ARM(Message, RunAccepted, RUN_ACCEPTED);
SPILLWAY_ARM(Message, RunRefused, RUN_REFUSED);
SPILLWAY_ARM(Message, RunReturned, RUN_RETURNED);
SPILLWAY_ARM(Message, CancelRun, CANCEL_RUN);
SPILLWAY_ARM(Message, BlockNames, BLOCK_NAMES);
SPILLWAY_ARM(Message, Tokens, TOKENS);
SPILLWAY_ARM(Message, Move, MOVE);
SPILLWAY_ARM(Message, MoveFailed, MOVE_FAILED);
SPILLWAY_ARM(Message, Release, RELEASE);
SPILLWAY_ARM(Message, MoveReport, MOVE_REPORT);
SPILLWAY_ARM(Message, AskOwner, ASK_OWNER);
SPILLWAY_ARM(Message, StillYours, STILL_YOURS);
SPILLWAY_ARM(Message, Gone, GONE);
SPILLWAY_ARM(Message, Offer, OFFER);
SPILLWAY_ARM(Message, OfferReply, OFFER_REPLY);
SPILLWAY_ARM(Message, PageFrame, PAGE_FRAME);
SPILLWAY_ARM(Message, MissingPages, MISSING_PAGES);
SPILLWAY_ARM(Message, Handoff, HANDOFF);
SPILLWAY_ARM(Message, HandoffReply, HANDOFF_REPLY);
SPILLWAY_ARM(Message, TransferAbort, TRANSFER_ABORT);
SPILLWAY_ARM(Message, Report, REPORT);
SPILLWAY_ARM(Message, Announce, ANNOUNCE);
SPILLWAY_ARM(Message, Drain, DRAIN);
SPILLWAY_ARM(Message, OperatorMove, OPERATOR_MOVE);
SPILLWAY_ARM(Message, OperatorMoveDone, OPERATOR_MOVE_DONE);
SPILLWAY_ARM(Message, StatusAsk, STATUS_ASK);
SPILLWAY_ARM(Message, StatusPart, STATUS_PART);
SPILLWAY_ARM(Message, QuotaAsk, QUOTA_ASK);
SPILLWAY_ARM(Message, QuotaReply, QUOTA_REPLY);
SPILLWAY_ARM(Message, RunHeld, RUN_HELD);

}  // namespace spillway::net
