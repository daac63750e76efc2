#include "model/template_interpreter.h"

#include "model/template_repr.h"

namespace spillway::model::jinja {

void Scope::set(Heap& heap, std::string_view name, Value value) {
  if (Value* const found = find(name)) {
    *found = std::move(value);
    return;
  }
  heap.spend(values.size() / 8);
  heap.charge(sizeof(values.front()) * 2);
  values.emplace_back(name, std::move(value));
}

TextPtr Interpreter::run(const Program& program) {
  TextBuilder out(heap_);
  out_ = &out;
  run_body(program.body, *root_);
  return out.finish();
}

Interpreter::Flow Interpreter::run_body(const Body& body, Scope& scope) {
  for (const Statement& statement : body) {
    const Flow flow = run_statement(statement, scope);
    if (flow != Flow::on) return flow;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::run_statement(const Statement& statement, Scope& scope) {
  heap_.spend(1);
  if (statement.kind == StatementKind::data) {
    out_->add(*statement.data);
    return Flow::on;
  }
  line_ = statement.line;
  try {
    const Deeper deeper(heap_);
    return dispatch(statement, scope);
  } catch (Failure& failure) {
    if (failure.construct.empty()) {
      failure.construct = construct_of(statement);
      failure.line = line_;
    }
    throw;
  }
}

Interpreter::Flow Interpreter::dispatch(const Statement& statement, Scope& scope) {
  switch (statement.kind) {
    case StatementKind::data: break;
    case StatementKind::output:
      for (const auto& e : statement.expressions) write_str(heap_, evaluate(*e, scope), *out_);
      break;
    case StatementKind::branch: return run_branch(statement, scope);
    case StatementKind::loop: run_loop(statement, evaluate(*statement.expressions[0], scope), scope, 0); break;
    case StatementKind::set: assign(statement.targets[0], evaluate(*statement.expressions[0], scope), scope); break;
    case StatementKind::set_block: run_set_block(statement, scope); break;
    case StatementKind::macro: scope.set(heap_, statement.signature->name, make_macro(statement, scope)); break;
    case StatementKind::call_block: run_call_block(statement, scope); break;
    case StatementKind::filter_block: run_filter_block(statement, scope); break;
    case StatementKind::with: run_with(statement, scope); break;
    case StatementKind::scope: run_body(statement.bodies[0], *heap_.make<Scope>(&scope)); break;
    case StatementKind::block: run_body(statement.bodies[0], *heap_.make<Scope>(root_)); break;
    case StatementKind::leave: return Flow::leave;
    case StatementKind::again: return Flow::again;
  }
  return Flow::on;
}

Interpreter::Flow Interpreter::run_branch(const Statement& statement, Scope& scope) {
  for (std::size_t i = 0; i < statement.expressions.size(); ++i) {
    if (truth(evaluate(*statement.expressions[i], scope))) return run_body(statement.bodies[i], scope);
  }
  return statement.bodies.size() > statement.expressions.size() ? run_body(statement.bodies.back(), scope) : Flow::on;
}

namespace {

/// The items for which the filter of a loop holds.
class PassingIterator final : public Iterator {
 public:
  PassingIterator(Interpreter& interpreter, const Statement& loop, Scope& scope, std::unique_ptr<Iterator> from)
      : interpreter_(interpreter), loop_(loop), scope_(scope), from_(std::move(from)) {}
  bool next(Heap& heap, Value& out) override {
    while (from_->next(heap, out)) {
      heap.spend(1);
      if (interpreter_.passes(*loop_.expressions[1], loop_.targets[0], out, scope_)) return true;
    }
    return false;
  }

 private:
  Interpreter& interpreter_;
  const Statement& loop_;
  Scope& scope_;
  std::unique_ptr<Iterator> from_;
};

}  // namespace

bool Interpreter::passes(const Expression& condition, const Target& target, const Value& item, Scope& scope) {
  auto* inner = heap_.make<Scope>(&scope);
  assign(target, item, *inner);
  return truth(evaluate(condition, *inner));
}

void Interpreter::run_loop(const Statement& statement, const Value& over, Scope& scope, std::size_t depth) {
  auto items = iterate(heap_, over);
  std::optional<std::size_t> known;
  if (statement.expressions[1] != nullptr) items = std::make_unique<PassingIterator>(*this, statement, scope, std::move(items));
  else if (has_length(over)) known = length(over);
  auto* loop = heap_.make<LoopObject>(std::move(items), known, depth);
  if (statement.recursive) loop->recursive = &statement, loop->scope = &scope;
  // As jinja2 has it, `else` runs unless one round came to its end: one that was left by `break` or `continue` does not count.
  if (!run_items(statement, *loop, scope)) run_body(statement.bodies[1], *heap_.make<Scope>(&scope));
}

bool Interpreter::run_items(const Statement& statement, LoopObject& loop, Scope& scope) {
  bool completed = false;
  auto* inner = heap_.make<Scope>(&scope);
  for (Value item; loop.advance(heap_, item);) {
    heap_.spend(1);
    if (inner->captured) inner = heap_.make<Scope>(&scope);
    inner->values.clear();
    if (statement.speaks_of_loop || statement.recursive) inner->set(heap_, "loop", &loop);
    assign(statement.targets[0], item, *inner);
    const Flow flow = run_body(statement.bodies[0], *inner);
    if (flow == Flow::leave) break;
    completed = completed || flow == Flow::on;
  }
  return completed;
}

Value Interpreter::filtered_text(const ExpressionPtr& filter, TextPtr text, Scope& scope) {
  if (filter == nullptr) return text;
  subjects_.emplace_back(std::move(text));
  Value value = evaluate(*filter, scope);
  subjects_.pop_back();
  return value;
}

void Interpreter::run_set_block(const Statement& statement, Scope& scope) {
  TextPtr text = captured(statement.bodies[0], *heap_.make<Scope>(&scope));
  assign(statement.targets[0], filtered_text(statement.expressions[0], std::move(text), scope), scope);
}

void Interpreter::run_filter_block(const Statement& statement, Scope& scope) {
  TextPtr text = captured(statement.bodies[0], *heap_.make<Scope>(&scope));
  write_str(heap_, filtered_text(statement.expressions[0], std::move(text), scope), *out_);
}

void Interpreter::run_call_block(const Statement& statement, Scope& scope) {
  const Value caller = make_macro(statement, scope);
  const Expression& call_expression = *statement.expressions[0];
  Args args = arguments(call_expression, scope);
  for (const auto& named : args.named) {
    if (named.first == "caller") fail("the call has a caller of its own already");
  }
  args.named.emplace_back("caller", caller);
  const Value what = evaluate(*call_expression.parts[0], scope);
  line_ = call_expression.line;
  write_str(heap_, call(what, std::move(args), call_expression), *out_);
}

void Interpreter::run_with(const Statement& statement, Scope& scope) {
  auto* inner = heap_.make<Scope>(&scope);
  for (std::size_t i = 0; i < statement.targets.size(); ++i)
    assign(statement.targets[i], evaluate(*statement.expressions[i], scope), *inner);
  run_body(statement.bodies[0], *inner);
}

void Interpreter::assign(const Target& target, const Value& value, Scope& scope) {
  if (target.tuple) {
    if (!is_iterable(value)) fail("cannot unpack non-iterable " + type_name(value) + " object");
    const std::vector<Value> items = to_items(heap_, value);
    if (items.size() != target.parts.size()) {
      const std::string expected = " (expected " + std::to_string(target.parts.size());
      if (items.size() > target.parts.size()) fail("too many values to unpack" + expected + ")");
      fail("not enough values to unpack" + expected + ", got " + std::to_string(items.size()) + ")");
    }
    for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], items[i], scope);
    return;
  }
  if (target.attribute.empty()) return scope.set(heap_, target.name, value);
  const Value* found = nullptr;
  for (Scope* s = &scope; s != nullptr && found == nullptr; s = s->outer) found = s->find(target.name);
  auto* names = found == nullptr ? nullptr : found->as<NamesObject>();
  if (names == nullptr) fail("cannot assign attribute on non-namespace object '" + target.name + "'");
  names->dict->set(heap_, heap_.text(target.attribute), value);
}

MacroObject* Interpreter::make_macro(const Statement& statement, Scope& scope) {
  for (Scope* s = &scope; s != nullptr && !s->captured; s = s->outer) s->captured = true;
  return heap_.make<MacroObject>(statement.signature.get(), &statement.bodies[0], &scope);
}

}  // namespace spillway::model::jinja
