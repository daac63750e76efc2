#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "model/template_ast.h"
#include "model/template_lexer.h"

namespace spillway::model::jinja {

/// Levels of nesting in a source: of statements, and of expressions.
constexpr std::uint32_t height_max = 200;

/// Reads the expressions of a token list. Precedence as in jinja2, from `conditional` down to `primary`.
class ExpressionParser {
 public:
  explicit ExpressionParser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

 protected:
  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  Token take();
  bool skip_name(std::string_view name);
  bool skip_symbol(std::string_view symbol);
  void expect_symbol(std::string_view symbol);
  std::string expect_name();
  [[noreturn]] void error(const std::string& message, std::uint32_t line = 0) const;
  std::string shown() const;  ///< the token that stands here, for messages

  ExpressionPtr expression() { return conditional(); }
  /// One expression, or a tuple where commas follow. `with_condition` = false: no inline if.
  ExpressionPtr tuple(bool with_condition, std::string_view end_name, bool in_parentheses);
  ExpressionPtr disjunction();
  ExpressionPtr filters_of(ExpressionPtr subject, bool starts);
  ExpressionPtr primary();
  ExpressionPtr postfixed(ExpressionPtr whole);
  ExpressionPtr make(ExpressionKind kind, std::uint32_t line);
  /// Takes over the height of the parts; too high is an error.
  ExpressionPtr done(ExpressionPtr expression);
  /// One more level while parsing.
  class Level {
   public:
    explicit Level(ExpressionParser& parser);
    ~Level() { --parser_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    ExpressionParser& parser_;
  };
  /// A name was read: macros must know of some.
  virtual void on_name(const std::string& /*name*/) {}
  virtual ~ExpressionParser() = default;

  std::string construct_;  ///< the tag that is being read, for messages

 private:
  ExpressionPtr conditional();
  ExpressionPtr conjunction();
  ExpressionPtr negation();
  ExpressionPtr comparison();
  ExpressionPtr sum();
  ExpressionPtr concatenation();
  ExpressionPtr product();
  ExpressionPtr power();
  ExpressionPtr unary(bool with_filter);
  ExpressionPtr binary(Operator op, ExpressionPtr left, ExpressionPtr right, std::uint32_t line);
  ExpressionPtr name_or_constant();
  ExpressionPtr filtered(ExpressionPtr subject);
  ExpressionPtr test(ExpressionPtr subject);
  ExpressionPtr subscript(ExpressionPtr whole);
  ExpressionPtr subscribed(ExpressionPtr whole, std::uint32_t line);
  ExpressionPtr call(ExpressionPtr what);
  void arguments(Expression& of);
  ExpressionPtr list();
  ExpressionPtr dict();
  std::string dotted_name();

  std::vector<Token> tokens_;
  std::size_t at_ = 0;
  std::uint32_t level_ = 0;
};

}  // namespace spillway::model::jinja
