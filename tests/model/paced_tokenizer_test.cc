#include "model/paced_tokenizer.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

using namespace spillway;

BOOST_AUTO_TEST_CASE(paced_vocabulary_writes_any_prompt_and_answers_in_words) {
  const auto tokenizer = model::paced_tokenizer(32'000);
  BOOST_REQUIRE(tokenizer.has_value());
  const std::string prompt = "Caption: \xc3\xa9t\xc3\xa9, goal!";
  const auto tokens = (*tokenizer)->encode_prompt(prompt);
  BOOST_REQUIRE(tokens.has_value());
  BOOST_TEST(*(*tokenizer)->decode(*tokens, true) == prompt);
  BOOST_TEST((*tokenizer)->piece(31'999).starts_with(' '));
  BOOST_TEST((*tokenizer)->piece(260) == " baba");
}

BOOST_AUTO_TEST_CASE(paced_vocabulary_is_made_of_different_words) {
  const auto tokenizer = model::paced_tokenizer(100'000);
  BOOST_REQUIRE(tokenizer.has_value());
  BOOST_TEST((*tokenizer)->size() == 100'000U);
  std::set<std::string> words;
  for (core::TokenId id = 260; id < 100'000; ++id) words.emplace((*tokenizer)->piece(id));
  BOOST_TEST(words.size() == 100'000U - 260);
  BOOST_TEST(!model::paced_tokenizer(275).has_value());
  BOOST_TEST(model::paced_tokenizer(276).has_value());
  BOOST_TEST(!model::paced_tokenizer(1'000'001).has_value());
}
