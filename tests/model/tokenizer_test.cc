#include "model/tokenizer.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/model/shared_data.h"
#include "tests/model/tiny_vocabulary.h"

using namespace spillway;
using namespace spillway::model;
using namespace spillway::model::test;
using Ids = std::vector<core::TokenId>;

BOOST_AUTO_TEST_SUITE(tokenizer)

namespace {

std::shared_ptr<const Tokenizer> load(const GgufWriter& writer) {
  const core::ByteVector bytes = writer.finish();  // the tokenizer keeps nothing of it
  const auto file = GgufFile::parse(bytes);
  BOOST_REQUIRE(file);
  auto tokenizer = Tokenizer::from_gguf(*file);
  BOOST_REQUIRE_MESSAGE(tokenizer, (tokenizer ? "" : tokenizer.error().message));
  return *tokenizer;
}

std::shared_ptr<const Tokenizer> open(const std::string& path) {
  const auto file = GgufFile::open(path);
  BOOST_REQUIRE(file);
  auto tokenizer = Tokenizer::from_gguf(*file);
  BOOST_REQUIRE_MESSAGE(tokenizer, (tokenizer ? "" : tokenizer.error().message));
  return *tokenizer;
}

std::shared_ptr<const Tokenizer> tiny_bpe(std::string_view rule = "smollm") {
  GgufWriter writer;
  add_tiny_bpe(writer, rule, "");
  return load(writer);
}

std::shared_ptr<const Tokenizer> tiny_spm() {
  GgufWriter writer;
  add_tiny_spm(writer);
  return load(writer);
}

std::string random_text(std::mt19937& random, bool valid) {
  static const std::vector<std::string> parts = {
      "the",   " the",     " world",       "  ",          "\n",   "1",          "234",    "'ll",
      "aaaaa", "\xc3\xa9", "\xe4\xb8\x96", "<s>",         "</s>", "<|im_end|>", "[user]", "\xf0\x9f\x98\x80",
      "in",    "er",       "\t",           "\xe2\x96\x81"};
  std::string text;
  for (unsigned i = random() % 30; i > 0; --i) {
    if (!valid && random() % 4 == 0) {
      text += static_cast<char>(random());
    } else if (random() % 4 == 0) {
      std::uint32_t point = random() % 0x110000;
      if (point >= 0xd800 && point < 0xe000) point = 'x';
      append_utf8(point, text);
    } else {
      text += parts[random() % parts.size()];
    }
  }
  return text;
}

/// The cases of a JSON file of [{text, ids}] that come out unequal.
unsigned wrong_cases(const Tokenizer& tokenizer, const std::string& path, unsigned& ran) {
  unsigned wrong = 0;
  const boost::json::value cases = read_json(path);
  for (const auto& c : cases.as_array()) {
    const std::string text = text_of(c.at("text"));
    const Ids want = ids_of(c.at("ids"));
    const Ids got = tokenizer.encode(text);
    ++ran;
    if (got == want && *tokenizer.decode(got) == text) continue;
    ++wrong;
    BOOST_TEST_MESSAGE("text \"" << text << "\"\n  got  " << to_text(got) << "\n  want " << to_text(want));
  }
  return wrong;
}

/// The cases of a pair of files NAME.inp and NAME.out.
unsigned wrong_lines(const Tokenizer& tokenizer, const std::string& gguf, unsigned& ran) {
  const std::string all = read_text(gguf + ".inp");
  std::istringstream ids(read_text(gguf + ".out"));
  const std::string separator = "\n__ggml_vocab_test__\n";
  unsigned wrong = 0;
  for (std::size_t from = 0; from < all.size();) {
    const std::size_t end = all.find(separator, from);
    const std::string text = all.substr(from, end == all.npos ? end : end - from);
    from = end == all.npos ? all.size() : end + separator.size();
    std::string line;
    std::getline(ids, line);
    std::istringstream numbers(line);
    const Ids want{std::istream_iterator<core::TokenId>(numbers), {}};
    const Ids got = tokenizer.encode(text);
    ++ran;
    if (got == want && *tokenizer.decode(got) == text) continue;
    ++wrong;
    BOOST_TEST_MESSAGE("text \"" << text << "\"\n  got  " << to_text(got) << "\n  want " << to_text(want));
  }
  return wrong;
}

}  // namespace

