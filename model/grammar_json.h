#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/grammar_ast.h"

/// Pieces of JSON as grammar expressions, for the rules that are made of schemas.
namespace spillway::model {

/// Rules of JSON that many expressions call, each made when it is first asked for.
class JsonRules {
 public:
  /// A new rule; its body may be set later.
  std::uint32_t add(std::string name, GrammarExpr body = {});
  void set(std::uint32_t rule, GrammarExpr body) { rules_.rules[rule].body = std::move(body); }
  GrammarRules take(std::uint32_t root);

  /// White space, or none.
  GrammarExpr blank();
  /// One character of a string: itself or an escape, never half of a pair of surrogates.
  GrammarExpr character();
  GrammarExpr string();
  GrammarExpr number();
  GrammarExpr integer();
  GrammarExpr any();
  /// Any object, any array.
  GrammarExpr object();
  GrammarExpr array();
  /// "key" : value
  GrammarExpr member(GrammarExpr key, GrammarExpr value);
  GrammarExpr comma();
  /// open, `inside` with white space round it, close.
  GrammarExpr bracketed(char open, GrammarExpr inside, char close);

 private:
  /// The rule of this name, made by `body` when it is new.
  template <class Body>
  GrammarExpr shared(const std::string& name, Body&& body);

  GrammarRules rules_;
  std::map<std::string, std::uint32_t> shared_;
};

/// Decimal numbers first to last, without leading zeros. first <= last; both within 18 digits.
GrammarExpr integer_range(std::int64_t first, std::int64_t last);
inline constexpr std::int64_t integer_most = 999'999'999'999'999'999;

/// A string of plain characters, in quotes, that is none of `names` (UTF-8).
GrammarExpr string_except(const std::vector<std::string>& names);

}  // namespace spillway::model
