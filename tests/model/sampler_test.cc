#include "model/sampler.h"

#include <algorithm>
#include <bit>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <vector>

#include "core/philox.h"
#include "kernels/isa.h"

using namespace spillway;
using namespace spillway::model;

BOOST_AUTO_TEST_SUITE(sampler)

namespace {

constexpr float inf = std::numeric_limits<float>::infinity();
constexpr float nan = std::numeric_limits<float>::quiet_NaN();

/// The definition in long double with libm and full sorts: id -> probability of every token that may be drawn.
std::map<std::uint32_t, long double> reference(const std::vector<float>& logits, const core::Sampling& sampling) {
  std::vector<std::uint32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return logits[a] > logits[b]; });
  const long double max = logits[order[0]];
  std::vector<long double> weight;
  for (const auto id : order)
    weight.push_back(std::exp((static_cast<long double>(logits[id]) - max) / static_cast<long double>(sampling.temperature)));
  std::size_t kept = order.size();
  while (kept > 1 && weight[kept - 1] < static_cast<long double>(sampling.min_p)) --kept;
  if (sampling.top_k != 0) kept = std::min<std::size_t>(kept, sampling.top_k);
  const long double whole = std::accumulate(weight.begin(), weight.begin() + static_cast<std::ptrdiff_t>(kept), 0.0L);
  long double mass = 0;
  std::size_t nucleus = 0;
  while (nucleus < kept && (nucleus == 0 || sampling.top_p >= 1.0F || mass < static_cast<long double>(sampling.top_p) * whole))
    mass += weight[nucleus++];
  std::map<std::uint32_t, long double> probability;
  for (std::size_t i = 0; i < nucleus; ++i) probability[order[i]] = weight[i] / mass;
  return probability;
}

/// Token the definition draws for `u`; `near` tells that u lies so near a border that the rounding of weights may decide.
core::TokenId reference_draw(const std::map<std::uint32_t, long double>& probability, float u, bool& near) {
  long double sum = 0;
  for (const auto& [id, p] : probability) {
    sum += p;
    near = near || std::abs(sum - static_cast<long double>(u)) < 1e-5L;
    if (sum > static_cast<long double>(u)) return static_cast<core::TokenId>(id);
  }
  return static_cast<core::TokenId>(probability.rbegin()->first);
}

std::vector<float> random_logits(std::mt19937& random, std::size_t size, bool ties) {
  std::normal_distribution<float> normal(0.0F, 4.0F);
  std::vector<float> logits(size);
  for (float& logit : logits) logit = ties ? std::round(normal(random)) : normal(random);
  return logits;
}

core::TokenOut sampled(const std::vector<float>& logits, const core::Sampling& sampling, std::uint32_t index = 0,
                       std::uint32_t logprobs = 0) {
  Sampler sampler;
  core::TokenOut out;
  sampler.sample(logits, sampling, 0, index, logprobs, out);
  return out;
}

}  // namespace

BOOST_AUTO_TEST_CASE(bits_are_those_of_every_machine) {
  // Made once; another compiler, instruction set or flag that changes them breaks the sameness of streams.
  std::uint32_t state = 1;
  std::vector<float> logits(5000);
  for (float& logit : logits) {
    state = state * 1664525U + 1013904223U;
    logit = static_cast<float>(state >> 12) * 0x1p-16F;
  }
  const kernels::Isa before = kernels::current_isa();
  unsigned tried = 0;
  for (const kernels::Isa isa : {kernels::Isa::scalar, kernels::Isa::avx2, kernels::Isa::avx512}) {
    if (!kernels::set_isa(isa)) continue;
    ++tried;
    Sampler sampler;
    core::TokenOut out;
    std::uint64_t mixed = 0;
    for (std::uint32_t i = 0; i < 200; ++i) {
      sampler.sample(logits, {.temperature = 0.5F + static_cast<float>(i % 4), .top_p = i % 2 == 0 ? 1.0F : 0.9F, .seed = i}, 0, i, 3, out);
      mixed = mixed * 31 + static_cast<std::uint64_t>(out.token) * 0x100000000U + std::bit_cast<std::uint32_t>(out.logprob);
    }
    BOOST_TEST(mixed == 13335543834797701089U, kernels::to_string(isa) << ": " << mixed);
  }
  kernels::set_isa(before);
  BOOST_TEST_MESSAGE("instruction sets that drew alike: " << tried);
}

BOOST_AUTO_TEST_CASE(greedy_takes_the_largest_ties_to_the_lower_id) {
  BOOST_TEST(greedy(std::vector<float>{1, 3, 3, 2}) == 1);
  BOOST_TEST(sampled({1, 3, 3, 2}, {}).token == 1);
  BOOST_TEST(sampled({nan, -5, nan}, {}).token == 1);
  BOOST_TEST(sampled({nan, -inf}, {}).token == 0);
  BOOST_TEST(sampled({0, inf, 3e38F}, {}).token == 1);
}

