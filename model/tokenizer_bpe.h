#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/result.h"
#include "model/tokenizer_split.h"
#include "model/tokenizer_vocabulary.h"

namespace spillway::model {

/// Byte-level BPE (the "gpt2" model of GGUF): each byte is a symbol, and within a word the pair of neighbours with the
/// lowest merge rank is joined, leftmost first, until none is left. O(n log n) in the length of a word.
class BpeModel {
 public:
  static constexpr std::uint64_t merges_max = 1U << 22;

  /// `merges`: "left right" in order of rank. `unknown` stands for a symbol that has no token; a vocabulary that lacks a
  /// byte and has no unknown token is refused.
  static core::Result<BpeModel> make(const Vocabulary& vocabulary, const std::vector<std::string_view>& merges, SplitRule rule,
                                     std::optional<core::TokenId> unknown);

  /// Appends the tokens of plain text (no special tokens are looked for).
  void encode(std::string_view text, std::vector<core::TokenId>& tokens) const;

  /// Bytes that a token's text stands for. Characters outside the alphabet stand for themselves.
  static std::string decode_text(std::string_view text);

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

  SplitRule rule_ = SplitRule::gpt2;
  std::uint32_t vocabulary_ = 0;
  std::optional<core::TokenId> unknown_;
  std::array<Symbol, 256> byte_symbol_{};
  std::vector<Merge> table_;  // open addressing, a power of two of slots, at most half full
};

}  // namespace spillway::model
