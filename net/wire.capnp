@0xbf6f0d3c1a5e7c41;
# The wire: what core/messages.h, core/client_messages.h and core/envelope.h say, field by field and in their order. Append only:
# a new field takes the next number and old peers ignore it; what changes bytes also takes a bit of `required`. Enums travel as
# plain integers (the codec checks their range), durations as nanoseconds, page payloads in a second frame beside this one.

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("spillway::net::wire");

struct U128 { hi @0 :UInt64; lo @1 :UInt64; }
struct StreamKey { tenant @0 :UInt64; request @1 :U128; }
struct Epoch { owner @0 :UInt64; counter @1 :UInt64; }
struct ReplicaRef { node @0 :UInt64; index @1 :UInt32; }

struct LogitBias { token @0 :Int32; value @1 :Float32; }
struct Dry {
  multiplier @0 :Float32;
  base @1 :Float32 = 1.75;
  allowedLength @2 :UInt32 = 2;
  range @3 :UInt32;
  breakers @4 :List(Text);
}
struct Sampling {
  temperature @0 :Float32;
  topK @1 :UInt32;
  topP @2 :Float32;
  minP @3 :Float32;
  seed @4 :UInt64;
  typicalP @5 :Float32 = 1;  # what an older peer leaves out is off
  repetitionPenalty @6 :Float32 = 1;
  presencePenalty @7 :Float32;
  frequencyPenalty @8 :Float32;
  tokensMin @9 :UInt32;
  logitBias @10 :List(LogitBias);
  dry @11 :Dry;
}

struct Grammar { kind @0 :UInt8; text @1 :Text; }
struct Request {
  key @0 :StreamKey;
  model @1 :UInt64;
  prompt @2 :List(Int32);
  choices @3 :UInt32;
  tokensMax @4 :UInt32;
  sampling @5 :Sampling;
  stop @6 :List(Text);
  ignoreEos @7 :Bool;
  logprobs @8 :UInt32;
  serviceClass @9 :UInt8;
  required @10 :UInt64;
  salt @11 :UInt64;
  traceparent @12 :Text;
  supersedes @13 :Text;
  promptOnly @14 :Bool;
  adapter @15 :Text;
  grammar @16 :Grammar;
}

struct TopEntry { token @0 :Int32; logprob @1 :Float32; }
struct TokenOut {
  token @0 :Int32;
  isEnd @1 :Bool;
  finish @2 :UInt8;
  logprob @3 :Float32;
  top @4 :List(TopEntry);
}

struct PageHeader {
  version @0 :UInt8;
  format @1 :UInt8;
  group @2 :UInt16;
  firstToken @3 :UInt32;
  rows @4 :UInt16;
  layout @5 :UInt16;
  checksum @6 :UInt64;
}

# -- between nodes ----------------------------------------------------------------------------------------------------------

struct ChoiceState { tokens @0 :List(Int32); finish @1 :UInt8; names @2 :List(U128); }

struct Run {
  key @0 :StreamKey;
  epoch @1 :Epoch;
  owner @2 :UInt64;
  replica @3 :ReplicaRef;
  request @4 :Request;
  choices @5 :List(ChoiceState);
  promptNames @6 :List(U128);
  deadlineLeft @7 :Int64;
}

struct RunAccepted {
  key @0 :StreamKey;
  epoch @1 :Epoch;
  replica @2 :ReplicaRef;
  report @3 :UInt64;
  cachedTokens @4 :UInt32;
  imported @5 :Bool;
  rowsToCompute @6 :UInt32;
  blocksImported @7 :UInt32;
}

struct RunRefused {
  key @0 :StreamKey;
  epoch @1 :Epoch;
  replica @2 :ReplicaRef;
  code @3 :UInt16;
  reason @4 :Text;
  retryAfter @5 :Int64;
}

struct RunReturned { key @0 :StreamKey; epoch @1 :Epoch; replica @2 :ReplicaRef; code @3 :UInt16; reason @4 :Text; }
struct RunHeld { key @0 :StreamKey; epoch @1 :Epoch; replica @2 :ReplicaRef; recompute @3 :Int64; patience @4 :Int64; }
struct CancelRun { key @0 :StreamKey; epoch @1 :Epoch; giveBack @2 :Bool; }
struct BlockNames { key @0 :StreamKey; epoch @1 :Epoch; choice @2 :UInt32; firstBlock @3 :UInt32; names @4 :List(U128); }
struct TokenRun { key @0 :StreamKey; epoch @1 :Epoch; choice @2 :UInt32; firstIndex @3 :UInt32; tokens @4 :List(TokenOut); }
struct Tokens { replica @0 :ReplicaRef; runs @1 :List(TokenRun); }

