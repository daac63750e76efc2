#include "model/paced_tokenizer.h"

#include <array>
#include <string>
#include <string_view>
#include <vector>

namespace spillway::model {

namespace {

constexpr std::string_view space = "\xe2\x96\x81";  // how vocabularies of this kind write it

/// Words of two syllables or more, all different: the digits of `i` in base (syllables), lowest first.
std::string word(std::uint32_t i) {
  static constexpr std::array<std::string_view, 40> syllables{
      "ba", "de", "fi", "go", "lu", "ma", "ne", "pi", "ro", "su", "ta", "ve", "wi", "yo", "zu", "ka", "le", "mi", "no", "pu",
      "ra", "se", "ti", "vo", "bu", "da", "fe", "gi", "lo", "mu", "na", "pe", "ri", "so", "tu", "va", "we", "ki", "do", "fu"};
  std::string text{space};
  text += syllables[i % 40];
  for (i /= 40;; i /= 40) {
    text += syllables[i % 40];
    if (i < 40) return text;
  }
}

/// A vocabulary as the header of a GGUF file, so that it is read by the same code as any other.
class Header {
 public:
  void u32(std::uint32_t value) { raw(&value, sizeof value); }
  void u64(std::uint64_t value) { raw(&value, sizeof value); }
  void text(std::string_view value) {
    u64(value.size());
    raw(value.data(), value.size());
  }
  void key(std::string_view name, GgufType type) {
    text(name);
    u32(static_cast<std::uint32_t>(type));
  }
  void array(std::string_view name, GgufType element, std::uint64_t count) {
    key(name, GgufType::array);
    u32(static_cast<std::uint32_t>(element));
    u64(count);
  }
  void raw(const void* data, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(data);
    bytes_.insert(bytes_.end(), bytes, bytes + size);
  }
  const core::ByteVector& bytes() const { return bytes_; }

 private:
  core::ByteVector bytes_;
};

std::vector<std::string> paced_words(std::uint32_t size) {
  std::vector<std::string> tokens{"<unk>", "<s>", "</s>"};
  tokens.reserve(size);
  static constexpr std::string_view digits = "0123456789ABCDEF";
  for (unsigned byte = 0; byte < 256; ++byte) tokens.push_back({'<', '0', 'x', digits[byte / 16], digits[byte % 16], '>'});
  tokens.emplace_back(space);
  for (std::uint32_t i = 0; tokens.size() < size; ++i) tokens.push_back(word(i));
  return tokens;
}

}  // namespace

core::Result<std::shared_ptr<const Tokenizer>> paced_tokenizer(std::uint32_t size) {
  if (size < paced_first_word + 16 || size > 1'000'000)
    return core::fail(core::Errc::bad_argument, "paced vocabulary of " + std::to_string(size) + " tokens; want " +
                                                    std::to_string(paced_first_word + 16) + " to 1000000");
  Header header;
  header.raw("GGUF", 4);
  header.u32(3);
  header.u64(0);  // tensors
  header.u64(7);  // pairs
  header.key("tokenizer.ggml.model", GgufType::string);
  header.text("llama");
  header.array("tokenizer.ggml.tokens", GgufType::string, size);
  for (const auto& token : paced_words(size)) header.text(token);
  header.array("tokenizer.ggml.scores", GgufType::f32, size);
  for (std::uint32_t i = 0; i < size; ++i) {
    const float score = -static_cast<float>(i);
    header.raw(&score, sizeof score);
  }
  header.array("tokenizer.ggml.token_type", GgufType::i32, size);
  for (std::uint32_t i = 0; i < size; ++i) header.u32(i == 0 ? 2 : i < 3 ? 3 : i < 259 ? 6 : 1);
  header.key("tokenizer.ggml.bos_token_id", GgufType::u32);
  header.u32(1);
  header.key("tokenizer.ggml.eos_token_id", GgufType::u32);
  header.u32(2);
  header.key("tokenizer.ggml.unknown_token_id", GgufType::u32);
  header.u32(0);

  const auto file = GgufFile::parse(header.bytes());
  if (!file) return core::fail(core::Errc::internal, "paced vocabulary: " + file.error().message);
  return Tokenizer::from_gguf(*file);
}

}  // namespace spillway::model
