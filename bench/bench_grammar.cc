// What a grammar costs: to compile it, and the tokens that may follow, token by token.
//
//   bench_grammar MODEL.gguf [--texts N]     (a file with a vocabulary and no tensors will do)

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "model/grammar.h"
#include "model/store.h"

namespace {

using namespace spillway;
using Clock = std::chrono::steady_clock;

struct Case {
  const char* name;
  core::Grammar grammar;
};

const std::string person = R"({"type":"object","properties":{
  "name":{"type":"string"},"age":{"type":"integer","minimum":0,"maximum":150},
  "email":{"type":"string","pattern":"^[a-z0-9.]+@[a-z0-9]+\\.[a-z]{2,3}$"},
  "tags":{"type":"array","items":{"enum":["news","sport","weather","culture"]},"maxItems":5},
  "address":{"type":"object","properties":{"street":{"type":"string"},"city":{"type":"string"},"zip":{"type":"string","pattern":"^\\d{5}$"}},
             "required":["city"]},
  "friends":{"type":"array","items":{"$ref":"#/$defs/friend"}}},
  "required":["name","age","friends"],
  "$defs":{"friend":{"type":"object","properties":{"name":{"type":"string"},"since":{"type":"string","format":"date"},
                     "friends":{"type":"array","items":{"$ref":"#/$defs/friend"}}},"required":["name"]}}})";

const std::string sums = R"g(root ::= sum ("\n" sum)*
sum ::= term (" "? [-+*/] " "? term)* " "? "=" " "? number
term ::= number | "(" sum ")"
number ::= "-"? [0-9]+ ("." [0-9]+)?)g";

double microseconds(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

/// Times of the masks along random texts; every tenth token is drawn among all that may follow, the others among the shortest, as
/// texts of models are.
void run(const Case& c, const model::Tokenizer& tokenizer, const model::GrammarTrie& trie, int texts) {
  const auto begin = Clock::now();
  auto automaton = model::compile_grammar(c.grammar);
  const double compile_ms = microseconds(begin) / 1000;
  if (!automaton) {
    std::printf("%s: %s\n", c.name, automaton.error().message.c_str());
    return;
  }
  model::GrammarMasks masks(*automaton, trie);
  std::mt19937 random(1);
  std::vector<double> times;
  model::TokenMask mask;
  for (int text = 0; text < texts; ++text) {
    model::GrammarMatcher matcher(*automaton);
    for (int token = 0; token < 200; ++token) {
      const auto start = Clock::now();
      masks.fill(matcher, mask);
      times.push_back(microseconds(start));
      std::vector<core::TokenId> allowed;
      for (std::uint32_t id = 0; id < tokenizer.size(); ++id)
        if (model::allows(mask, static_cast<core::TokenId>(id))) allowed.push_back(static_cast<core::TokenId>(id));
      if (allowed.empty()) break;
      core::TokenId drawn = allowed[random() % allowed.size()];
      for (int i = 0; i < 8; ++i) {
        const auto other = allowed[random() % allowed.size()];
        if (random() % 10 != 0 && tokenizer.piece(other).size() < tokenizer.piece(drawn).size()) drawn = other;
      }
      matcher.accept(tokenizer.piece(drawn));
    }
  }
  double sum = 0.0;
  for (const double time : times) sum += time;
  std::sort(times.begin(), times.end());
  std::printf("%-12s compile %7.2f ms (%u states)   mask of %zu tokens: mean %7.1f us, P50 %7.1f, P99 %7.1f, longest %7.1f\n", c.name,
              compile_ms, automaton->size(), times.size(), sum / static_cast<double>(times.size()), times[times.size() / 2],
              times[times.size() * 99 / 100], times.back());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "bench_grammar MODEL.gguf [--texts N]\n");
    return 2;
  }
  const auto path = model::resolve_model(argv[1]);
  const auto file = path ? model::GgufFile::open(*path) : core::Result<model::GgufFile>(tl::make_unexpected(path.error()));
  const auto tokenizer =
      file ? model::Tokenizer::from_gguf(*file) : core::Result<std::shared_ptr<const model::Tokenizer>>(tl::make_unexpected(file.error()));
  if (!tokenizer) {
    std::fprintf(stderr, "bench_grammar: %s\n", tokenizer.error().message.c_str());
    return 1;
  }
  const int texts = argc > 3 ? std::atoi(argv[3]) : 20;
  const auto begin = Clock::now();
  const model::GrammarTrie trie((*tokenizer)->size(), [&](core::TokenId id) { return (*tokenizer)->piece(id); });
  std::printf("vocabulary of %u tokens: tree of %u nodes in %.1f ms\n", (*tokenizer)->size(), trie.nodes(), microseconds(begin) / 1000);
  const Case cases[] = {{"json object", {core::GrammarKind::json_object, {}}},
                        {"schema", {core::GrammarKind::json_schema, person}},
                        {"gbnf", {core::GrammarKind::gbnf, sums}}};
  for (const auto& c : cases) run(c, **tokenizer, trie, texts);
  return 0;
}
