// The models against independent engines, where the shared material is there.

#include <algorithm>
#include <boost/json.hpp>
#include <boost/test/unit_test.hpp>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "model/cpu_device.h"
#include "model/score.h"
#include "tests/model/drive.h"
#include "tests/model/shared_data.h"

namespace {

using namespace spillway;
using model::test::ids_of;

struct Golden {
  std::vector<core::TokenId> prompt;
  std::vector<core::TokenId> tokens;
  std::vector<std::vector<std::pair<core::TokenId, double>>> top;  // per token, five best of the truth
};

std::vector<Golden> read_goldens(const std::string& path) {
  std::vector<Golden> goldens;
  const auto json = model::test::read_json(path);
  for (const auto& entry : json.at("cases").as_array()) {
    Golden golden{ids_of(entry.at("prompt_tokens")), ids_of(entry.at("tokens")), {}};
    for (const auto& position : entry.at("top").as_array()) {
      auto& list = golden.top.emplace_back();
      for (const auto& pair : position.as_array())
        list.emplace_back(static_cast<core::TokenId>(pair.at(0).as_int64()), pair.at(1).to_number<double>());
    }
    goldens.push_back(std::move(golden));
  }
  return goldens;
}

struct Bounds {
  std::size_t positions;
  double equal;       // at least this share of best tokens
  double difference;  // of log-probability, mean over the truth's five best that are among ours, at most
};

/// Feeds the golden's tokens and compares the distribution at each; holds nothing where the model or the golden is absent.
void check_forced_decoding(const char* name, const std::optional<std::string>& model_path, const char* golden, const Bounds& bounds) {
  const auto golden_path = model::test::shared_path(golden);
  std::size_t cases = 0;
  std::size_t positions = 0;
  std::size_t equal = 0;
  std::size_t clear_misses = 0;
  std::size_t values = 0;
  double sum = 0;
  if (model_path && golden_path) {
    auto device = model::CpuDevice::make({.path = *model_path, .blocks = 128, .threads = 2, .step_rows_max = 512});
    BOOST_REQUIRE_MESSAGE(device.has_value(), (device ? "" : device.error().message));
    for (const auto& one : read_goldens(*golden_path)) {
      const auto outs = model::score(**device, {one.prompt, one.tokens}, 5);
      BOOST_REQUIRE(outs.has_value());
      for (std::size_t i = 0; i < outs->size(); ++i, ++positions) {
        const auto& truth = one.top[i];
        const auto& ours = (*outs)[i].top;
        if (ours[0].first == truth[0].first) ++equal;
        else if (truth[0].second - truth[1].second > 1.0) ++clear_misses;
        for (const auto& [id, logprob] : truth)
          for (const auto& [our_id, our_logprob] : ours)
            if (our_id == id) sum += std::abs(static_cast<double>(our_logprob) - logprob), ++values;
      }
      ++cases;
    }
    BOOST_TEST(positions == bounds.positions);
    BOOST_TEST(clear_misses == 0U);
    BOOST_TEST(static_cast<double>(equal) >= bounds.equal * static_cast<double>(positions));
    BOOST_TEST(sum / static_cast<double>(values) <= bounds.difference);
  }
  BOOST_TEST_MESSAGE(name << ": " << cases << " shared cases, best token equal at " << equal << " of " << positions << ", mean difference "
                          << (values != 0 ? sum / static_cast<double>(values) : 0.0) << " over " << values);
}

}  // namespace

BOOST_AUTO_TEST_CASE(golden_stories260k_greedy_tokens_and_log_probabilities) {
  const auto model_path = model::test::shared_path("data/models/stories260K.gguf");
  const auto golden_path = model::test::shared_path("golden/stories260k.json");
  std::size_t cases = 0;
  std::size_t values = 0;
  double worst = 0;
  if (model_path && golden_path) {
    auto device = model::CpuDevice::make(
        {.path = *model_path, .page_format = core::PageFormat::raw32, .blocks = 64, .threads = 2, .step_rows_max = 64});
    BOOST_REQUIRE_MESSAGE(device.has_value(), (device ? "" : device.error().message));
    for (const auto& golden : read_goldens(*golden_path)) {
      const auto request = model::test::make_request(golden.prompt, static_cast<std::uint32_t>(golden.tokens.size()));
      request->logprobs = 5;
      request->ignore_eos = true;
      const auto outs = model::test::drive(**device, request, {});
      BOOST_TEST(model::test::tokens_of(outs) == golden.tokens, boost::test_tools::per_element());
      for (std::size_t i = 0; i < outs.size() && i < golden.top.size(); ++i) {
        for (std::size_t k = 0; k < golden.top[i].size(); ++k, ++values) {
          const auto id = golden.top[i][k].first;
          const auto logprob = golden.top[i][k].second;
          const auto found = std::find_if(outs[i].top.begin(), outs[i].top.end(), [&](const auto& pair) { return pair.first == id; });
          if (found != outs[i].top.end()) worst = std::max(worst, std::abs(static_cast<double>(found->second) - logprob));
          else worst = std::max(worst, std::abs(static_cast<double>(outs[i].top.back().second) - logprob));  // a tie at rank five
        }
      }
      ++cases;
    }
    BOOST_TEST(cases == 10U);
    BOOST_TEST(worst < 1e-3);
  }
  BOOST_TEST_MESSAGE("stories260K: " << cases << " shared cases, " << values << " log-probabilities, largest difference " << worst);
}

BOOST_AUTO_TEST_CASE(golden_smollm2_forced_decoding_stays_close_to_the_truth) {
  check_forced_decoding("SmolLM2", model::test::default_model_path(), "golden/smollm2.json", {17 * 64, 0.955, 0.09});
}

BOOST_AUTO_TEST_CASE(golden_gemma3_forced_decoding_stays_close_to_the_truth) {
  check_forced_decoding("gemma-3-270m", model::test::stored_path("gemma3-270m/gemma-3-270m-q4_k_m.gguf"), "golden/gemma3.json",
                        {13 * 64, 0.945, 0.11});
}