BOOST_AUTO_TEST_CASE(draws_what_the_definition_draws) {
  std::mt19937 random(9);
  unsigned compared = 0;
  unsigned near_borders = 0;
  for (int round = 0; round < 1500; ++round) {
    const std::vector<float> logits = random_logits(random, 1 + random() % 1200, round % 3 == 0);
    core::Sampling sampling;
    sampling.temperature = 0.05F + static_cast<float>(random() % 300) / 100.0F;
    sampling.top_k = random() % 2 == 0 ? 0 : static_cast<std::uint32_t>(1 + random() % 600);
    sampling.top_p = random() % 2 == 0 ? 1.0F : static_cast<float>(1 + random() % 100) / 101.0F;
    sampling.min_p = random() % 2 == 0 ? 0.0F : static_cast<float>(random() % 100) / 300.0F;
    sampling.seed = random();
    const auto probability = reference(logits, sampling);
    bool near = false;
    const core::TokenId want = reference_draw(probability, core::philox_uniform(sampling.seed, 0, 5), near);
    const core::TokenId got = sampled(logits, sampling, 5).token;
    BOOST_REQUIRE(probability.contains(static_cast<std::uint32_t>(got)));
    near_borders += near;
    if (near) continue;
    BOOST_REQUIRE_EQUAL(got, want);
    ++compared;
  }
  BOOST_TEST(compared > 1400U);
  BOOST_TEST_MESSAGE("draws compared: " << compared << ", too near a border to tell: " << near_borders);
}

BOOST_AUTO_TEST_CASE(frequencies_follow_the_probabilities) {
  const std::vector<float> logits = {0.0F, 1.0F, 2.0F, -1.0F};
  core::Sampling sampling{.temperature = 0.8F, .seed = 42};
  const auto probability = reference(logits, sampling);
  std::array<unsigned, 4> counts{};
  Sampler sampler;
  core::TokenOut out;
  constexpr unsigned draws = 40'000;
  for (std::uint32_t i = 0; i < draws; ++i) {
    sampler.sample(logits, sampling, i % 7, i, 0, out);
    ++counts[static_cast<std::size_t>(out.token)];
  }
  double chi2 = 0;
  for (const auto& [id, p] : probability) {
    const double want = static_cast<double>(p) * draws;
    chi2 += (counts[id] - want) * (counts[id] - want) / want;
  }
  BOOST_TEST(chi2 < 16.3);  // 3 degrees of freedom, one in a thousand; the draws are fixed by the seed
}

BOOST_AUTO_TEST_CASE(one_token_is_left_by_the_tightest_cuts) {
  const std::vector<float> logits = {0.5F, 2.0F, 1.0F, 2.0F};
  for (std::uint32_t i = 0; i < 50; ++i) {
    BOOST_TEST(sampled(logits, {.temperature = 1.0F, .top_k = 1, .seed = i}).token == 1);
    BOOST_TEST(sampled(logits, {.temperature = 1.0F, .top_p = 1e-6F, .seed = i}).token == 1);
    const core::TokenId token = sampled(logits, {.temperature = 1.0F, .min_p = 1.0F, .seed = i}).token;
    BOOST_TEST((token == 1 || token == 3));
  }
}

BOOST_AUTO_TEST_CASE(odd_logits_are_defined) {
  for (std::uint32_t i = 0; i < 20; ++i) {
    core::Sampling sampling{.temperature = 1.0F, .seed = i};
    BOOST_TEST(sampled({nan, 1.0F, -inf}, sampling).token == 1);
    BOOST_TEST(sampled({nan, nan}, sampling).token == 0);
    BOOST_TEST(sampled({inf, 1.0F}, sampling).token == 0);
    BOOST_TEST(sampled({-3e38F, 3e38F}, sampling).token == 1);
    sampling.top_k = 2;
    sampling.top_p = 0.5F;
    BOOST_TEST(sampled({nan, 1.0F, nan}, sampling).token == 1);
    sampling.temperature = 1e-30F;
    BOOST_TEST(sampled({1.0F, 2.0F, 1.5F}, sampling).token == 1);
  }
  const core::TokenOut out = sampled({nan, -inf}, {}, 0, 2);
  BOOST_TEST(out.logprob == logprob_floor);
  BOOST_TEST(out.top.at(1).second == logprob_floor);
}

