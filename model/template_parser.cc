#include "model/template_parser.h"

#include <algorithm>

namespace spillway::model::jinja {

std::string construct_of(const Statement& statement) {
  switch (statement.kind) {
    case StatementKind::data: return "text";
    case StatementKind::output: return "{{ }}";
    case StatementKind::branch: return "{% if %}";
    case StatementKind::loop: return "{% for %}";
    case StatementKind::set:
    case StatementKind::set_block: return "{% set %}";
    case StatementKind::macro: return "{% macro %}";
    case StatementKind::call_block: return "{% call %}";
    case StatementKind::filter_block: return "{% filter %}";
    case StatementKind::with: return "{% with %}";
    case StatementKind::scope: return "{% generation %}";
    case StatementKind::block: return "{% block %}";
    case StatementKind::leave: return "{% break %}";
    case StatementKind::again: return "{% continue %}";
  }
  return {};
}

namespace {

using Names = std::vector<std::string_view>;

class StatementParser final : public ExpressionParser {
 public:
  using ExpressionParser::ExpressionParser;

  Body run() {
    Body body = statements({});
    if (now().kind != TokenKind::end) error("unexpected " + shown());
    return body;
  }

 private:
  void on_name(const std::string& name) override {
    for (Signature* macro : macros_) {
      macro->takes_caller = macro->takes_caller || name == "caller";
      macro->takes_more = macro->takes_more || name == "varargs";
      macro->takes_named = macro->takes_named || name == "kwargs";
    }
    if (name == "loop") {
      for (Statement* loop : loops_) loop->speaks_of_loop = true;
    }
  }

  /// Statements up to a tag whose name is one of `ends`; that name is what comes next.
  Body statements(const Names& ends) {
    const Level level(*this);
    Body body;
    while (now().kind != TokenKind::end) {
      if (now().kind == TokenKind::data) {
        Statement& data = add(body, StatementKind::data);
        Marks marks;
        const Token token = take();
        marks.append(0, token.value.size(), true);
        data.data = std::make_shared<const Text>(nullptr, token.value, std::move(marks), false);
      } else if (now().kind == TokenKind::variable_begin) {
        construct_ = "{{ }}";
        Statement output = begin(StatementKind::output);
        take();
        output.expressions.push_back(tuple(true, {}, false));
        if (now().kind != TokenKind::variable_end) error("expected token 'end of print statement', got " + shown());
        take();
        put(body, std::move(output));
      } else {
        take();  // {%
        if (now().kind == TokenKind::name && std::find(ends.begin(), ends.end(), now().value) != ends.end()) return body;
        statement(body, ends);
        end_of_tag();
      }
    }
    if (!ends.empty()) error("unexpected end of template: '" + std::string(ends.back()) + "' is missing");
    return body;
  }

  void end_of_tag() {
    if (now().kind != TokenKind::block_end) error("expected token 'end of statement block', got " + shown());
    take();
  }
  /// The body of a tag, up to its end.
  Body body_until(const Names& ends) {
    skip_symbol(":");
    end_of_tag();
    const std::string construct = construct_;
    const std::uint32_t line = now().line;
    Body body = statements(ends);
    construct_ = construct;
    if (now().kind == TokenKind::end) error("the tag is not closed", line);
    return body;
  }
  Body closed_body(std::string_view end) {
    Body body = body_until({end});
    take();
    return body;
  }

  Statement begin(StatementKind kind) const {
    Statement statement;
    statement.kind = kind;
    statement.line = now().line;
    return statement;
  }
  Statement& add(Body& body, StatementKind kind) { return body.emplace_back(begin(kind)); }
  static void put(Body& body, Statement statement) { body.push_back(std::move(statement)); }

