#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "model/gguf.h"
#include "model/tokenizer_bpe.h"
#include "model/tokenizer_spm.h"
#include "model/tokenizer_vocabulary.h"

namespace spillway::model {

struct EncodeOptions {
  bool special = false;  ///< control tokens written out in the text become their ids; else they are plain text
  bool bos = false;      ///< put BOS in front, if the vocabulary has one
  bool eos = false;      ///< put EOS behind, if the file wants it of encoded texts (tokenizer.ggml.add_eos_token)
};

/// A run of text of a rendered prompt: `special` = control tokens written out in it become their ids, else plain text that is
/// never parsed for any.
struct TextPiece {
  std::string text;
  bool special = false;
  friend bool operator==(const TextPiece&, const TextPiece&) = default;
};

/// Text to token ids and back, by the vocabulary of a model file. Immutable and safe to share between threads.
/// Bytes that are no UTF-8 are kept: they become byte tokens, and come back as they were.
class Tokenizer {
 public:
  /// Reads `tokenizer.*`; a file with a vocabulary and no tensors will do. Errors: bad_file (key, what came, what was
  /// wanted), unsupported (tokenizer model or pre-tokenizer, by name, with those known).
  static core::Result<std::shared_ptr<const Tokenizer>> from_gguf(const GgufFile& file);

  std::vector<core::TokenId> encode(std::string_view text, EncodeOptions options = {}) const;
  /// As a prompt: BOS in front where the model wants it, no special tokens parsed. bad_argument when nothing comes of it.
  core::Result<std::vector<core::TokenId>> encode_prompt(std::string_view text) const;
  /// Rendered pieces as one text, BOS in front where the model wants it and the pieces do not begin with it. A control token
  /// is one only where all of it stands in special pieces. bad_argument when nothing comes of it.
  core::Result<std::vector<core::TokenId>> encode_pieces(std::span<const TextPiece> pieces) const;

  /// Inverse of `encode`: all tokens written out, control tokens as their names unless `skip_special`; a leading space that
  /// `encode` put in front is taken away again. bad_argument naming an id outside the vocabulary. May be invalid UTF-8.
  core::Result<std::string> decode(std::span<const core::TokenId> tokens, bool skip_special = false) const;
  /// Bytes that a token adds to generated text: empty for control and unknown tokens and ids outside the vocabulary.
  std::string_view piece(core::TokenId id) const;

  const Vocabulary& vocabulary() const { return vocabulary_; }
  std::uint32_t size() const { return vocabulary_.size(); }
  std::optional<core::TokenId> bos() const { return bos_; }
  std::optional<core::TokenId> eos() const { return eos_; }
  std::optional<core::TokenId> unknown() const { return unknown_; }
  /// Whether a prompt begins with BOS.
  bool adds_bos() const { return adds_bos_; }
  /// Tokens that end an answer: EOS, EOT, and control tokens that are known by name to end a turn. Ascending.
  std::span<const core::TokenId> ends() const { return ends_; }
  bool is_end(core::TokenId id) const;
  /// Control token of this text.
  std::optional<core::TokenId> control(std::string_view text) const;
  /// "llama" or "gpt2" (tokenizer.ggml.model).
  std::string_view model_name() const { return model_name_; }

 private:
  Tokenizer(Vocabulary vocabulary, std::variant<SpmModel, BpeModel> model) : vocabulary_(std::move(vocabulary)), model_(std::move(model)) {}
  core::Result<void> read_ids(const GgufFile& file, bool adds_bos);
  void find_ends();
  void make_pieces();
  void make_markers();
  void encode_text(std::string_view text, bool special, bool after_special, std::vector<core::TokenId>& tokens) const;
  void encode_plain(std::string_view text, bool after_special, std::vector<core::TokenId>& tokens) const;
  /// Tokens that are looked for in a text before it is cut, by the lengths of those that begin with a byte.
  struct Markers {
    std::array<std::vector<std::size_t>, 256> lengths;  // longest first
    std::unordered_map<std::string_view, core::TokenId> ids;
    void add(std::string_view text, core::TokenId id);
    void sort();
    /// The longest that `text`, which is not empty, begins with.
    std::optional<core::TokenId> at(std::string_view text) const;
  };
  std::optional<core::TokenId> marker_at(std::string_view text, std::size_t special_bytes) const;

  Vocabulary vocabulary_;
  std::variant<SpmModel, BpeModel> model_;
  std::string model_name_;
  std::optional<core::TokenId> bos_, eos_, eot_, unknown_;
  bool adds_bos_ = false;
  bool adds_eos_ = false;
  bool adds_space_prefix_ = false;
  std::vector<core::TokenId> ends_;
  std::string pieces_;                       // output bytes of all tokens, one behind the other
  std::vector<std::uint32_t> piece_starts_;  // [size + 1]
  Markers user_markers_;                     // user-defined tokens: parsed in every text
  Markers all_markers_;                      // these and control tokens
};

}  // namespace spillway::model
