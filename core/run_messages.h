#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/ids.h"
#include "core/request.h"
#include "core/time.h"

/// The part of core/messages.h that starts, feeds and ends streams. The rules for all messages stand there.
namespace spillway::core {

// -- Run: the one verb ---------------------------------------------------------------------------------------------------------

/// What a choice has generated so far. A choice with finish != none is over and is not run again.
struct ChoiceState {
  std::vector<TokenId> tokens;
  FinishReason finish = FinishReason::none;
  /// Names of the full blocks of prompt + tokens from block floor(prompt / 16) on (earlier ones: Run::prompt_names).
  std::vector<BlockName> names;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("tokens", s.tokens), v("finish", s.finish), v("names", s.names);
  }
  friend bool operator==(const ChoiceState&, const ChoiceState&) = default;
};

/// Owner -> batcher (control). Starts a stream, or goes on with one: start, crash, preemption, reconnect and handoff are all Runs.
/// Idempotent: a Run whose epoch the batcher already runs is answered by RunAccepted again.
struct Run {
  StreamKey key;
  Epoch epoch;
  NodeId owner;
  ReplicaRef replica;
  std::shared_ptr<const Request> request;
  std::vector<ChoiceState> choices;     ///< one per choice
  std::vector<BlockName> prompt_names;  ///< names of the full blocks that lie wholly in the prompt
  Duration deadline_left{0};            ///< 0 = no deadline

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("owner", s.owner), v("replica", s.replica), v("request", s.request);
    v("choices", s.choices), v("prompt_names", s.prompt_names), v("deadline_left", s.deadline_left);
  }
};

/// Batcher -> owner (control). The Run is queued or running. `report` is the number of the node's last report, so that the owner
/// counts the dispatch as in flight until a later report includes it.
struct RunAccepted {
  StreamKey key;
  Epoch epoch;
  ReplicaRef replica;
  std::uint64_t report = 0;
  std::uint32_t cached_tokens = 0;    ///< prompt tokens found in the prefix cache, known at acceptance
  bool imported = false;              ///< this Run came by a handoff
  std::uint32_t rows_to_compute = 0;  ///< imported: rows still to be computed before the first new token, all choices together
  std::uint32_t blocks_imported = 0;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("replica", s.replica), v("report", s.report), v("cached_tokens", s.cached_tokens);
    v("imported", s.imported), v("rows_to_compute", s.rows_to_compute), v("blocks_imported", s.blocks_imported);
  }
};

/// Batcher -> owner (control). Not taken; the owner places it elsewhere or tells the client.
struct RunRefused {
  StreamKey key;
  Epoch epoch;
  ReplicaRef replica;
  Errc code = Errc::queue_full;
  std::string reason;
  Duration retry_after{0};

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("replica", s.replica), v("code", s.code), v("reason", s.reason),
        v("retry_after", s.retry_after);
  }
};

/// Batcher -> owner (token lane, so behind the stream's last tokens). A running or queued stream is given back: preempted,
/// replica restarting, deadline passed. The owner answers with another Run, or ends the stream.
struct RunReturned {
  StreamKey key;
  Epoch epoch;
  ReplicaRef replica;
  Errc code = Errc::no_capacity;
  std::string reason;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("replica", s.replica), v("code", s.code), v("reason", s.reason);
  }
};

/// Batcher -> owner (token lane, so behind the stream's last tokens). All blocks are in use and this stream is the one that has to give up
/// its own: it is held, blocks and all, for `patience`. Where that costs less than computing its tokens again the owner has it moved
/// away; otherwise it says so at once (CancelRun with give_back), or the patience ends, and the stream is returned (RunReturned).
struct RunHeld {
  StreamKey key;
  Epoch epoch;
  ReplicaRef replica;
  Duration recompute{0};  ///< of its tokens there, the wait for blocks with it
  Duration patience{0};

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("replica", s.replica), v("recompute", s.recompute), v("patience", s.patience);
  }
};

/// Owner -> batcher (control). Ends the stream if it runs under `epoch` or an older one; also the answer to any message of a
/// stream under an epoch that is no longer heard. Also ends an import of that epoch.
/// With `give_back` it is a wish: a stream of exactly this epoch that still waits in the queue is answered with RunReturned
/// (queue_full) and over here, and so is one that is held and not on its way (no_capacity); anything else goes on, and nothing is said.
struct CancelRun {
  StreamKey key;
  Epoch epoch;
  bool give_back = false;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("give_back", s.give_back);
  }
};

/// Owner -> batcher (control). Names of blocks generated since, behind the tokens and off the step path: blocks
/// [first_block, first_block + names.size()) of the choice.
struct BlockNames {
  StreamKey key;
  Epoch epoch;
  std::uint32_t choice = 0;
  std::uint32_t first_block = 0;
  std::vector<BlockName> names;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("choice", s.choice), v("first_block", s.first_block), v("names", s.names);
  }
};

/// Tokens [first_index, first_index + tokens.size()) of one choice.
struct TokenRun {
  StreamKey key;
  Epoch epoch;
  std::uint32_t choice = 0;
  std::uint32_t first_index = 0;
  std::vector<TokenOut> tokens;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("key", s.key), v("epoch", s.epoch), v("choice", s.choice), v("first_index", s.first_index), v("tokens", s.tokens);
  }
};

/// Batcher -> owner (token lane): one per (step, owner).
struct Tokens {
  ReplicaRef replica;
  std::vector<TokenRun> runs;

  template <class Self, class V>
  static void visit(Self& s, V&& v) {
    v("replica", s.replica), v("runs", s.runs);
  }
};

}  // namespace spillway::core
