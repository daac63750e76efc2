#include "model/tokenizer_spm.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <vector>

#include "model/tokenizer.h"
#include "tests/model/tiny_vocabulary.h"

using namespace spillway;
using namespace spillway::model;
using namespace spillway::model::test;

BOOST_AUTO_TEST_SUITE(tokenizer_spm)

namespace {

std::shared_ptr<const Tokenizer> tiny(bool add_space = true) {
  GgufWriter writer;
  add_tiny_spm(writer);
  if (!add_space) writer.add_bool("tokenizer.ggml.add_space_prefix", false);
  const core::ByteVector bytes = writer.finish();
  return *Tokenizer::from_gguf(*GgufFile::parse(bytes));
}

std::vector<std::string> texts(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::string> out;
  for (const core::TokenId id : tokenizer.encode(text)) out.emplace_back(tokenizer.vocabulary().text(id));
  return out;
}

const std::string mark = "\xe2\x96\x81";

/// The definition: join the neighbours whose text is the token of highest score, leftmost first.
std::vector<std::string> slow_join(const Vocabulary& vocabulary, const std::string& text) {
  std::vector<std::string> parts;
  for (const char c : text) parts.push_back(c == ' ' ? mark : std::string(1, c));
  for (;;) {
    std::size_t best = parts.size();
    float best_score = 0;
    for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto token = vocabulary.find_plain(parts[i] + parts[i + 1]);
      if (!token || (best != parts.size() && vocabulary.score(*token) <= best_score)) continue;
      best = i;
      best_score = vocabulary.score(*token);
    }
    if (best == parts.size()) return parts;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(best) + 1);
  }
}

}  // namespace

BOOST_AUTO_TEST_CASE(joins_by_score_with_a_space_in_front) {
  BOOST_TEST(texts(*tiny(), "the inn") == (std::vector<std::string>{mark + "the", mark, "in", "n"}), boost::test_tools::per_element());
  BOOST_TEST(texts(*tiny(false), "the") == (std::vector<std::string>{"t", "he"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(unknown_characters_fall_back_to_bytes) {
  BOOST_TEST(texts(*tiny(false), "\xe2\x82\xac\xff") == (std::vector<std::string>{"<0xE2>", "<0x82>", "<0xAC>", "<0xFF>"}),
             boost::test_tools::per_element());
  BOOST_TEST(texts(*tiny(false), "\xc3\xa9") == (std::vector<std::string>{"\xc3\xa9"}), boost::test_tools::per_element());
  BOOST_TEST(*SpmModel::byte_of("<0x0a>") == 10);
  BOOST_TEST(!SpmModel::byte_of("<0xG0>"));
  BOOST_TEST(!SpmModel::byte_of("<0x00"));
}

BOOST_AUTO_TEST_CASE(special_tokens_take_the_space_prefix_anew) {
  const auto tokenizer = tiny();
  const auto ids = tokenizer->encode("the</s>the", {.special = true});
  BOOST_TEST(ids.size() == 3U);
  BOOST_TEST(ids[0] == ids[2]);
  BOOST_TEST(*tokenizer->decode(ids) == "the</s>the");
  BOOST_TEST(tokenizer->piece(ids[0]) == " the");  // in generated text the space stays
}

BOOST_AUTO_TEST_CASE(equals_the_plain_definition) {
  const auto tokenizer = tiny(false);
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    std::string text;
    for (unsigned i = 1 + random() % 20; i > 0; --i) text += " theinrlaowd s</"[random() % 16];
    std::vector<std::string> want;
    for (const std::string& part : slow_join(tokenizer->vocabulary(), text)) {
      if (part == "</s>") continue;  // cannot be: a control token
      want.push_back(part);
    }
    const std::vector<std::string> got = texts(*tokenizer, text);
    BOOST_REQUIRE_EQUAL_COLLECTIONS(got.begin(), got.end(), want.begin(), want.end());
  }
}

BOOST_AUTO_TEST_CASE(a_long_text_is_no_trap) {
  const auto tokenizer = tiny();
  std::string text;
  while (text.size() < 1'000'000) text += "the er ";
  BOOST_TEST((*tokenizer->decode(tokenizer->encode(text)) == text));
}

BOOST_AUTO_TEST_SUITE_END()
