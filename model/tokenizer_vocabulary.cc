#include "model/tokenizer_vocabulary.h"

#include <algorithm>
#include <limits>

namespace spillway::model {

namespace {

core::Result<std::vector<TokenType>> read_types(const GgufFile& file, std::size_t tokens) {
  std::vector<TokenType> types(tokens, TokenType::normal);
  constexpr std::string_view key = "tokenizer.ggml.token_type";
  if (!file.has(key)) return types;
  const auto numbers = file.get_ints(key);
  if (!numbers) return tl::make_unexpected(numbers.error());
  if (numbers->size() != tokens) {
    return core::fail(core::Errc::bad_file, "tokenizer.ggml.token_type has " + std::to_string(numbers->size()) + " entries: want " +
                                                std::to_string(tokens) + ", one per token");
  }
  for (std::size_t i = 0; i < tokens; ++i) {
    const std::int64_t number = (*numbers)[i];
    if (number < 0 || number > 6) {
      return core::fail(core::Errc::bad_file,
                        "tokenizer.ggml.token_type[" + std::to_string(i) + "] = " + std::to_string(number) + ": want 0 to 6");
    }
    types[i] = static_cast<TokenType>(number);
  }
  return types;
}

core::Result<std::vector<float>> read_scores(const GgufFile& file, std::size_t tokens) {
  constexpr std::string_view key = "tokenizer.ggml.scores";
  if (!file.has(key)) return std::vector<float>{};
  auto scores = file.get_f32s(key);
  if (scores && scores->size() != tokens) {
    return core::fail(core::Errc::bad_file, "tokenizer.ggml.scores has " + std::to_string(scores->size()) + " entries: want " +
                                                std::to_string(tokens) + ", one per token");
  }
  if (!scores) return scores;
  for (std::size_t i = 0; i < tokens; ++i) {
    if ((*scores)[i] != (*scores)[i])
      return core::fail(core::Errc::bad_file, "tokenizer.ggml.scores[" + std::to_string(i) + "] = nan: want a number");
  }
  return scores;
}

}  // namespace

core::Result<Vocabulary> Vocabulary::from_gguf(const GgufFile& file) {
  const auto tokens = file.get_strings("tokenizer.ggml.tokens");
  if (!tokens) return tl::make_unexpected(tokens.error());
  if (tokens->empty() || tokens->size() > tokens_max) {
    return core::fail(core::Errc::bad_file,
                      "tokenizer.ggml.tokens has " + std::to_string(tokens->size()) + " entries: want 1 to " + std::to_string(tokens_max));
  }
  auto types = read_types(file, tokens->size());
  if (!types) return tl::make_unexpected(types.error());
  auto scores = read_scores(file, tokens->size());
  if (!scores) return tl::make_unexpected(scores.error());

  std::uint64_t bytes = 0;
  for (const std::string_view token : *tokens) bytes += token.size();
  if (bytes > std::numeric_limits<std::uint32_t>::max()) {
    return core::fail(core::Errc::bad_file, "tokenizer.ggml.tokens has " + std::to_string(bytes) + " bytes of text: want below 2^32");
  }
  Vocabulary vocabulary;
  vocabulary.arena_.reserve(bytes);
  vocabulary.starts_.reserve(tokens->size() + 1);
  for (const std::string_view token : *tokens) {
    vocabulary.starts_.push_back(static_cast<std::uint32_t>(vocabulary.arena_.size()));
    vocabulary.arena_.insert(vocabulary.arena_.end(), token.begin(), token.end());
  }
  vocabulary.starts_.push_back(static_cast<std::uint32_t>(bytes));
  vocabulary.types_ = std::move(*types);
  vocabulary.scores_ = std::move(*scores);
  vocabulary.make_index();
  return vocabulary;
}

void Vocabulary::make_index() {
  plain_.reserve(size());
  for (std::uint32_t i = 0; i < size(); ++i) {
    const auto id = static_cast<core::TokenId>(i);
    const std::string_view token = text(id);
    if (is_special(id) || type(id) == TokenType::byte) {
      reserved_.emplace(token, id);
    } else if (!token.empty()) {
      plain_.emplace(token, id);  // of two tokens with one text the lower id wins
      text_bytes_max_ = std::max(text_bytes_max_, token.size());
    }
  }
}

}  // namespace spillway::model