  void statement(Body& body, const Names& ends) {
    if (now().kind != TokenKind::name) error("tag name expected, got " + shown());
    const std::string name = now().value;
    construct_ = "{% " + name + " %}";
    if (name == "if") return branch(body);
    if (name == "for") return loop(body);
    if (name == "set") return set(body);
    if (name == "macro") return macro(body);
    if (name == "call") return call_block(body);
    if (name == "filter") return filter_block(body);
    if (name == "with") return with(body);
    if (name == "print") return print(body);
    if (name == "block") return block(body);
    if (name == "generation") {
      Statement scope = begin(StatementKind::scope);
      take();
      const InnerFunction inner(*this);
      scope.bodies.push_back(closed_body("endgeneration"));
      return put(body, std::move(scope));
    }
    if (name == "break" || name == "continue") {
      if (loop_depth_ == 0) error("'" + name + "' outside a loop");
      add(body, name == "break" ? StatementKind::leave : StatementKind::again);
      take();
      return;
    }
    unknown(name, ends);
  }

  [[noreturn]] void unknown(const std::string& name, const Names& ends) const {
    for (const std::string_view other : {"extends", "include", "import", "from"}) {
      if (name == other) error("other templates cannot be used here: a model has one");
    }
    for (const std::string_view other : {"do", "trans", "pluralize", "autoescape", "debug"}) {
      if (name == other) error("the tag is not supported");
    }
    std::string wanted;
    for (const std::string_view end : ends) wanted += (wanted.empty() ? "" : " or ") + ("'" + std::string(end) + "'");
    error("encountered unknown tag '" + name + "'" + (wanted.empty() ? "" : "; looking for " + wanted));
  }

  /// A body that is a function of its own: no `break` leads out of it.
  class InnerFunction {
   public:
    explicit InnerFunction(StatementParser& parser) : parser_(parser), depth_(std::exchange(parser.loop_depth_, 0)) {}
    ~InnerFunction() { parser_.loop_depth_ = depth_; }
    InnerFunction(const InnerFunction&) = delete;
    InnerFunction& operator=(const InnerFunction&) = delete;

   private:
    StatementParser& parser_;
    std::size_t depth_;
  };

  void branch(Body& body) {
    Statement made = begin(StatementKind::branch);
    take();
    while (true) {
      made.expressions.push_back(tuple(false, {}, false));
      made.bodies.push_back(body_until({"elif", "else", "endif"}));
      const Token end = take();
      if (end.value == "elif") continue;
      if (end.value == "else") made.bodies.push_back(closed_body("endif"));
      break;
    }
    put(body, std::move(made));
  }

  void loop(Body& body) {
    Statement made = begin(StatementKind::loop);
    take();
    made.targets.push_back(target("in"));
    if (made.targets.back().name == "loop") error("Can't assign to special loop variable in for-loop target");
    if (!skip_name("in")) error("expected 'in', got " + shown());
    made.expressions.push_back(tuple(false, "recursive", false));
    made.expressions.push_back(skip_name("if") ? expression() : nullptr);
    made.recursive = skip_name("recursive");
    ++loop_depth_;
    loops_.push_back(&made);
    made.bodies.push_back(body_until({"endfor", "else"}));
    loops_.pop_back();
    --loop_depth_;
    if (take().value == "else") made.bodies.push_back(closed_body("endfor"));
    else made.bodies.emplace_back();
    put(body, std::move(made));
  }

  Target single_target() {
    if (now().kind != TokenKind::name) error("can't assign to " + shown());
    Target made;
    made.name = take().value;
    for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
      if (made.name == constant) error("can't assign to '" + made.name + "'");
    }
    if (skip_symbol(".")) made.attribute = expect_name();
    return made;
  }

  Target target(std::string_view end_name) {
    const auto at_end = [&] {
      return now().kind == TokenKind::block_end || now().is_symbol(")") || now().is_symbol("=") ||
             (!end_name.empty() && now().is_name(end_name));
    };
    const auto one = [&] {
      if (!skip_symbol("(")) return single_target();
      const Level level(*this);
      Target inner = target({});
      expect_symbol(")");
      return inner;
    };
    Target first = one();
    if (!now().is_symbol(",")) return first;
    Target made;
    made.tuple = true;
    made.parts.push_back(std::move(first));
    while (skip_symbol(",")) {
      if (at_end()) break;
      made.parts.push_back(one());
    }
    return made;
  }

