// Grammars in GBNF: what they accept, and what is said of those that are wrong.

#include "model/grammar_gbnf.h"

#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

#include "model/grammar_automaton.h"
#include "model/grammar_stacks.h"

using namespace spillway;

namespace {

struct GbnfCase {
  const char* rule;
  std::string grammar;
  std::vector<std::string> accepted;
  std::vector<std::string> refused;
};

const GbnfCase gbnf_cases[] = {
    {"a text", R"(root ::= "ab")", {"ab"}, {"", "a", "abc", "b"}},
    {"an empty text", R"(root ::= "")", {""}, {"a"}},
    {"escapes", R"(root ::= "\n\t\r\\\"\x41\u00e9\U0001F600")", {"\n\t\r\\\"A\u00e9\U0001F600"}, {"n"}},
    {"a class", "root ::= [a-cx]", {"a", "c", "x"}, {"d", "", "ab"}},
    {"a class of none of these", "root ::= [^a-c\\n]", {"d", "\u00e9", "\U0001F600"}, {"a", "\n", ""}},
    {"a class of other scripts", "root ::= [\u00e8-\u00ea]", {"\u00e8", "\u00e9"}, {"\u00eb", "e", "\xc3"}},
    {"a class with - and ] in it", R"(root ::= [a\]-])", {"a", "]", "-"}, {"b"}},
    {"any character", "root ::= .", {"a", "\n", "\U0010FFFF"}, {"", "\xff", "\xed\xa0\x80", "\xc0\x80"}},
    {"alternates", R"(root ::= "a" | "b" "c" |)", {"a", "bc", ""}, {"b", "ac"}},
    {"a group", R"(root ::= ("a" | "b") "c")", {"ac", "bc"}, {"a", "abc"}},
    {"perhaps", R"(root ::= "a"? "b")", {"b", "ab"}, {"aab", "a"}},
    {"any number", R"(root ::= "a"*)", {"", "aaa"}, {"b"}},
    {"one or more", R"(root ::= "ab"+)", {"ab", "abab"}, {"", "aba"}},
    {"so many", R"(root ::= "a"{2})", {"aa"}, {"a", "aaa"}},
    {"so many and more", R"(root ::= "a"{2,})", {"aa", "aaaaa"}, {"a"}},
    {"from so many to so many", R"(root ::= "a"{1,3} "b")", {"ab", "aaab"}, {"b", "aaaab"}},
    {"a repetition of what may be empty", R"(root ::= ("a"* "b"?)* "c")", {"c", "abbac"}, {"", "ab"}},
    {"rules", "root ::= item (\",\" item)*\nitem ::= [0-9]+", {"1", "12,3"}, {"", "1,", ",1"}},
    {"a rule over lines", "root ::= (\n  \"a\" | # one\n  \"b\"\n)\n\n# end", {"a", "b"}, {"c"}},
    {"a name with - and _", "root ::= a-b_1\na-b_1 ::= \"x\"", {"x"}, {"y"}},
    {"recursion", R"g(root ::= "(" root ")" | "x")g", {"x", "((x))"}, {"(x", "x)", ""}},
    {"recursion at the end", R"(root ::= "a" root | "b")", {"b", "aaab"}, {"a", "ba"}},
    {"rules that call each other", "root ::= \"a\" b | \"\"\nb ::= \"b\" root", {"", "ab", "abab"}, {"a", "aba"}},
    {"two ways to read one text", R"(root ::= ("a" | "aa")* "b" | "a"* "c")", {"aaab", "aaac"}, {"aaa", "aad"}},
    {"a way that never ends is none", "root ::= \"a\" | \"b\" never\nnever ::= \"x\" never", {"a"}, {"b", "bx"}},
};

struct WrongCase {
  const char* grammar;
  const char* says;
};

