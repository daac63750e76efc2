#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>

#include "core/request.h"
#include "core/result.h"
#include "core/step.h"
#include "model/text_stream.h"

namespace spillway::model {

/// What a worker remembers of one choice between steps: only what is derived from (request, tokens).
struct Sequence {
  std::shared_ptr<const core::Request> request;
  std::uint32_t choice = 0;
  std::optional<TextStream> stop_window;  ///< set when the request has stop strings
};

/// The open sequences of one device, and the rule by which a choice ends.
class Sequences {
 public:
  /// `tokenizer` gives the text for stop strings and the end tokens; null: no text, nothing ends early.
  explicit Sequences(std::shared_ptr<const Tokenizer> tokenizer) : tokenizer_{std::move(tokenizer)} {}

  /// Replays the tokens so far.
  void open(const core::SequenceOpen& open);
  void close(core::SequenceId sequence) { sequences_.erase(sequence); }
  Sequence* find(core::SequenceId sequence);
  std::size_t size() const { return sequences_.size(); }

  /// Fills is_end and finish of `out`, which holds the token `index` of the sequence: an end token (unless ignore_eos) gives stop
  /// and is_end, a completed stop string stop, the last token allowed length.
  void accept(Sequence& sequence, std::uint32_t index, core::TokenOut& out) const;

  /// Refuses a plan that a device with these limits cannot execute: bad_argument naming what is wrong.
  core::Result<void> check(const core::StepPlan& plan, const core::ReplicaInfo& info, std::uint32_t rows_max) const;

 private:
  std::shared_ptr<const Tokenizer> tokenizer_;
  std::unordered_map<core::SequenceId, Sequence> sequences_;
};

}  // namespace spillway::model
