#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/ids.h"
#include "core/result.h"
#include "model/gguf.h"

namespace spillway::model {

/// Kind of a token, numbered as in `tokenizer.ggml.token_type`.
enum class TokenType : std::uint8_t { undefined = 0, normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

/// Texts, kinds and scores of a vocabulary, copied out of the file. Immutable once made.
class Vocabulary {
 public:
  /// Limits: a file beyond one is refused by name.
  static constexpr std::uint64_t tokens_max = 1U << 22;

  /// Reads `tokenizer.ggml.{tokens, token_type, scores}`. Kinds may be missing (all normal), scores too (all 0).
  static core::Result<Vocabulary> from_gguf(const GgufFile& file);

  Vocabulary(Vocabulary&&) noexcept = default;
  Vocabulary& operator=(Vocabulary&&) noexcept = default;
  Vocabulary(const Vocabulary&) = delete;  // the indexes hold views into the arena
  Vocabulary& operator=(const Vocabulary&) = delete;
  ~Vocabulary() = default;

  std::uint32_t size() const { return static_cast<std::uint32_t>(types_.size()); }
  bool contains(core::TokenId id) const { return id >= 0 && static_cast<std::uint32_t>(id) < size(); }
  /// Text as it stands in the file (byte-level BPE: in its printable alphabet). `id` must be contained, here and below.
  std::string_view text(core::TokenId id) const {
    const auto i = static_cast<std::size_t>(id);
    return {arena_.data() + starts_[i], starts_[i + 1] - starts_[i]};
  }
  TokenType type(core::TokenId id) const { return types_[static_cast<std::size_t>(id)]; }
  float score(core::TokenId id) const { return scores_.empty() ? 0.0F : scores_[static_cast<std::size_t>(id)]; }
  /// Control and unknown tokens: never matched in plain text, left out of generated text.
  bool is_special(core::TokenId id) const { return type(id) == TokenType::control || type(id) == TokenType::unknown; }

  /// Token of exactly this text among those that plain text can become: not control, unknown or byte.
  std::optional<core::TokenId> find_plain(std::string_view text) const { return find(plain_, text); }
  /// Token of exactly this text among control, unknown and byte tokens.
  std::optional<core::TokenId> find_reserved(std::string_view text) const { return find(reserved_, text); }
  /// Longest text of a plain token, in bytes.
  std::size_t text_bytes_max() const { return text_bytes_max_; }

 private:
  using Index = std::unordered_map<std::string_view, core::TokenId>;
  static std::optional<core::TokenId> find(const Index& index, std::string_view text) {
    const auto found = index.find(text);
    return found == index.end() ? std::nullopt : std::optional{found->second};
  }
  void make_index();
  Vocabulary() = default;

  std::vector<char> arena_;            // its address survives a move
  std::vector<std::uint32_t> starts_;  // [size + 1]
  std::vector<TokenType> types_;
  std::vector<float> scores_;
  Index plain_;
  Index reserved_;
  std::size_t text_bytes_max_ = 0;
};

}  // namespace spillway::model
