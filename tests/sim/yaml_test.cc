#include "sim/yaml.h"

#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>

#include "tests/sim/tiny_profile.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;
namespace bdata = boost::unit_test::data;

namespace {

/// "a.b.1" among mappings and lists; a text that no case wants where there is nothing.
std::string at(const YamlNode& root, std::string path) {
  const YamlNode* node = &root;
  while (!path.empty()) {
    const auto dot = path.find('.');
    const auto key = path.substr(0, dot);
    path = dot == std::string::npos ? "" : path.substr(dot + 1);
    if (node->kind == YamlNode::Kind::list) {
      const auto index = static_cast<std::size_t>(std::stoul(key));
      if (index >= node->list.size()) return "(nothing)";
      node = &node->list[index];
    } else {
      node = node->find(key);
      if (node == nullptr) return "(nothing)";
    }
  }
  return node->kind == YamlNode::Kind::scalar ? node->scalar : "(a collection)";
}

struct ValueCase {
  const char* name;
  const char* text;
  const char* path;
  const char* want;
  friend std::ostream& operator<<(std::ostream& out, const ValueCase& c) { return out << c.name; }
};

const ValueCase value_cases[] = {
    {"a plain scalar", "a: some words\nb: 1\n", "a", "some words"},
    {"quotes are not part of it", "a: '2026-08-17T19:43:32+00:00'\n", "a", "2026-08-17T19:43:32+00:00"},
    {"a comment is not part of it", "a: one # two\n# three\n", "a", "one"},
    {"a hash within a word is", "a: one#two\n", "a", "one#two"},
    {"an apostrophe is no quote", "a: A card's name # x\n", "a", "A card's name"},
    {"no value at all", "a:\nb: 1\n", "a", ""},
    {"mappings nest by indentation", "a:\n  b:\n    1:\n      c: 7\n  d: 8\ne: 9\n", "a.b.1.c", "7"},
    {"and end with it", "a:\n  b:\n    c: 7\n  d: 8\ne: 9\n", "a.d", "8"},
    {"a flow list", "a: [n<=2, sr<=5%, kp=0]\n", "a.1", "sr<=5%"},
    {"a flow list over several lines", "a: [1,\n    2, 3]\nb: 4\n", "a.2", "3"},
    {"an empty flow list", "a: []\nb: 4\n", "b", "4"},
    {"a flow mapping", "a: {n: 2.0, b: [1, 2]}\n", "a.b.1", "2"},
    {"a list below its key, not indented", "a:\n- 1\n- 2\nb: 3\n", "a.1", "2"},
    {"a list below its key, indented", "a:\n  - 1\n  - 2\nb: 3\n", "b", "3"},
    {"a list of mappings", "a:\n- b: 1\n  c: 2\n- b: 3\n", "a.0.c", "2"},
    {"a long scalar goes on, indented", "a: one\n  two\nb: 3\n", "a", "one two"},
    {"a list of ranges is text", "a: 0, 16-2048 x2\n", "a", "0, 16-2048 x2"},
    {"a start of document", "---\na: 1\n", "a", "1"},
};

struct WrongCase {
  const char* name;
  const char* text;
  const char* place;
  const char* says;
  friend std::ostream& operator<<(std::ostream& out, const WrongCase& c) { return out << c.name; }
};

const WrongCase wrong_cases[] = {
    {"an empty file", "# nothing\n", "m.yaml:1:", "nothing there"},
    {"a tab", "a:\n\tb: 1\n", "m.yaml:2:", "a tab"},
    {"a key twice", "a: 1\nb: 2\na: 3\n", "m.yaml:3:", "the key a stands there twice"},
    {"a key twice in a flow mapping", "a: {b: 1, b: 2}\n", "m.yaml:1:", "the key b stands there twice"},
    {"no colon", "a: 1\nwords\n", "m.yaml:2:", "want \"key: value\""},
    {"an anchor", "a: &x 1\n", "m.yaml:1:", "anchors"},
    {"a block scalar", "a: |\n  b\n", "m.yaml:1:", "block scalars"},
    {"a bracket not closed", "a: [1, 2\nb: 3\n", "m.yaml:1:", "no closing ]"},
    {"a quote not closed", "a: 'x\n", "m.yaml:1:", "closing quote"},
    {"something behind a bracket", "a: [1] 2\n", "m.yaml:1:", "behind a closing bracket"},
    {"a value and a mapping", "a: 1\n  b: 2\n", "m.yaml:2:", "a mapping below a value"},
    {"an indentation of no level", "a:\n    b: 1\n  c: 2\n", "m.yaml:3:", "indented"},
    {"less indented than the start", "  a: 1\nb: 2\n", "m.yaml:2:", "less indented"},
    {"a second document", "a: 1\n---\nb: 2\n", "m.yaml:2:", "one document"},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(yaml)

BOOST_DATA_TEST_CASE(what_a_profile_is_written_in_is_read, bdata::make(value_cases), c) {
  const auto root = parse_yaml("m.yaml", c.text);
  BOOST_REQUIRE_MESSAGE(root.has_value(), (root ? "" : root.error().message));
  BOOST_TEST(at(*root, c.path) == c.want);
}

BOOST_DATA_TEST_CASE(the_rest_is_refused_at_its_line, bdata::make(wrong_cases), c) {
  const auto root = parse_yaml("m.yaml", c.text);
  BOOST_REQUIRE(!root.has_value());
  BOOST_TEST(says(root.error(), c.place, c.says));
}

BOOST_AUTO_TEST_CASE(depth_has_a_limit) {
  const auto root = parse_yaml("m.yaml", "a: " + std::string(1000, '[') + std::string(1000, ']'));
  BOOST_REQUIRE(!root.has_value());
  BOOST_TEST(says(root.error(), "m.yaml:1:", "nested deeper"));
}

BOOST_AUTO_TEST_SUITE_END()