  void set(Body& body) {
    Statement made = begin(StatementKind::set);
    take();
    made.targets.push_back(target({}));
    if (skip_symbol("=")) {
      made.expressions.push_back(tuple(true, {}, false));
      return put(body, std::move(made));
    }
    made.kind = StatementKind::set_block;
    made.expressions.push_back(filters_of(nullptr, false));
    made.bodies.push_back(closed_body("endset"));
    put(body, std::move(made));
  }

  void parameters(Signature& signature) {
    expect_symbol("(");
    while (!now().is_symbol(")")) {
      if (!signature.parameters.empty()) expect_symbol(",");
      Parameter parameter{expect_name(), nullptr};
      if (skip_symbol("=")) parameter.usual = expression();
      else if (!signature.parameters.empty() && signature.parameters.back().usual != nullptr)
        error("non-default argument follows default argument");
      signature.parameters.push_back(std::move(parameter));
    }
    expect_symbol(")");
  }

  Body function_body(const std::shared_ptr<Signature>& signature, std::string_view end) {
    const InnerFunction inner(*this);
    macros_.push_back(signature.get());
    Body body = closed_body(end);
    macros_.pop_back();
    return body;
  }

  void macro(Body& body) {
    Statement made = begin(StatementKind::macro);
    take();
    made.signature = std::make_shared<Signature>();
    made.signature->name = expect_name();
    parameters(*made.signature);
    made.bodies.push_back(function_body(made.signature, "endmacro"));
    put(body, std::move(made));
  }

  void call_block(Body& body) {
    Statement made = begin(StatementKind::call_block);
    take();
    made.signature = std::make_shared<Signature>();
    made.signature->name = "caller";
    if (now().is_symbol("(")) parameters(*made.signature);
    made.expressions.push_back(expression());
    if (made.expressions.front()->kind != ExpressionKind::call) error("expected call");
    made.bodies.push_back(function_body(made.signature, "endcall"));
    put(body, std::move(made));
  }

  void filter_block(Body& body) {
    Statement made = begin(StatementKind::filter_block);
    take();
    made.expressions.push_back(filters_of(nullptr, true));
    made.bodies.push_back(closed_body("endfilter"));
    put(body, std::move(made));
  }

  void with(Body& body) {
    Statement made = begin(StatementKind::with);
    take();
    while (now().kind != TokenKind::block_end) {
      if (!made.targets.empty()) expect_symbol(",");
      made.targets.push_back(target({}));
      expect_symbol("=");
      made.expressions.push_back(expression());
    }
    made.bodies.push_back(closed_body("endwith"));
    put(body, std::move(made));
  }

  void print(Body& body) {
    Statement made = begin(StatementKind::output);
    take();
    while (now().kind != TokenKind::block_end) {
      if (!made.expressions.empty()) expect_symbol(",");
      made.expressions.push_back(expression());
    }
    put(body, std::move(made));
  }

  void block(Body& body) {
    Statement made = begin(StatementKind::block);
    take();
    made.name = expect_name();
    skip_name("scoped");
    const InnerFunction inner(*this);
    made.bodies.push_back(closed_body("endblock"));
    skip_name(made.name);
    put(body, std::move(made));
  }

  std::size_t loop_depth_ = 0;
  std::vector<Signature*> macros_;
  std::vector<Statement*> loops_;
};

}  // namespace

std::shared_ptr<const Program> parse(std::string_view source) {
  auto program = std::make_shared<Program>();
  program->body = StatementParser(tokenize(source)).run();
  return program;
}

}  // namespace spillway::model::jinja
