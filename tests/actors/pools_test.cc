// Pools with the real actors: a prompt is computed on one node, its answer made on another, and the bytes are those of one node alone.

#include <boost/test/unit_test.hpp>

#include "tests/actors/virtual_cluster.h"

namespace spillway::tests {

namespace {

using std::chrono::seconds;

constexpr int streams = 8;

core::Submit request(int i, std::uint32_t prompt_tokens) {
  core::Submit submit;
  submit.request = {{9, static_cast<std::uint64_t>(i) + 1}};
  submit.kind = core::PromptKind::tokens;
  for (std::uint32_t p = 0; p < prompt_tokens; ++p)
    submit.tokens.push_back(static_cast<core::TokenId>(300 + (p * 7 + p / 16 + i * 31U) % 1000));
  submit.tokens_max = 40;
  submit.ignore_eos = true;
  if (i % 2 == 1) {
    submit.choices = 2;
    submit.sampling.temperature = 0.8F;
    submit.sampling.seed = 7;
    submit.seed_set = true;
  }
  return submit;
}

Answer undisturbed(const core::Submit& submit) {
  VirtualCluster cluster({.nodes = 1});
  Answer answer;
  const auto connection = cluster.ask(0, submit, answer);
  BOOST_REQUIRE(cluster.run_until([&] { return answer.done; }, seconds(60)));
  return answer;
}

struct Placed {
  int prefilled = 0;  ///< Runs that began at the prefill node
  int decoded = 0;    ///< ... elsewhere
  int imported = 0;   ///< streams that a decode node took over
  std::uint64_t pages = 0;
};

/// Node 0 computes prompts, nodes 1 and 2 make answers. All streams are submitted at node 1, so that Runs travel.
Placed play(std::uint32_t prompt_tokens) {
  VirtualCluster cluster({.nodes = 3, .configure = [](config::Cluster& c) {
                            c.nodes[0].phases = {config::Phase::prefill};
                            c.nodes[1].phases = c.nodes[2].phases = {config::Phase::decode};
                            c.disaggregation.prompt_tokens_min = 64;
                          }});
  Placed placed;
  cluster.network().set_observer([&](core::Instant, const core::Envelope& envelope) {
    if (envelope.kind != core::EnvelopeKind::data) return;
    if (const auto* run = std::get_if<core::Run>(envelope.message.get()))
      ++(run->replica.node == cluster.node(0) ? placed.prefilled : placed.decoded);
    if (const auto* accepted = std::get_if<core::RunAccepted>(envelope.message.get())) placed.imported += accepted->imported ? 1 : 0;
    if (const auto* page = std::get_if<core::PageFrame>(envelope.message.get())) placed.pages += page->whole_page ? 1 : 0;
  });
  cluster.run_for(seconds(1));  // all have reported
  std::vector<Answer> answers(streams);
  std::vector<std::unique_ptr<net::ClientConnection>> connections;
  for (int i = 0; i < streams; ++i) connections.push_back(cluster.ask(1, request(i, prompt_tokens), answers[static_cast<std::size_t>(i)]));
  BOOST_REQUIRE(
      cluster.run_until([&] { return std::all_of(answers.begin(), answers.end(), [](auto& a) { return a.done; }); }, seconds(120)));
  for (int i = 0; i < streams; ++i) {
    const auto& answer = answers[static_cast<std::size_t>(i)];
    BOOST_TEST(answer.failure == "");
    BOOST_TEST((answer == undisturbed(request(i, prompt_tokens))), "stream " << i << " says something else");
    BOOST_TEST(answer.finished.moves == (prompt_tokens >= 64 ? 1U : 0U));
    BOOST_TEST(answer.finished.restarts == 0U);
  }
  cluster.run_for(seconds(10));  // reports of moves
  BOOST_TEST(cluster.left_over() == "");
  const auto moved = cluster.status(1).counters.moves_committed;
  BOOST_TEST(moved == (prompt_tokens >= 64 ? static_cast<std::uint64_t>(streams) : 0U));
  return placed;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(pools)

BOOST_AUTO_TEST_CASE(a_long_prompt_is_computed_on_one_node_and_answered_on_another) {
  const Placed placed = play(200);
  BOOST_TEST(placed.prefilled == streams);
  BOOST_TEST(placed.pages >= streams * 12U);
  BOOST_TEST_MESSAGE(placed.prefilled << " prompts computed on the prefill node, " << placed.imported
                                      << " streams imported from it as seen, " << placed.pages << " pages carried");
}

BOOST_AUTO_TEST_CASE(a_short_prompt_stays_where_answers_are_made) {
  const Placed placed = play(40);
  BOOST_TEST(placed.prefilled == 0);
  BOOST_TEST(placed.pages == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
