#include "model/grammar_masks.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "core/assert.h"

namespace spillway::model {

namespace {

constexpr std::uint32_t unknown = 0xffffffffU;
constexpr std::uint32_t dead = 0;
constexpr std::size_t sets_max = 1U << 15;
constexpr std::size_t configs_max = 1U << 20;
constexpr std::size_t walk_bytes_max = 16U << 20;
/// Up to so many tokens of a walk are kept one by one.
constexpr std::size_t few_tokens = 1024;

void set_bit(TokenMask& mask, core::TokenId token) {
  mask[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (static_cast<unsigned>(token) % 64);
}

}  // namespace

GrammarMasks::GrammarMasks(const GrammarAutomaton& automaton, const GrammarTrie& trie)
    : automaton_{automaton}, trie_{trie}, path_(trie.depth_max() + 1) {
  forget();
}

void GrammarMasks::forget() {
  stacks_ = {};
  by_content_.clear();
  sets_.clear();
  next_.clear();
  walks_.clear();
  configs_ = 0;
  walk_bytes_ = 0;
  intern({});  // dead
}

bool GrammarMasks::full() const {
  return sets_.size() > sets_max || configs_ > configs_max;
}

bool GrammarMasks::fill(const GrammarMatcher& matcher, TokenMask& mask) {
  SPILLWAY_ASSERT(&matcher.automaton() == &automaton_);
  if (walk_bytes_ > walk_bytes_max) forget();
  if (try_fill(matcher, mask)) return true;
  forget();
  return try_fill(matcher, mask);
}

bool GrammarMasks::try_fill(const GrammarMatcher& matcher, TokenMask& mask) {
  mask.assign((trie_.vocabulary() + 63) / 64, 0);
  // Nodes at which the rules above a stack ended, deepest stacks first: what a stack goes on with may end the one below.
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::uint32_t>, std::greater<>> ended;  // by (depth, stack)
  const auto end_at = [&](std::uint32_t stack, const std::vector<std::uint32_t>& nodes) {
    if (stack == 0 || nodes.empty()) return;
    auto& all = ended[{matcher.stacks().frame(stack).depth, stack}];
    all.insert(all.end(), nodes.begin(), nodes.end());
  };
  std::map<std::uint32_t, std::vector<GrammarConfig>> by_stack;
  for (const auto& config : matcher.configs()) by_stack[config.stack].push_back({config.state, 0});
  const auto add_walk = [&](SetId set) -> const std::vector<std::uint32_t>& {
    const auto& found = walk_from_root(set);
    for (std::size_t i = 0; i < found.mask.size(); ++i) mask[i] |= found.mask[i];
    for (const auto token : found.tokens) set_bit(mask, token);
    return found.left;
  };
  for (auto& [stack, configs] : by_stack) {
    end_at(stack, add_walk(intern(std::move(configs))));
    if (full()) return false;
  }
  const auto take = [&mask](core::TokenId token) { set_bit(mask, token); };
  std::vector<std::uint32_t> left;
  while (!ended.empty()) {
    const auto stack = ended.begin()->first.second;
    auto nodes = std::move(ended.begin()->second);
    ended.erase(ended.begin());
    std::sort(nodes.begin(), nodes.end());
    nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
    const auto& frame = matcher.stacks().frame(stack);
    const SetId set = intern({{frame.state, 0}});
    left.clear();
    // The rules above may have ended before any byte: then the walk goes from the root, and may be known.
    if (nodes.front() == 0) left = add_walk(set);
    for (const auto node : nodes)
      if (node != 0) walk(node, set, take, left);
    if (full()) return false;
    end_at(frame.below, left);
  }
  return true;
}

GrammarMasks::SetId GrammarMasks::intern(std::vector<GrammarConfig> configs) {
  const auto [found, added] = by_content_.try_emplace(std::move(configs), static_cast<SetId>(sets_.size()));
  if (!added) return found->second;
  Set set;
  stacks_.close(automaton_, found->first, set.closed, set.ended);
  std::erase_if(set.closed, [&](const GrammarConfig& config) { return automaton_.edges(config.state).empty(); });
  configs_ += set.closed.size() + found->first.size();
  sets_.push_back(std::move(set));
  next_.resize(sets_.size() * automaton_.classes(), unknown);
  return found->second;
}

GrammarMasks::SetId GrammarMasks::next(SetId set, std::uint8_t byte) {
  const std::size_t at = std::size_t{set} * automaton_.classes() + automaton_.byte_class(byte);
  if (next_[at] != unknown) return next_[at];
  std::vector<GrammarConfig> configs;
  GrammarStacks::step(automaton_, sets_[set].closed, byte, configs);
  const SetId to = configs.empty() || full() ? dead : intern(std::move(configs));
  next_[at] = to;
  return to;
}

/// Takes the tokens below `node` that `set` can read; `left` gets the inner nodes, `node` too, at which its rule may end.
template <class Take>
void GrammarMasks::walk(std::uint32_t node, SetId set, Take&& take, std::vector<std::uint32_t>& left) {
  const std::uint32_t end = trie_.node(node).end;
  if (sets_[set].ended && !trie_.leaf(node)) left.push_back(node);
  path_[trie_.node(node).depth] = set;
  for (std::uint32_t i = node + 1; i < end;) {
    const auto& at = trie_.node(i);
    const SetId to = next(path_[at.depth - 1U], at.byte);
    if (to == dead) {
      i = at.end;
      continue;
    }
    path_[at.depth] = to;
    for (std::uint32_t k = at.first_token; k < trie_.node(i + 1).first_token; ++k) take(trie_.tokens()[k]);
    if (sets_[to].ended && at.end > i + 1) left.push_back(i);
    ++i;
  }
}

const GrammarMasks::Walk& GrammarMasks::walk_from_root(SetId set) {
  const auto [found, added] = walks_.try_emplace(set);
  Walk& walk_found = found->second;
  if (!added) return walk_found;
  walk_found.mask.assign((trie_.vocabulary() + 63) / 64, 0);
  std::size_t count = 0;
  const auto take = [&](core::TokenId token) {
    set_bit(walk_found.mask, token);
    if (count++ < few_tokens) walk_found.tokens.push_back(token);
  };
  walk(0, set, take, walk_found.left);
  if (count <= few_tokens) walk_found.mask = {};
  if (count > few_tokens) walk_found.tokens = {};
  walk_bytes_ += 8 * walk_found.mask.size() + 4 * (walk_found.tokens.size() + walk_found.left.size());
  return walk_found;
}

}  // namespace spillway::model
