// The parts of grammars that the other tests of them use: stacks and the tree of a vocabulary.

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "model/grammar_gbnf.h"
#include "model/grammar_stacks.h"
#include "model/grammar_trie.h"

using namespace spillway;

BOOST_AUTO_TEST_SUITE(grammar)

BOOST_AUTO_TEST_CASE(calls_deeper_than_the_limit_are_not_made) {
  const auto rules = model::parse_gbnf(R"g(root ::= "(" root ")" | "x")g");
  BOOST_REQUIRE(rules.has_value());
  const auto automaton = model::GrammarAutomaton::make(*rules);
  BOOST_REQUIRE(automaton.has_value());
  model::GrammarMatcher matcher(*automaton);
  BOOST_TEST(matcher.accept(std::string(model::GrammarStacks::depth_max, '(')));
  BOOST_TEST(!matcher.accept("(("));
  // Deep texts below the limit are read to their ends, however many stacks came and went.
  model::GrammarMatcher below(*automaton);
  BOOST_TEST(below.accept(std::string(900, '(') + "x" + std::string(900, ')')));
  BOOST_TEST(below.can_end());
}

BOOST_AUTO_TEST_CASE(the_tree_holds_every_text_once) {
  const std::vector<std::string> vocabulary{"b", "", "ab", "a", "ab", "abc", "b\xff"};
  const model::GrammarTrie trie(7, [&](core::TokenId id) -> std::string_view { return vocabulary[static_cast<std::size_t>(id)]; });
  BOOST_TEST(trie.nodes() == 6U);  // root, a, ab, abc, b, b\xff
  BOOST_TEST(trie.depth_max() == 3U);
  BOOST_TEST(trie.tokens() == (std::vector<core::TokenId>{3, 2, 4, 5, 0, 6}), boost::test_tools::per_element());
  BOOST_TEST(trie.node(1).end == 4U);
  BOOST_TEST(trie.leaf(3));
  BOOST_TEST(!trie.leaf(4));
}

BOOST_AUTO_TEST_CASE(a_copy_of_a_matcher_s_stacks_means_the_same) {
  // Enough stacks come and go that the matcher numbers them anew on the way.
  const auto rules = model::parse_gbnf(R"g(root ::= (open "." )*
open ::= a | b
a ::= "(" (a | b)? ")"
b ::= "[" (a | b)? "]")g");
  BOOST_REQUIRE(rules.has_value());
  const auto automaton = model::GrammarAutomaton::make(*rules);
  BOOST_REQUIRE(automaton.has_value());
  model::GrammarMatcher matcher(*automaton);
  for (unsigned number = 0; number < 6000 * 7919U && matcher.alive(); number += 7919) {
    std::string open;
    std::string close;
    for (unsigned bit = 0; bit < 16; ++bit) {
      open += (number >> bit & 1U) != 0 ? '(' : '[';
      close.insert(0, 1, (number >> bit & 1U) != 0 ? ')' : ']');
    }
    BOOST_REQUIRE(matcher.accept(open + close + "."));
    BOOST_REQUIRE(matcher.can_end());
  }
  BOOST_TEST(matcher.generation() > 0U);
  BOOST_TEST(!matcher.accept(")"));
}

BOOST_AUTO_TEST_SUITE_END()
