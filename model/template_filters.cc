#include "model/template_filters.h"

#include <algorithm>
#include <array>

#include "model/template_arithmetic.h"
#include "model/template_attributes.h"
#include "model/template_repr.h"

namespace spillway::model::jinja {

namespace {

const std::vector<NamedFilter>& filters() {
  static const std::vector<NamedFilter> table = [] {
    std::vector<NamedFilter> all = text_filters();
    for (const auto& more : {sequence_filters(), order_filters()}) all.insert(all.end(), more.begin(), more.end());
    std::sort(all.begin(), all.end(), [](const NamedFilter& a, const NamedFilter& b) { return a.name < b.name; });
    return all;
  }();
  return table;
}

const NamedFilter* find_filter(std::string_view name) {
  const auto found =
      std::lower_bound(filters().begin(), filters().end(), name, [](const NamedFilter& f, std::string_view n) { return f.name < n; });
  return found != filters().end() && found->name == name ? &*found : nullptr;
}

/// What jinja2 has and this interpreter refuses: it would not be the same twice, or is of no use in a prompt.
constexpr std::array<std::string_view, 6> refused = {"random", "pprint", "urlize", "wordwrap", "xmlattr", "striptags"};

using Test = bool (*)(Heap& heap, const Value& value, const Args& args);
struct NamedTest {
  std::string_view name;
  std::size_t arguments;
  Test test;
};

std::int64_t whole(const Value& value) {
  std::int64_t out = 0;
  require_defined(value);
  if (!to_integer(value, out)) fail("not all arguments converted: want a whole number, not " + type_name(value));
  return out;
}

template <Operator op>
bool compare(Heap& heap, const Value& value, const Args& args) {
  return comparison(heap, op, value, args.positional[0]);
}

bool is_callable(const Value& value) {
  if (value.is_undefined()) return true;
  const Object* const o = value.object();
  return o != nullptr && (o->kind == ObjectKind::macro || o->kind == ObjectKind::function || o->kind == ObjectKind::method ||
                          o->kind == ObjectKind::loop || o->kind == ObjectKind::joiner);
}

bool is_sequence(const Value& value) {
  const Object* const o = value.object();
  return value.is_undefined() || value.text() != nullptr ||
         (o != nullptr && (o->kind == ObjectKind::list || o->kind == ObjectKind::dict || o->kind == ObjectKind::range));
}

bool is_same(Heap& heap, const Value& a, const Value& b) {
  if (a.object() != nullptr || b.object() != nullptr) return a.object() == b.object();
  return type_name(a) == type_name(b) && equals(heap, a, b);
}

bool is_parity(Heap& heap, const Value& value, std::int64_t wanted) {
  return equals(heap, arithmetic(heap, Operator::modulo, value, Value(std::int64_t{2})), Value(wanted));
}

bool has_case(Heap& heap, const Value& value, std::string_view method) {
  return truth(call_text_method(heap, to_text(heap, value), method, {}));
}

const NamedTest tests[] = {
    {"defined", 0, [](Heap&, const Value& v, const Args&) { return !v.is_undefined(); }},
    {"undefined", 0, [](Heap&, const Value& v, const Args&) { return v.is_undefined(); }},
    {"none", 0, [](Heap&, const Value& v, const Args&) { return v.is_none(); }},
    {"boolean", 0, [](Heap&, const Value& v, const Args&) { return v.boolean() != nullptr; }},
    {"true", 0, [](Heap&, const Value& v, const Args&) { return v.boolean() != nullptr && *v.boolean(); }},
    {"false", 0, [](Heap&, const Value& v, const Args&) { return v.boolean() != nullptr && !*v.boolean(); }},
    {"integer", 0, [](Heap&, const Value& v, const Args&) { return v.integer() != nullptr; }},
    {"float", 0, [](Heap&, const Value& v, const Args&) { return v.real() != nullptr; }},
    {"number", 0,
     [](Heap&, const Value& v, const Args&) { return v.boolean() != nullptr || v.integer() != nullptr || v.real() != nullptr; }},
    {"string", 0, [](Heap&, const Value& v, const Args&) { return v.text() != nullptr; }},
    {"mapping", 0, [](Heap&, const Value& v, const Args&) { return v.as<DictObject>() != nullptr; }},
    {"sequence", 0, [](Heap&, const Value& v, const Args&) { return is_sequence(v); }},
    {"iterable", 0, [](Heap&, const Value& v, const Args&) { return is_iterable(v); }},
    {"callable", 0, [](Heap&, const Value& v, const Args&) { return is_callable(v); }},
    {"escaped", 0, [](Heap&, const Value& v, const Args&) { return v.text() != nullptr && (*v.text())->markup(); }},
    {"lower", 0, [](Heap& h, const Value& v, const Args&) { return has_case(h, v, "islower"); }},
    {"upper", 0, [](Heap& h, const Value& v, const Args&) { return has_case(h, v, "isupper"); }},
    {"odd", 0, [](Heap& h, const Value& v, const Args&) { return is_parity(h, v, 1); }},
    {"even", 0, [](Heap& h, const Value& v, const Args&) { return is_parity(h, v, 0); }},
    {"divisibleby", 1,
     [](Heap& h, const Value& v, const Args& a) {
       return equals(h, arithmetic(h, Operator::modulo, v, Value(whole(a.positional[0]))), Value(std::int64_t{0}));
     }},
    {"sameas", 1, [](Heap& h, const Value& v, const Args& a) { return is_same(h, v, a.positional[0]); }},
    {"in", 1, [](Heap& h, const Value& v, const Args& a) { return contains(h, a.positional[0], v); }},
    {"filter", 0, [](Heap& h, const Value& v, const Args&) { return has_filter(to_text(h, v)->bytes()); }},
    {"test", 0, [](Heap& h, const Value& v, const Args&) { return has_test(to_text(h, v)->bytes()); }},
    {"==", 1, compare<Operator::equal>},
    {"eq", 1, compare<Operator::equal>},
    {"equalto", 1, compare<Operator::equal>},
    {"!=", 1, compare<Operator::not_equal>},
    {"ne", 1, compare<Operator::not_equal>},
    {">", 1, compare<Operator::greater>},
    {"gt", 1, compare<Operator::greater>},
    {"greaterthan", 1, compare<Operator::greater>},
    {">=", 1, compare<Operator::greater_equal>},
    {"ge", 1, compare<Operator::greater_equal>},
    {"<", 1, compare<Operator::less>},
    {"lt", 1, compare<Operator::less>},
    {"lessthan", 1, compare<Operator::less>},
    {"<=", 1, compare<Operator::less_equal>},
    {"le", 1, compare<Operator::less_equal>},
};

const NamedTest* find_test(std::string_view name) {
  const auto* const found = std::find_if(std::begin(tests), std::end(tests), [&](const NamedTest& t) { return t.name == name; });
  return found == std::end(tests) ? nullptr : found;
}

}  // namespace

std::int64_t whole_argument(std::string_view what, const Value* value, std::int64_t usual) {
  if (value == nullptr || value->is_none()) return usual;
  require_defined(*value);
  std::int64_t out = 0;
  if (!to_integer(*value, out)) fail(std::string(what) + ": want a whole number, not " + type_name(*value));
  return out;
}

bool has_filter(std::string_view name) {
  return find_filter(name) != nullptr;
}

bool has_test(std::string_view name) {
  return find_test(name) != nullptr;
}

Value call_filter(Heap& heap, std::string_view name, const Value& subject, const Args& args) {
  const NamedFilter* const found = find_filter(name);
  if (found == nullptr) {
    const bool known = std::find(refused.begin(), refused.end(), name) != refused.end();
    fail(known ? "the filter '" + std::string(name) + "' is not supported" : "No filter named '" + std::string(name) + "'.");
  }
  try {
    return found->filter(heap, subject, args);
  } catch (Failure& failure) {
    if (failure.fault == Fault::runtime && failure.construct.empty() && !failure.message.starts_with("filter '"))
      failure.message = "filter '" + std::string(name) + "': " + failure.message;
    throw;
  }
}

bool call_test(Heap& heap, std::string_view name, const Value& subject, const Args& args) {
  const NamedTest* const found = find_test(name);
  if (found == nullptr) fail("No test named '" + std::string(name) + "'.");
  if (args.positional.size() != found->arguments || !args.named.empty()) {
    fail("test '" + std::string(name) + "' takes " + std::to_string(found->arguments) + " arguments");
  }
  return found->test(heap, subject, args);
}

}  // namespace spillway::model::jinja
