// Perplexity is that of the log-probabilities which forced decoding finds, window by window.

#include "model/perplexity.h"

#include <boost/test/unit_test.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "tests/model/tiny_model.h"

using namespace spillway;

namespace {

using Tokens = std::vector<core::TokenId>;

std::unique_ptr<model::CpuDevice> make_device(model::test::TinyVocabulary vocabulary, std::uint32_t context = 0) {
  auto device = model::CpuDevice::make({.path = model::test::write_tiny_model({.vocabulary = vocabulary}),
                                        .page_format = core::PageFormat::raw32,
                                        .context_max = context,
                                        .blocks = 16,
                                        .threads = 2,
                                        .step_rows_max = 19});  // cuts the windows
  BOOST_REQUIRE(device.has_value());
  return std::move(*device);
}

std::string text_of(std::size_t words) {
  std::string text;
  for (std::size_t i = 0; i < words; ++i) text += std::string(1 + i % 3, static_cast<char>('a' + i * 7 % 26)) + (i % 5 == 4 ? ".\n" : " ");
  return text;
}

/// Minus the log-probability of the token behind `before`, in float64 from the model's weights.
double surprise(const model::test::TinyModel& tiny, const Tokens& before, core::TokenId next) {
  const auto logits = model::test::reference_logits(tiny, before, false);
  double most = logits[0];
  for (const double logit : logits) most = std::max(most, logit);
  double sum = 0.0;
  for (const double logit : logits) sum += std::exp(logit - most);
  return most + std::log(sum) - logits[static_cast<std::size_t>(next)];
}

}  // namespace

BOOST_AUTO_TEST_SUITE(perplexity_of_a_text)

BOOST_AUTO_TEST_CASE(windows_are_cut_by_the_rule) {
  const auto bpe = make_device(model::test::TinyVocabulary::bpe);
  const std::string text = text_of(600);
  const auto tokens = bpe->tokenizer()->encode(text);
  for (const std::uint32_t window : {4U, 7U, 16U, 512U}) {
    const auto windows = model::perplexity_windows(*bpe->tokenizer(), text, window);
    BOOST_REQUIRE(windows.has_value());
    BOOST_TEST(windows->size() == tokens.size() / window);
    Tokens all;
    for (const auto& given : *windows) {
      BOOST_TEST(given.tokens.size() == (window - 1) / 2);
      BOOST_TEST(given.prompt.size() + given.tokens.size() == window);
      all.insert(all.end(), given.prompt.begin(), given.prompt.end());
      all.insert(all.end(), given.tokens.begin(), given.tokens.end());
    }
    const Tokens wanted(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(all.size()));
    BOOST_TEST(all == wanted, boost::test_tools::per_element());
  }
  BOOST_TEST(model::perplexity_windows(*bpe->tokenizer(), text, 512)->front().tokens.size() == 255U);
}

BOOST_AUTO_TEST_CASE(bos_takes_the_place_of_each_first_token) {
  const auto spm = make_device(model::test::TinyVocabulary::spm);
  BOOST_REQUIRE(spm->tokenizer()->adds_bos());
  const auto windows = model::perplexity_windows(*spm->tokenizer(), text_of(100), 16);
  BOOST_REQUIRE(windows.has_value());
  BOOST_REQUIRE(windows->size() > 2U);
  const auto tokens = spm->tokenizer()->encode(text_of(100));
  for (std::size_t i = 0; i < windows->size(); ++i) {
    BOOST_TEST((*windows)[i].prompt[0] == *spm->tokenizer()->bos());
    BOOST_TEST((*windows)[i].prompt[1] == tokens[i * 16 + 1]);
  }
}

BOOST_AUTO_TEST_CASE(equal_to_forced_decoding) {
  for (const auto vocabulary : {model::test::TinyVocabulary::bpe, model::test::TinyVocabulary::spm}) {
    const auto device = make_device(vocabulary);
    const auto tiny = model::test::make_tiny_model({.vocabulary = vocabulary});
    const std::string text = text_of(40);
    constexpr std::uint32_t window = 24;
    double sum = 0.0;
    std::size_t scored = 0;
    const auto windows = model::perplexity_windows(*device->tokenizer(), text, window);
    BOOST_REQUIRE(windows.has_value());
    for (const auto& given : *windows) {
      Tokens before = given.prompt;
      for (const auto token : given.tokens) {
        sum += surprise(tiny, before, token);
        before.push_back(token);
        ++scored;
      }
    }
    std::vector<std::size_t> told;
    const auto found = model::perplexity(*device, text, window, [&](std::size_t done, std::size_t all) {
      told.push_back(done);
      BOOST_TEST(all == windows->size());
    });
    BOOST_REQUIRE(found.has_value());
    BOOST_TEST(found->tokens == scored);
    BOOST_TEST(found->windows == windows->size());
    BOOST_TEST(told.size() == windows->size());
    BOOST_TEST(told.back() == windows->size());
    // Quantised activations are what parts the engine from float64.
    BOOST_TEST(found->value == std::exp(sum / static_cast<double>(scored)), boost::test_tools::tolerance(0.01));
  }
}

BOOST_AUTO_TEST_CASE(what_cannot_be_scored_is_named) {
  const auto device = make_device(model::test::TinyVocabulary::bpe, 64);
  const auto says = [&](std::string_view text, std::uint32_t window, const std::string& part) {
    const auto found = model::perplexity(*device, text, window, [](std::size_t, std::size_t) {});
    BOOST_REQUIRE(!found.has_value());
    BOOST_TEST(found.error().message.find(part) != std::string::npos, found.error().message);
  };
  says("abc", 16, "fewer than one window of 16");
  says("", 16, "has 0 tokens");
  says(text_of(100), 3, "window = 3 tokens: want at least 4");
  says(text_of(100), 65, "window = 65 tokens; the context holds 64");
}

BOOST_AUTO_TEST_SUITE_END()
