#include "core/request.h"

#include <boost/test/unit_test.hpp>
#include <set>
#include <string>

using namespace spillway::core;

BOOST_AUTO_TEST_SUITE(request)

BOOST_AUTO_TEST_CASE(service_class_names_go_there_and_back) {
  for (const auto value : {ServiceClass::live, ServiceClass::interactive, ServiceClass::batch}) {
    ServiceClass parsed = value == ServiceClass::live ? ServiceClass::batch : ServiceClass::live;
    BOOST_TEST(parse_service_class(to_string(value), parsed));
    BOOST_TEST((parsed == value));
  }
  ServiceClass untouched = ServiceClass::batch;
  BOOST_TEST(!parse_service_class("Live", untouched));
  BOOST_TEST(!parse_service_class("", untouched));
  BOOST_TEST((untouched == ServiceClass::batch));
}

BOOST_AUTO_TEST_CASE(finish_reasons_are_those_users_read) {
  BOOST_TEST(to_string(FinishReason::stop) == "stop");
  BOOST_TEST(to_string(FinishReason::length) == "length");
  BOOST_TEST(to_string(FinishReason::cancelled) == "cancelled");
  BOOST_TEST(to_string(FinishReason::deadline) == "deadline");
  BOOST_TEST(to_string(FinishReason::error) == "error");
  BOOST_TEST(to_string(FinishReason::none) == "none");
}

BOOST_AUTO_TEST_CASE(known_features_are_the_bits_that_are_defined) {
  const std::uint64_t all = static_cast<std::uint64_t>(Feature::seeded_sampling) | static_cast<std::uint64_t>(Feature::forks) |
                            static_cast<std::uint64_t>(Feature::stop_strings) | static_cast<std::uint64_t>(Feature::logit_rules) |
                            static_cast<std::uint64_t>(Feature::typical_p) | static_cast<std::uint64_t>(Feature::grammar);
  BOOST_TEST(known_features == all);
  std::set<std::string_view> names;
  for (unsigned bit = 0; bit < 64; ++bit) {
    const auto name = to_string(static_cast<Feature>(1ULL << bit));
    BOOST_TEST(name.empty() == ((known_features >> bit & 1U) == 0), "bit " << bit);
    if (!name.empty()) BOOST_TEST(names.insert(name).second, name);
  }
}

BOOST_AUTO_TEST_CASE(visitor_names_each_field_once) {
  std::set<std::string> names;
  const Request request;
  Request::visit(request, [&](const char* name, const auto&) { BOOST_TEST(names.insert(name).second, name); });
  BOOST_TEST(names.size() == 17U);
}

BOOST_AUTO_TEST_SUITE_END()
