#include "model/tokenizer.h"

#include <algorithm>
#include <functional>

namespace spillway::model {

namespace {

constexpr std::string_view known_models = "known: llama (SentencePiece BPE), gpt2 (byte-level BPE)";

core::Result<SplitRule> split_rule(const GgufFile& file) {
  const auto name = file.get_string("tokenizer.ggml.pre", "default");
  if (!name) return tl::make_unexpected(name.error());
  if (const SplitRule* rule = find_split_rule(*name)) return *rule;
  return core::fail(core::Errc::unsupported,
                    "tokenizer.ggml.pre = " + in_quotes(*name) + " is not supported; known: " + split_rule_names());
}

/// Names of control tokens that end a turn whatever the file says of EOS.
constexpr std::string_view end_names[] = {"<|im_end|>", "<|endoftext|>", "<|eot_id|>",     "<|eom_id|>",
                                          "<|end|>",    "<end_of_turn>", "<|end_of_text|>"};

}  // namespace

core::Result<std::shared_ptr<const Tokenizer>> Tokenizer::from_gguf(const GgufFile& file) {
  const auto model_name = file.get_string("tokenizer.ggml.model");
  if (!model_name) return tl::make_unexpected(model_name.error());
  if (*model_name != "llama" && *model_name != "gpt2") {
    return core::fail(core::Errc::unsupported,
                      "tokenizer.ggml.model = " + in_quotes(*model_name) + " is not supported; " + std::string(known_models));
  }
  auto vocabulary = Vocabulary::from_gguf(file);
  if (!vocabulary) return tl::make_unexpected(vocabulary.error());
  const auto unknown = file.get_token_id("tokenizer.ggml.unknown_token_id", vocabulary->size());
  if (!unknown) return tl::make_unexpected(unknown.error());

  std::variant<SpmModel, BpeModel> model;
  bool adds_bos = true;
  if (*model_name == "llama") {
    auto spm = SpmModel::make(*vocabulary, *unknown);
    if (!spm) return tl::make_unexpected(spm.error());
    model = *spm;
  } else {
    const auto rule = split_rule(file);
    if (!rule) return tl::make_unexpected(rule.error());
    const auto merges = file.get_strings("tokenizer.ggml.merges");
    if (!merges) return tl::make_unexpected(merges.error());
    auto bpe = BpeModel::make(*vocabulary, *merges, *rule, *unknown);
    if (!bpe) return tl::make_unexpected(bpe.error());
    model = std::move(*bpe);
    adds_bos = rule->adds_bos;
  }
  std::shared_ptr<Tokenizer> made(new Tokenizer(std::move(*vocabulary), std::move(model)));
  made->model_name_ = *model_name;
  made->unknown_ = *unknown;
  if (const auto read = made->read_ids(file, adds_bos); !read) return tl::make_unexpected(read.error());
  made->find_ends();
  made->make_pieces();
  made->make_markers();
  return std::shared_ptr<const Tokenizer>(std::move(made));
}

core::Result<void> Tokenizer::read_ids(const GgufFile& file, bool adds_bos) {
  const auto id = [&](std::string_view key, std::optional<core::TokenId>& to) -> core::Result<void> {
    const auto read = file.get_token_id(key, size());
    if (!read) return tl::make_unexpected(read.error());
    to = *read;
    return {};
  };
  if (auto done = id("tokenizer.ggml.bos_token_id", bos_); !done) return done;
  if (auto done = id("tokenizer.ggml.eos_token_id", eos_); !done) return done;
  if (auto done = id("tokenizer.ggml.eot_token_id", eot_); !done) return done;
  const bool spm = std::holds_alternative<SpmModel>(model_);
  const auto bos = file.get_bool("tokenizer.ggml.add_bos_token", adds_bos);
  if (!bos) return tl::make_unexpected(bos.error());
  const auto eos = file.get_bool("tokenizer.ggml.add_eos_token", false);
  if (!eos) return tl::make_unexpected(eos.error());
  const auto space = file.get_bool("tokenizer.ggml.add_space_prefix", spm);
  if (!space) return tl::make_unexpected(space.error());
  if (*bos && !bos_ && file.has("tokenizer.ggml.add_bos_token")) {
    return core::fail(core::Errc::bad_file, "tokenizer.ggml.add_bos_token = true without tokenizer.ggml.bos_token_id: want the id of BOS");
  }
  adds_bos_ = *bos && bos_.has_value();
  adds_eos_ = *eos && eos_.has_value();
  adds_space_prefix_ = spm && *space;
  return {};
}

void Tokenizer::find_ends() {
  if (eos_) ends_.push_back(*eos_);
  if (eot_) ends_.push_back(*eot_);
  for (const std::string_view name : end_names) {
    if (const auto id = control(name)) ends_.push_back(*id);
  }
  std::sort(ends_.begin(), ends_.end());
  ends_.erase(std::unique(ends_.begin(), ends_.end()), ends_.end());
}

bool Tokenizer::is_end(core::TokenId id) const {
  return std::binary_search(ends_.begin(), ends_.end(), id);
}

std::optional<core::TokenId> Tokenizer::control(std::string_view text) const {
  const auto id = vocabulary_.find_reserved(text);
  return id && vocabulary_.type(*id) == TokenType::control ? id : std::nullopt;
}

void Tokenizer::make_pieces() {
  const bool spm = std::holds_alternative<SpmModel>(model_);
  piece_starts_.reserve(size() + 1);
  for (std::uint32_t i = 0; i < size(); ++i) {
    const auto id = static_cast<core::TokenId>(i);
    const std::string_view text = vocabulary_.text(id);
    piece_starts_.push_back(static_cast<std::uint32_t>(pieces_.size()));
    if (vocabulary_.type(id) == TokenType::byte) {
      if (const auto byte = SpmModel::byte_of(text)) pieces_ += static_cast<char>(*byte);
    } else if (spm) {
      pieces_ += SpmModel::decode_text(text);
    } else {
      const bool alphabet = vocabulary_.type(id) == TokenType::normal || vocabulary_.type(id) == TokenType::unused;
      pieces_ += alphabet ? BpeModel::decode_text(text) : std::string(text);
    }
  }
  piece_starts_.push_back(static_cast<std::uint32_t>(pieces_.size()));
}

std::string_view Tokenizer::piece(core::TokenId id) const {
  if (!vocabulary_.contains(id) || vocabulary_.is_special(id)) return {};
  const auto i = static_cast<std::size_t>(id);
  return std::string_view(pieces_).substr(piece_starts_[i], piece_starts_[i + 1] - piece_starts_[i]);
}

void Tokenizer::Markers::add(std::string_view text, core::TokenId id) {
  if (text.empty() || !ids.emplace(text, id).second) return;  // of two tokens with one text the lower id wins
  lengths[static_cast<unsigned char>(text.front())].push_back(text.size());
}

void Tokenizer::Markers::sort() {
  for (auto& bucket : lengths) {
    std::sort(bucket.begin(), bucket.end(), std::greater<>());
    bucket.erase(std::unique(bucket.begin(), bucket.end()), bucket.end());
  }
}

std::optional<core::TokenId> Tokenizer::Markers::at(std::string_view text) const {
  for (const std::size_t length : lengths[static_cast<unsigned char>(text.front())]) {
    if (length > text.size()) continue;
    if (const auto found = ids.find(text.substr(0, length)); found != ids.end()) return found->second;
  }
  return std::nullopt;
}

/// The longest token that `text`, which is not empty, begins with; a control token only within the first `special_bytes`.
std::optional<core::TokenId> Tokenizer::marker_at(std::string_view text, std::size_t special_bytes) const {
  const auto user = user_markers_.at(text);
  if (special_bytes == 0) return user;
  const auto any = all_markers_.at(text.substr(0, special_bytes));
  const bool user_is_longer = user && any && vocabulary_.text(*user).size() > vocabulary_.text(*any).size();
  return any && !user_is_longer ? any : user;
}

void Tokenizer::make_markers() {
  for (std::uint32_t i = 0; i < size(); ++i) {
    const auto id = static_cast<core::TokenId>(i);
    const bool user = vocabulary_.type(id) == TokenType::user_defined;
    if (user) user_markers_.add(vocabulary_.text(id), id);
    if (user || vocabulary_.is_special(id)) all_markers_.add(vocabulary_.text(id), id);
  }
  user_markers_.sort();
  all_markers_.sort();
}

void Tokenizer::encode_plain(std::string_view text, bool after_special, std::vector<core::TokenId>& tokens) const {
  if (const auto* spm = std::get_if<SpmModel>(&model_)) {
    const bool prefix = adds_space_prefix_ && after_special;
    spm->encode(vocabulary_, prefix ? " " + std::string(text) : std::string(text), tokens);
  } else {
    std::get<BpeModel>(model_).encode(vocabulary_, text, tokens);
  }
}

void Tokenizer::encode_text(std::string_view text, bool special, bool after_special, std::vector<core::TokenId>& tokens) const {
  std::size_t from = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto marker = marker_at(text.substr(at), special ? text.size() : 0);
    if (!marker) {
      ++at;
      continue;
    }
    if (at > from) encode_plain(text.substr(from, at - from), after_special, tokens);
    tokens.push_back(*marker);
    after_special = true;
    at += vocabulary_.text(*marker).size();
    from = at;
  }
  if (from < text.size()) encode_plain(text.substr(from), after_special, tokens);
}

