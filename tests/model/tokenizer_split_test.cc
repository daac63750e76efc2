#include "model/tokenizer_split.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <random>
#include <string>
#include <vector>

using namespace spillway::model;
namespace bdata = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(tokenizer_split)

namespace {

struct Case {
  const char* rule;
  SplitRule split;
  std::string text;
  std::vector<std::string> words;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.rule; }
};

const Case cases[] = {
    {"nothing gives nothing", SplitRule::gpt2, "", {}},
    {"a space goes with the word behind it", SplitRule::gpt2, "a bc d", {"a", " bc", " d"}},
    {"digits run together", SplitRule::gpt2, "in 1969!", {"in", " 1969", "!"}},
    {"smollm: digits stand alone and part the runs", SplitRule::smollm, "in 1969!", {"in", " ", "1", "9", "6", "9", "!"}},
    {"smollm: spaces before a digit end a run", SplitRule::smollm, "a   4", {"a", "   ", "4"}},
    {"all but the last of several spaces stand alone", SplitRule::gpt2, "a   b", {"a", "  ", " b"}},
    {"spaces at the end are one word", SplitRule::gpt2, "a   ", {"a", "   "}},
    {"only spaces", SplitRule::gpt2, "   ", {"   "}},
    {"a line break does not go with a word", SplitRule::gpt2, "a\nb", {"a", "\n", "b"}},
    {"line break and space: the space goes", SplitRule::gpt2, "a\n b", {"a", "\n", " b"}},
    {"contractions", SplitRule::gpt2, "I'll don't we've 's 'x", {"I", "'ll", " don", "'t", " we", "'ve", " '", "s", " '", "x"}},
    {"contractions are lower case", SplitRule::gpt2, "I'LL", {"I", "'", "LL"}},
    {"cut contraction at the end", SplitRule::gpt2, "we'r", {"we", "'", "r"}},
    {"symbols run together, a space in front", SplitRule::gpt2, "a ?!b", {"a", " ?!", "b"}},
    {"letters of any script", SplitRule::gpt2, "\xc3\x84pfel \xe6\x97\xa5\xe6\x9c\xac", {"\xc3\x84pfel", " \xe6\x97\xa5\xe6\x9c\xac"}},
    {"other numbers are numbers", SplitRule::smollm, "\xc2\xbd\xe2\x85\xab", {"\xc2\xbd", "\xe2\x85\xab"}},
    {"combining marks are symbols", SplitRule::gpt2, "e\xcc\x81z", {"e", "\xcc\x81", "z"}},
    {"no-break and ideographic spaces are spaces", SplitRule::gpt2, "a\xc2\xa0\xe3\x80\x80 b", {"a", "\xc2\xa0\xe3\x80\x80", " b"}},
    {"NEL is a space",
     SplitRule::gpt2,
     "a\xc2\x85"
     "b",
     {"a", "\xc2\x85", "b"}},
    {"zero-width space is a symbol",
     SplitRule::gpt2,
     "a\xe2\x80\x8b"
     "b",
     {"a", "\xe2\x80\x8b", "b"}},
    {"broken UTF-8 is symbols, byte by byte",
     SplitRule::gpt2,
     "a\xff\xc3"
     "b",
     {"a", "\xff\xc3", "b"}},
    {"surrogates and overlong forms are broken", SplitRule::gpt2, "\xed\xa0\x80\xc0\x80", {"\xed\xa0\x80\xc0\x80"}},
    {"a character cut at the end is broken", SplitRule::gpt2, "a\xe6\x97", {"a", "\xe6\x97"}},
};

}  // namespace

BOOST_DATA_TEST_CASE(splits, bdata::make(cases), c) {
  std::vector<std::string_view> words;
  split_words(c.split, c.text, words);
  BOOST_TEST(std::vector<std::string>(words.begin(), words.end()) == c.words, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(decodes_every_code_point_and_refuses_the_rest) {
  unsigned right = 0;
  for (std::uint32_t point = 0; point <= 0x10ffff; ++point) {
    std::string text;
    append_utf8(point, text);
    const CodePoint read = decode_utf8(text);
    const bool surrogate = point >= 0xd800 && point < 0xe000;
    right += surrogate ? read.value == not_a_character && read.bytes == 1 : read.value == point && read.bytes == text.size();
  }
  BOOST_TEST(right == 0x110000U);
  for (const char* bad : {"\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xe2\x82"}) {
    BOOST_TEST(decode_utf8(bad).value == not_a_character);
    BOOST_TEST(decode_utf8(bad).bytes == 1);
  }
}

BOOST_AUTO_TEST_CASE(words_of_any_bytes_make_up_the_text) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (unsigned i = random() % 40; i > 0; --i) text += random() % 3 == 0 ? " 'll\n9\xc3\xa9"[random() % 9] : static_cast<char>(random());
    for (const SplitRule rule : {SplitRule::gpt2, SplitRule::smollm}) {
      std::vector<std::string_view> words;
      split_words(rule, text, words);
      std::string joined;
      bool empty = false;
      for (const auto word : words) joined += word, empty = empty || word.empty();
      BOOST_REQUIRE(joined == text);
      BOOST_REQUIRE(!empty);
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
