#include "model/tokenizer_bpe.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <vector>

#include "model/tokenizer.h"
#include "tests/model/tiny_vocabulary.h"

using namespace spillway;
using namespace spillway::model;
using namespace spillway::model::test;

BOOST_AUTO_TEST_SUITE(tokenizer_bpe)

namespace {

std::shared_ptr<const Tokenizer> tiny() {
  GgufWriter writer;
  add_tiny_bpe(writer, "gpt-2", "");
  const core::ByteVector bytes = writer.finish();
  return *Tokenizer::from_gguf(*GgufFile::parse(bytes));
}

std::vector<std::string> texts(const Tokenizer& tokenizer, std::string_view text) {
  std::vector<std::string> out;
  for (const core::TokenId id : tokenizer.encode(text)) out.emplace_back(tokenizer.piece(id));
  return out;
}

/// The definition: join the pair of lowest rank, leftmost first, by looking at all pairs each time.
std::vector<std::string> slow_merge(const std::string& word) {
  std::vector<std::string> parts;
  for (const char c : word) parts.emplace_back(1, c);
  std::vector<std::pair<std::string, std::string>> merges;
  for (const std::string& merge : tiny_merges()) {
    const std::size_t space = merge.find(' ');
    merges.emplace_back(BpeModel::decode_text(merge.substr(0, space)), BpeModel::decode_text(merge.substr(space + 1)));
  }
  for (bool joined = true; joined;) {
    joined = false;
    for (const auto& [left, right] : merges) {
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        if (parts[i] != left || parts[i + 1] != right) continue;
        parts[i] += parts[i + 1];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        joined = true;
        break;
      }
      if (joined) break;
    }
  }
  std::vector<std::string> out;
  for (const std::string& part : parts) {
    if (part == "aa") {  // the result of a merge that is no token falls back to its bytes
      out.insert(out.end(), 2, "a");
    } else {
      out.push_back(part);
    }
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(joins_by_rank) {
  const auto tokenizer = tiny();
  BOOST_TEST(texts(*tokenizer, " the world") == (std::vector<std::string>{" the", " wor", "ld"}), boost::test_tools::per_element());
  BOOST_TEST(texts(*tokenizer, "aaaaaaa") == (std::vector<std::string>{"aaaa", "a", "a", "a"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(equals_the_plain_definition) {
  const auto tokenizer = tiny();
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    std::string word;
    for (unsigned i = 1 + random() % 16; i > 0; --i) word += "theinrlaowda"[random() % 12];
    BOOST_REQUIRE(texts(*tokenizer, word) == slow_merge(word));
  }
}

BOOST_AUTO_TEST_CASE(a_long_word_is_no_trap) {
  // A quadratic merge would need some 10^12 steps here and run into the test's time limit.
  const auto tokenizer = tiny();
  const std::string word(1'000'003, 'a');
  const auto ids = tokenizer->encode(word);
  BOOST_TEST(ids.size() == 250'000U + 3U);
  BOOST_TEST((*tokenizer->decode(ids) == word));
}

BOOST_AUTO_TEST_CASE(the_alphabet_covers_all_bytes) {
  const auto tokenizer = tiny();
  for (int byte = 0; byte < 256; ++byte) {
    const std::string text(1, static_cast<char>(byte));
    const auto ids = tokenizer->encode(text);
    BOOST_REQUIRE(ids.size() == 1U);
    BOOST_REQUIRE(ids[0] == 3 + byte);
    BOOST_REQUIRE(tokenizer->piece(ids[0]) == text);
  }
  BOOST_TEST(BpeModel::decode_text("\xe2\x82\xac") == "\xe2\x82\xac");  // outside the alphabet: itself
}

BOOST_AUTO_TEST_SUITE_END()