struct Move {
  key @0 :StreamKey;
  epoch @1 :Epoch;
  newEpoch @2 :Epoch;
  owner @3 :UInt64;
  source @4 :ReplicaRef;
  destination @5 :ReplicaRef;
}

struct MoveFailed { key @0 :StreamKey; epoch @1 :Epoch; newEpoch @2 :Epoch; code @3 :UInt16; reason @4 :Text; }
struct Release { key @0 :StreamKey; newEpoch @1 :Epoch; }

struct MoveReport {
  key @0 :StreamKey;
  newEpoch @1 :Epoch;
  blocks @2 :UInt32;
  blocksSent @3 :UInt32;
  pageBytes @4 :UInt64;
  rowBytes @5 :UInt64;
  resentBytes @6 :UInt64;
  rowsAfterFreeze @7 :UInt32;
  stepsDuringCopy @8 :UInt32;
  copy @9 :Int64;
  frozen @10 :Int64;
}

struct AskOwner { key @0 :StreamKey; epoch @1 :Epoch; newEpoch @2 :Epoch; replica @3 :ReplicaRef; }
struct StillYours { key @0 :StreamKey; epoch @1 :Epoch; granted @2 :Epoch; }
struct Gone { key @0 :StreamKey; epoch @1 :Epoch; }
struct TransferBlock { ordinal @0 :UInt32; name @1 :U128; firstToken @2 :UInt32; rows @3 :UInt32; group @4 :UInt32; }

struct Offer {
  transfer @0 :UInt64;
  key @1 :StreamKey;
  newEpoch @2 :Epoch;
  owner @3 :UInt64;
  source @4 :ReplicaRef;
  destination @5 :ReplicaRef;
  kvId @6 :U128;
  numericsId @7 :UInt32;
  format @8 :UInt8;
  pageBytes @9 :UInt64;
  required @10 :UInt64;
  choices @11 :UInt32;
  blocks @12 :List(TransferBlock);
  adapter @13 :Text;
}

struct OfferReply {
  transfer @0 :UInt64;
  from @1 :UInt64;
  accepted @2 :Bool;
  blocksReserved @3 :UInt32;
  held @4 :List(UInt32);
  code @5 :UInt16;
  reason @6 :Text;
}

struct PageFrame {
  transfer @0 :UInt64;
  ordinal @1 :UInt32;
  wholePage @2 :Bool;
  firstRow @3 :UInt32;
  header @4 :PageHeader;
  offset @5 :UInt32;
  payloadBytes @6 :UInt32;
  dataBytes @7 :UInt32;    # of the frame beside this one
}

struct RowRange { ordinal @0 :UInt32; firstRow @1 :UInt32; rows @2 :UInt32; }
struct MissingPages { transfer @0 :UInt64; ranges @1 :List(RowRange); }

struct Handoff {
  transfer @0 :UInt64;
  run @1 :Run;
  blocks @2 :List(TransferBlock);
  tables @3 :List(List(UInt32));
  rows @4 :List(UInt32);
}

struct HandoffReply {
  transfer @0 :UInt64;
  key @1 :StreamKey;
  newEpoch @2 :Epoch;
  accepted @3 :Bool;
  code @4 :UInt16;
  reason @5 :Text;
}

struct TransferAbort { transfer @0 :UInt64; key @1 :StreamKey; newEpoch @2 :Epoch; reason @3 :Text; }

struct KvGroup { kind @0 :UInt8; window @1 :UInt32; blocks @2 :UInt32; }
struct AdapterInfo { name @0 :Text; digest @1 :U128; }

struct ReplicaReport {
  index @0 :UInt32;
  generation @1 :UInt64;
  model @2 :UInt64;
  kvId @3 :U128;
  weightsDigest @4 :U128;
  numericsId @5 :UInt32;
  features @6 :UInt64;
  format @7 :UInt8;
  pageBytes @8 :UInt64;
  contextMax @9 :UInt32;
  ready @10 :Bool;
  blocksTotal @11 :UInt32;
  blocksFree @12 :UInt32;
  blocksUsed @13 :UInt32;
  streams @14 :UInt32;
  queued @15 :UInt32;
  prefillTokens @16 :UInt64;
  decodeTokens @17 :UInt64;
  tokensPerSecond @18 :UInt32;
  stepBase @19 :Int64;
  stepRow @20 :Int64;
  isa @21 :Text;
  stepContext @22 :Int64;
  blocksHead @23 :UInt32;
  blocksQueued @24 :UInt32;
  blocksReleased @25 :UInt32;
  exporting @26 :UInt32;
  importing @27 :UInt32;
  adapters @28 :List(AdapterInfo);
  kvGroups @29 :List(KvGroup);
}

