#include "sched/token_log.h"

#include <boost/test/unit_test.hpp>

using namespace spillway;
using sched::TokenLog;

BOOST_AUTO_TEST_SUITE(token_log)

BOOST_AUTO_TEST_CASE(tokens_come_out_as_they_went_in) {
  TokenLog log;
  std::vector<core::TokenOut> all;
  for (core::TokenId id = 0; id < 40; ++id) {
    core::TokenOut token;
    token.token = id * 3;
    if (id % 7 == 1) token.logprob = -0.5F;
    if (id % 7 == 2) token.top = {{id, -1.0F}, {id + 1, -2.0F}};
    if (id == 39) token.finish = core::FinishReason::length;
    log.push_back(token);
    all.push_back(token);
  }
  BOOST_TEST(log.size() == 40U);
  BOOST_TEST(log.ids()[5] == 15);
  for (std::size_t from = 0; from <= 40; ++from) {
    const auto rest = log.from(from);
    BOOST_REQUIRE(rest == std::vector<core::TokenOut>(all.begin() + static_cast<std::ptrdiff_t>(from), all.end()));
  }
  BOOST_TEST(log.from(41).empty());
}

BOOST_AUTO_TEST_CASE(an_end_token_keeps_what_it_says) {
  TokenLog log;
  core::TokenOut end;
  end.is_end = true;
  log.push_back(end);
  BOOST_TEST(log.from(0)[0].is_end);
}

BOOST_AUTO_TEST_SUITE_END()
