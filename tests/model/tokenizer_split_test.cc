#include "model/tokenizer_split.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

using namespace spillway::model;

BOOST_AUTO_TEST_SUITE(tokenizer_split)

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

namespace {

void cut_in_twos(Characters piece, std::vector<std::size_t>& lengths) {
  for (std::size_t at = 0; at < piece.size(); at += 2) lengths.push_back(std::min<std::size_t>(2, piece.size() - at));
}

void cut_first_off(Characters piece, std::vector<std::size_t>& lengths) {
  lengths.push_back(1);
  if (piece.size() > 1) lengths.push_back(piece.size() - 1);
}

std::vector<std::string> cut_by(std::vector<Cut> cuts, const std::string& text) {
  std::vector<std::string_view> words = {"of before"};
  split_words(cuts, text, words);
  return {words.begin(), words.end()};
}

}  // namespace

BOOST_AUTO_TEST_CASE(each_cut_is_made_on_all_pieces_of_the_one_before) {
  using Words = std::vector<std::string>;
  BOOST_TEST(cut_by({}, "abc") == Words{"abc"}, boost::test_tools::per_element());
  BOOST_TEST(cut_by({cut_in_twos}, "").empty());
  BOOST_TEST(cut_by({cut_in_twos}, "ab\xc3\xa9xy") == (Words{"ab", "\xc3\xa9x", "y"}), boost::test_tools::per_element());
  BOOST_TEST(cut_by({cut_first_off, cut_in_twos}, "abcde") == (Words{"a", "bc", "de"}), boost::test_tools::per_element());
  BOOST_TEST(cut_by({cut_in_twos, cut_first_off}, "abcde") == (Words{"a", "b", "c", "d", "e"}), boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(classes_are_those_of_unicode) {
  const auto all = [](std::u32string_view points, CharClass kind) {
    for (const char32_t point : points) BOOST_TEST((char_class(point) == kind), "U+" << std::hex << static_cast<unsigned>(point));
  };
  all(U"aZ\u00b5\u01c5\u02b0\u00aa\u4e00\U00010400", CharClass::letter);
  all(U"09\u00bd\u0663\u2167\u2460", CharClass::number);
  all(U" \t\n\v\f\r\u0085\u00a0\u1680\u2000\u2028\u2029\u202f\u205f\u3000", CharClass::space);
  all(U"\u0301\u0903\u20dd", CharClass::mark);
  all(U"!\"#%&'()*,-./:;?@[\\]_{}\u00a1\u2014\u2019\u3002", CharClass::punctuation);
  all(U"$+<=>^`|~\u00a3\u00b1\u02c2\u2192\U0001f600\ufffd", CharClass::symbol);
  all(U"\x01\x7f\u200b\u00ad\ue000\U0010ffff", CharClass::other);
  BOOST_TEST((char_class(not_a_character) == CharClass::symbol));
}

BOOST_AUTO_TEST_SUITE_END()
