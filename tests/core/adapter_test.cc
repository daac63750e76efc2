#include "core/adapter.h"

#include <boost/test/unit_test.hpp>

#include "core/digest.h"

using namespace spillway::core;

BOOST_AUTO_TEST_SUITE(adapter)

BOOST_AUTO_TEST_CASE(without_an_adapter_nothing_changes) {
  const KvId bare{{3, 4}};
  BOOST_TEST((under_adapter(bare, {}, "") == bare));
  BOOST_TEST((root_name({}, "") == BlockName{}));
}

BOOST_AUTO_TEST_CASE(name_content_and_weights_each_make_another_id) {
  const std::vector<AdapterInfo> here{{"news", {1, 1}}, {"sport", {1, 2}}, {"copy", {1, 1}}};
  const KvId bare{{3, 4}};
  const auto news = under_adapter(bare, here, "news");
  BOOST_REQUIRE(news.has_value());
  BOOST_TEST((*news != bare));
  BOOST_TEST((*news != *under_adapter(bare, here, "sport")));
  BOOST_TEST((*news == *under_adapter(bare, here, "copy")));  // the same content is the same KV
  BOOST_TEST((*news != *under_adapter(KvId{{3, 5}}, here, "news")));
  BOOST_TEST(!under_adapter(bare, here, "weather").has_value());
}

BOOST_AUTO_TEST_CASE(blocks_of_adapters_hang_from_other_roots) {
  const TenantSecret one = tenant_secret({}, "one");
  const TenantSecret two = tenant_secret({}, "two");
  BOOST_TEST((root_name(one, "news") == root_name(one, "news")));
  BOOST_TEST((root_name(one, "news") != root_name(one, "sport")));
  BOOST_TEST((root_name(one, "news") != root_name(two, "news")));
}

BOOST_AUTO_TEST_CASE(they_are_named_in_errors) {
  const std::vector<AdapterInfo> here{{"news", {1, 1}}, {"sport", {1, 2}}};
  BOOST_TEST(adapter_names(here) == "news, sport");
  BOOST_TEST(adapter_names({}) == "none");
  BOOST_TEST((find_adapter(here, "sport") == &here[1]));
  BOOST_TEST((find_adapter(here, "") == nullptr));
}

BOOST_AUTO_TEST_SUITE_END()