std::vector<core::TokenId> Tokenizer::encode(std::string_view text, EncodeOptions options) const {
  std::vector<core::TokenId> tokens;
  if (options.bos && bos_) tokens.push_back(*bos_);
  encode_text(text, options.special, true, tokens);
  if (options.eos && adds_eos_) tokens.push_back(*eos_);
  return tokens;
}

core::Result<std::vector<core::TokenId>> Tokenizer::encode_prompt(std::string_view text) const {
  std::vector<core::TokenId> tokens = encode(text, {.special = false, .bos = adds_bos_, .eos = false});
  if (tokens.empty())
    return core::fail(core::Errc::bad_argument, "the prompt is empty and this model adds no BOS token: give at least one character");
  return tokens;
}

core::Result<std::vector<core::TokenId>> Tokenizer::encode_pieces(std::span<const TextPiece> pieces) const {
  // Plain text is encoded as a whole between two tokens, whichever pieces it comes from.
  std::string text;
  std::vector<std::size_t> special_ends;  // of the run of special pieces that a byte stands in; 0 = in none
  for (const TextPiece& piece : pieces) text += piece.text;
  special_ends.resize(text.size());
  std::size_t end = text.size();
  std::size_t run_end = 0;
  for (auto piece = pieces.rbegin(); piece != pieces.rend(); ++piece) {
    run_end = !piece->special ? 0 : run_end == 0 ? end : run_end;
    std::fill_n(special_ends.begin() + static_cast<std::ptrdiff_t>(end - piece->text.size()), piece->text.size(), run_end);
    end -= piece->text.size();
  }
  std::vector<core::TokenId> tokens;
  if (adds_bos_) tokens.push_back(*bos_);
  bool after_special = true;
  std::size_t from = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto marker = marker_at(std::string_view(text).substr(at), special_ends[at] == 0 ? 0 : special_ends[at] - at);
    if (!marker) {
      ++at;
      continue;
    }
    if (at > from) encode_plain(std::string_view(text).substr(from, at - from), after_special, tokens);
    // A template that writes BOS itself does not get a second one.
    if (!(at == 0 && adds_bos_ && *marker == *bos_)) tokens.push_back(*marker);
    after_special = true;
    at += vocabulary_.text(*marker).size();
    from = at;
  }
  if (from < text.size()) encode_plain(std::string_view(text).substr(from), after_special, tokens);
  if (tokens.empty()) return core::fail(core::Errc::bad_argument, "the chat template makes an empty prompt of this conversation");
  return tokens;
}

core::Result<std::string> Tokenizer::decode(std::span<const core::TokenId> tokens, bool skip_special) const {
  std::string text;
  bool after_special = true;
  for (const core::TokenId id : tokens) {
    if (!vocabulary_.contains(id)) {
      return core::fail(core::Errc::bad_argument,
                        "token " + std::to_string(id) + " is not in the vocabulary: want 0 to " + std::to_string(size() - 1));
    }
    const bool marker = vocabulary_.is_special(id) || vocabulary_.type(id) == TokenType::user_defined;
    if (vocabulary_.is_special(id)) {
      if (!skip_special) text += vocabulary_.text(id);
    } else {
      std::string_view bytes = piece(id);
      if (adds_space_prefix_ && after_special && !marker && bytes.starts_with(' ')) bytes.remove_prefix(1);
      text += bytes;
    }
    after_special = marker;
  }
  return text;
}

}  // namespace spillway::model
