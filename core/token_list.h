#pragma once

#include <algorithm>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "core/assert.h"
#include "core/ids.h"

namespace spillway::core {

/// Token ids that nobody changes any more, shared by all copies: a prompt is held by the router, the batcher, the device and messages
/// on their way between them, and each of them costs a reference, whatever its length. Copies may be read by any thread.
class TokenList {
 public:
  using value_type = TokenId;

  TokenList() = default;
  TokenList(std::vector<TokenId> tokens)  // NOLINT(google-explicit-constructor): a list is made of what it holds
      : size_(tokens.size()), tokens_(tokens.empty() ? nullptr : std::make_shared<const std::vector<TokenId>>(std::move(tokens))) {}
  TokenList(std::initializer_list<TokenId> tokens) : TokenList(std::vector<TokenId>(tokens)) {}

  /// The first `count` of these, shared with this list. `count` <= size().
  TokenList first(std::size_t count) const {
    SPILLWAY_ASSERT(count <= size_);
    TokenList part = *this;
    part.size_ = count;
    return part;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  const TokenId* data() const { return tokens_ ? tokens_->data() : nullptr; }
  const TokenId* begin() const { return data(); }
  const TokenId* end() const { return data() + size_; }
  TokenId operator[](std::size_t index) const { return data()[index]; }

  std::vector<TokenId> vector() const { return {begin(), end()}; }

  friend bool operator==(const TokenList& a, const TokenList& b) {
    return a.size_ == b.size_ && (a.tokens_ == b.tokens_ || std::equal(a.begin(), a.end(), b.begin()));
  }

 private:
  std::size_t size_ = 0;
  std::shared_ptr<const std::vector<TokenId>> tokens_;
};

}  // namespace spillway::core
