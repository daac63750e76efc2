#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/tokenizer_vocabulary.h"

namespace spillway::model {

/// SentencePiece BPE (the "llama" model of GGUF): spaces become U+2581; neighbours whose joined text is a token are joined,
/// highest score first, leftmost first among equals; a character that is no token falls back to its bytes. O(n log n).
class SpmModel {
 public:
  /// `unknown` stands for a byte that has no token; a vocabulary that lacks one and has no unknown token is refused.
  static core::Result<SpmModel> make(const Vocabulary& vocabulary, std::optional<core::TokenId> unknown);

  /// Appends the tokens of plain text, which already carries its leading space if the model wants one.
  void encode(const Vocabulary& vocabulary, std::string_view text, std::vector<core::TokenId>& tokens) const;

  /// Bytes that a normal token's text stands for: U+2581 becomes a space.
  static std::string decode_text(std::string_view text);
  /// Byte of a text such as "<0x0A>", or nothing.
  static std::optional<unsigned char> byte_of(std::string_view text);

 private:
  std::array<core::TokenId, 256> byte_token_{};
};

}  // namespace spillway::model
