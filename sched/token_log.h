#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/request.h"

namespace spillway::sched {

/// Tokens of one choice, in order, kept as small as they are: four bytes each, and whole where one says more than its id.
class TokenLog {
 public:
  void push_back(const core::TokenOut& token) {
    if (token.is_end || token.finish != core::FinishReason::none || token.logprob != 0.0F || !token.top.empty()) keep_whole(token);
    ids_.push_back(token.token);
  }
  std::size_t size() const { return ids_.size(); }
  std::span<const core::TokenId> ids() const { return ids_; }
  /// The tokens from index `from` on, as they came.
  std::vector<core::TokenOut> from(std::size_t from) const;
  void reserve(std::size_t tokens) { ids_.reserve(tokens); }

 private:
  struct Whole {
    std::size_t index = 0;
    core::TokenOut token;
  };
  void keep_whole(const core::TokenOut& token) { wholes_.push_back({ids_.size(), token}); }

  std::vector<core::TokenId> ids_;
  std::vector<Whole> wholes_;  // by index
};

}  // namespace spillway::sched
