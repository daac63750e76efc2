#include <boost/test/unit_test.hpp>

#include "model/paced_tokenizer.h"
#include "model/text_stream.h"
#include "tests/actors/virtual_cluster.h"

namespace spillway::tests {

using std::chrono::seconds;

namespace {

core::Submit story() {
  core::Submit submit;
  submit.request = {{3, 4}};
  submit.kind = core::PromptKind::tokens;
  for (core::TokenId token = 300; token < 340; ++token) submit.tokens.push_back(token);
  submit.tokens_max = 64;
  submit.ignore_eos = true;
  return submit;
}

std::string text_of(const std::vector<core::TokenId>& tokens, std::size_t from, const std::vector<std::string>& stop) {
  model::TextStream stream(*model::paced_tokenizer(config::PacedCosts{}.vocabulary), stop);
  std::string text;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto shown = stream.feed(tokens[i]);
    if (i >= from) text += shown;
  }
  return text += stream.finish();
}

/// The same request under its id, with the first `count` tokens of `all` brought along.
core::Submit again(core::Submit submit, const core::Accepted& accepted, const std::vector<core::TokenId>& all, std::size_t count) {
  submit.resumed = true;
  submit.resume = {accepted.seed, accepted.weights_digest, accepted.numerics_id, {{}}};
  submit.resume.choices[0].tokens.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(count));
  return submit;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(router_actor)

BOOST_AUTO_TEST_CASE(text_goes_on_behind_what_a_client_brings_back) {
  constexpr std::size_t brought = 30;
  Answer whole;
  {
    VirtualCluster cluster(VirtualOptions{});
    const auto connection = cluster.ask(0, story(), whole);
    BOOST_REQUIRE(cluster.run_until([&] { return whole.done; }, seconds(30)));
  }
  const auto& all = whole.tokens[0];
  BOOST_REQUIRE(all.size() == 64U);
  // The last token that is brought begins a stop string, so its text is kept back until the next one shows that it was none.
  core::Submit submit = story();
  submit.stop = {text_of({all[brought - 1]}, 0, {}) + "#"};
  const std::string rest = text_of(all, brought, submit.stop);
  BOOST_REQUIRE(rest != text_of(all, brought, {}));

  for (const std::size_t here : {5U, 40U}) {  // tokens that the router has made when the client comes back
    VirtualCluster cluster(VirtualOptions{});
    core::Accepted accepted;
    std::size_t made = 0;
    const auto first = cluster.connect(0, [&](core::ClientMessage&& message) {
      if (const auto* told = std::get_if<core::Accepted>(&message)) accepted = *told;
      if (const auto* delta = std::get_if<core::Delta>(&message)) made += delta->tokens.size();
    });
    first->send(submit);
    BOOST_REQUIRE(cluster.run_until([&] { return made >= here; }, seconds(30)));
    BOOST_REQUIRE(made < 64U);
    Answer answer;
    const auto second = cluster.ask(0, again(submit, accepted, all, brought), answer);
    BOOST_REQUIRE(cluster.run_until([&] { return answer.done; }, seconds(30)));
    BOOST_TEST((answer.tokens[0] == std::vector<core::TokenId>(all.begin() + brought, all.end())));
    BOOST_TEST(answer.texts[0] == rest, "with " << here << " tokens made: '" << answer.texts[0] << "', wanted '" << rest << "'");
  }
}

BOOST_AUTO_TEST_CASE(a_refused_repetition_changes_no_text) {
  Answer whole;
  VirtualCluster cluster(VirtualOptions{});
  const auto connection = cluster.ask(0, story(), whole);
  BOOST_REQUIRE(cluster.run_until([&] { return whole.tokens[0].size() >= 5; }, seconds(30)));
  auto other = again(story(), core::Accepted{}, std::vector<core::TokenId>(20, 700), 20);
  other.tokens.back() = 999;
  Answer refused;
  const auto stranger = cluster.ask(0, other, refused);
  BOOST_REQUIRE(cluster.run_until([&] { return whole.done && refused.done; }, seconds(30)));
  BOOST_TEST(!refused.failure.empty());
  BOOST_TEST(whole.texts[0] == text_of(whole.tokens[0], 0, {}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace spillway::tests
