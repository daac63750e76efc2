#include "model/score.h"

#include <algorithm>
#include <numeric>
#include <string>

#include "model/sampler.h"

namespace spillway::model {

using core::Errc;
using core::fail;

namespace {

core::Result<void> check(const core::ReplicaInfo& info, const ScoreCase& given) {
  const std::size_t rows = given.prompt.size() + given.tokens.size();
  if (given.prompt.empty()) return fail(Errc::bad_argument, "prompt_tokens is empty; the model needs at least one token");
  if (rows > info.context_max)
    return fail(Errc::bad_argument, std::to_string(rows) + " tokens; the context holds " + std::to_string(info.context_max));
  if ((rows + core::block_tokens - 1) / core::block_tokens > info.blocks)
    return fail(Errc::bad_argument, std::to_string(rows) + " tokens do not fit in a pool of " + std::to_string(info.blocks) +
                                        " blocks; give it more memory for KV");
  for (const auto* list : {&given.prompt, &given.tokens})
    for (const auto token : *list)
      if (token < 0 || static_cast<std::uint32_t>(token) >= info.vocabulary)
        return fail(Errc::bad_argument,
                    "token " + std::to_string(token) + " is not in the vocabulary of " + std::to_string(info.vocabulary));
  return {};
}

}  // namespace

core::Result<std::vector<core::TokenOut>> score(CpuDevice& device, const ScoreCase& given, std::uint32_t top) {
  const auto& info = device.info();
  if (auto checked = check(info, given); !checked) return tl::make_unexpected(checked.error());
  std::vector<core::TokenId> all = given.prompt;
  all.insert(all.end(), given.tokens.begin(), given.tokens.end());
  std::vector<core::TokenOut> outs(given.tokens.size());
  if (outs.empty()) return outs;

  // The row at position p tells of the token at p + 1; the last given token needs no row.
  const auto rows = static_cast<std::uint32_t>(all.size() - 1);
  const auto first_wanted = static_cast<std::uint32_t>(given.prompt.size() - 1);
  std::vector<core::BlockId> blocks((rows + core::block_tokens - 1) / core::block_tokens);
  std::iota(blocks.begin(), blocks.end(), core::BlockId{0});
  Sampler sampler;
  for (std::uint32_t first = 0; first < rows; first += device.runner().rows_max()) {
    const std::uint32_t n = std::min(rows - first, device.runner().rows_max());
    const core::StepItem item{{}, first, {all.begin() + first, all.begin() + first + n}, blocks, {}, {}};
    std::vector<WantedRow> wanted;
    for (std::uint32_t r = 0; r < n; ++r)
      if (first + r >= first_wanted) wanted.push_back({0, r});
    device.runner().run({&item, 1}, wanted, [&](std::size_t index, const float* logits) {
      const std::uint32_t answer = first + wanted[index].row - first_wanted;
      sampler.report({logits, info.vocabulary}, given.tokens[answer], top, outs[answer]);
    });
  }
  return outs;
}

}  // namespace spillway::model