struct NodeCounters {
  movesCommitted @0 :UInt64;
  movesAborted @1 :UInt64;
  streamsRestarted @2 :UInt64;
  tokensLost @3 :UInt64;
  streamsFinished @4 :UInt64;
  streamsFailed @5 :UInt64;
  exportsCommitted @6 :UInt64;
  exportBlocks @7 :UInt64;
  exportBytes @8 :UInt64;
  importsCommitted @9 :UInt64;
  preemptions @10 :UInt64;
  tokensGenerated @11 :UInt64;
  prefixHitTokens @12 :UInt64;
  rungsShorter @13 :UInt64;
  rungsModel @14 :UInt64;
  rungsDefer @15 :UInt64;
  refusedQuota @16 :UInt64;
  refusedDeadline @17 :UInt64;
  streamsSuperseded @18 :UInt64;
  streamsScored @19 :UInt64;
  preemptionsMoved @20 :UInt64;
}

struct Report {
  node @0 :UInt64;
  name @1 :Text;
  number @2 :UInt64;
  pid @3 :UInt32;
  roles @4 :UInt32;
  draining @5 :Bool;
  ownedStreams @6 :UInt32;
  replicas @7 :List(ReplicaReport);
  counters @8 :NodeCounters;
}

struct Announce { replica @0 :ReplicaRef; kvId @1 :U128; full @2 :Bool; added @3 :List(U128); removed @4 :List(U128); }
struct Drain { node @0 :UInt64; mode @1 :UInt8; }
struct OperatorMove { operation @0 :UInt64; asker @1 :UInt64; request @2 :U128; destination @3 :UInt64; }

struct MoveOutcome {
  committed @0 :Bool;
  code @1 :UInt16;
  reason @2 :Text;
  source @3 :UInt64;
  destination @4 :UInt64;
  report @5 :MoveReport;
  rowsRecomputed @6 :UInt32;
  pause @7 :Int64;
}

struct OperatorMoveDone { operation @0 :UInt64; outcome @1 :MoveOutcome; }
struct StatusAsk { operation @0 :UInt64; asker @1 :UInt64; }

struct StreamStatus {
  key @0 :StreamKey;
  tenant @1 :Text;
  serviceClass @2 :UInt8;
  owner @3 :UInt64;
  node @4 :UInt64;
  tokens @5 :UInt64;
  moves @6 :UInt32;
}

struct QuotaOption { cost @0 :UInt64; wait @1 :Int64; waitMin @2 :Int64; }
struct QuotaAsk { number @0 :UInt64; tenant @1 :UInt64; options @2 :List(QuotaOption); }
struct QuotaReply { number @0 :UInt64; granted @1 :Bool; option @2 :UInt32; wait @3 :Int64; }
struct StatusPart { operation @0 :UInt64; from @1 :UInt64; streams @2 :List(StreamStatus); }

# The number of a member of the union is the index of the type in core::Message.
struct Message {
  union {
    run @0 :Run;
    runAccepted @1 :RunAccepted;
    runRefused @2 :RunRefused;
    runReturned @3 :RunReturned;
    cancelRun @4 :CancelRun;
    blockNames @5 :BlockNames;
    tokens @6 :Tokens;
    move @7 :Move;
    moveFailed @8 :MoveFailed;
    release @9 :Release;
    moveReport @10 :MoveReport;
    askOwner @11 :AskOwner;
    stillYours @12 :StillYours;
    gone @13 :Gone;
    offer @14 :Offer;
    offerReply @15 :OfferReply;
    pageFrame @16 :PageFrame;
    missingPages @17 :MissingPages;
    handoff @18 :Handoff;
    handoffReply @19 :HandoffReply;
    transferAbort @20 :TransferAbort;
    report @21 :Report;
    announce @22 :Announce;
    drain @23 :Drain;
    operatorMove @24 :OperatorMove;
    operatorMoveDone @25 :OperatorMoveDone;
    statusAsk @26 :StatusAsk;
    statusPart @27 :StatusPart;
    quotaAsk @28 :QuotaAsk;
    quotaReply @29 :QuotaReply;
    runHeld @30 :RunHeld;
  }
}

struct Hello {
  version @0 :UInt16;
  build @1 :Text;
  name @2 :Text;
  kvIds @3 :List(U128);
  numericsIds @4 :List(UInt32);
  features @5 :UInt64;
  frameBytesMax @6 :UInt32;
  creditBytes @7 :UInt64;
}

struct Envelope {
  version @0 :UInt16;
  kind @1 :UInt8;
  lane @2 :UInt8;
  from @3 :UInt64;
  to @4 :UInt64;
  incarnation @5 :UInt64;
  toIncarnation @6 :UInt64;
  session @7 :UInt64;
  sequence @8 :UInt64;
  acknowledgedControl @9 :UInt64;
  acknowledgedToken @10 :UInt64;
  credit @11 :UInt64;
  hello @12 :Hello;
  text @13 :Text;
  message @14 :Message;
}

