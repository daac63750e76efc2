#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "model/grammar_stacks.h"
#include "model/grammar_trie.h"

namespace spillway::model {

/// One bit a token of a vocabulary: bit t % 64 of word t / 64.
using TokenMask = std::vector<std::uint64_t>;

inline bool allows(const TokenMask& mask, core::TokenId token) {
  return (mask[static_cast<std::size_t>(token) / 64] >> (static_cast<unsigned>(token) % 64) & 1U) != 0;
}

/// The tokens that may follow a text in a grammar. What they are depends on (grammar, vocabulary, text) alone; what was found is kept
/// and found again faster.
///
/// The vocabulary's tree of bytes is walked with the states of the innermost rules, whose sets and steps are kept as those of a
/// deterministic automaton that grows while it is used. What a walk finds that does not leave those rules is kept for their states,
/// wherever they are called from; what leaves them goes on from the nodes of the tree where it did, with the states that called.
class GrammarMasks {
 public:
  /// Both outlive this.
  GrammarMasks(const GrammarAutomaton& automaton, const GrammarTrie& trie);

  /// Sets the bits of the tokens whose whole text may follow what `matcher`, of this automaton, has taken, and no other. False when the
  /// grammar is so ambiguous that the automaton of sets would be too large; `mask` says nothing then. (What is kept does not decide
  /// that: before, everything is forgotten and tried again.)
  bool fill(const GrammarMatcher& matcher, TokenMask& mask);

  /// Sets of states kept now.
  std::size_t sets() const { return sets_.size(); }

 private:
  using SetId = std::uint32_t;
  struct Set {
    std::vector<GrammarConfig> closed;  // with their stacks above the empty one, which stands for the caller's
    bool ended = false;                 // the innermost rule may end here
  };
  /// What a walk from the root finds with a set.
  struct Walk {
    TokenMask mask;  // empty when `tokens` holds them: there are few
    std::vector<core::TokenId> tokens;
    std::vector<std::uint32_t> left;  // inner nodes at which the innermost rule ended
  };

  bool try_fill(const GrammarMatcher& matcher, TokenMask& mask);
  void forget();
  bool full() const;
  SetId intern(std::vector<GrammarConfig> configs);
  SetId next(SetId set, std::uint8_t byte);
  const Walk& walk_from_root(SetId set);
  template <class Take>
  void walk(std::uint32_t node, SetId set, Take&& take, std::vector<std::uint32_t>& left);

  const GrammarAutomaton& automaton_;
  const GrammarTrie& trie_;
  GrammarStacks stacks_;
  std::map<std::vector<GrammarConfig>, SetId> by_content_;
  std::vector<Set> sets_;
  std::vector<std::uint32_t> next_;  // [set][class of byte]; unknown
  std::size_t configs_ = 0;          // of all sets
  std::map<SetId, Walk> walks_;
  std::size_t walk_bytes_ = 0;
  std::vector<SetId> path_;  // by depth
};

}  // namespace spillway::model
