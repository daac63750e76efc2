#include <algorithm>

#include "model/template_parser.h"

namespace spillway::model::jinja {

namespace {

TextPtr literal(std::string bytes) {
  Marks marks;
  marks.append(0, bytes.size(), true);
  return std::make_shared<const Text>(nullptr, std::move(bytes), std::move(marks), false);
}

}  // namespace

ExpressionParser::Level::Level(ExpressionParser& parser) : parser_(parser) {
  if (++parser_.level_ > height_max) {
    --parser_.level_;
    parser_.error("nested more than " + std::to_string(height_max) + " deep");
  }
}

Token ExpressionParser::take() {
  Token token = tokens_[at_];
  if (at_ + 1 < tokens_.size()) ++at_;
  return token;
}

bool ExpressionParser::skip_name(std::string_view name) {
  return now().is_name(name) && (take(), true);
}

bool ExpressionParser::skip_symbol(std::string_view symbol) {
  return now().is_symbol(symbol) && (take(), true);
}

std::string ExpressionParser::shown() const {
  switch (now().kind) {
    case TokenKind::end: return "end of template";
    case TokenKind::data: return "template data";
    case TokenKind::block_end: return "end of statement block";
    case TokenKind::variable_end: return "end of print statement";
    case TokenKind::text: return "a string";
    default: return now().value.empty() ? "a number" : "'" + now().value.substr(0, 60) + "'";
  }
}

void ExpressionParser::error(const std::string& message, std::uint32_t line) const {
  throw Failure{Fault::syntax, message, line == 0 ? now().line : line, construct_};
}

void ExpressionParser::expect_symbol(std::string_view symbol) {
  if (!skip_symbol(symbol)) error("expected '" + std::string(symbol) + "', got " + shown());
}

std::string ExpressionParser::expect_name() {
  if (now().kind != TokenKind::name) error("expected a name, got " + shown());
  return take().value;
}

ExpressionPtr ExpressionParser::make(ExpressionKind kind, std::uint32_t line) {
  auto made = std::make_unique<Expression>();
  made->kind = kind;
  made->line = line;
  return made;
}

ExpressionPtr ExpressionParser::done(ExpressionPtr expression) {
  const auto over = [&](const ExpressionPtr& part) {
    if (part != nullptr) expression->height = std::max(expression->height, part->height + 1);
  };
  for (const auto& part : expression->parts) over(part);
  for (const auto& part : expression->named) over(part.second);
  over(expression->more);
  over(expression->more_named);
  if (expression->height > height_max) error("an expression is nested more than " + std::to_string(height_max) + " deep");
  return expression;
}

ExpressionPtr ExpressionParser::binary(Operator op, ExpressionPtr left, ExpressionPtr right, std::uint32_t line) {
  auto made = make(ExpressionKind::arithmetic, line);
  made->op = op;
  made->parts.push_back(std::move(left));
  made->parts.push_back(std::move(right));
  return done(std::move(made));
}

ExpressionPtr ExpressionParser::tuple(bool with_condition, std::string_view end_name, bool in_parentheses) {
  const std::uint32_t line = now().line;
  std::vector<ExpressionPtr> items;
  bool is_tuple = false;
  const auto at_end = [&] {
    return now().kind == TokenKind::variable_end || now().kind == TokenKind::block_end || now().is_symbol(")") ||
           (!end_name.empty() && now().is_name(end_name));
  };
  while (true) {
    if (!items.empty()) expect_symbol(",");
    if (at_end()) break;
    items.push_back(with_condition ? expression() : disjunction());
    if (!now().is_symbol(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return std::move(items.front());
    if (!in_parentheses) error("expected an expression, got " + shown());
  }
  auto made = make(ExpressionKind::tuple, line);
  made->parts = std::move(items);
  return done(std::move(made));
}

ExpressionPtr ExpressionParser::conditional() {
  const Level level(*this);
  std::uint32_t line = now().line;
  auto value = disjunction();
  while (skip_name("if")) {
    auto made = make(ExpressionKind::conditional, line);
    made->parts.push_back(disjunction());
    made->parts.push_back(std::move(value));
    made->parts.push_back(skip_name("else") ? conditional() : nullptr);
    value = done(std::move(made));
    line = now().line;
  }
  return value;
}

ExpressionPtr ExpressionParser::disjunction() {
  auto left = conjunction();
  while (now().is_name("or")) {
    auto made = make(ExpressionKind::logical_or, take().line);
    made->parts.push_back(std::move(left));
    made->parts.push_back(conjunction());
    left = done(std::move(made));
  }
  return left;
}

ExpressionPtr ExpressionParser::conjunction() {
  auto left = negation();
  while (now().is_name("and")) {
    auto made = make(ExpressionKind::logical_and, take().line);
    made->parts.push_back(std::move(left));
    made->parts.push_back(negation());
    left = done(std::move(made));
  }
  return left;
}

ExpressionPtr ExpressionParser::negation() {
  if (!now().is_name("not")) return comparison();
  const Level level(*this);
  auto made = make(ExpressionKind::logical_not, take().line);
  made->parts.push_back(negation());
  return done(std::move(made));
}

ExpressionPtr ExpressionParser::comparison() {
  const std::uint32_t line = now().line;
  auto made = make(ExpressionKind::compare, line);
  made->parts.push_back(sum());
  while (true) {
    Operator op = Operator::in;
    if (now().is_name("not") && ahead().is_name("in")) {
      take();
      op = Operator::not_in;
    } else if (now().kind == TokenKind::symbol) {
      bool found = false;
      for (const Operator candidate :
           {Operator::equal, Operator::not_equal, Operator::less, Operator::less_equal, Operator::greater, Operator::greater_equal}) {
        if (now().value == symbol(candidate)) op = candidate, found = true;
      }
      if (!found) break;
    } else if (!now().is_name("in")) {
      break;
    }
    take();
    made->operators.push_back(op);
    made->parts.push_back(sum());
  }
  if (made->operators.empty()) return std::move(made->parts.front());
  return done(std::move(made));
}

ExpressionPtr ExpressionParser::sum() {
  auto left = concatenation();
  while (now().is_symbol("+") || now().is_symbol("-")) {
    const Token token = take();
    left = binary(token.value == "+" ? Operator::add : Operator::subtract, std::move(left), concatenation(), token.line);
  }
  return left;
}

ExpressionPtr ExpressionParser::concatenation() {
  auto first = product();
  if (!now().is_symbol("~")) return first;
  auto made = make(ExpressionKind::concat, now().line);
  made->parts.push_back(std::move(first));
  while (skip_symbol("~")) made->parts.push_back(product());
  return done(std::move(made));
}

ExpressionPtr ExpressionParser::product() {
  auto left = power();
  while (now().is_symbol("*") || now().is_symbol("/") || now().is_symbol("//") || now().is_symbol("%")) {
    const Token token = take();
    const Operator op = token.value == "*"    ? Operator::multiply
                        : token.value == "/"  ? Operator::divide
                        : token.value == "//" ? Operator::floor_divide
                                              : Operator::modulo;
    left = binary(op, std::move(left), power(), token.line);
  }
  return left;
}

ExpressionPtr ExpressionParser::power() {
  auto left = unary(true);
  while (now().is_symbol("**")) {
    const std::uint32_t line = take().line;
    left = binary(Operator::power, std::move(left), unary(true), line);
  }
  return left;
}

ExpressionPtr ExpressionParser::unary(bool with_filter) {
  const Level level(*this);
  ExpressionPtr value;
  if (now().is_symbol("-") || now().is_symbol("+")) {
    const Token token = take();
    auto made = make(token.value == "-" ? ExpressionKind::negate : ExpressionKind::plus, token.line);
    made->parts.push_back(unary(false));
    value = done(std::move(made));
  } else {
    value = primary();
  }
  value = postfixed(std::move(value));
  return with_filter ? filtered(std::move(value)) : std::move(value);
}

ExpressionPtr ExpressionParser::name_or_constant() {
  const Token token = take();
  auto made = make(ExpressionKind::constant, token.line);
  if (token.value == "true" || token.value == "True") made->constant = Value(true);
  else if (token.value == "false" || token.value == "False") made->constant = Value(false);
  else if (token.value == "none" || token.value == "None") made->constant = Value(None{});
  else {
    made->kind = ExpressionKind::name;
    made->name = token.value;
    on_name(token.value);
  }
  return made;
}

ExpressionPtr ExpressionParser::primary() {
  const Token& token = now();
  if (token.kind == TokenKind::name) return name_or_constant();
  if (token.kind == TokenKind::text) {
    auto made = make(ExpressionKind::constant, token.line);
    std::string bytes;
    while (now().kind == TokenKind::text) bytes += take().value;
    made->constant = literal(std::move(bytes));
    return made;
  }
  if (token.kind == TokenKind::integer || token.kind == TokenKind::real) {
    auto made = make(ExpressionKind::constant, token.line);
    made->constant = token.kind == TokenKind::integer ? Value(token.integer) : Value(token.real);
    take();
    return made;
  }
  if (skip_symbol("(")) {
    auto inner = tuple(true, {}, true);
    expect_symbol(")");
    return inner;
  }
  if (token.is_symbol("[")) return list();
  if (token.is_symbol("{")) return dict();
  error("unexpected " + shown());
}

ExpressionPtr ExpressionParser::list() {
  auto made = make(ExpressionKind::list, take().line);
  while (!now().is_symbol("]")) {
    if (!made->parts.empty()) expect_symbol(",");
    if (now().is_symbol("]")) break;
    made->parts.push_back(expression());
  }
  expect_symbol("]");
  return done(std::move(made));
}

ExpressionPtr ExpressionParser::dict() {
  auto made = make(ExpressionKind::dict, take().line);
  while (!now().is_symbol("}")) {
    if (!made->parts.empty()) expect_symbol(",");
    if (now().is_symbol("}")) break;
    made->parts.push_back(expression());
    expect_symbol(":");
    made->parts.push_back(expression());
  }
  expect_symbol("}");
  return done(std::move(made));
}

ExpressionPtr ExpressionParser::postfixed(ExpressionPtr whole) {
  while (true) {
    if (now().is_symbol(".") || now().is_symbol("[")) whole = subscript(std::move(whole));
    else if (now().is_symbol("(")) whole = call(std::move(whole));
    else return whole;
  }
}

ExpressionPtr ExpressionParser::filtered(ExpressionPtr subject) {
  while (true) {
    if (now().is_symbol("|")) subject = filters_of(std::move(subject), false);
    else if (now().is_name("is")) subject = test(std::move(subject));
    else if (now().is_symbol("(")) subject = call(std::move(subject));
    else return subject;
  }
}

ExpressionPtr ExpressionParser::subscript(ExpressionPtr whole) {
  const Token token = take();
  if (token.value == ".") {
    auto made = make(now().kind == TokenKind::name ? ExpressionKind::attribute : ExpressionKind::item, token.line);
    made->parts.push_back(std::move(whole));
    if (now().kind == TokenKind::name) {
      made->name = take().value;
      return done(std::move(made));
    }
    if (now().kind != TokenKind::integer) error("expected name or number");
    auto index = make(ExpressionKind::constant, token.line);
    index->constant = Value(take().integer);
    made->parts.push_back(std::move(index));
    return done(std::move(made));
  }
  auto made = subscribed(std::move(whole), token.line);
  expect_symbol("]");
  return made;
}

/// What stands in brackets: a key, a slice, or several keys as a tuple.
ExpressionPtr ExpressionParser::subscribed(ExpressionPtr whole, std::uint32_t line) {
  if (now().is_symbol("]")) {  // no key at all: the empty tuple
    auto empty = make(ExpressionKind::item, line);
    empty->parts.push_back(std::move(whole));
    empty->parts.push_back(make(ExpressionKind::tuple, line));
    return done(std::move(empty));
  }
  ExpressionPtr first = now().is_symbol(":") ? nullptr : expression();
  if (now().is_symbol(":")) {
    take();
    auto made = make(ExpressionKind::slice, line);
    made->parts.push_back(std::move(whole));
    made->parts.push_back(std::move(first));
    const auto at_end = [&] { return now().is_symbol("]") || now().is_symbol(":"); };
    made->parts.push_back(at_end() ? nullptr : expression());
    made->parts.push_back(skip_symbol(":") && !now().is_symbol("]") ? expression() : nullptr);
    return done(std::move(made));
  }
  auto made = make(ExpressionKind::item, line);
  made->parts.push_back(std::move(whole));
  if (now().is_symbol(",")) {
    auto keys = make(ExpressionKind::tuple, line);
    keys->parts.push_back(std::move(first));
    while (skip_symbol(",")) keys->parts.push_back(expression());
    first = done(std::move(keys));
  }
  made->parts.push_back(std::move(first));
  return done(std::move(made));
}

ExpressionPtr ExpressionParser::call(ExpressionPtr what) {
  auto made = make(ExpressionKind::call, now().line);
  made->parts.push_back(std::move(what));
  arguments(*made);
  return done(std::move(made));
}

void ExpressionParser::arguments(Expression& of) {
  const std::size_t before = of.parts.size();
  const std::uint32_t line = now().line;
  expect_symbol("(");
  const auto ensure = [&](bool holds) {
    if (!holds) error("invalid syntax for function call expression", line);
  };
  for (bool first = true; !now().is_symbol(")"); first = false) {
    if (!first) {
      expect_symbol(",");
      if (now().is_symbol(")")) break;
    }
    if (skip_symbol("*")) {
      ensure(of.more == nullptr && of.more_named == nullptr);
      of.more = expression();
    } else if (skip_symbol("**")) {
      ensure(of.more_named == nullptr);
      of.more_named = expression();
    } else if (now().kind == TokenKind::name && ahead().is_symbol("=")) {
      ensure(of.more_named == nullptr);
      std::string name = take().value;
      take();
      of.named.emplace_back(std::move(name), expression());
    } else {
      ensure(of.more == nullptr && of.more_named == nullptr && of.named.empty());
      of.parts.push_back(expression());
    }
  }
  expect_symbol(")");
  if (of.parts.size() - before + of.named.size() > 255) error("a call has more than 255 arguments", line);
}

std::string ExpressionParser::dotted_name() {
  std::string name = expect_name();
  while (skip_symbol(".")) name += "." + expect_name();
  return name;
}

ExpressionPtr ExpressionParser::filters_of(ExpressionPtr subject, bool starts) {
  while (starts || now().is_symbol("|")) {
    if (!starts) take();
    starts = false;
    auto made = make(ExpressionKind::filter, now().line);
    made->name = dotted_name();
    made->parts.push_back(std::move(subject));
    if (now().is_symbol("(")) arguments(*made);
    subject = done(std::move(made));
  }
  return subject;
}

ExpressionPtr ExpressionParser::test(ExpressionPtr subject) {
  const std::uint32_t line = take().line;
  const bool negated = skip_name("not");
  auto made = make(ExpressionKind::test, line);
  made->name = dotted_name();
  made->parts.push_back(std::move(subject));
  const auto is_argument = [&] {
    const Token& t = now();
    if (t.kind == TokenKind::name) return !t.is_name("else") && !t.is_name("or") && !t.is_name("and");
    return t.kind == TokenKind::text || t.kind == TokenKind::integer || t.kind == TokenKind::real || t.is_symbol("[") || t.is_symbol("{");
  };
  if (now().is_symbol("(")) {
    arguments(*made);
  } else if (is_argument()) {
    if (now().is_name("is")) error("You cannot chain multiple tests with is");
    made->parts.push_back(postfixed(primary()));
  }
  auto value = done(std::move(made));
  if (!negated) return value;
  auto not_value = make(ExpressionKind::logical_not, line);
  not_value->parts.push_back(std::move(value));
  return done(std::move(not_value));
}

}  // namespace spillway::model::jinja
