// The rules of model/logit_rules.h one by one; tests/model/sampler_reference_test.cc holds them against a reference.

#include "model/logit_rules.h"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "model/paced_tokenizer.h"

using namespace spillway;

namespace {

using Tokens = std::vector<core::TokenId>;
using Logits = std::vector<float>;

constexpr float inf = std::numeric_limits<float>::infinity();

Logits ruled(const Logits& logits, const core::Sampling& sampling, const Tokens& prompt, const Tokens& answer,
             const model::Tokenizer* tokenizer = nullptr) {
  model::LogitRules rules;
  const auto out = rules.apply(logits, sampling, {prompt, answer}, tokenizer);
  return {out.begin(), out.end()};
}

core::Sampling dry(float multiplier, float base, std::uint32_t allowed, std::uint32_t range = 0) {
  core::Sampling sampling;
  sampling.dry = {multiplier, base, allowed, range, {}};
  return sampling;
}

struct RuleCase {
  const char* rule;
  core::Sampling sampling;
  Tokens prompt;
  Tokens answer;
  Logits want;  // of 4, -4, 1, 0
};

const RuleCase rule_cases[] = {
    {"off is off", {}, {0, 1}, {2}, {4, -4, 1, 0}},
    {"repetition divides what is positive", {.repetition_penalty = 2}, {0}, {}, {2, -4, 1, 0}},
    {"repetition multiplies what is negative", {.repetition_penalty = 2}, {}, {1}, {4, -8, 1, 0}},
    {"repetition counts a token once", {.repetition_penalty = 2}, {0, 0}, {0, 0}, {2, -4, 1, 0}},
    {"repetition below 1 invites", {.repetition_penalty = 0.5F}, {}, {0}, {8, -4, 1, 0}},
    {"presence is of the answer", {.presence_penalty = 1}, {0}, {1, 1}, {4, -5, 1, 0}},
    {"frequency counts each time", {.frequency_penalty = 0.5F}, {0}, {1, 1, 2}, {4, -5, 0.5F, 0}},
    {"repetition comes before presence", {.repetition_penalty = 2, .presence_penalty = 3}, {}, {0}, {-1, -4, 1, 0}},
    {"bias comes before repetition", {.repetition_penalty = 2, .logit_bias = {{0, -8}}}, {}, {0}, {-8, -4, 1, 0}},
    {"bias of a token outside the vocabulary", {.logit_bias = {{4, 1}, {-1, 1}, {3, 1}}}, {}, {}, {4, -4, 1, 1}},
    {"DRY: one token repeated", dry(1, 2, 1), {}, {0, 1, 0}, {4, -5, 1, 0}},
    {"DRY: allowed length", dry(1, 2, 2), {}, {0, 1, 0}, {4, -4, 1, 0}},
    {"DRY: two tokens repeated", dry(1, 2, 1), {}, {3, 0, 1, 3, 0}, {4, -6, 1, 0}},
    {"DRY: the run reaches into the prompt", dry(1, 2, 1), {3, 0, 1}, {3, 0}, {4, -6, 1, 0}},
    {"DRY: the longest run counts", dry(1, 2, 1), {}, {0, 1, 3, 0, 1, 3, 0}, {4, -4 - 8, 1, 0}},
    {"DRY: the range ends it", dry(1, 2, 1, 3), {}, {3, 0, 1, 3, 0}, {4, -4, 1, 0}},
    {"DRY: nothing behind the last token", dry(1, 2, 1), {0}, {}, {4, -4, 1, 0}},
    {"DRY: allowed length 0", dry(1, 2, 0), {}, {0, 1, 0}, {4, -6, 1, 0}},
};

}  // namespace

BOOST_AUTO_TEST_SUITE(logit_rules)

BOOST_AUTO_TEST_CASE(each_rule_by_hand) {
  const Logits logits{4, -4, 1, 0};
  for (const auto& c : rule_cases) {
    const auto got = ruled(logits, c.sampling, c.prompt, c.answer);
    BOOST_TEST(got == c.want, c.rule << ": got " << got[0] << ' ' << got[1] << ' ' << got[2] << ' ' << got[3]);
  }
}

