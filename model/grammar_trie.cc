#include "model/grammar_trie.h"

#include <algorithm>
#include <limits>

namespace spillway::model {

namespace {

/// Longer texts are left out: no vocabulary has them, and depths are kept in 16 bits.
constexpr std::size_t text_bytes_max = std::numeric_limits<std::uint16_t>::max();

std::size_t common_prefix(std::string_view a, std::string_view b) {
  return static_cast<std::size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(std::min(a.size(), b.size())), b.begin()).first - a.begin());
}

}  // namespace

GrammarTrie::GrammarTrie(std::uint32_t size, const std::function<std::string_view(core::TokenId)>& piece) : vocabulary_{size} {
  std::vector<std::pair<std::string_view, core::TokenId>> sorted;
  for (std::uint32_t id = 0; id < size; ++id) {
    const auto text = piece(static_cast<core::TokenId>(id));
    if (!text.empty() && text.size() <= text_bytes_max) sorted.emplace_back(text, static_cast<core::TokenId>(id));
  }
  std::sort(sorted.begin(), sorted.end());
  nodes_.emplace_back();
  std::vector<std::uint32_t> path{0};  // from the root to the node at hand
  const auto leave = [&](std::size_t depth) {
    for (; path.size() > depth + 1; path.pop_back()) nodes_[path.back()].end = static_cast<std::uint32_t>(nodes_.size());
  };
  std::string_view before;
  for (const auto& [text, id] : sorted) {
    leave(common_prefix(before, text));
    while (path.size() <= text.size()) {
      const auto depth = path.size();
      path.push_back(static_cast<std::uint32_t>(nodes_.size()));
      nodes_.push_back(
          {0, static_cast<std::uint32_t>(tokens_.size()), static_cast<std::uint16_t>(depth), static_cast<std::uint8_t>(text[depth - 1])});
    }
    tokens_.push_back(id);
    depth_max_ = std::max(depth_max_, static_cast<std::uint32_t>(text.size()));
    before = text;
  }
  leave(0);
  nodes_[0].end = static_cast<std::uint32_t>(nodes_.size());
  nodes_.push_back({0, static_cast<std::uint32_t>(tokens_.size()), 0, 0});
}

}  // namespace spillway::model
