#include "sim/size.h"

#include <boost/test/unit_test.hpp>

#include "tests/sim/sweep_input.h"

using namespace spillway;
using namespace spillway::sim;
using namespace spillway::sim::test;

BOOST_AUTO_TEST_SUITE(size)

BOOST_AUTO_TEST_CASE(the_size_found_is_enough_and_one_node_less_is_not) {
  auto input = input_of(600, 3);
  input.plan.nodes[0].price_per_hour = 2;
  input.plan.nodes[1].price_per_hour = 3;
  for (auto& replica : input.plan.nodes[1].replicas) replica.percent = 200;
  const auto kinds = node_kinds(input.plan);
  BOOST_REQUIRE(kinds.size() == 2U);
  SizeQuestion question;
  question.share = 0.95;
  question.seeds = 2;
  question.nodes_max = 40;
  const RunJobs here = [](std::size_t count, const std::function<void(std::size_t)>& job) {
    for (std::size_t i = 0; i < count; ++i) job(i);
    return true;
  };
  std::vector<SizeAnswer> answers;
  for (const auto& kind : kinds) {
    const auto answer = size_of(input, kind, question, here);
    BOOST_REQUIRE_MESSAGE(answer.has_value(), (answer ? "" : answer.error().message));
    BOOST_REQUIRE(answer->nodes.has_value());
    BOOST_TEST(*answer->nodes > 1U);
    bool enough = false, less = false;
    for (const auto& probe : answer->probes) {
      if (probe.nodes == *answer->nodes) enough = probe.enough;
      if (probe.nodes + 1 == *answer->nodes) less = !probe.enough;
    }
    BOOST_TEST(enough);
    BOOST_TEST(less);
    answers.push_back(*answer);
  }
  BOOST_TEST(*answers[1].nodes < *answers[0].nodes);
  BOOST_REQUIRE(cheapest(answers) != nullptr);
  BOOST_TEST(cheapest(answers)->price_per_hour <= answers[0].price_per_hour);
  BOOST_TEST(cheapest(answers)->price_per_hour <= answers[1].price_per_hour);

  question.nodes_max = 1;
  const auto none = size_of(input, kinds[0], question, here);
  BOOST_REQUIRE(none.has_value());
  BOOST_TEST(!none->nodes.has_value());
  const auto stopped = size_of(input, kinds[0], question, [](std::size_t, const auto&) { return false; });
  BOOST_TEST((!stopped && stopped.error().code == core::Errc::cancelled));
}

BOOST_AUTO_TEST_SUITE_END()