# -- between clients and routers --------------------------------------------------------------------------------------------

struct ClientHello { version @0 :UInt16; build @1 :Text; client @2 :UInt64; tenant @3 :Text; token @4 :Text; }

struct ServerHello {
  version @0 :UInt16;
  build @1 :Text;
  node @2 :Text;
  incarnation @3 :UInt64;
  routers @4 :List(Text);
  models @5 :List(Text);
}

struct ChatMessage { role @0 :Text; content @1 :Text; }
struct Resume { seed @0 :UInt64; weightsDigest @1 :U128; numericsId @2 :UInt32; choices @3 :List(ChoiceState); }

struct Submit {
  request @0 :U128;
  model @1 :Text;
  kind @2 :UInt8;
  text @3 :Text;
  messages @4 :List(ChatMessage);
  tokens @5 :List(Int32);
  choices @6 :UInt32;
  tokensMax @7 :UInt32;
  sampling @8 :Sampling;
  seedSet @9 :Bool;
  stop @10 :List(Text);
  ignoreEos @11 :Bool;
  logprobs @12 :UInt32;
  serviceClass @13 :UInt8;
  deadline @14 :Int64;
  required @15 :UInt64;
  traceparent @16 :Text;
  resumed @17 :Bool;
  resume @18 :Resume;
  supersedes @19 :Text;
  promptOnly @20 :Bool;
  adapter @21 :Text;
  grammar @22 :Grammar;
}

struct Accepted {
  request @0 :U128;
  seed @1 :UInt64;
  weightsDigest @2 :U128;
  numericsId @3 :UInt32;
  isa @4 :Text;
  prompt @5 :List(Int32);
  tokensMax @6 :UInt32;
  rungs @7 :List(Text);
  pressure @8 :UInt8;
  model @9 :Text;
}

struct Delta {
  request @0 :U128;
  choice @1 :UInt32;
  firstIndex @2 :UInt32;
  tokens @3 :List(TokenOut);
  text @4 :Text;
  finish @5 :UInt8;
}

struct Finished {
  request @0 :U128;
  promptTokens @1 :UInt32;
  completionTokens @2 :UInt32;
  cachedTokens @3 :UInt32;
  moves @4 :UInt32;
  restarts @5 :UInt32;
  ttft @6 :Int64;
  total @7 :Int64;
}

struct Failed { request @0 :U128; code @1 :UInt16; reason @2 :Text; retryAfter @3 :Int64; }
struct ClientCancel { request @0 :U128; }
struct Ping { number @0 :UInt64; answer @1 :Bool; }
struct StatusRequest { operation @0 :UInt64; }

struct NodeStatus {
  name @0 :Text;
  pid @1 :UInt32;
  incarnation @2 :UInt64;
  state @3 :UInt8;
  roles @4 :UInt32;
  streams @5 :UInt32;
  queue @6 :UInt32;
  kvBlocksUsed @7 :UInt32;
  kvBlocksTotal @8 :UInt32;
  tokensPerSecond @9 :UInt32;
  counters @10 :NodeCounters;
}

struct StatusReply {
  operation @0 :UInt64;
  nodes @1 :List(NodeStatus);
  streams @2 :List(StreamStatus);
  counters @3 :NodeCounters;
}

struct MoveRequest { operation @0 :UInt64; request @1 :U128; node @2 :Text; }
struct DrainRequest { operation @0 :UInt64; node @1 :Text; mode @2 :UInt8; }

struct OperationUpdate {
  operation @0 :UInt64;
  done @1 :Bool;
  code @2 :UInt16;
  text @3 :Text;
  streamsLeft @4 :UInt32;
  commits @5 :UInt32;
  blocks @6 :UInt64;
  bytes @7 :UInt64;
  rowsRecomputed @8 :UInt32;
  pauseMax @9 :Int64;
  move @10 :MoveOutcome;
  retryAfter @11 :Int64;
}

# The number of a member of the union is the index of the type in core::ClientMessage.
struct ClientFrame {
  version @0 :UInt16;
  union {
    clientHello @1 :ClientHello;
    serverHello @2 :ServerHello;
    submit @3 :Submit;
    accepted @4 :Accepted;
    delta @5 :Delta;
    finished @6 :Finished;
    failed @7 :Failed;
    clientCancel @8 :ClientCancel;
    ping @9 :Ping;
    statusRequest @10 :StatusRequest;
    statusReply @11 :StatusReply;
    moveRequest @12 :MoveRequest;
    drainRequest @13 :DrainRequest;
    operationUpdate @14 :OperationUpdate;
  }
}
