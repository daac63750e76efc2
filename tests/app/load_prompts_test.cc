#include "app/load_prompts.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <set>

namespace spillway::app {
namespace {

/// Requests with these blocks of 16 tokens and this much input.
sim::Workload workload_of(const std::vector<std::pair<std::vector<std::uint64_t>, std::uint32_t>>& requests) {
  sim::WorkloadBuilder builder;
  for (const auto& [blocks, input] : requests) {
    sim::DraftRequest draft;
    draft.input_tokens = input;
    draft.output_tokens = 1;
    draft.block_tokens = blocks.empty() ? 0 : 16;
    draft.blocks = blocks;
    builder.add(draft);
  }
  return builder.finish().value();
}

std::vector<core::TokenId> some_tokens() {
  std::vector<core::TokenId> tokens;
  for (int i = 300; i < 1300; ++i) tokens.push_back(static_cast<core::TokenId>(i));
  return tokens;
}

std::size_t common(const std::vector<std::int32_t>& a, const std::vector<std::int32_t>& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin());
}

config::Cluster cluster_with(std::uint32_t vocabulary) {
  config::Cluster cluster;
  auto& model = cluster.models["paced"];
  model.name = "paced";
  model.kind = config::ModelKind::paced;
  model.paced.vocabulary = vocabulary;
  return cluster;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(load_prompts)

BOOST_AUTO_TEST_CASE(equal_blocks_are_equal_tokens_and_all_else_differs) {
  const auto workload = workload_of({{{1, 2, 3}, 50}, {{1, 2, 4}, 50}, {{1, 2, 3}, 48}, {{1, 2, 3}, 40}, {{}, 50}, {{}, 50}});
  const LoadPrompts prompts(workload, some_tokens(), 1);
  std::vector<std::vector<std::int32_t>> made;
  for (std::uint32_t i = 0; i < 6; ++i) {
    made.push_back(prompts.make(i));
    BOOST_TEST(made.back().size() == workload.requests[i].input_tokens);
  }
  BOOST_TEST(common(made[0], made[1]) == 32U);
  BOOST_TEST(common(made[0], made[2]) == 48U);
  BOOST_TEST(common(made[0], made[3]) == 40U);  // a tail block that is named is shared as far as both go
  BOOST_TEST(common(made[4], made[5]) == 0U);
  BOOST_TEST(common(made[0], made[4]) == 0U);
  BOOST_TEST((made[4] == prompts.make(4)));
}

BOOST_AUTO_TEST_CASE(another_seed_is_another_text_of_the_same_shape) {
  const auto workload = workload_of({{{1}, 20}, {{1}, 20}});
  const LoadPrompts one(workload, some_tokens(), 1);
  const LoadPrompts two(workload, some_tokens(), 2);
  BOOST_TEST(common(one.make(0), two.make(0)) == 0U);
  BOOST_TEST(common(two.make(0), two.make(1)) == 16U);
}

BOOST_AUTO_TEST_CASE(tokens_are_plain_ones_within_the_vocabulary_and_use_all_of_it) {
  const auto tokens = prompt_tokens_of(cluster_with(400), 0);
  BOOST_REQUIRE_MESSAGE(tokens, tokens.error().message);
  BOOST_TEST(static_cast<int>(tokens->back()) == 399);
  BOOST_TEST(static_cast<int>(tokens->front()) > 2);  // no control tokens
  const auto workload = workload_of({{{}, 20000}});
  const auto prompt = LoadPrompts(workload, *tokens, 1).make(0);
  std::set<std::int32_t> used(prompt.begin(), prompt.end());
  BOOST_TEST(used.size() == tokens->size());
  BOOST_TEST(*used.rbegin() == 399);
}

BOOST_AUTO_TEST_CASE(models_share_the_tokens_that_all_of_them_have) {
  auto cluster = cluster_with(1000);
  cluster.models["small"] = cluster_with(300).models["paced"];
  const auto tokens = prompt_tokens_of(cluster, 0);
  BOOST_REQUIRE(tokens);
  BOOST_TEST(static_cast<int>(tokens->back()) == 299);
}

BOOST_AUTO_TEST_CASE(a_model_file_that_is_not_here_is_an_error_unless_the_vocabulary_is_told) {
  config::Cluster cluster;
  auto& model = cluster.models["far"];
  model.name = "far";
  model.path = "/nowhere/far.gguf";
  const auto refused = prompt_tokens_of(cluster, 0);
  BOOST_REQUIRE(!refused);
  BOOST_TEST(refused.error().message.find("model far: ") != std::string::npos);
  BOOST_TEST(refused.error().message.find("--vocabulary N") != std::string::npos);
  const auto told = prompt_tokens_of(cluster, 1000);
  BOOST_REQUIRE(told);
  BOOST_TEST(static_cast<int>(told->back()) == 999);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::app
