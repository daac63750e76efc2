#include "cluster-config/check.h"

#include <boost/test/data/monomorphic.hpp>
#include <boost/test/data/test_case.hpp>
#include <boost/test/unit_test.hpp>
#include <set>

#include "cluster-config/load.h"
#include "tests/cluster-config/error_cases.h"

namespace bdata = boost::unit_test::data;

namespace spillway::config {

BOOST_AUTO_TEST_SUITE(check)

BOOST_DATA_TEST_CASE(a_broken_rule_gives_its_one_error, bdata::make(error_cases()), broken) {
  const auto loaded = parse_cluster(broken.text, "c.toml");
  BOOST_REQUIRE(!loaded);
  for (const auto& error : loaded.error()) BOOST_TEST_INFO(to_string(error));
  BOOST_TEST(loaded.error().size() == 1U);
  const auto& error = loaded.error().front();
  BOOST_TEST(to_string(error.kind) == to_string(broken.kind));
  BOOST_TEST(error.key == broken.key);
  BOOST_TEST(error.line == broken.line);
  BOOST_TEST(error.file == "c.toml");
  BOOST_TEST(!error.want.empty());
  BOOST_TEST(!error.fix.empty());
  BOOST_TEST_INFO(to_string(error));
  BOOST_TEST((to_string(error).find(broken.part) != std::string::npos));
}

BOOST_AUTO_TEST_CASE(all_errors_of_a_file_come_at_once_in_order_of_lines) {
  const auto loaded =
      parse_cluster(small_cluster("thread = 2\nport = 0\nisa = \"x\"\n[limits]\nclients_max = \"many\"\n[timings]\nlease = 3\n"
                                  "[[nodes]]\nname = \"a\"\n"),
                    "c.toml");
  BOOST_REQUIRE(!loaded);
  const std::pair<ErrorKind, std::uint32_t> want[] = {
      {ErrorKind::unknown_key, 5}, {ErrorKind::out_of_range, 6},    {ErrorKind::bad_choice, 7}, {ErrorKind::wrong_type, 9},
      {ErrorKind::bad_unit, 11},   {ErrorKind::port_collision, 12}, {ErrorKind::duplicate, 13}};
  BOOST_REQUIRE(loaded.error().size() == std::size(want));
  for (std::size_t i = 0; i < std::size(want); ++i) {
    BOOST_TEST(to_string(loaded.error()[i].kind) == to_string(want[i].first));
    BOOST_TEST(loaded.error()[i].line == want[i].second);
  }
}

BOOST_AUTO_TEST_CASE(two_names_with_one_digest_are_refused) {
  ParseOptions options;
  options.name_id = [](std::string_view name) -> std::uint64_t { return name.size(); };
  const auto loaded = parse_cluster(small_cluster("[[nodes]]\nname = \"b\"\nport = 8000\n"), "c.toml", options);
  BOOST_REQUIRE(!loaded);
  BOOST_REQUIRE(loaded.error().size() == 1U);
  BOOST_TEST(
      to_string(loaded.error()[0]) ==
      "c.toml:6: nodes[1].name = \"b\": want a name with a digest of its own: \"b\" and \"a\" have the same; rename one of the two nodes");
}

namespace {

struct KnownCase {
  const char* rule;
  std::string model;  // from line 2 on
  std::string error;  // "" = none
  friend std::ostream& operator<<(std::ostream& out, const KnownCase& c) { return out << c.rule; }
};

const KnownCase known_cases[] = {
    {"a known name is enough", "[models.smollm2-135m]\n", ""},
    {"so is a name for a known one", "[models.m]\nknown = \"smollm2-135m\"\n", ""},
    {"a model of one's own has a path", "[models.m]\npath = \"m.gguf\"\n", ""},
    {"a paced one has neither", "[models.m]\nkind = \"paced\"\n", ""},
    {"a name near a known one gets a suggestion", "[models.smollm2-135]\n",
     "c.toml:2: models.smollm2-135: want `path` or a known model (smollm2-135m, other): there is no \"smollm2-135\"; "
     "did you mean \"smollm2-135m\"?"},
    {"`known` is named with its value", "[models.m]\nknown = \"smol\"\n",
     "c.toml:3: models.m.known = \"smol\": want `path` or a known model (smollm2-135m, other): there is no \"smol\"; "
     "add `path = \"FILE.gguf\"`, `known = \"smollm2-135m\"` or `kind = \"paced\"`"},
    {"a wrong kind is one mistake", "[models.m]\nkind = \"pacd\"\n",
     "c.toml:3: models.m.kind = \"pacd\": want gguf or paced; did you mean \"paced\"?"},
    {"a name that is none is one mistake", "[models.\"a b\"]\n",
     "c.toml:2: models.a b: want a model name of 1 to 127 letters, digits and . _ - / : behind a letter or digit; "
     "for example: [models.\"smollm2-135m\"]"},
};

}  // namespace

BOOST_DATA_TEST_CASE(models_without_a_file_are_known_ones, bdata::make(known_cases), c) {
  const auto text = "version = 1\n" + c.model + "[[nodes]]\nname = \"a\"\n";
  ParseOptions options;
  options.known_models = {"smollm2-135m", "other"};
  const auto loaded = parse_cluster(text, "c.toml", options);
  BOOST_TEST((loaded ? "" : to_error(loaded.error()).message) == c.error);
}

BOOST_AUTO_TEST_CASE(the_table_of_cases_has_each_rule_once) {
  std::set<std::string> rules;
  for (const auto& each : error_cases()) BOOST_TEST(rules.insert(each.rule).second);
  BOOST_TEST_MESSAGE("rules tried: " << rules.size());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
