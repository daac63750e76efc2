// The tokens that may follow are those that a plain recursive reading of the grammar says, for generated grammars; and what is written
// by them is a text of the grammar.

#include "model/grammar_masks.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "model/grammar_gbnf.h"

using namespace spillway;

namespace {

/// A grammar as the test itself understands it. Characters are a, b, parentheses and two letters of two bytes each.
struct Node {
  enum class Kind { text, chars, sequence, choice, repeat, rule } kind;
  std::string text{};  // of `chars`: all of them, one behind the other
  std::vector<Node> parts{};
  std::size_t min = 0, max = 0;
  std::size_t rule = 0;
};

const std::vector<std::string> letters{"a", "b", "(", ")", "\u00e9", "\u00fc"};

class Generator {
 public:
  explicit Generator(unsigned seed) : random_{seed} {}

  std::vector<Node> grammar() {
    count_ = 2 + random_() % 4;
    std::vector<Node> rules;
    for (at_ = 0; at_ < count_; ++at_) {
      Node body = node(3);
      // A rule that calls itself behind a character, and may do without.
      if (random_() % 2 == 0)
        body = {Node::Kind::choice,
                {},
                {std::move(body), {Node::Kind::sequence, {}, {literal("("), {.kind = Node::Kind::rule, .rule = at_}, literal(")")}}}};
      rules.push_back(std::move(body));
    }
    return rules;
  }

 private:
  static Node literal(std::string text) { return {Node::Kind::text, std::move(text)}; }
  std::string any_letters(std::size_t least, std::size_t most) {
    std::string text;
    for (std::size_t n = least + random_() % (most - least + 1); n > 0; --n) text += letters[random_() % letters.size()];
    return text;
  }
  std::vector<Node> nodes(std::size_t count, int depth) {
    std::vector<Node> made;
    for (std::size_t i = 0; i < count; ++i) made.push_back(node(depth));
    return made;
  }
  Node node(int depth) {
    switch (random_() % (depth == 0 ? 2 : 6)) {
      case 0: return literal(any_letters(0, 3));
      case 1: return {Node::Kind::chars, any_letters(1, 3)};
      case 2: return {Node::Kind::sequence, {}, nodes(1 + random_() % 3, depth - 1)};
      case 3: return {Node::Kind::choice, {}, nodes(2 + random_() % 2, depth - 1)};
      case 4: {
        const std::size_t min = random_() % 3;
        const std::size_t max = random_() % 3 == 0 ? std::string::npos : min + random_() % 3;
        return {Node::Kind::repeat, {}, nodes(1, depth - 1), min, max};
      }
      default: break;
    }
    if (at_ + 1 == count_) return literal(any_letters(1, 2));
    return {.kind = Node::Kind::rule, .rule = at_ + 1 + random_() % (count_ - at_ - 1)};
  }

  std::mt19937 random_;
  std::size_t count_ = 0;
  std::size_t at_ = 0;
};

std::string rule_name(std::size_t rule) {
  return rule == 0 ? "root" : "rule-" + std::to_string(rule);
}

std::string gbnf(const Node& node) {
  std::string text;
  switch (node.kind) {
    case Node::Kind::text: return "\"" + node.text + "\"";
    case Node::Kind::chars: return "[" + node.text + "]";
    case Node::Kind::rule: return rule_name(node.rule);
    case Node::Kind::sequence:
    case Node::Kind::choice:
      for (const auto& part : node.parts) text += (text.empty() ? "" : node.kind == Node::Kind::choice ? " | " : " ") + gbnf(part);
      return "(" + text + ")";
    case Node::Kind::repeat: break;
  }
  return "(" + gbnf(node.parts[0]) + "){" + std::to_string(node.min) + "," +
         (node.max == std::string::npos ? "" : std::to_string(node.max)) + "}";
}

/// Reads a text by trying everything.
class Reader {
 public:
  Reader(const std::vector<Node>& rules, std::string text) : rules_{rules}, text_{std::move(text)} {}

