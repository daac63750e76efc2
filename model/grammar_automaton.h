#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "core/result.h"
#include "model/grammar_ast.h"

namespace spillway::model {

/// A grammar as one deterministic automaton for each rule, over bytes and calls of rules: from a state at most one edge takes a
/// byte, and at most one call is of a rule. Every state can come to the end of its rule, so a text that leads to one can be
/// completed. Immutable.
class GrammarAutomaton {
 public:
  struct Edge {
    std::uint8_t first = 0;  ///< bytes [first, last]
    std::uint8_t last = 0;
    std::uint32_t to = 0;
  };
  struct Call {
    std::uint32_t start = 0;  ///< of the rule called
    std::uint32_t to = 0;     ///< where it returns
    bool tail = false;        ///< nothing follows there: the caller need not be remembered
  };

  /// Limits on what hostile grammars make of few bytes.
  static constexpr std::uint32_t states_max = 1U << 17;

  /// Errors, bad_argument: a rule that calls itself before it takes a byte (left recursion), a root that matches no finite text, more
  /// than states_max states; each by name.
  static core::Result<GrammarAutomaton> make(const GrammarRules& rules);

  std::uint32_t start() const { return start_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(final_.size()); }
  bool final(std::uint32_t state) const { return final_[state]; }
  std::span<const Edge> edges(std::uint32_t state) const {
    return std::span{edges_}.subspan(edge_starts_[state], edge_starts_[state + 1] - edge_starts_[state]);
  }
  std::span<const Call> calls(std::uint32_t state) const {
    return std::span{calls_}.subspan(call_starts_[state], call_starts_[state + 1] - call_starts_[state]);
  }
  /// Bytes of one class are alike to every state.
  std::uint8_t byte_class(std::uint8_t byte) const { return classes_[byte]; }
  std::uint32_t classes() const { return classes_[255] + 1U; }

 private:
  friend class GrammarBuilder;
  std::uint32_t start_ = 0;
  std::vector<bool> final_;
  std::vector<std::uint32_t> edge_starts_;  // [size + 1]
  std::vector<std::uint32_t> call_starts_;  // [size + 1]
  std::vector<Edge> edges_;
  std::vector<Call> calls_;
  std::array<std::uint8_t, 256> classes_{};
};

}  // namespace spillway::model