BOOST_AUTO_TEST_CASE(a_run_ends_at_a_breaker_and_breakers_lose_nothing) {
  const auto tokenizer = model::paced_tokenizer(1000);
  BOOST_REQUIRE(tokenizer.has_value());
  const Logits logits(1000, 1.0F);
  auto sampling = dry(1, 2, 1);
  const Tokens answer{400, 401, 402, 400, 401};
  BOOST_TEST(ruled(logits, sampling, {}, answer, tokenizer->get())[402] == -1.0F);
  sampling.dry.breakers = {std::string((*tokenizer)->piece(400))};
  BOOST_TEST(ruled(logits, sampling, {}, answer, tokenizer->get())[402] == 0.0F);
  sampling.dry.breakers = {std::string((*tokenizer)->piece(401))};
  BOOST_TEST(ruled(logits, sampling, {}, answer, tokenizer->get())[402] == 1.0F);
  sampling.dry.breakers = {std::string((*tokenizer)->piece(402))};
  BOOST_TEST(ruled(logits, sampling, {}, answer, tokenizer->get())[402] == 1.0F);
}

BOOST_AUTO_TEST_CASE(end_tokens_wait_for_the_least_number_of_tokens) {
  const auto tokenizer = model::paced_tokenizer(1000);
  BOOST_REQUIRE(tokenizer.has_value());
  const Logits logits(1000, 1.0F);
  const core::Sampling sampling{.tokens_min = 2, .logit_bias = {{2, 50.0F}}};
  const std::vector<std::pair<Tokens, bool>> answers = {{{}, true}, {{400}, true}, {{400, 401}, false}};
  for (const auto& [answer, held] : answers) {
    const auto got = ruled(logits, sampling, {400}, answer, tokenizer->get());
    for (std::size_t i = 0; i < got.size(); ++i) {
      const bool end = (*tokenizer)->is_end(static_cast<core::TokenId>(i));
      BOOST_TEST(got[i] == (end && held ? -inf : i == 2 ? 51.0F : 1.0F));
    }
  }
}

BOOST_AUTO_TEST_CASE(penalties_stay_finite) {
  const Tokens answer(5000, 3);
  const auto got = ruled({0, 0, 0, 0}, dry(100, 100, 0), {}, answer);
  BOOST_TEST(got[3] == -1e30F);
  BOOST_TEST(ruled({0, 0, 0, 0}, dry(1, 1, 0), {}, answer)[3] == -1.0F);
}

// What was ruled before leaves nothing behind: the same tokens give the same logits in any order of calls.
BOOST_AUTO_TEST_CASE(nothing_is_kept_from_call_to_call) {
  std::mt19937 random(5);
  model::LogitRules shared;
  for (int round = 0; round < 300; ++round) {
    Logits logits(10 + random() % 50);
    for (float& x : logits) x = static_cast<float>(random() % 100) - 50;
    const auto tokens = [&](std::size_t count) {
      Tokens made(count);
      for (auto& token : made) token = static_cast<core::TokenId>(random() % 12);
      return made;
    };
    const Tokens prompt = tokens(1 + random() % 20);
    const Tokens answer = tokens(random() % 30);
    core::Sampling sampling{.repetition_penalty = random() % 2 == 0 ? 1.0F : 1.5F, .presence_penalty = random() % 2 == 0 ? 0.0F : 0.7F};
    if (random() % 2 == 0) sampling.dry = {1.0F, 1.5F, 1, static_cast<std::uint32_t>(random() % 20), {}};
    const auto alone = ruled(logits, sampling, prompt, answer);
    const auto among = shared.apply(logits, sampling, {prompt, answer}, nullptr);
    BOOST_REQUIRE(std::equal(alone.begin(), alone.end(), among.begin(), among.end()));
    // A token that stands in neither keeps its logit, whatever is on.
    for (std::size_t i = 12; i < logits.size(); ++i) BOOST_REQUIRE(among[i] == logits[i]);
  }
}

BOOST_AUTO_TEST_SUITE_END()
