// What can be called: macros, loops, and the functions that every template has.

#include <algorithm>
#include <utility>

#include "model/template_attributes.h"
#include "model/template_format.h"
#include "model/template_interpreter.h"
#include "model/template_repr.h"

namespace spillway::model::jinja {

Value Interpreter::call(const Value& what, Args args, const Expression& e) {
  line_ = e.line;
  if (const auto* macro = what.as<MacroObject>()) return call_macro(*macro, std::move(args));
  if (const auto* function = what.as<FunctionObject>()) return call_builtin(function->builtin, args);
  if (const auto* method = what.as<MethodObject>()) return call_method(heap_, method->self, method->name, args);
  if (auto* loop = what.as<LoopObject>()) return call_again(*loop, args);
  if (auto* joiner = what.as<JoinerObject>()) {
    bind("joiner", args, {});
    return std::exchange(joiner->used, true) ? joiner->separator : heap_.text("");
  }
  require_defined(what);
  fail("'" + type_name(what) + "' object is not callable");
}

namespace {

/// The named argument, taken out of the list; false when it is not given.
bool take_named(Args& args, std::string_view name, Value& out) {
  const auto found = std::find_if(args.named.begin(), args.named.end(), [&](const auto& a) { return a.first == name; });
  if (found == args.named.end()) return false;
  out = found->second;
  args.named.erase(found);
  return true;
}

}  // namespace

/// Arguments by position, then by name, then as their parameter has it; what is left over goes to varargs and kwargs where
/// the body speaks of them.
void Interpreter::bind_macro(const MacroObject& macro, Args& args, Scope& scope) {
  const Signature& signature = *macro.signature;
  const std::string name = "macro '" + signature.name + "'";
  bool has_caller = false;
  for (std::size_t i = 0; i < signature.parameters.size(); ++i) {
    const Parameter& parameter = signature.parameters[i];
    has_caller = has_caller || parameter.name == "caller";
    Value named;
    if (i < args.positional.size()) {
      scope.set(heap_, parameter.name, args.positional[i]);
    } else if (take_named(args, parameter.name, named)) {
      scope.set(heap_, parameter.name, named);
    } else if (parameter.usual != nullptr) {
      scope.set(heap_, parameter.name, evaluate(*parameter.usual, scope));
    } else {
      scope.set(heap_, parameter.name, undefined("parameter '" + parameter.name + "' was not provided"));
    }
  }
  if (signature.takes_caller && !has_caller) {
    Value caller = undefined("No caller defined");
    take_named(args, "caller", caller);
    scope.set(heap_, "caller", caller);
  }
  if (signature.takes_named) {
    auto* rest = heap_.make<DictObject>();
    for (const auto& [key, value] : args.named) rest->set(heap_, heap_.text(key), value);
    scope.set(heap_, "kwargs", rest);
  } else if (!args.named.empty()) {
    fail(name + " takes no keyword argument '" + args.named.front().first + "'");
  }
  if (signature.takes_more) {
    const auto count = static_cast<std::ptrdiff_t>(std::min(signature.parameters.size(), args.positional.size()));
    scope.set(heap_, "varargs", make_list(heap_, {args.positional.begin() + count, args.positional.end()}, ListKind::tuple));
  } else if (args.positional.size() > signature.parameters.size()) {
    fail(name + " takes not more than " + std::to_string(signature.parameters.size()) + " argument(s)");
  }
}

Value Interpreter::call_macro(const MacroObject& macro, Args args) {
  auto* scope = heap_.make<Scope>(macro.closure);
  bind_macro(macro, args, *scope);
  return captured(*macro.body, *scope);
}

Value Interpreter::call_again(LoopObject& loop, const Args& args) {
  if (loop.recursive == nullptr) fail("The loop must have the 'recursive' marker to be called recursively.");
  const Value& over = *bind("loop", args, {"iterable"}, 1)[0];
  return written_by([&] { run_loop(*loop.recursive, over, *loop.scope, loop.depth0 + 1); });
}

Value Interpreter::call_range(const Args& args) {
  if (!args.named.empty()) fail("range() takes no keyword arguments");
  if (args.positional.empty() || args.positional.size() > 3)
    fail("range expected 1 to 3 arguments, got " + std::to_string(args.positional.size()));
  std::int64_t numbers[3] = {0, 0, 1};
  for (std::size_t i = 0; i < args.positional.size(); ++i) {
    require_defined(args.positional[i]);
    if (!to_integer(args.positional[i], numbers[i]))
      fail("'" + type_name(args.positional[i]) + "' object cannot be interpreted as an integer");
  }
  if (args.positional.size() == 1) std::swap(numbers[0], numbers[1]);
  if (numbers[2] == 0) fail("range() arg 3 must not be zero");
  constexpr std::size_t range_max = 100'000;  // as the sandbox of the hubs
  auto* range = heap_.make<RangeObject>(numbers[0], numbers[1], numbers[2]);
  if (range->length() > range_max) fail_limit("a range of more than " + std::to_string(range_max) + " numbers");
  return range;
}

Value Interpreter::call_dict(const Args& args, std::string_view what) {
  auto* dict = heap_.make<DictObject>();
  Value made = dict;
  Args update = args;
  if (args.positional.size() > 1) fail(std::string(what) + " expected at most 1 argument, got " + std::to_string(args.positional.size()));
  if (!args.positional.empty()) require_defined(args.positional[0]);
  call_method(heap_, made, "update", update);
  return made;
}

Value Interpreter::call_builtin(Builtin builtin, const Args& args) {
  switch (builtin) {
    case Builtin::range: return call_range(args);
    case Builtin::dict: return call_dict(args, "dict");
    case Builtin::make_namespace: return heap_.make<NamesObject>(call_dict(args, "namespace").as<DictObject>());
    case Builtin::cycler: {
      if (args.positional.empty()) fail("at least one item has to be provided");
      auto* cycler = heap_.make<CyclerObject>();
      heap_.charge(args.positional.size() * sizeof(Value));
      cycler->items = args.positional;
      return cycler;
    }
    case Builtin::joiner: {
      const auto given = bind("joiner", args, {"sep"});
      return heap_.make<JoinerObject>(given[0] != nullptr ? *given[0] : heap_.text(", "));
    }
    case Builtin::raise_exception: {
      const TextPtr message = to_text(heap_, *bind("raise_exception", args, {"message"}, 1)[0]);
      throw Failure{Fault::raised, std::string(message->bytes().substr(0, 4096)), 0, {}};
    }
    case Builtin::strftime_now: {
      const Value& format = *bind("strftime_now", args, {"format"}, 1)[0];
      require_defined(format);
      if (format.text() == nullptr) fail("strftime_now: the format must be a string, not " + type_name(format));
      return heap_.text(time_text(std::string((*format.text())->bytes().substr(0, 4096)), now_));
    }
    case Builtin::lipsum: break;
  }
  fail("lipsum is not supported: its text would be another each time");
}

}  // namespace spillway::model::jinja
