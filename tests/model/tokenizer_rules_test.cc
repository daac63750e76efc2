#include "model/tokenizer_rules.h"

#include <algorithm>
#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

using namespace spillway::model;
namespace bdata = boost::unit_test::data;

BOOST_AUTO_TEST_SUITE(tokenizer_rules)

namespace {

struct Case {
  const char* rule;
  const char* split;  // the rule's name
  std::string text;
  std::vector<std::string> words;
  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.rule; }
};

const Case cases[] = {
    {"nothing gives nothing", "gpt-2", "", {}},
    {"a space goes with the word behind it", "gpt-2", "a bc d", {"a", " bc", " d"}},
    {"digits run together", "gpt-2", "in 1969!", {"in", " 1969", "!"}},
    {"smollm: digits stand alone and part the runs", "smollm", "in 1969!", {"in", " ", "1", "9", "6", "9", "!"}},
    {"smollm: spaces before a digit end a run", "smollm", "a   4", {"a", "   ", "4"}},
    {"all but the last of several spaces stand alone", "gpt-2", "a   b", {"a", "  ", " b"}},
    {"spaces at the end are one word", "gpt-2", "a   ", {"a", "   "}},
    {"only spaces", "gpt-2", "   ", {"   "}},
    {"a line break does not go with a word", "gpt-2", "a\nb", {"a", "\n", "b"}},
    {"line break and space: the space goes", "gpt-2", "a\n b", {"a", "\n", " b"}},
    {"contractions", "gpt-2", "I'll don't we've 's 'x", {"I", "'ll", " don", "'t", " we", "'ve", " '", "s", " '", "x"}},
    {"contractions are lower case", "gpt-2", "I'LL", {"I", "'", "LL"}},
    {"cut contraction at the end", "gpt-2", "we'r", {"we", "'", "r"}},
    {"symbols run together, a space in front", "gpt-2", "a ?!b", {"a", " ?!", "b"}},
    {"letters of any script", "gpt-2", "\xc3\x84pfel \xe6\x97\xa5\xe6\x9c\xac", {"\xc3\x84pfel", " \xe6\x97\xa5\xe6\x9c\xac"}},
    {"other numbers are numbers", "smollm", "\xc2\xbd\xe2\x85\xab", {"\xc2\xbd", "\xe2\x85\xab"}},
    {"combining marks are symbols", "gpt-2", "e\xcc\x81z", {"e", "\xcc\x81", "z"}},
    {"no-break and ideographic spaces are spaces", "gpt-2", "a\xc2\xa0\xe3\x80\x80 b", {"a", "\xc2\xa0\xe3\x80\x80", " b"}},
    {"NEL is a space",
     "gpt-2",
     "a\xc2\x85"
     "b",
     {"a", "\xc2\x85", "b"}},
    {"zero-width space is a symbol",
     "gpt-2",
     "a\xe2\x80\x8b"
     "b",
     {"a", "\xe2\x80\x8b", "b"}},
    {"broken UTF-8 is symbols, byte by byte",
     "gpt-2",
     "a\xff\xc3"
     "b",
     {"a", "\xff\xc3", "b"}},
    {"surrogates and overlong forms are broken", "gpt-2", "\xed\xa0\x80\xc0\x80", {"\xed\xa0\x80\xc0\x80"}},
    {"a character cut at the end is broken", "gpt-2", "a\xe6\x97", {"a", "\xe6\x97"}},
    // The default: punctuation first, then as gpt-2, then digits by threes.
    {"default: punctuation is cut out before words are looked at",
     "default",
     "I'll say: \"hi\"",
     {"I", "'", "ll", " say", ":", " ", "\"", "hi", "\""}},
    {"default: digits by threes, counted from the left", "default", "in 12345 x", {"in", " ", "123", "45", " x"}},
    {"default: ASCII symbols are cut out but the grave accent", "default", "a <=> `b`", {"a", " ", "<=>", " `", "b", "`"}},
    {"default: other symbols stay with their space", "default", "a \xe2\x86\x92 b", {"a", " \xe2\x86\x92", " b"}},
    {"default: numbers of other scripts are not cut by threes",
     "default",
     "\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4",
     {"\xd9\xa1\xd9\xa2\xd9\xa3\xd9\xa4"}},
    {"falcon: the grave accent is punctuation too", "falcon", "a `b~c`", {"a", " ", "`", "b", "~", "c", "`"}},
    {"falcon: digits by threes, the space in front parted", "falcon", "w 048576x", {"w", " ", "048", "576", "x"}},
    {"falcon: two digits keep their space", "falcon", "w 04", {"w", " 04"}},
    {"llama-bpe: contractions in any case", "llama-bpe", "I'LL we'Ve 'T's", {"I", "'LL", " we", "'Ve", " '", "T", "'s"}},
    {"llama-bpe: a word takes one character in front, but no line break or number",
     "llama-bpe",
     "(ab)cd\tef\ngh1ij",
     {"(ab", ")cd", "\tef", "\n", "gh", "1", "ij"}},
    {"llama-bpe: up to three digits, without a space", "llama-bpe", "in 1234567", {"in", " ", "123", "456", "7"}},
    {"llama-bpe: symbols take the line breaks behind them", "llama-bpe", "x;\r\n\n y", {"x", ";\r\n\n", " y"}},
    {"llama-bpe: spaces up to the last line break are a word", "llama-bpe", "a \n \n  b", {"a", " \n \n", " ", " b"}},
    {"llama-bpe: all but the last of several spaces stand alone", "llama-bpe", "a   b", {"a", "  ", " b"}},
    {"llama-bpe: a digit leaves the spaces before it", "llama-bpe", "a   1", {"a", "  ", " ", "1"}},
    {"llama-bpe: combining marks part words", "llama-bpe", "e\xcc\x81z \xcc\x81", {"e", "\xcc\x81z", " \xcc\x81"}},
    {"llama-bpe: U+017F is no s", "llama-bpe", "a'\xc5\xbf", {"a", "'\xc5\xbf"}},
    {"llama-bpe: an apostrophe at the end", "llama-bpe", "ab'", {"ab", "'"}},
    {"llama3 under its other names", "chatglm-bpe", "in 1234", {"in", " ", "123", "4"}},
    {"qwen2: digits alone", "qwen2", "in 12, OK", {"in", " ", "1", "2", ",", " OK"}},
    {"qwen35: marks belong to words", "qwen35", "e\xcc\x81z \xcc\x81", {"e\xcc\x81z", " \xcc\x81"}},
    {"gpt-4o: camel case parts words", "gpt-4o", "camelCase HTTPServer", {"camel", "Case", " HTTPServer"}},
    {"gpt-4o: contractions end a word", "gpt-4o", "we'll DON'T", {"we'll", " DON'T"}},
    {"gpt-4o: slashes go with symbols", "gpt-4o", "x =/\n/y 1234", {"x", " =/\n/", "y", " ", "123", "4"}},
    {"gpt-4o: letters that are not ASCII are small and capital", "gpt-4o", "A\xc3\x89Q Q\xc3\xa9q", {"A\xc3\x89", "Q", " Q\xc3\xa9q"}},
    {"tekken: no contractions, digits alone", "tekken", "we'll 12", {"we", "'ll", " ", "1", "2"}},
    {"deepseek-llm: line breaks alone", "deepseek-llm", "a\r\n\nb", {"a", "\r", "\n", "\n", "b"}},
    {"deepseek-llm: one space of any kind goes with a word",
     "deepseek-llm",
     "a \t b\xe3\x80\x80"
     "c",
     {"a", " \t", " b",
      "\xe3\x80\x80"
      "c"}},
    {"deepseek-llm: ASCII words are cut once more by the list of punctuation", "deepseek-llm", "caf\xc3\xa9s", {"caf", "\xc3\xa9", "s"}},
    {"deepseek-llm: spaces at the end of a piece", "deepseek-llm", "\xe6\x97\xa5  ", {"\xe6\x97\xa5", "  "}},
    {"deepseek-llm: Han and Hangul apart from other letters",
     "deepseek-llm",
     "\xd4\xb1\xd5\xa1\xe6\x97\xa5\xea\xb0\x80",
     {"\xd4\xb1", "\xd5\xa1", "\xe6\x97\xa5\xea\xb0\x80"}},
    {"deepseek-llm: numbers run together and leave their space", "deepseek-llm", "a 123,4", {"a", " ", "123", ",", "4"}},
    {"deepseek-coder: digits alone", "deepseek-coder", "a 12", {"a", " ", "1", "2"}},
    {"deepseek-coder: punctuation takes a space, symbols do not", "deepseek-coder", "a (= )", {"a", " (", "=", " )"}},
    {"deepseek-coder: letters of all scripts but the listed ones are one word",
     "deepseek-coder",
     "a\xd5\xa1z\xe6\x97\xa5",
     {"a\xd5\xa1z", "\xe6\x97\xa5"}},
    {"deepseek-coder: the wide list takes in general punctuation",
     "deepseek-coder",
     "\xe2\x80\x94\xe2\x86\x92",
     {"\xe2\x80\x94", "\xe2\x86\x92"}},
    {"deepseek-v3: three digits, Han and kana, words with marks",
     "deepseek-v3",
     "e\xcc\x81z1234\xe3\x81\x82\xe6\x97\xa5"
     "a",
     {"e\xcc\x81z", "123", "4", "\xe3\x81\x82\xe6\x97\xa5", "a"}},
    {"deepseek-v3: ASCII punctuation goes with ASCII letters",
     "deepseek-v3",
     "(foo .bar\xc3\xa9 +\n",
     {"(foo", " .", "bar\xc3\xa9", " +\n"}},
    {"bloom: words end at stops and brackets", "bloom", "a b(c), d", {"a", " b", "(", "c", "),", " d"}},
    {"viking: as bloom, digits alone", "viking", "a 12", {"a", " ", "1", "2"}},
};

