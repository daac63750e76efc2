// Expressions.

#include <array>
#include <utility>

#include "model/template_arithmetic.h"
#include "model/template_attributes.h"
#include "model/template_filters.h"
#include "model/template_interpreter.h"
#include "model/template_repr.h"

namespace spillway::model::jinja {

namespace {

constexpr std::array<std::pair<std::string_view, Builtin>, 8> builtins = {{{"range", Builtin::range},
                                                                           {"dict", Builtin::dict},
                                                                           {"namespace", Builtin::make_namespace},
                                                                           {"cycler", Builtin::cycler},
                                                                           {"joiner", Builtin::joiner},
                                                                           {"raise_exception", Builtin::raise_exception},
                                                                           {"strftime_now", Builtin::strftime_now},
                                                                           {"lipsum", Builtin::lipsum}}};

}  // namespace

Value Interpreter::look_up(const Expression& e, Scope& scope) {
  for (Scope* s = &scope; s != nullptr; s = s->outer) {
    heap_.spend(s->values.size() / 16);
    if (const Value* const found = s->find(e.name)) return *found;
  }
  for (const auto& [name, builtin] : builtins) {
    if (name == e.name) return heap_.make<FunctionObject>(builtin);
  }
  return undefined("'" + e.name + "' is undefined");
}

Value Interpreter::evaluate(const Expression& e, Scope& scope) {
  heap_.spend(1);
  if (e.kind == ExpressionKind::constant) return e.constant;
  if (e.kind == ExpressionKind::name) return look_up(e, scope);
  const Deeper deeper(heap_);
  return evaluate_parts(e, scope);
}

Value Interpreter::evaluate_parts(const Expression& e, Scope& scope) {
  const auto part = [&](std::size_t i) { return evaluate(*e.parts[i], scope); };
  const auto or_none = [&](std::size_t i) { return e.parts[i] == nullptr ? Value(None{}) : part(i); };
  switch (e.kind) {
    case ExpressionKind::list: return make_list(heap_, evaluate_all(e.parts, scope));
    case ExpressionKind::tuple: return make_list(heap_, evaluate_all(e.parts, scope), ListKind::tuple);
    case ExpressionKind::dict: return evaluate_dict(e, scope);
    case ExpressionKind::attribute: {
      const Value whole = part(0);
      line_ = e.line;
      return get_attribute(heap_, whole, e.name);
    }
    case ExpressionKind::item: {
      const Value whole = part(0);
      const Value key = part(1);
      line_ = e.line;
      return get_item(heap_, whole, key);
    }
    case ExpressionKind::slice: {
      const Value whole = part(0);
      const Value start = or_none(1), stop = or_none(2), step = or_none(3);
      line_ = e.line;
      return get_slice(heap_, whole, start, stop, step);
    }
    case ExpressionKind::call: return evaluate_call(e, scope);
    case ExpressionKind::filter: return evaluate_filter(e, scope);
    case ExpressionKind::test: {
      const Value subject = part(0);
      const Args args = arguments(e, scope);
      line_ = e.line;
      return Value(call_test(heap_, e.name, subject, args));
    }
    case ExpressionKind::negate: return negated(part(0));
    case ExpressionKind::plus: return positive(part(0));
    case ExpressionKind::logical_not: return Value(!truth(part(0)));
    case ExpressionKind::logical_and: {
      const Value left = part(0);
      return truth(left) ? part(1) : left;
    }
    case ExpressionKind::logical_or: {
      const Value left = part(0);
      return truth(left) ? left : part(1);
    }
    case ExpressionKind::arithmetic: {
      const Value left = part(0);
      const Value right = part(1);
      line_ = e.line;
      return arithmetic(heap_, e.op, left, right);
    }
    case ExpressionKind::concat: return evaluate_concat(e, scope);
    case ExpressionKind::compare: return evaluate_compare(e, scope);
    case ExpressionKind::conditional: {
      if (truth(part(0))) return part(1);
      return e.parts[2] == nullptr ? undefined("the inline if-expression evaluated to false and no else section was defined.") : part(2);
    }
    case ExpressionKind::constant:
    case ExpressionKind::name: break;
  }
  return {};
}

std::vector<Value> Interpreter::evaluate_all(const std::vector<ExpressionPtr>& parts, Scope& scope) {
  std::vector<Value> values;
  values.reserve(parts.size());
  for (const auto& part : parts) values.push_back(evaluate(*part, scope));
  return values;
}

Value Interpreter::evaluate_dict(const Expression& e, Scope& scope) {
  auto* dict = heap_.make<DictObject>();
  for (std::size_t i = 0; i + 1 < e.parts.size(); i += 2) {
    const Value key = evaluate(*e.parts[i], scope);
    dict->set(heap_, key, evaluate(*e.parts[i + 1], scope));
  }
  return dict;
}

Value Interpreter::evaluate_compare(const Expression& e, Scope& scope) {
  Value left = evaluate(*e.parts[0], scope);
  for (std::size_t i = 0; i < e.operators.size(); ++i) {
    Value right = evaluate(*e.parts[i + 1], scope);
    line_ = e.line;
    if (!comparison(heap_, e.operators[i], left, right)) return Value(false);
    left = std::move(right);
  }
  return Value(true);
}

Value Interpreter::evaluate_concat(const Expression& e, Scope& scope) {
  const std::vector<Value> parts = evaluate_all(e.parts, scope);
  TextBuilder out(heap_);
  for (const Value& part : parts) write_str(heap_, part, out);
  return out.finish();
}

Args Interpreter::arguments(const Expression& e, Scope& scope) {
  Args args;
  for (std::size_t i = 1; i < e.parts.size(); ++i) args.positional.push_back(evaluate(*e.parts[i], scope));
  for (const auto& [name, part] : e.named) {
    Value value = evaluate(*part, scope);
    for (const auto& before : args.named) {
      if (before.first == name) fail("keyword argument repeated: " + name);
    }
    args.named.emplace_back(name, std::move(value));
  }
  if (e.more != nullptr) {
    for (Value& value : to_items(heap_, evaluate(*e.more, scope))) args.positional.push_back(std::move(value));
  }
  if (e.more_named != nullptr) {
    const Value more = evaluate(*e.more_named, scope);
    auto* dict = more.as<DictObject>();
    if (dict == nullptr) fail("argument after ** must be a mapping, not " + type_name(more));
    heap_.spend(dict->entries.size() * (1 + args.named.size() / 8));
    for (const auto& [key, value] : dict->entries) {
      if (key.text() == nullptr) fail("keywords must be strings");
      args.named.emplace_back((*key.text())->bytes(), value);
    }
  }
  return args;
}

Value Interpreter::evaluate_filter(const Expression& e, Scope& scope) {
  const Value subject = e.parts[0] == nullptr ? subjects_.back() : evaluate(*e.parts[0], scope);
  const Args args = arguments(e, scope);
  line_ = e.line;
  return call_filter(heap_, e.name, subject, args);
}

Value Interpreter::evaluate_call(const Expression& e, Scope& scope) {
  const Expression& callee = *e.parts[0];
  if (callee.kind != ExpressionKind::attribute) {
    const Value what = evaluate(callee, scope);
    return call(what, arguments(e, scope), e);
  }
  // value.method(...) without making an object of the method.
  const Value self = evaluate(*callee.parts[0], scope);
  line_ = callee.line;
  if (has_method(self, callee.name)) {
    const Args args = arguments(e, scope);
    line_ = e.line;
    return call_method(heap_, self, callee.name, args);
  }
  const Value what = get_attribute(heap_, self, callee.name);
  return call(what, arguments(e, scope), e);
}

}  // namespace spillway::model::jinja
