#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "core/request.h"
#include "core/result.h"
#include "core/step.h"
#include "model/grammar.h"
#include "model/logit_rules.h"
#include "model/sampler.h"
#include "model/text_stream.h"

namespace spillway::model {

/// What a worker remembers of one choice between steps: only what is derived from (request, tokens).
struct Sequence {
  std::shared_ptr<const core::Request> request;
  std::uint32_t choice = 0;
  std::optional<TextStream> stop_window;  ///< set when the request has stop strings
  std::vector<core::TokenId> answer;      ///< so far; kept when the request's logit rules look at it
  std::optional<GrammarAnswer> grammar;   ///< set when the request has one that compiles
};

/// The open sequences of one device, and the rule by which a choice ends.
class Sequences {
 public:
  /// `tokenizer` gives the text for stop strings and the end tokens; null: no text, nothing ends early.
  explicit Sequences(std::shared_ptr<const Tokenizer> tokenizer) : tokenizer_{std::move(tokenizer)}, grammars_{tokenizer_} {}

  /// Replays the tokens so far.
  void open(const core::SequenceOpen& open);
  void close(core::SequenceId sequence) { sequences_.erase(sequence); }
  Sequence* find(core::SequenceId sequence);
  std::size_t size() const { return sequences_.size(); }

  /// Draws token `index` of the sequence from `logits` (one row, the whole vocabulary) by the rules of its request, and accepts it.
  /// Where the request's grammar does not compile or allows no token, the choice ends with `error`, and the log says why.
  core::TokenOut draw(Sequence& sequence, std::uint32_t index, std::span<const float> logits);

  /// Fills is_end and finish of `out`, which holds the token `index` of the sequence: an end token (unless ignore_eos) gives stop
  /// and is_end, a completed stop string stop, the last token allowed length.
  void accept(Sequence& sequence, std::uint32_t index, core::TokenOut& out) const;

  /// Refuses a plan that a device with these limits cannot execute: bad_argument naming what is wrong.
  core::Result<void> check(const core::StepPlan& plan, const core::ReplicaInfo& info, std::uint32_t rows_max) const;

 private:
  bool follow_grammar(Sequence& sequence, std::span<const float> logits, std::span<const float>& ruled);

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unordered_map<core::SequenceId, Sequence> sequences_;
  Grammars grammars_;
  std::vector<float> masked_;  // logits of the tokens that a grammar allows
  LogitRules rules_;
  Sampler sampler_;
};

}  // namespace spillway::model
