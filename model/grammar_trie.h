#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "core/ids.h"

namespace spillway::model {

/// The texts of a vocabulary's tokens as a tree of bytes, in preorder: the nodes below node i are those in (i, end(i)). Node 0 is the
/// root. Tokens without text are not in it.
class GrammarTrie {
 public:
  /// `piece(id)` gives the text of token id < size; the texts are not kept.
  GrammarTrie(std::uint32_t size, const std::function<std::string_view(core::TokenId)>& piece);

  std::uint32_t vocabulary() const { return vocabulary_; }
  std::uint32_t nodes() const { return static_cast<std::uint32_t>(nodes_.size() - 1); }
  std::uint32_t depth_max() const { return depth_max_; }

  struct Node {
    std::uint32_t end = 0;          ///< behind the last node below this one
    std::uint32_t first_token = 0;  ///< tokens() from here to the next node's are those whose text ends here
    std::uint16_t depth = 0;        ///< bytes from the root
    std::uint8_t byte = 0;          ///< that leads here
  };
  const Node& node(std::uint32_t index) const { return nodes_[index]; }
  bool leaf(std::uint32_t index) const { return nodes_[index].end == index + 1; }
  /// Of all nodes, in preorder.
  const std::vector<core::TokenId>& tokens() const { return tokens_; }

 private:
  std::uint32_t vocabulary_ = 0;
  std::uint32_t depth_max_ = 0;
  std::vector<Node> nodes_;  // and one behind the last, for its first_token
  std::vector<core::TokenId> tokens_;
};

}  // namespace spillway::model
