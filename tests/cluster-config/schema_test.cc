#include "cluster-config/schema.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "cluster-config/units.h"
#include "cluster-config/values.h"

namespace spillway::config {

BOOST_AUTO_TEST_SUITE(schema)

BOOST_AUTO_TEST_CASE(every_example_parses_to_a_value_in_range) {
  std::size_t tried = 0;
  for (const auto& each : sections()) {
    for (const auto& key : each.keys) {
      BOOST_TEST_CONTEXT(each.pattern << " " << key.name) {
        const auto tree = parse_tree(key.example, "example");
        BOOST_REQUIRE(tree.has_value());
        BOOST_REQUIRE(tree->children.size() == 1U);
        BOOST_TEST(tree->children[0].key == key.name);
        Report report{"example"};
        BOOST_TEST(read_value(key, tree->children[0], "x", report).has_value());
        BOOST_TEST(!report.failed());
        ++tried;
      }
    }
  }
  BOOST_TEST(tried >= 90U);
}

BOOST_AUTO_TEST_CASE(both_ends_of_every_range_are_in_and_what_lies_beyond_is_out) {
  std::size_t tried = 0;
  const auto literal = [](const KeySpec& key, std::uint64_t number) -> std::string {
    if (key.type == Type::size) return '"' + format_size(number) + '"';
    if (key.type == Type::duration) return '"' + format_duration(number) + '"';
    if (key.type == Type::bandwidth) return '"' + format_bandwidth(number) + '"';
    return std::to_string(number);
  };
  for (const auto& each : sections()) {
    for (const auto& key : each.keys) {
      if (key.type != Type::count && key.type != Type::size && key.type != Type::duration && key.type != Type::bandwidth) continue;
      const auto accepted = [&](std::uint64_t number) {
        Report report{"f"};
        const auto tree = parse_tree("x = " + literal(key, number), "f");
        return tree && read_value(key, tree->children[0], "x", report).has_value();
      };
      BOOST_TEST_CONTEXT(each.pattern << " " << key.name) {
        BOOST_TEST(accepted(key.min));
        BOOST_TEST(accepted(key.max));
        BOOST_TEST(!accepted(key.max + 1));
        if (key.min > 0) BOOST_TEST(!accepted(key.min - 1));
        // The default lies in the range too.
        if (!key.required && key.default_words.empty()) {
          const auto number = key.get(each.defaults).number;
          BOOST_TEST((number >= key.min && number <= key.max));
        }
      }
      ++tried;
    }
  }
  BOOST_TEST_MESSAGE("ranges tried at both ends: " << tried);
  BOOST_TEST(tried >= 55U);
}

BOOST_AUTO_TEST_CASE(a_value_that_is_set_is_the_one_that_is_got) {
  NodeEntry node;
  for (const auto& key : section("nodes[]").keys) {
    if (key.name == "port") key.set(&node, {1234, {}, {}});
    if (key.name == "isa") key.set(&node, {3, {}, {}});
    if (key.name == "roles") key.set(&node, {5, {}, {}});
  }
  BOOST_TEST(node.port == 1234U);
  BOOST_TEST((node.isa == Isa::avx512));
  BOOST_TEST((node.roles == RoleSet{Role::router, Role::gateway}));
}

BOOST_AUTO_TEST_CASE(tables_inside_a_table) {
  BOOST_TEST(inner_tables("models.*") == std::vector<std::string_view>{"paced"}, boost::test_tools::per_element());
  BOOST_TEST(inner_tables("security") == (std::vector<std::string_view>{"clients", "tokens"}), boost::test_tools::per_element());
  BOOST_TEST(inner_tables("limits").empty());
  BOOST_TEST(inner_tables("placement") == (std::vector<std::string_view>{"cache_aware", "dynamo", "preble"}),
             boost::test_tools::per_element());
  BOOST_TEST(inner_tables("").size() == 13U);
}

BOOST_AUTO_TEST_CASE(choices_have_the_words_of_their_enum_in_order) {
  const auto words = [](std::string_view pattern, std::string_view name) {
    for (const auto& key : section(pattern).keys) {
      if (key.name == name) return key.words;
    }
    return std::span<const std::string_view>{};
  };
  const auto isa = words("nodes[]", "isa");
  BOOST_REQUIRE(isa.size() == 4U);
  for (std::size_t i = 0; i < isa.size(); ++i) BOOST_TEST(isa[i] == to_string(static_cast<Isa>(i)));
  const auto formats = words("models.*", "page_format");
  for (std::size_t i = 0; i < formats.size(); ++i) BOOST_TEST(formats[i] == core::to_string(static_cast<core::PageFormat>(i)));
  BOOST_TEST(words("placement", "policy") == core::placement_policy_names(), boost::test_tools::per_element());
  const auto classes = words("tenants.*", "classes");
  for (std::size_t i = 0; i < classes.size(); ++i) BOOST_TEST(classes[i] == core::to_string(static_cast<core::ServiceClass>(i)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