BOOST_AUTO_TEST_CASE(special_tokens_are_parsed_only_on_request) {
  const auto tokenizer = tiny_bpe();
  BOOST_TEST(tokenizer->encode("<|im_end|>", {.special = true}) == Ids{2}, boost::test_tools::per_element());
  const Ids plain = tokenizer->encode("<|im_end|>");
  BOOST_TEST(plain.size() == 10U);
  BOOST_TEST(*tokenizer->decode(plain) == "<|im_end|>");
  BOOST_TEST(*tokenizer->decode(Ids{1, 2}) == "<|im_start|><|im_end|>");
  BOOST_TEST(*tokenizer->decode(Ids{1, 2}, true) == "");
  BOOST_TEST(tokenizer->piece(2) == "");
  BOOST_TEST(tokenizer->encode("", {.special = false, .bos = true}) == Ids{1}, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(user_defined_tokens_are_always_parsed) {
  const auto tokenizer = tiny_bpe();
  const Ids ids = tokenizer->encode("a[user]b");
  BOOST_TEST(ids.size() == 3U);
  BOOST_TEST(tokenizer->vocabulary().text(ids[1]) == "[user]");
  BOOST_TEST(*tokenizer->decode(ids) == "a[user]b");
}

BOOST_AUTO_TEST_CASE(plain_text_never_becomes_a_control_token) {
  // The pieces "<", "/", "s", ">" must not join to </s> although that text is in the vocabulary.
  for (const auto& tokenizer : {tiny_spm(), tiny_bpe()}) {
    std::mt19937 random(11);
    for (int round = 0; round < 500; ++round) {
      for (const core::TokenId id : tokenizer->encode(random_text(random, true))) BOOST_REQUIRE(!tokenizer->vocabulary().is_special(id));
    }
    BOOST_TEST(*tokenizer->decode(tokenizer->encode("<unk> </s>")) == "<unk> </s>");
  }
}

BOOST_AUTO_TEST_CASE(decode_undoes_encode) {
  unsigned ran = 0;
  for (const auto& tokenizer : {tiny_spm(), tiny_bpe(), tiny_bpe("gpt-2")}) {
    std::mt19937 random(3);
    for (int round = 0; round < 2000; ++round) {
      const bool valid = round % 2 == 0;
      // U+2581 stands for a space in SentencePiece vocabularies and comes back as one.
      std::string text = random_text(random, valid);
      for (std::size_t at; tokenizer->model_name() == "llama" && (at = text.find("\xe2\x96\x81")) != text.npos;) text.replace(at, 3, " ");
      const bool special = round % 3 == 0;
      const auto back = tokenizer->decode(tokenizer->encode(text, {.special = special}));
      BOOST_REQUIRE(back);
      BOOST_REQUIRE_EQUAL(*back, text);
      ++ran;
    }
  }
  BOOST_TEST(ran == 6000U);
}

BOOST_AUTO_TEST_CASE(any_bytes_come_back_under_every_rule) {
  std::istringstream names(split_rule_names());
  unsigned ran = 0;
  for (std::string name; std::getline(names >> std::ws, name, ',');) {
    const auto tokenizer = tiny_bpe(name);
    std::mt19937 random(5);
    for (int round = 0; round < 60; ++round, ++ran) {
      const std::string text = random_text(random, round % 2 == 0);
      BOOST_REQUIRE_EQUAL(*tokenizer->decode(tokenizer->encode(text)), text);
    }
  }
  BOOST_TEST(ran > 3000U);
}

BOOST_AUTO_TEST_CASE(files_that_name_no_rule_have_the_default_one) {
  GgufWriter writer;
  add_tiny_bpe(writer, "", "");
  const auto without = load(writer);
  // Punctuation is cut out first: both spaces before it are one word, which gpt-2 parts.
  BOOST_TEST(without->encode("a  !").size() == 3U);
  BOOST_TEST(tiny_bpe("gpt-2")->encode("a  !").size() == 4U);
}

// No merge makes "worl"; as a word it is a token all the same.
BOOST_AUTO_TEST_CASE(whole_words_are_tokens_where_the_rule_says_so) {
  const auto encode = [](const char* rule, const char* text) {
    GgufWriter writer;
    add_tiny_bpe(writer, rule, "", {"worl", "\xc4\xa0worl"});
    return load(writer)->encode(text);
  };
  BOOST_TEST(encode("qwen2", "worl worl").size() > 2U);
  BOOST_TEST(encode("llama-bpe", "worl worl").size() == 2U);
  BOOST_TEST(encode("llama-bpe", "worlx").size() > 2U);
}

BOOST_AUTO_TEST_CASE(bos_and_eos_come_only_when_asked_for) {
  GgufWriter writer;
  add_tiny_bpe(writer, "gpt-2", "");
  writer.add_bool("tokenizer.ggml.add_eos_token", true);
  const auto both = load(writer);
  const Ids plain = both->encode("the");
  BOOST_TEST(plain == tiny_bpe("gpt-2")->encode("the"), boost::test_tools::per_element());
  Ids want = plain;
  want.insert(want.begin(), 1);
  BOOST_TEST(both->encode("the", {.special = false, .bos = true}) == want, boost::test_tools::per_element());
  BOOST_TEST(*both->encode_prompt("the") == plain, boost::test_tools::per_element());  // nothing goes behind a prompt
  want.push_back(2);
  BOOST_TEST(both->encode("the", {.special = false, .bos = true, .eos = true}) == want, boost::test_tools::per_element());
  want.pop_back();
  BOOST_TEST(tiny_bpe("gpt-2")->encode("the", {.special = false, .bos = true, .eos = true}) == want, boost::test_tools::per_element());
}

// A tokenizer that looked at all pairs for each join would take hours here.
BOOST_AUTO_TEST_CASE(a_megabyte_without_spaces_is_encoded) {
  std::mt19937 random(2);
  std::string mixed;
  while (mixed.size() < 1U << 20) mixed += "theinroldaw<\n"[random() % 13];
  for (const std::string& text : {std::string(1U << 20, 'a'), std::string(1U << 20, '<'), mixed}) {
    for (const auto& tokenizer : {tiny_spm(), tiny_bpe("gpt-2"), tiny_bpe("llama-bpe"), tiny_bpe("default")}) {
      BOOST_TEST((*tokenizer->decode(tokenizer->encode(text, {.special = true})) == text));
    }
  }
}

BOOST_AUTO_TEST_CASE(prompts_get_bos_where_the_model_wants_it) {
  BOOST_TEST(tiny_spm()->encode_prompt("")->size() == 1U);
  BOOST_TEST(tiny_spm()->encode_prompt("the")->front() == 1);
  const auto none = tiny_bpe()->encode_prompt("");
  BOOST_REQUIRE(!none);
  BOOST_TEST(none.error().message.find("prompt is empty") != std::string::npos);
  BOOST_TEST(tiny_bpe()->is_end(2));
  BOOST_TEST(tiny_bpe()->is_end(0));
  BOOST_TEST(!tiny_bpe()->is_end(1));
  BOOST_TEST(!tiny_bpe()->decode(Ids{100000}));
  BOOST_TEST(!tiny_bpe()->decode(Ids{-1}));
}

BOOST_AUTO_TEST_CASE(refuses_what_it_cannot_do_by_name) {
  const auto error = [](const GgufWriter& writer) {
    const core::ByteVector bytes = writer.finish();
    const auto file = GgufFile::parse(bytes);
    BOOST_REQUIRE(file);
    const auto tokenizer = Tokenizer::from_gguf(*file);
    BOOST_REQUIRE(!tokenizer);
    return tokenizer.error().message;
  };
  const auto says = [&](const GgufWriter& writer, std::string_view part) {
    const std::string message = error(writer);
    BOOST_TEST(message.find(part) != std::string::npos, message);
  };
  const std::vector<std::string> one = {"a"};
  const std::vector<float> two = {0, 1};
  const std::vector<std::int32_t> odd = {9};
  says(GgufWriter(), "\"tokenizer.ggml.model\" is missing");
  says(GgufWriter().add_string("tokenizer.ggml.model", "bert"), "\"bert\" is not supported");
  says(GgufWriter().add_string("tokenizer.ggml.model", "llama"), "\"tokenizer.ggml.tokens\" is missing");
  const auto spm = [&] { return GgufWriter().add_string("tokenizer.ggml.model", "llama").add_strings("tokenizer.ggml.tokens", one); };
  says(spm(), "lacks \"<0x00>\"");
  says(spm().add_f32s("tokenizer.ggml.scores", two), "scores has 2 entries: want 1");
  says(spm().add_i32s("tokenizer.ggml.token_type", odd), "token_type[0] = 9");
  says(spm().add_u32("tokenizer.ggml.unknown_token_id", 5), "unknown_token_id\" = 5");
  const auto bpe = [&] { return GgufWriter().add_string("tokenizer.ggml.model", "gpt2").add_strings("tokenizer.ggml.tokens", one); };
  says(bpe().add_string("tokenizer.ggml.pre", "no-such"), "\"no-such\" is not supported; known: default, gpt-2,");
  says(bpe().add_string("tokenizer.ggml.pre", "smollm"), "merges\" is missing");
  says(bpe().add_string("tokenizer.ggml.pre", "smollm").add_strings("tokenizer.ggml.merges", one), "lacks a token for byte 32");
  says(bpe()
           .add_string("tokenizer.ggml.pre", "smollm")
           .add_strings("tokenizer.ggml.merges", one)
           .add_u32("tokenizer.ggml.unknown_token_id", 0),
       "merges[0] = \"a\"");
}

BOOST_AUTO_TEST_CASE(ids_equal_those_of_other_engines) {
  unsigned ran = 0;
  for (const char* name : {"deepseek-llm", "gpt-2", "llama-spm", "starcoder"}) {
    if (const auto path = shared_path("golden/tokenizers/ggml-vocab-" + std::string(name) + ".gguf")) {
      BOOST_TEST(wrong_lines(*open(*path), *path, ran) == 0U, name);
    }
  }
  const auto model = default_model_path();
  if (const auto path = shared_path("golden/tokenizers/smollm2.json"); path && model)
    BOOST_TEST(wrong_cases(*open(*model), *path, ran) == 0U);
  const auto gemma = stored_path("gemma3-270m/gemma-3-270m-q4_k_m.gguf");
  if (const auto path = shared_path("golden/tokenizers/gemma3.json"); path && gemma)
    BOOST_TEST(wrong_cases(*open(*gemma), *path, ran) == 0U);
  BOOST_TEST_MESSAGE("shared tokenizer cases: " << ran << (ran == 0 ? " (shared material absent)" : ""));
}

BOOST_AUTO_TEST_CASE(prompt_ids_equal_those_of_other_engines) {
  unsigned ran = 0;
  const auto run = [&](const std::string& cases_path, const Tokenizer& tokenizer) {
    const boost::json::value file = read_json(cases_path);
    for (const auto& c : file.at("cases").as_array()) {
      if (!c.as_object().contains("prompt")) continue;
      const auto got = tokenizer.encode_prompt(text_of(c.at("prompt")));
      BOOST_REQUIRE(got);
      BOOST_TEST(*got == ids_of(c.at("prompt_tokens")), boost::test_tools::per_element());
      ++ran;
      if (!c.as_object().contains("text")) continue;
      std::string text;
      for (const core::TokenId id : ids_of(c.at("tokens"))) text += tokenizer.piece(id);
      BOOST_TEST(text == text_of(c.at("text")));
    }
  };
  const auto stories = shared_path("data/models/stories260K.gguf");
  if (const auto path = shared_path("golden/stories260k.json"); path && stories) run(*path, *open(*stories));
  const auto model = default_model_path();
  if (const auto path = shared_path("golden/smollm2.json"); path && model) run(*path, *open(*model));
  BOOST_TEST_MESSAGE("shared prompts: " << ran << (ran == 0 ? " (shared material absent)" : ""));
}

BOOST_AUTO_TEST_SUITE_END()
