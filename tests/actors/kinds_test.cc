// Kinds of request that travel from a client through real actors: without output, and under an adapter.

#include <boost/test/unit_test.hpp>

#include "tests/actors/virtual_cluster.h"

namespace spillway::tests {

namespace {

core::Submit request(std::uint64_t id) {
  core::Submit submit;
  submit.request = {{8, id}};
  submit.kind = core::PromptKind::tokens;
  for (core::TokenId i = 0; i < 100; ++i) submit.tokens.push_back(300 + i);
  submit.tokens_max = 16;
  submit.ignore_eos = true;
  return submit;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kinds)

BOOST_AUTO_TEST_CASE(a_request_without_output_ends_with_its_prompt_and_leaves_that_cached) {
  VirtualCluster cluster({.nodes = 1});
  auto scoring = request(1);
  scoring.tokens_max = 0;
  scoring.prompt_only = true;
  Answer scored;
  const auto first = cluster.ask(0, scoring, scored);
  BOOST_REQUIRE(cluster.run_until([&] { return scored.done; }, std::chrono::seconds(10)));
  BOOST_TEST(scored.failure == "");
  BOOST_TEST(scored.tokens[0].empty());
  BOOST_TEST((scored.finish[0] == core::FinishReason::length));
  BOOST_TEST(scored.finished.prompt_tokens == 100U);
  BOOST_TEST(scored.finished.completion_tokens == 0U);
  BOOST_TEST(cluster.left_over() == "");
  Answer answered;
  const auto second = cluster.ask(0, request(2), answered);
  BOOST_REQUIRE(cluster.run_until([&] { return answered.done; }, std::chrono::seconds(10)));
  BOOST_TEST(answered.tokens[0].size() == 16U);
  BOOST_TEST(answered.finished.cached_tokens == 96U);
  BOOST_TEST(cluster.status(0).counters.streams_scored == 1U);
}

BOOST_AUTO_TEST_CASE(an_adapter_that_no_replica_has_is_refused_by_name) {
  VirtualCluster cluster({.nodes = 2});
  cluster.run_for(std::chrono::seconds(1));  // all have reported
  auto adapted = request(1);
  adapted.adapter = "sport";
  Answer answer;
  const auto connection = cluster.ask(0, adapted, answer);
  BOOST_REQUIRE(cluster.run_until([&] { return answer.done || !answer.failure.empty(); }, std::chrono::seconds(10)));
  BOOST_TEST(answer.failure.find("adapter 'sport'") != std::string::npos, answer.failure);
  BOOST_TEST(cluster.left_over() == "");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
