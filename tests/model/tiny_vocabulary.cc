#include "tests/model/tiny_vocabulary.h"

#include <cstdint>
#include <cstdio>

namespace spillway::model::test {

namespace {

std::string utf8(std::uint32_t point) {
  if (point < 0x80) return {static_cast<char>(point)};
  return {static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 63))};
}

/// The printable alphabet, written a second time so that a slip in the library's own shows.
std::vector<std::string> byte_texts() {
  std::vector<std::string> texts(256);
  std::uint32_t next = 0;
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    const bool own = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
    texts[byte] = utf8(own ? byte : 256 + next++);
  }
  return texts;
}

}  // namespace

std::vector<std::string> tiny_merges() {
  const std::string g = "\xc4\xa0";  // U+0120
  return {g + " t", "h e", g + "t he",          "i n",       "e r", "l l",  "o " + g, g + " w", g + "w or",
          "o r",    "l d", "\xc3\xa4 \xc2\xb8", g + " " + g, "a a", "aa aa"};
}

void add_tiny_bpe(GgufWriter& writer, std::string_view rule, std::string_view chat_template, const std::vector<std::string>& more) {
  std::vector<std::string> tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
  std::vector<std::int32_t> types(3, 3);
  for (const std::string& text : byte_texts()) tokens.push_back(text);
  for (const std::string& merge : tiny_merges()) {
    const std::size_t space = merge.find(' ');
    const std::string joined = merge.substr(0, space) + merge.substr(space + 1);
    if (joined != "aa") tokens.push_back(joined);  // a merge whose result is no token: only a step towards "aaaa"
  }
  types.resize(tokens.size(), 1);
  tokens.emplace_back("[user]");
  types.push_back(4);
  tokens.insert(tokens.end(), more.begin(), more.end());
  types.resize(tokens.size(), 1);
  writer.add_string("tokenizer.ggml.model", "gpt2");
  if (!rule.empty()) writer.add_string("tokenizer.ggml.pre", rule);
  writer.add_strings("tokenizer.ggml.tokens", tokens).add_i32s("tokenizer.ggml.token_type", types);
  writer.add_strings("tokenizer.ggml.merges", tiny_merges());
  writer.add_u32("tokenizer.ggml.bos_token_id", 1)
      .add_u32("tokenizer.ggml.eos_token_id", 2)
      .add_bool("tokenizer.ggml.add_bos_token", false);
  writer.add_u32("tokenizer.ggml.padding_token_id", 0xffffffffU);
  if (!chat_template.empty()) writer.add_string("tokenizer.chat_template", chat_template);
}

std::vector<std::string> tiny_pieces() {
  const std::string mark = "\xe2\x96\x81";
  return {mark + "t", "he", mark + "the", "in", "er", mark + "a", "ll", "or", mark + "w", mark, "e", "t", "a", "o",
          "i",        "n",  "s",          "h",  "r",  "l",        "w",  "d",  "\xc3\xa9", "<",  ">", "/", "u", "\n"};
}

void add_tiny_spm(GgufWriter& writer) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types = {2, 3, 3};
  for (unsigned byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", byte);
    tokens.emplace_back(text);
    types.push_back(6);
  }
  std::vector<float> scores(tokens.size(), 0.0F);
  for (const std::string& piece : tiny_pieces()) {
    tokens.push_back(piece);
    types.push_back(1);
    scores.push_back(-static_cast<float>(scores.size()));
  }
  writer.add_string("tokenizer.ggml.model", "llama");
  writer.add_strings("tokenizer.ggml.tokens", tokens)
      .add_f32s("tokenizer.ggml.scores", scores)
      .add_i32s("tokenizer.ggml.token_type", types);
  writer.add_u32("tokenizer.ggml.unknown_token_id", 0).add_u32("tokenizer.ggml.bos_token_id", 1).add_u32("tokenizer.ggml.eos_token_id", 2);
}

std::string tiny_chat_template() {
  return "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\n"
         "You are a helpful test.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' "
         "+ '\n'}}"
         "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";
}

}  // namespace spillway::model::test
