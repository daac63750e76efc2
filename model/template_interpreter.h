#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/template_ast.h"
#include "model/template_loop.h"
#include "model/template_value.h"

namespace spillway::model::jinja {

/// Names and their values; a name that is not here is looked for in the one outside.
struct Scope : Object {
  static constexpr auto object_kind = ObjectKind::scope;
  explicit Scope(Scope* o) : Object(object_kind), outer(o) {}
  Value* find(std::string_view name) {
    for (auto& [n, v] : values) {
      if (n == name) return &v;
    }
    return nullptr;
  }
  void set(Heap& heap, std::string_view name, Value value);
  Scope* outer;
  std::vector<std::pair<std::string_view, Value>> values;  // names belong to the program or to the variables
  bool captured = false;                                   ///< a macro looks into it: it may not be used again
};

/// {% macro %}, or the body of {% call %}.
struct MacroObject : Object {
  static constexpr auto object_kind = ObjectKind::macro;
  MacroObject(const Signature* s, const Body* b, Scope* c) : Object(object_kind), signature(s), body(b), closure(c) {}
  const Signature* signature;
  const Body* body;
  Scope* closure;
};

enum class Builtin : std::uint8_t { range, dict, make_namespace, cycler, joiner, raise_exception, strftime_now, lipsum };
struct FunctionObject : Object {
  static constexpr auto object_kind = ObjectKind::function;
  explicit FunctionObject(Builtin b) : Object(object_kind), builtin(b) {}
  Builtin builtin;
};

/// Runs one program once.
class Interpreter {
 public:
  Interpreter(Heap& heap, const LocalTime& now) : heap_(heap), now_(now), root_(heap.make<Scope>(nullptr)), out_(nullptr) {}

  Scope& root() { return *root_; }
  TextPtr run(const Program& program);
  /// For the filter of a loop.
  bool passes(const Expression& condition, const Target& target, const Value& item, Scope& scope);

 private:
  enum class Flow : std::uint8_t { on, leave, again };

  Flow run_body(const Body& body, Scope& scope);
  Flow run_statement(const Statement& statement, Scope& scope);
  Flow dispatch(const Statement& statement, Scope& scope);
  Flow run_branch(const Statement& statement, Scope& scope);
  void run_loop(const Statement& statement, const Value& over, Scope& scope, std::size_t depth);
  /// Whether a round came to its end.
  bool run_items(const Statement& statement, LoopObject& loop, Scope& scope);
  void run_set_block(const Statement& statement, Scope& scope);
  void run_call_block(const Statement& statement, Scope& scope);
  void run_filter_block(const Statement& statement, Scope& scope);
  void run_with(const Statement& statement, Scope& scope);
  void assign(const Target& target, const Value& value, Scope& scope);
  MacroObject* make_macro(const Statement& statement, Scope& scope);
  /// The text of a body in a scope of its own.
  TextPtr captured(const Body& body, Scope& scope) {
    return written_by([&] { run_body(body, scope); });
  }
  /// What `run` writes, instead of the output.
  template <class Run>
  TextPtr written_by(Run&& run) {
    TextBuilder inner(heap_);
    struct Restore {
      TextBuilder*& to;
      TextBuilder* from;
      ~Restore() { to = from; }
    } const restore{out_, std::exchange(out_, &inner)};
    run();
    return inner.finish();
  }
  Value filtered_text(const ExpressionPtr& filter, TextPtr text, Scope& scope);

  Value evaluate(const Expression& e, Scope& scope);
  Value evaluate_parts(const Expression& e, Scope& scope);
  Value look_up(const Expression& e, Scope& scope);
  std::vector<Value> evaluate_all(const std::vector<ExpressionPtr>& parts, Scope& scope);
  Value evaluate_dict(const Expression& e, Scope& scope);
  Value evaluate_compare(const Expression& e, Scope& scope);
  Value evaluate_concat(const Expression& e, Scope& scope);
  Value evaluate_call(const Expression& e, Scope& scope);
  Value evaluate_filter(const Expression& e, Scope& scope);
  Args arguments(const Expression& e, Scope& scope);

  Value call(const Value& what, Args args, const Expression& e);
  Value call_macro(const MacroObject& macro, Args args);
  void bind_macro(const MacroObject& macro, Args& args, Scope& scope);
  Value call_builtin(Builtin builtin, const Args& args);
  Value call_range(const Args& args);
  Value call_dict(const Args& args, std::string_view what);
  Value call_again(LoopObject& loop, const Args& args);

  Heap& heap_;
  LocalTime now_;
  Scope* root_;
  TextBuilder* out_;
  std::uint32_t line_ = 0;
  std::vector<Value> subjects_;  // texts of blocks whose filters are being applied
};

}  // namespace spillway::model::jinja