BOOST_AUTO_TEST_CASE(logprobs_are_those_of_the_raw_logits) {
  std::mt19937 random(4);
  for (int round = 0; round < 100; ++round) {
    const std::vector<float> logits = random_logits(random, 10 + random() % 3000, round % 2 == 0);
    const std::uint32_t k = round % 10 == 0 ? 300 : static_cast<std::uint32_t>(random() % 20);
    const core::TokenOut out = sampled(logits, {.temperature = 0.3F, .top_k = 3, .seed = random()}, 1, k);
    if (k == 0) {
      BOOST_TEST(out.logprob == 0.0F);
      BOOST_TEST(out.top.empty());
      continue;
    }
    const auto probability = reference(logits, {.temperature = 1.0F});
    const auto want = [&](core::TokenId id) { return std::log(static_cast<double>(probability.at(static_cast<std::uint32_t>(id)))); };
    BOOST_TEST(std::abs(out.logprob - want(out.token)) <= 1e-6 + 1e-6 * std::abs(want(out.token)));
    BOOST_TEST(out.top.size() == std::min<std::size_t>(k, logits.size()));
    std::vector<core::TokenId> order(logits.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(),
                     [&](auto a, auto b) { return logits[static_cast<std::size_t>(a)] > logits[static_cast<std::size_t>(b)]; });
    for (std::size_t i = 0; i < out.top.size(); ++i) {
      BOOST_REQUIRE(out.top[i].first == order[i]);
      BOOST_REQUIRE(std::abs(out.top[i].second - want(order[i])) <= 1e-6 + 1e-6 * std::abs(want(order[i])));
    }
    core::TokenOut given;
    Sampler().report(logits, out.token, k, given);
    BOOST_TEST((given == out));  // a forced token reports what the drawn one did, to the bit
  }
}

BOOST_AUTO_TEST_CASE(choice_and_index_and_seed_each_matter) {
  std::mt19937 random(2);
  const std::vector<float> logits = random_logits(random, 5000, false);
  Sampler sampler;
  core::TokenOut a;
  core::TokenOut b;
  unsigned seed_differs = 0;
  unsigned choice_differs = 0;
  unsigned index_differs = 0;
  for (std::uint32_t i = 0; i < 100; ++i) {
    const core::Sampling sampling{.temperature = 3.0F, .seed = i};
    const core::Sampling other{.temperature = 3.0F, .seed = i + (std::uint64_t{1} << 40)};
    sampler.sample(logits, sampling, 0, i, 0, a);
    sampler.sample(logits, sampling, 0, i, 0, b);
    BOOST_REQUIRE(a.token == b.token);
    sampler.sample(logits, other, 0, i, 0, b), seed_differs += a.token != b.token;
    sampler.sample(logits, sampling, 1, i, 0, b), choice_differs += a.token != b.token;
    sampler.sample(logits, sampling, 0, i + 1, 0, b), index_differs += a.token != b.token;
  }
  BOOST_TEST(std::min({seed_differs, choice_differs, index_differs}) > 80U);
}

BOOST_AUTO_TEST_CASE(wrong_parameters_are_refused_by_name) {
  BOOST_TEST(bool(check_sampling({})));
  BOOST_TEST(bool(check_sampling({.temperature = 2.0F, .top_k = 5, .top_p = 0.1F, .min_p = 1.0F})));
  const auto says = [](const core::Sampling& sampling, std::string_view part) {
    const auto checked = check_sampling(sampling);
    return !checked && checked.error().message.find(part) != std::string::npos;
  };
  BOOST_TEST(says({.temperature = -0.1F}, "temperature = -0.1"));
  BOOST_TEST(says({.temperature = nan}, "temperature = nan"));
  BOOST_TEST(says({.temperature = inf}, "temperature = inf"));
  BOOST_TEST(says({.top_p = 0.0F}, "top_p = 0"));
  BOOST_TEST(says({.top_p = 1.5F}, "top_p = 1.5"));
  BOOST_TEST(says({.min_p = nan}, "min_p = nan"));
  BOOST_TEST(says({.typical_p = 0.0F}, "typical_p = 0"));
  BOOST_TEST(says({.repetition_penalty = 0.0F}, "repetition_penalty = 0"));
  BOOST_TEST(says({.repetition_penalty = inf}, "repetition_penalty = inf"));
  BOOST_TEST(says({.presence_penalty = -2.5F}, "presence_penalty = -2.5"));
  BOOST_TEST(says({.frequency_penalty = nan}, "frequency_penalty = nan"));
  BOOST_TEST(says({.logit_bias = {{7, 101.0F}}}, "logit_bias of token 7 = 101"));
  BOOST_TEST(says({.logit_bias = {{7, 1.0F}, {8, 1.0F}, {7, 1.0F}}}, "token 7 is there twice"));
  BOOST_TEST(says({.logit_bias = std::vector<core::LogitBias>(1025)}, "1025 tokens, want at most 1024"));
  BOOST_TEST(says({.dry = {.multiplier = -1.0F}}, "dry_multiplier = -1"));
  BOOST_TEST(says({.dry = {.base = 0.5F}}, "dry_base = 0.5"));
  BOOST_TEST(says({.dry = {.breakers = {""}}}, "dry_sequence_breakers: a text of 0 bytes"));
  BOOST_TEST(says({.dry = {.breakers = std::vector<std::string>(65, "x")}}, "65 texts, want at most 64"));
}

BOOST_AUTO_TEST_SUITE_END()
