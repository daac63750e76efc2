#pragma once

#include <list>
#include <memory>
#include <string>

#include "core/request.h"
#include "core/result.h"
#include "model/grammar_automaton.h"
#include "model/grammar_masks.h"
#include "model/grammar_stacks.h"
#include "model/grammar_trie.h"
#include "model/tokenizer.h"

/// Answers that are texts of a grammar. Before each token the sampler's logits lose all tokens but those that may follow: a function of
/// (grammar, vocabulary, answer), rebuilt from the answer's tokens after a move.
namespace spillway::model {

/// Bytes of a grammar or schema.
inline constexpr std::size_t grammar_bytes_max = 256U << 10;

/// The automaton of a grammar that is not GrammarKind::none. Errors: bad_argument, what is wrong and where.
core::Result<GrammarAutomaton> compile_grammar(const core::Grammar& grammar);

/// A grammar made ready for a vocabulary.
struct ReadyGrammar {
  ReadyGrammar(GrammarAutomaton made, std::shared_ptr<const GrammarTrie> tree)
      : automaton{std::move(made)}, trie{std::move(tree)}, masks{automaton, *trie} {}
  const GrammarAutomaton automaton;
  const std::shared_ptr<const GrammarTrie> trie;
  GrammarMasks masks;
};

/// The grammars of one device, the newest of them kept. Not for two threads at once.
class Grammars {
 public:
  explicit Grammars(std::shared_ptr<const Tokenizer> tokenizer) : tokenizer_{std::move(tokenizer)} {}

  /// Compiles it, unless it is kept. Errors: those of compile_grammar; unsupported without a vocabulary.
  core::Result<std::shared_ptr<ReadyGrammar>> find(const core::Grammar& grammar);

 private:
  struct Kept {
    core::Grammar grammar;
    std::shared_ptr<ReadyGrammar> ready;
  };
  static constexpr std::size_t kept_max = 16;

  std::shared_ptr<const Tokenizer> tokenizer_;
  std::shared_ptr<const GrammarTrie> trie_;  // made with the first grammar
  std::list<Kept> kept_;                     // the one asked for last in front
};

/// The place of one answer in its grammar.
class GrammarAnswer {
 public:
  GrammarAnswer(std::shared_ptr<ReadyGrammar> ready, std::shared_ptr<const Tokenizer> tokenizer);

  /// Takes a token of the answer.
  void accept(core::TokenId token);
  /// Copies the logits of the tokens that may follow to `out` [vocabulary], -infinity for the others: tokens whose text may follow, and
  /// end tokens exactly when the answer is a text of the grammar. Control tokens never may. False when no token may follow: then the
  /// vocabulary lacks the text to go on with, or the grammar is too ambiguous or too deep.
  bool mask(std::span<const float> logits, std::vector<float>& out);

 private:
  std::shared_ptr<ReadyGrammar> ready_;
  std::shared_ptr<const Tokenizer> tokenizer_;
  GrammarMatcher matcher_;
  TokenMask allowed_;
  std::vector<GrammarConfig> allowed_in_;  // where the matcher stood when `allowed_` was made
  std::uint32_t generation_ = 0;           // and what its stacks' numbers meant
};

}  // namespace spillway::model