/// Every rule by every name.
std::vector<const SplitRule*> all_rules() {
  std::vector<const SplitRule*> rules;
  std::istringstream names(split_rule_names());
  for (std::string name; std::getline(names >> std::ws, name, ',');) rules.push_back(find_split_rule(name));
  return rules;
}

/// One rule for each list of cuts.
std::vector<const SplitRule*> different_rules() {
  std::vector<const SplitRule*> rules;
  for (const SplitRule* rule : all_rules()) {
    const auto same = [&](const SplitRule* other) { return other->cuts.data() == rule->cuts.data(); };
    if (std::none_of(rules.begin(), rules.end(), same)) rules.push_back(rule);
  }
  return rules;
}

}  // namespace

BOOST_DATA_TEST_CASE(splits, bdata::make(cases), c) {
  const SplitRule* rule = find_split_rule(c.split);
  BOOST_REQUIRE(rule != nullptr);
  std::vector<std::string_view> words;
  split_words(rule->cuts, c.text, words);
  BOOST_TEST(std::vector<std::string>(words.begin(), words.end()) == c.words, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(words_of_any_bytes_make_up_the_text) {
  std::mt19937 random(7);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (unsigned i = random() % 40; i > 0; --i)
      text += random() % 3 == 0 ? " 'lL\n9\xc3\xa9,"[random() % 10] : static_cast<char>(random());
    for (const SplitRule* rule : different_rules()) {
      std::vector<std::string_view> words;
      split_words(rule->cuts, text, words);
      std::string joined;
      bool empty = false;
      for (const auto word : words) joined += word, empty = empty || word.empty();
      BOOST_REQUIRE(joined == text);
      BOOST_REQUIRE(!empty);
    }
  }
}

BOOST_AUTO_TEST_CASE(every_listed_name_has_its_rule) {
  const auto rules = all_rules();
  BOOST_TEST(rules.size() > 50U);
  for (const SplitRule* rule : rules) {
    BOOST_REQUIRE(rule != nullptr);
    BOOST_TEST(!rule->cuts.empty());
    BOOST_TEST((find_split_rule(rule->name) == rule), rule->name);  // no name twice
  }
  for (const char* name :
       {"gpt-2", "llama-bpe", "qwen2", "deepseek-llm", "deepseek-coder", "starcoder", "refact", "smollm", "falcon", "default"})
    BOOST_TEST((find_split_rule(name) != nullptr), name);
  BOOST_TEST((find_split_rule("no-such-rule") == nullptr));
  BOOST_TEST(find_split_rule("llama-bpe")->whole_words);
  BOOST_TEST(!find_split_rule("chatglm-bpe")->whole_words);
}

// A rule that looks at a run of characters once for each of them would take hours here.
BOOST_AUTO_TEST_CASE(long_runs_take_linear_time) {
  constexpr std::size_t length = 1U << 16;
  std::size_t pieces = 0;
  for (const char* unit : {" ", "\n", " \t", "a", "A", "\xc3\x89", "1", "'", "=", "\xcc\x81", "\xc3\x89\x41", "A\xff"}) {
    std::string text;
    while (text.size() < length) text += unit;
    for (const std::string& whole : {text, text + "x", text + "1"}) {
      for (const SplitRule* rule : different_rules()) {
        std::vector<std::string_view> words;
        split_words(rule->cuts, whole, words);
        pieces += words.size();
      }
    }
  }
  BOOST_TEST(pieces > 0U);
}

BOOST_AUTO_TEST_SUITE_END()