const WrongCase wrong_cases[] = {
    {"", "no rule 'root'"},
    {"x ::= \"a\"", "no rule 'root'"},
    {"root ::= other", "the rule 'other' is asked for and not there"},
    {"root ::= \"a\"\nroot ::= \"b\"", "line 2, column 9: the rule 'root' is there twice"},
    {"root = \"a\"", "line 1, column 6: came '=', want ::="},
    {"root ::= \"a", "a text without its closing quote"},
    {"root ::= [a", "a class without its closing ]"},
    {"root ::= [b-a]", "a range that ends before it begins"},
    {"root ::= (\"a\"", "came the end, want )"},
    {"root ::= \"a\" )", "came ')', want a rule or the end"},
    {"root ::= \"\\q\"", "came \\q"},
    {"root ::= \"\\x4\"", "want 2 hex digits"},
    {"root ::= \"\\uD800\"", "no code point"},
    {"root ::= \"a\"{3,2}", "at least 3 and at most 2"},
    {"root ::= \"a\"{1000000}", "a count above 100000"},
    {"root ::= \"a\"{", "want a number"},
    {"root ::= root \"a\" | \"b\"", "the rule 'root' calls itself before"},
    {"root ::= a\na ::= \"x\"? b\nb ::= a \"y\" | \"z\"", "calls itself before it has taken a character"},
    {"root ::= \"a\" root", "the rule 'root' matches no finite text"},
    {"root ::= \"a\"{100000} \"b\"{100000}", "states: repeat less"},
    {"root ::= ([ab]* [a] [ab]{30}) | \"c\"", "states: repeat less"},
};

core::Result<model::GrammarAutomaton> compile(const std::string& grammar) {
  const auto rules = model::parse_gbnf(grammar);
  if (!rules) return tl::make_unexpected(rules.error());
  return model::GrammarAutomaton::make(*rules);
}

bool accepts(const model::GrammarAutomaton& automaton, const std::string& text) {
  model::GrammarMatcher matcher(automaton);
  return matcher.accept(text) && matcher.can_end();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(grammar_gbnf)

BOOST_AUTO_TEST_CASE(each_notation_accepts_what_it_says) {
  for (const auto& c : gbnf_cases) {
    const auto automaton = compile(c.grammar);
    BOOST_REQUIRE_MESSAGE(automaton.has_value(), c.rule << ": " << (automaton ? "" : automaton.error().message));
    for (const auto& text : c.accepted) BOOST_TEST(accepts(*automaton, text), c.rule << ": refuses '" << text << "'");
    for (const auto& text : c.refused) BOOST_TEST(!accepts(*automaton, text), c.rule << ": accepts '" << text << "'");
  }
}

BOOST_AUTO_TEST_CASE(what_is_wrong_is_named_with_its_place) {
  for (const auto& c : wrong_cases) {
    const auto automaton = compile(c.grammar);
    BOOST_REQUIRE_MESSAGE(!automaton.has_value(), c.grammar);
    BOOST_TEST((automaton.error().code == core::Errc::bad_argument));
    BOOST_TEST(automaton.error().message.find(c.says) != std::string::npos, c.grammar << ": " << automaton.error().message);
  }
}

BOOST_AUTO_TEST_CASE(hostile_grammars_are_refused_before_they_take_much) {
  std::string deep = "root ::= ";
  for (int i = 0; i < 5000; ++i) deep += "(";
  std::string many;
  for (int i = 0; i < 5000; ++i) many += "r" + std::to_string(i) + " ::= \"a\"\n";
  std::string again = "root ::= \"a\"" + std::string(60000, '*');
  const std::vector<std::pair<std::string, std::string>> hostile = {
      {deep, "groups deeper than 100"}, {many, "more than 4096 rules"}, {again, "more than 8 repetitions"}};
  for (const auto& [grammar, says] : hostile) {
    const auto automaton = compile(grammar);
    BOOST_REQUIRE(!automaton.has_value());
    BOOST_TEST(automaton.error().message.find(says) != std::string::npos, automaton.error().message);
  }
}

BOOST_AUTO_TEST_SUITE_END()
