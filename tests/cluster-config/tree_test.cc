#include "cluster-config/tree.h"

#include <boost/test/unit_test.hpp>

namespace spillway::config {

BOOST_AUTO_TEST_SUITE(tree)

BOOST_AUTO_TEST_CASE(children_come_in_order_of_the_file_with_their_lines) {
  const auto tree = parse_tree("z = 1\na = [1, 2.5, \"x\"]\n[t]\nb = true\n[[l]]\nc = 1979-05-27\n[[l]]\n", "f");
  BOOST_REQUIRE(tree.has_value());
  BOOST_REQUIRE(tree->children.size() == 4U);
  BOOST_TEST(tree->children[0].key == "z");
  BOOST_TEST(tree->children[0].integer == 1);
  const auto* list = tree->child("a");
  BOOST_REQUIRE(list != nullptr);
  BOOST_TEST(list->line == 2U);
  BOOST_TEST(list->children[1].real == 2.5);
  BOOST_TEST(list->children[2].text == "x");
  BOOST_TEST(tree->child("t")->child("b")->boolean);
  BOOST_TEST(tree->child("t")->child("b")->line == 4U);
  const auto* entries = tree->child("l");
  BOOST_REQUIRE(entries->children.size() == 2U);
  BOOST_TEST(entries->children[0].line == 5U);
  BOOST_TEST(entries->children[1].line == 7U);
  BOOST_TEST((entries->children[0].child("c")->kind == Tree::Kind::time));
  BOOST_TEST((tree->child("none") == nullptr));
}

BOOST_AUTO_TEST_CASE(values_are_shown_as_written_and_cut) {
  const auto tree = parse_tree(
      "a = \"x\\ty\"\nb = -3\nc = false\nd = [1]\ne = {}\nf = 1.25\ng = 1979-05-27\nh = \"" + std::string(59, 'x') + "\u00e9z\"\n", "f");
  BOOST_REQUIRE(tree.has_value());
  const char* want[] = {"\"x?y\"", "-3", "false", "a list of 1", "a table", "1.25", "a date or time"};
  for (std::size_t i = 0; i < std::size(want); ++i) BOOST_TEST(show(tree->children[i]) == want[i]);
  BOOST_TEST(show(tree->children[7]) == '"' + std::string(59, 'x') + "...\"");  // never half a character
}

BOOST_AUTO_TEST_CASE(depth_is_measured_outside_strings_and_comments) {
  const std::string dots(40, '.');
  BOOST_TEST(parse_tree("a = \"" + dots + "\" # " + dots + "\nb = '" + dots + "'\nc = \"\"\"\n" + dots +
                            "\\\"\"\"\"\nd = '''[[[[[[[[[[[[[[[[[[[['''\n",
                        "f")
                 .has_value());
  BOOST_TEST(parse_tree("a = \"\\\"" + dots + "\"\n", "f").has_value());
  const auto deep = parse_tree("x = 1\na = " + std::string(17, '[') + std::string(17, ']'), "f");
  BOOST_REQUIRE(!deep);
  BOOST_TEST(to_string(deep.error().kind) == "too_deep");
  BOOST_TEST(deep.error().line == 2U);
}

BOOST_AUTO_TEST_CASE(texts_that_would_exhaust_the_stack_are_refused) {
  std::string dotted = "a";
  for (int i = 0; i < 30'000; ++i) dotted += ".a";
  BOOST_TEST(!parse_tree(dotted + " = 1", "f").has_value());
  BOOST_TEST(!parse_tree("[" + dotted + "]", "f").has_value());
  BOOST_TEST(!parse_tree("\"s\" . " + dotted + " = 1", "f").has_value());
  BOOST_TEST(!parse_tree("x = " + std::string(60'000, '['), "f").has_value());
  std::string tables = "x = ";
  for (int i = 0; i < 10'000; ++i) tables += "{a=";
  BOOST_TEST(!parse_tree(tables, "f").has_value());
}

BOOST_AUTO_TEST_CASE(texts_are_cut_at_a_character) {
  BOOST_TEST(clean("abc", 3) == "abc");
  BOOST_TEST(clean("abcd", 3) == "abc...");
  BOOST_TEST(clean("ab\u00e9", 3) == "ab...");
  BOOST_TEST(clean("a\nb\x7f", 10) == "a?b?");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
