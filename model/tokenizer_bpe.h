#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "model/tokenizer_rules.h"
#include "model/tokenizer_vocabulary.h"

namespace spillway::model {

/// Byte-level BPE (the "gpt2" model of GGUF): each byte is a symbol, and within a word the pair of neighbours with the
/// lowest merge rank is joined, leftmost first, until none is left. O(n log n) in the length of a word.
class BpeModel {
 public:
  static constexpr std::uint64_t merges_max = 1U << 22;

  /// `merges`: "left right" in order of rank. `unknown` stands for a symbol that has no token. Without one a byte that has no
  /// token is left out: vocabularies may lack bytes that text rarely or never has. One that lacks printable ASCII is refused.
  static core::Result<BpeModel> make(const Vocabulary& vocabulary, const std::vector<std::string_view>& merges, const SplitRule& rule,
                                     std::optional<core::TokenId> unknown);

  /// Appends the tokens of plain text (no special tokens are looked for).
  void encode(const Vocabulary& vocabulary, std::string_view text, std::vector<core::TokenId>& tokens) const;

  /// Bytes that a token's text stands for. Characters outside the alphabet stand for themselves.
  static std::string decode_text(std::string_view text);
  /// Text of the token that would stand for `bytes`.
  static std::string encode_text(std::string_view bytes);

 private:
  using Symbol = std::uint32_t;  // a token id, or beyond the vocabulary: a text that only occurs inside merges
  static constexpr Symbol no_symbol = 0xffffffffU;
  struct Merge {
    std::uint64_t pair = ~std::uint64_t{0};  // left << 32 | right
    std::uint32_t rank = 0;
    Symbol joined = 0;
  };
  struct Workspace;

  const Merge* find_merge(Symbol left, Symbol right) const;
  bool insert_merge(const Merge& merge);
  void encode_word(std::string_view word, Workspace& work, std::vector<core::TokenId>& tokens) const;
  void emit(Symbol symbol, std::string_view bytes, std::vector<core::TokenId>& tokens) const;

  SplitRule rule_;
  std::uint32_t vocabulary_ = 0;
  std::optional<core::TokenId> unknown_;
  std::array<Symbol, 256> byte_symbol_{};
  std::vector<Merge> table_;  // open addressing, a power of two of slots, at most half full
};

}  // namespace spillway::model
