#pragma once

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "model/device.h"

namespace spillway::model::test {

inline std::shared_ptr<core::Request> make_request(std::vector<core::TokenId> prompt, std::uint32_t tokens_max) {
  auto request = std::make_shared<core::Request>();
  request->prompt = std::move(prompt);
  request->tokens_max = tokens_max;
  return request;
}

/// How one choice is driven through a device, without a batcher.
struct Drive {
  std::vector<core::TokenId> answer{};  ///< tokens so far
  std::uint32_t from = 0;               ///< rows already in the pages
  std::uint32_t chunk = 2048;           ///< prompt rows a step
  core::BlockId first_block = 0;        ///< blocks first_block, first_block + stride, ...
  core::BlockId stride = 1;
  std::uint32_t choice = 0;
  std::uint32_t stop_after = 0xffffffffU;  ///< tokens to draw at most
};

inline std::vector<core::BlockId> block_table(std::size_t tokens, const Drive& how) {
  std::vector<core::BlockId> blocks((tokens + core::block_tokens - 1) / core::block_tokens);
  for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = how.first_block + static_cast<core::BlockId>(i) * how.stride;
  return blocks;
}

/// Prefill in chunks, then one token a step until the choice ends (or `stop_after`).
inline std::vector<core::TokenOut> drive(Device& device, const std::shared_ptr<core::Request>& request, const Drive& how) {
  constexpr core::SequenceId sequence{1};
  std::vector<core::TokenId> tokens = request->prompt.vector();
  tokens.insert(tokens.end(), how.answer.begin(), how.answer.end());
  std::vector<core::TokenOut> outs;
  std::uint32_t from = how.from;
  core::StepPlan plan;
  plan.opens.push_back({sequence, request, how.choice, how.answer});
  while ((outs.empty() || outs.back().finish == core::FinishReason::none) && outs.size() < how.stop_after) {
    const auto end = static_cast<std::uint32_t>(std::min<std::size_t>(tokens.size(), from + how.chunk));
    core::StepItem item{sequence, from, {tokens.begin() + from, tokens.begin() + end}, block_table(end, how), {}, {}};
    if (end == tokens.size()) item.samples.push_back({sequence, static_cast<std::uint32_t>(how.answer.size() + outs.size())});
    plan.items.push_back(std::move(item));
    const auto result = device.execute(plan);
    BOOST_REQUIRE_MESSAGE(result.has_value(), (result ? "" : result.error().message));
    from = end;
    for (const auto& sampled : result->sampled) {
      outs.push_back(sampled.out);
      tokens.push_back(sampled.out.token);
    }
    plan = {};
  }
  plan.closes.push_back(sequence);
  BOOST_REQUIRE(device.execute(plan).has_value());
  return outs;
}

inline std::vector<core::TokenId> tokens_of(const std::vector<core::TokenOut>& outs) {
  std::vector<core::TokenId> tokens;
  for (const auto& out : outs) tokens.push_back(out.token);
  return tokens;
}

}  // namespace spillway::model::test