  bool whole() { return ends({.kind = Node::Kind::rule, .rule = 0}, 0).contains(text_.size()); }
  /// Some text of the grammar begins so.
  bool begins() { return whole() || unfinished_; }

 private:
  std::set<std::size_t> ends(const Node& node, std::size_t from) {
    switch (node.kind) {
      case Node::Kind::text: return after(node.text, from);
      case Node::Kind::chars: {
        std::set<std::size_t> all;
        for (const auto& letter : letters)
          if (node.text.find(letter) != std::string::npos) all.merge(after(letter, from));
        return all;
      }
      case Node::Kind::choice: {
        std::set<std::size_t> all;
        for (const auto& part : node.parts) all.merge(ends(part, from));
        return all;
      }
      case Node::Kind::sequence: {
        std::set<std::size_t> now{from};
        for (const auto& part : node.parts) now = step(part, now);
        return now;
      }
      case Node::Kind::repeat: return repeated(node, from);
      case Node::Kind::rule: break;
    }
    const auto key = std::pair{node.rule, from};
    if (const auto found = known_.find(key); found != known_.end()) return found->second;
    auto found = ends(rules_[node.rule], from);
    return known_[key] = std::move(found);
  }

  std::set<std::size_t> step(const Node& part, const std::set<std::size_t>& from) {
    std::set<std::size_t> next;
    for (const auto at : from) next.merge(ends(part, at));
    return next;
  }

  std::set<std::size_t> repeated(const Node& node, std::size_t from) {
    std::set<std::size_t> now{from};
    std::set<std::size_t> all;
    if (node.min == 0) all = now;
    for (std::size_t times = 1; times <= node.max && !now.empty(); ++times) {
      now = step(node.parts[0], now);
      const auto before = all.size();
      if (times >= node.min) all.insert(now.begin(), now.end());
      if (times > node.min + text_.size() && all.size() == before) break;
    }
    return all;
  }

  std::set<std::size_t> after(const std::string& wanted, std::size_t from) {
    const std::string_view rest = std::string_view(text_).substr(from);
    if (rest.starts_with(wanted)) return {from + wanted.size()};
    unfinished_ = unfinished_ || wanted.starts_with(rest);
    return {};
  }

