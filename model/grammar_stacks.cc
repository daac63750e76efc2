#include "model/grammar_stacks.h"

#include <algorithm>
#include <string_view>

namespace spillway::model {

namespace {

constexpr std::uint64_t key(std::uint32_t state, std::uint32_t stack) {
  return std::uint64_t{state} << 32 | stack;
}

/// Frames above which a matcher keeps only those that are still needed.
constexpr std::size_t frames_kept = 1U << 14;

}  // namespace

std::uint32_t GrammarStacks::push(std::uint32_t state, std::uint32_t below) {
  const auto [found, added] = by_content_.try_emplace(key(state, below), static_cast<std::uint32_t>(frames_.size()));
  if (added) frames_.push_back({state, below, frames_[below].depth + 1});
  return found->second;
}

void GrammarStacks::close(const GrammarAutomaton& automaton, std::span<const GrammarConfig> from, std::vector<GrammarConfig>& all,
                          bool& ended) {
  all.clear();
  seen_.clear();
  ended = false;
  const auto add = [&](std::uint32_t state, std::uint32_t stack) {
    if (all.size() < configs_max && seen_.insert(key(state, stack)).second) all.push_back({state, stack});
  };
  for (const auto& config : from) add(config.state, config.stack);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const GrammarConfig config = all[i];
    for (const auto& call : automaton.calls(config.state)) {
      if (call.tail) {
        add(call.start, config.stack);
      } else if (frames_[config.stack].depth < depth_max) {
        add(call.start, push(call.to, config.stack));
      }
    }
    if (!automaton.final(config.state)) continue;
    if (config.stack == 0) {
      ended = true;
    } else {
      const Frame frame = frames_[config.stack];
      add(frame.state, frame.below);
    }
  }
}

void GrammarStacks::step(const GrammarAutomaton& automaton, std::span<const GrammarConfig> closed, std::uint8_t byte,
                         std::vector<GrammarConfig>& next) {
  next.clear();
  for (const auto& config : closed) {
    for (const auto& edge : automaton.edges(config.state)) {
      if (byte >= edge.first && byte <= edge.last) next.push_back({edge.to, config.stack});
    }
  }
  std::sort(next.begin(), next.end());
  next.erase(std::unique(next.begin(), next.end()), next.end());
}

GrammarMatcher::GrammarMatcher(const GrammarAutomaton& automaton) : automaton_{&automaton}, configs_{{automaton.start(), 0}} {
  refresh();
}

bool GrammarMatcher::accept(std::string_view bytes) {
  for (const char byte : bytes) {
    GrammarStacks::step(*automaton_, closed_, static_cast<std::uint8_t>(byte), configs_);
    refresh();
  }
  return alive();
}

void GrammarMatcher::refresh() {
  if (stacks_.size() > frames_kept) compact();
  stacks_.close(*automaton_, configs_, closed_, ended_);
}

void GrammarMatcher::compact() {
  GrammarStacks kept;
  std::vector<std::uint32_t> chain;
  for (auto& config : configs_) {
    for (auto stack = config.stack; stack != 0; stack = stacks_.frame(stack).below) chain.push_back(stacks_.frame(stack).state);
    config.stack = 0;
    for (; !chain.empty(); chain.pop_back()) config.stack = kept.push(chain.back(), config.stack);
  }
  std::sort(configs_.begin(), configs_.end());
  stacks_ = std::move(kept);
  ++generation_;
}

}  // namespace spillway::model
