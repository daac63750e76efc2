// Writes random texts by the masks of JSON Schemas, for tests/model/schema_texts.py to hold against another reading of the schemas.
//
//   schema_texts SEED TEXTS < schemas, one a line
//
// A line a text: {"schema": number of the line, "text"}; {"schema", "error"} for a schema that is refused. A text that has not come to
// its end after many tokens is left out.

#include <boost/json.hpp>
#include <cstdio>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "model/grammar_masks.h"
#include "model/grammar_schema.h"

namespace {

using namespace spillway;
namespace json = boost::json;

constexpr int tokens_max = 3000;

/// Every printable sign, some letters of other scripts, halves of them, and words of several signs.
std::vector<std::string> make_vocabulary() {
  std::vector<std::string> tokens{"\n",  "\u00e9", "\u4e16", "\U0001f600", "\xc3", "\xa9", "\xe4\xb8", "\x96",
                                  "{\"", "\":",    "\",\"",  "\"}",        "\"}}", "]}",   "},{",      "[{",
                                  ": ",  ", ",     "true",   "null",       "\\u",  "\\\"", "00",       "12"};
  for (char c = ' '; c <= '~'; ++c) tokens.emplace_back(1, c);
  return tokens;
}

/// A text of the schema, or nothing.
bool write_text(const model::GrammarAutomaton& automaton, model::GrammarMasks& masks, const std::vector<std::string>& vocabulary,
                std::mt19937& random, std::string& text) {
  model::GrammarMatcher matcher(automaton);
  model::TokenMask mask;
  text.clear();
  for (int i = 0; i < tokens_max; ++i) {
    if (!masks.fill(matcher, mask)) return false;
    std::vector<std::size_t> allowed;
    for (std::size_t id = 0; id < vocabulary.size(); ++id)
      if (model::allows(mask, static_cast<core::TokenId>(id))) allowed.push_back(id);
    if (matcher.can_end() && (allowed.empty() || random() % 4 == 0)) return true;
    if (allowed.empty()) return false;
    const auto& token = vocabulary[allowed[random() % allowed.size()]];
    matcher.accept(token);
    text += token;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "schema_texts SEED TEXTS < schemas\n");
    return 2;
  }
  std::mt19937 random(static_cast<unsigned>(std::stoul(argv[1])));
  const int texts = std::stoi(argv[2]);
  const auto vocabulary = make_vocabulary();
  const model::GrammarTrie trie(static_cast<std::uint32_t>(vocabulary.size()),
                                [&](core::TokenId id) -> std::string_view { return vocabulary[static_cast<std::size_t>(id)]; });
  std::string line;
  for (int number = 0; std::getline(std::cin, line); ++number) {
    const auto rules = model::json_schema_rules(line);
    const auto automaton =
        rules ? model::GrammarAutomaton::make(*rules) : core::Result<model::GrammarAutomaton>(tl::make_unexpected(rules.error()));
    if (!automaton) {
      std::cout << json::serialize(json::object{{"schema", number}, {"error", automaton.error().message}}) << "\n";
      continue;
    }
    model::GrammarMasks masks(*automaton, trie);
    std::string text;
    for (int i = 0; i < texts; ++i)
      if (write_text(*automaton, masks, vocabulary, random, text))
        std::cout << json::serialize(json::object{{"schema", number}, {"text", text}}) << "\n";
  }
  return 0;
}
