#include "model/grammar.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "model/grammar_gbnf.h"
#include "model/grammar_schema.h"

namespace spillway::model {

using core::Errc;
using core::fail;

namespace {

core::Result<GrammarRules> rules_of(const core::Grammar& grammar) {
  switch (grammar.kind) {
    case core::GrammarKind::none: break;
    case core::GrammarKind::gbnf: return parse_gbnf(grammar.text);
    case core::GrammarKind::json_object: return json_object_rules();
    case core::GrammarKind::json_schema: return json_schema_rules(grammar.text);
  }
  return fail(Errc::bad_argument, "grammar: of no known kind");
}

}  // namespace

core::Result<GrammarAutomaton> compile_grammar(const core::Grammar& grammar) {
  if (grammar.text.size() > grammar_bytes_max)
    return fail(Errc::bad_argument,
                "grammar: " + std::to_string(grammar.text.size()) + " bytes, want at most " + std::to_string(grammar_bytes_max));
  const auto rules = rules_of(grammar);
  if (!rules) return tl::make_unexpected(rules.error());
  return GrammarAutomaton::make(*rules);
}

core::Result<std::shared_ptr<ReadyGrammar>> Grammars::find(const core::Grammar& grammar) {
  if (tokenizer_ == nullptr) return fail(Errc::unsupported, "grammar: the model's file has no vocabulary");
  const auto kept = std::find_if(kept_.begin(), kept_.end(), [&](const Kept& k) { return k.grammar == grammar; });
  if (kept != kept_.end()) {
    kept_.splice(kept_.begin(), kept_, kept);
    return kept_.front().ready;
  }
  auto automaton = compile_grammar(grammar);
  if (!automaton) return tl::make_unexpected(automaton.error());
  if (trie_ == nullptr)
    trie_ = std::make_shared<GrammarTrie>(tokenizer_->size(), [this](core::TokenId id) { return tokenizer_->piece(id); });
  kept_.push_front({grammar, std::make_shared<ReadyGrammar>(std::move(*automaton), trie_)});
  if (kept_.size() > kept_max) kept_.pop_back();
  return kept_.front().ready;
}

GrammarAnswer::GrammarAnswer(std::shared_ptr<ReadyGrammar> ready, std::shared_ptr<const Tokenizer> tokenizer)
    : ready_{std::move(ready)}, tokenizer_{std::move(tokenizer)}, matcher_{ready_->automaton} {}

void GrammarAnswer::accept(core::TokenId token) {
  matcher_.accept(tokenizer_->piece(token));
}

bool GrammarAnswer::mask(std::span<const float> logits, std::vector<float>& out) {
  // Inside a string, say, one token leads to where the one before it did.
  if (allowed_.empty() || generation_ != matcher_.generation() || allowed_in_ != matcher_.configs()) {
    const bool known = ready_->masks.fill(matcher_, allowed_);
    allowed_in_ = matcher_.configs();
    generation_ = matcher_.generation();
    if (!known) std::fill(allowed_.begin(), allowed_.end(), 0);
    for (const auto end : tokenizer_->ends()) {
      const auto bit = std::uint64_t{1} << (static_cast<unsigned>(end) % 64);
      auto& word = allowed_[static_cast<std::size_t>(end) / 64];
      word = known && matcher_.can_end() ? word | bit : word & ~bit;
    }
  }
  out.assign(logits.size(), -std::numeric_limits<float>::infinity());
  bool any = false;
  for (std::size_t w = 0; w < allowed_.size(); ++w) {
    any = any || allowed_[w] != 0;
    for (auto word = allowed_[w]; word != 0; word &= word - 1) {
      const std::size_t token = w * 64 + static_cast<std::size_t>(std::countr_zero(word));
      if (token < logits.size()) out[token] = logits[token];
    }
  }
  return any;
}

}  // namespace spillway::model