  const std::vector<Node>& rules_;
  std::string text_;
  bool unfinished_ = false;
  std::map<std::pair<std::size_t, std::size_t>, std::set<std::size_t>> known_;
};

std::vector<std::string> make_vocabulary(std::mt19937& random) {
  std::vector<std::string> tokens{"", "a", "b", "(", ")", "\xc3", "\xa9", "\xbc", "c", "))", "((", "\u00e9", "a\xc3", "\xa9\x62"};
  while (tokens.size() < 60) {
    std::string token;
    for (std::size_t n = 1 + random() % 4; n > 0; --n) token += letters[random() % letters.size()];
    tokens.push_back(token);
  }
  return tokens;
}

struct Counts {
  int grammars = 0, masks = 0, tokens_compared = 0, whole_texts = 0;
};

/// Writes one text by the masks, each compared with the plain reading.
void write_one(const std::vector<Node>& rules, const model::GrammarAutomaton& automaton, model::GrammarMasks& masks,
               const std::vector<std::string>& vocabulary, std::mt19937& random, Counts& counts) {
  model::GrammarMatcher matcher(automaton);
  model::TokenMask mask;
  std::string text;
  for (int tokens = 0; tokens < 10; ++tokens) {
    BOOST_REQUIRE(masks.fill(matcher, mask));
    ++counts.masks;
    std::vector<std::size_t> allowed;
    for (std::size_t id = 0; id < vocabulary.size(); ++id) {
      const bool want = !vocabulary[id].empty() && Reader(rules, text + vocabulary[id]).begins();
      const bool got = model::allows(mask, static_cast<core::TokenId>(id));
      BOOST_REQUIRE_MESSAGE(got == want,
                            "behind '" << text << "' token '" << vocabulary[id] << "' is " << (got ? "" : "not ") << "allowed");
      ++counts.tokens_compared;
      if (got) allowed.push_back(id);
    }
    const bool whole = Reader(rules, text).whole();
    BOOST_REQUIRE_MESSAGE(matcher.can_end() == whole, "'" << text << "'");
    if (whole && (allowed.empty() || random() % 4 == 0)) {
      ++counts.whole_texts;
      return;
    }
    if (allowed.empty()) return;  // the vocabulary has no token for what must follow
    const auto& token = vocabulary[allowed[random() % allowed.size()]];
    BOOST_REQUIRE(matcher.accept(token));
    text += token;
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(grammar_masks)

BOOST_AUTO_TEST_CASE(masks_are_those_of_a_plain_reading) {
  Counts counts;
  for (unsigned seed = 0; counts.grammars < 100; ++seed) {
    BOOST_REQUIRE(seed < 1000U);
    std::mt19937 random(seed);
    const auto rules = Generator(seed).grammar();
    std::string text;
    for (std::size_t r = 0; r < rules.size(); ++r) text += rule_name(r) + " ::= " + gbnf(rules[r]) + "\n";
    const auto parsed = model::parse_gbnf(text);
    BOOST_REQUIRE_MESSAGE(parsed.has_value(), text << (parsed ? "" : parsed.error().message));
    const auto automaton = model::GrammarAutomaton::make(*parsed);
    BOOST_REQUIRE_MESSAGE(automaton.has_value(), text << (automaton ? "" : automaton.error().message));
    ++counts.grammars;
    const auto vocabulary = make_vocabulary(random);
    const model::GrammarTrie trie(static_cast<std::uint32_t>(vocabulary.size()),
                                  [&](core::TokenId id) -> std::string_view { return vocabulary[static_cast<std::size_t>(id)]; });
    model::GrammarMasks masks(*automaton, trie);
    BOOST_TEST_CONTEXT(text) {
      for (int i = 0; i < 4; ++i) write_one(rules, *automaton, masks, vocabulary, random, counts);
    }
  }
  BOOST_TEST_MESSAGE(counts.grammars << " grammars, " << counts.masks << " masks, " << counts.tokens_compared << " tokens compared, "
                                     << counts.whole_texts << " whole texts");
  BOOST_TEST(counts.masks > 500);
  BOOST_TEST(counts.whole_texts > 100);
}

BOOST_AUTO_TEST_CASE(what_is_kept_changes_nothing) {
  const auto parsed = model::parse_gbnf(R"(root ::= "[" (item ("," item)*)? "]"
item ::= root | "\"" [^"]* "\"" | [0-9]{1,40})");
  BOOST_REQUIRE(parsed.has_value());
  const auto automaton = model::GrammarAutomaton::make(*parsed);
  BOOST_REQUIRE(automaton.has_value());
  const std::vector<std::string> vocabulary{"[", "]",  ",", "\"",       "[[",  "]]",    "],[", "\",\"",
                                            "1", "23", "a", "\u00e9\"", "\"]", "]]]],", "1]"};
  const model::GrammarTrie trie(static_cast<std::uint32_t>(vocabulary.size()),
                                [&](core::TokenId id) -> std::string_view { return vocabulary[static_cast<std::size_t>(id)]; });
  model::GrammarMasks kept(*automaton, trie);
  std::mt19937 random(3);
  for (int round = 0; round < 200; ++round) {
    model::GrammarMatcher matcher(*automaton);
    for (int step = 0; step < 20; ++step) {
      model::TokenMask mask;
      model::TokenMask fresh;
      BOOST_REQUIRE(kept.fill(matcher, mask));
      BOOST_REQUIRE(model::GrammarMasks(*automaton, trie).fill(matcher, fresh));
      BOOST_REQUIRE((mask == fresh));
      std::vector<std::size_t> allowed;
      for (std::size_t id = 0; id < vocabulary.size(); ++id)
        if (model::allows(mask, static_cast<core::TokenId>(id))) allowed.push_back(id);
      if (allowed.empty()) break;
      BOOST_REQUIRE(matcher.accept(vocabulary[allowed[random() % allowed.size()]]));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()
