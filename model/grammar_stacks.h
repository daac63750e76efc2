#pragma once

#include <compare>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/grammar_automaton.h"

namespace spillway::model {

/// One way to read a text so far: a state of the automaton, and where the rules that were called return.
struct GrammarConfig {
  std::uint32_t state = 0;
  std::uint32_t stack = 0;
  friend auto operator<=>(const GrammarConfig&, const GrammarConfig&) = default;
};

/// Stacks of return states, each held once: equal stacks have equal numbers. 0 is the empty one.
class GrammarStacks {
 public:
  struct Frame {
    std::uint32_t state = 0;  ///< to return to
    std::uint32_t below = 0;  ///< the stack then
    std::uint32_t depth = 0;  ///< frames, this one included; 0 for the empty stack
  };
  /// Calls deeper than this are not made, so that their texts are not allowed.
  static constexpr std::uint32_t depth_max = 1000;
  /// Ways to read one text that are followed at once; those that are too many are dropped, the last in order.
  static constexpr std::size_t configs_max = 4096;

  const Frame& frame(std::uint32_t stack) const { return frames_[stack]; }
  std::size_t size() const { return frames_.size(); }
  std::uint32_t push(std::uint32_t state, std::uint32_t below);

  /// All configurations that `from` comes to without a byte, `from` included, in no order; `ended` tells whether the empty stack's
  /// rule may end here.
  void close(const GrammarAutomaton& automaton, std::span<const GrammarConfig> from, std::vector<GrammarConfig>& all, bool& ended);
  /// Where `closed` goes with a byte, ascending, each once.
  static void step(const GrammarAutomaton& automaton, std::span<const GrammarConfig> closed, std::uint8_t byte,
                   std::vector<GrammarConfig>& next);

 private:
  std::vector<Frame> frames_{Frame{}};
  std::unordered_map<std::uint64_t, std::uint32_t> by_content_;  // state and stack below -> stack
  std::unordered_set<std::uint64_t> seen_;
};

/// Where a text so far stands in a grammar: a function of the bytes alone. The automaton outlives it.
class GrammarMatcher {
 public:
  explicit GrammarMatcher(const GrammarAutomaton& automaton);

  /// Takes bytes; false, for good, when no text of the grammar begins so.
  bool accept(std::string_view bytes);
  bool alive() const { return !configs_.empty(); }
  /// The text so far is a whole text of the grammar.
  bool can_end() const { return ended_; }

  const GrammarAutomaton& automaton() const { return *automaton_; }
  const std::vector<GrammarConfig>& configs() const { return configs_; }
  const GrammarStacks& stacks() const { return stacks_; }
  /// Changes when stacks get other numbers, so that configs() of before mean nothing any more.
  std::uint32_t generation() const { return generation_; }

 private:
  void refresh();
  void compact();

  const GrammarAutomaton* automaton_;
  GrammarStacks stacks_;
  std::vector<GrammarConfig> configs_;  // ascending
  std::vector<GrammarConfig> closed_;
  bool ended_ = false;
  std::uint32_t generation_ = 0;
};

}  // namespace spillway::model
