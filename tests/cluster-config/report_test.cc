#include "cluster-config/report.h"

#include <boost/test/unit_test.hpp>

#include "cluster-config/load.h"

namespace spillway::config {

BOOST_AUTO_TEST_SUITE(report)

BOOST_AUTO_TEST_CASE(an_error_stands_at_its_key_or_the_table_around_it) {
  const auto tree = parse_tree("[nodes]\n[nodes.a]\nport = 7\n", "f");
  BOOST_REQUIRE(tree.has_value());
  Report report{"f"};
  const auto& nodes = tree->children[0];
  report.place("nodes", nodes);
  report.place("nodes.a", nodes.children[0]);
  report.place("nodes.a.port", nodes.children[0].children[0]);
  BOOST_TEST(report.has("nodes.a.port"));
  BOOST_TEST(!report.has("nodes.a.zone"));
  BOOST_TEST(!report.failed());
  BOOST_TEST(!report.failed_in("nodes"));
  report.add(ErrorKind::bad_name, "nodes.a.port", "w", "f");
  report.add(ErrorKind::bad_name, "nodes.a.zone", "w", "f");
  report.add(ErrorKind::bad_name, "other", "w", "f");
  BOOST_TEST(report.failed());
  BOOST_TEST(report.failed_in("nodes.a"));
  BOOST_TEST(!report.failed_in("models"));
  const auto errors = report.take();
  BOOST_REQUIRE(errors.size() == 3U);
  BOOST_TEST(errors[0].line == 1U);
  BOOST_TEST(errors[1].line == 2U);
  BOOST_TEST(errors[1].value.empty());
  BOOST_TEST(errors[2].line == 3U);
  BOOST_TEST(errors[2].value == "7");
}

BOOST_AUTO_TEST_CASE(endless_names_are_cut) {
  const auto loaded = parse_cluster("version = 1\n[models." + std::string(50'000, 'm') + "]\npath = 3\n", "f");
  BOOST_REQUIRE(!loaded);
  for (const auto& error : loaded.error()) BOOST_TEST(to_string(error).size() < 1500U);
}

BOOST_AUTO_TEST_CASE(the_list_is_cut_and_says_so) {
  std::string text = "version = 1\n";
  for (int i = 0; i < 150; ++i) text += "key" + std::to_string(i) + " = 1\n";
  const auto loaded = parse_cluster(text, "f");
  BOOST_REQUIRE(!loaded);
  BOOST_TEST(loaded.error().size() == errors_max + 1);
  BOOST_TEST(to_string(loaded.error().back().kind) == "too_many_errors");
  BOOST_TEST((loaded.error().back().want.find("more errors") != std::string::npos));
  BOOST_TEST(loaded.error().back().line == errors_max + 1);  // that of the last one shown
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
