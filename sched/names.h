#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/messages.h"

namespace spillway::sched {

/// Names of the full blocks of a stream, made as its tokens come: each is a keyed digest of (salt, name before it, 16 tokens)
/// (core/digest.h). Blocks that lie wholly in the prompt are shared by all choices; from block floor(prompt / 16) on each choice has
/// its own. Only routers hold the secret, so only owners make names.
class StreamNames {
 public:
  StreamNames() = default;
  StreamNames(const core::TenantSecret& secret, std::uint64_t salt, std::span<const core::TokenId> prompt, std::uint32_t choices,
              std::string_view adapter = {});

  /// Names that stand in for digests and are known ahead, those of an answer too: for bodies that compute nothing. One choice.
  static StreamNames stand_ins(std::span<const core::BlockName> names, std::size_t prompt_tokens, std::string_view adapter = {});

  /// The next generated token of a choice. True when it filled a block: its name is the last of `choice(c)`.
  bool add(std::uint32_t choice, core::TokenId token) { return !known_ahead_ && add_token(choice, token); }

  const std::vector<core::BlockName>& prompt() const { return prompt_; }
  const std::vector<core::BlockName>& choice(std::uint32_t choice) const { return choices_[choice].names; }
  /// Index of the first block that is not wholly in the prompt.
  std::uint32_t first_own_block() const { return static_cast<std::uint32_t>(prompt_.size()); }

 private:
  struct Choice {
    std::vector<core::BlockName> names;
    std::vector<core::TokenId> tail;  ///< tokens since the last full block, fewer than 16
  };
  bool add_token(std::uint32_t choice, core::TokenId token);

  core::TenantSecret secret_{};
  bool known_ahead_ = false;
  std::uint64_t salt_ = 0;
  core::BlockName root_;  // of the adapter
  std::vector<core::BlockName> prompt_;
  std::vector<Choice> choices_;
};

}  // namespace spillway::sched
