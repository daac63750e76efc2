#include "cluster-config/reference.h"

#include <boost/test/unit_test.hpp>
#include <set>

#include "cluster-config/load.h"
#include "cluster-config/schema.h"
#include "tests/cluster-config/error_cases.h"

namespace spillway::config {

BOOST_AUTO_TEST_SUITE(reference)

BOOST_AUTO_TEST_CASE(each_key_has_sentence_range_default_and_example) {
  std::set<std::string> keys;
  for (const auto& row : reference_rows()) {
    BOOST_TEST_CONTEXT(row.key) {
      BOOST_TEST(keys.insert(row.key).second);
      BOOST_TEST(row.sentence.ends_with('.'));
      BOOST_TEST(!row.want.empty());
      BOOST_TEST(!row.type.empty());
      BOOST_TEST(row.required == row.default_value.empty());
      BOOST_TEST(row.example.starts_with(row.key.substr(row.key.find_last_of('.') + 1) + " = "));
    }
  }
  for (const auto& each : sections()) {
    for (const auto& key : each.keys) {
      if (key.type == Type::count && key.min != key.max) BOOST_TEST_CONTEXT(key.name) BOOST_TEST(!key.unit.empty());
    }
  }
  BOOST_TEST_MESSAGE("keys in the reference: " << keys.size());
  BOOST_TEST(keys.size() >= 90U);
}

BOOST_AUTO_TEST_CASE(the_text_holds_every_key) {
  const auto text = reference_markdown();
  for (const auto& row : reference_rows()) {
    BOOST_TEST_CONTEXT(row.key) {
      BOOST_TEST((text.find(row.sentence) != std::string::npos));
      BOOST_TEST((text.find('`' + row.example + '`') != std::string::npos));
      BOOST_TEST((text.find(row.want) != std::string::npos));
    }
  }
  BOOST_TEST((text.find("[models.NAME.paced]") != std::string::npos));
  BOOST_TEST((text.find("[[security.clients]]") != std::string::npos));
}

BOOST_AUTO_TEST_CASE(defaults_written_out_change_nothing) {
  // Every default that is a constant is put into a file; what is read must be the cluster without it.
  std::string text = small_cluster();
  std::size_t written = 0;
  for (const std::string table :
       {"limits", "timings", "spill", "disaggregation", "placement", "placement.cache_aware", "placement.dynamo", "placement.preble"}) {
    text += '[' + table + "]\n";
    for (const auto& key : section(table).keys) {
      text += std::string{key.name} + " = " + default_text(section(table), key) + '\n';
      ++written;
    }
  }
  const auto plain = parse_cluster(small_cluster(), "c.toml");
  const auto full = parse_cluster(text, "c.toml");
  if (!full) BOOST_FAIL(to_error(full.error()).message);
  BOOST_REQUIRE(plain.has_value());
  const auto same = [](const auto& a, const auto& b, std::string_view table) {
    for (const auto& key : section(table).keys) {
      BOOST_TEST_CONTEXT(key.name) BOOST_TEST(key.get(&a).number == key.get(&b).number);
    }
  };
  same(plain->limits, full->limits, "limits");
  same(plain->timings, full->timings, "timings");
  same(plain->spill, full->spill, "spill");
  same(plain->disaggregation, full->disaggregation, "disaggregation");
  same(plain->placement, full->placement, "placement");
  same(plain->placement.cache_aware, full->placement.cache_aware, "placement.cache_aware");
  same(plain->placement.dynamo, full->placement.dynamo, "placement.dynamo");
  same(plain->placement.preble, full->placement.preble, "placement.preble");
  BOOST_TEST(written >= 51U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
