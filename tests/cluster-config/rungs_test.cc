#include "cluster-config/rungs.h"

#include <boost/test/unit_test.hpp>

namespace spillway::config {

BOOST_AUTO_TEST_SUITE(rungs)

BOOST_AUTO_TEST_CASE(the_three_kinds_are_read_with_their_words) {
  const auto shorter = parse_rung("shorter:64");
  BOOST_REQUIRE(shorter.has_value());
  BOOST_TEST((shorter->kind == core::Rung::Kind::shorter));
  BOOST_TEST(shorter->tokens == 64U);
  BOOST_TEST(shorter->text == "shorter:64");
  const auto model = parse_rung("model:org/small:q8");
  BOOST_REQUIRE(model.has_value());
  BOOST_TEST((model->kind == core::Rung::Kind::model));
  BOOST_TEST(model->model == "org/small:q8");
  BOOST_TEST((model->model_id == core::model_id("org/small:q8")));
  const auto defer = parse_rung("defer:1.5s");
  BOOST_REQUIRE(defer.has_value());
  BOOST_TEST((defer->kind == core::Rung::Kind::defer));
  BOOST_TEST((defer->wait == std::chrono::milliseconds(1500)));
}

BOOST_AUTO_TEST_CASE(everything_else_is_no_rung) {
  for (const char* text : {"", ":", "shorter", "shorter:", "shorter:0", "shorter:-1", "shorter:1.5", "shorter:64 ", "shorter:9999999999",
                           "Shorter:64", "model:", "model:a b", "defer:", "defer:5", "defer:0s", "defer:11min", "defer:5s5", "faster:3"}) {
    BOOST_TEST(!parse_rung(text).has_value(), text);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::config
