#include "model/template_value.h"

#include <algorithm>
#include <cmath>

namespace spillway::model::jinja {

void fail(std::string message) {
  throw Failure{Fault::runtime, std::move(message), 0, {}};
}

void fail_limit(const std::string& what) {
  throw Failure{Fault::limit, "the template wants " + what, 0, {}};
}

Heap::~Heap() {
  objects_.clear();  // their texts still count themselves off
}

Value Heap::text(std::string_view bytes, bool own) {
  TextBuilder out(*this);
  out.add(bytes, own);
  return out.finish();
}

Value* DictObject::find(Heap& heap, const Value& key) {
  if (const auto* text = key.text()) {
    heap.spend(entries.size() / 8);
    return find((*text)->bytes());
  }
  if (const auto* list = key.as<ListObject>(); key.object() != nullptr && (list == nullptr || list->is_list())) {
    if (list != nullptr || key.as<DictObject>() != nullptr) fail("unhashable type: '" + type_name(key) + "'");
  }
  heap.spend(entries.size() / 8);
  for (auto& [k, v] : entries) {
    if (equals(heap, k, key)) return &v;
  }
  return nullptr;
}

Value* DictObject::find(std::string_view key) {
  for (auto& [k, v] : entries) {
    if (const auto* text = k.text(); text != nullptr && (*text)->bytes() == key) return &v;
  }
  return nullptr;
}

void DictObject::set(Heap& heap, const Value& key, Value value) {
  if (Value* const found = find(heap, key)) {
    *found = std::move(value);
    return;
  }
  heap.charge(sizeof(Value) * 4);
  entries.emplace_back(key, std::move(value));
}

std::size_t RangeObject::length() const {
  if (step > 0 ? start >= stop : start <= stop) return 0;
  const auto distance = step > 0 ? static_cast<std::uint64_t>(stop) - static_cast<std::uint64_t>(start)
                                 : static_cast<std::uint64_t>(start) - static_cast<std::uint64_t>(stop);
  const auto by = step > 0 ? static_cast<std::uint64_t>(step) : 0 - static_cast<std::uint64_t>(step);
  return (distance - 1) / by + 1;
}

std::vector<const Value*> bind(std::string_view what, const Args& args, std::initializer_list<std::string_view> names,
                               std::size_t required) {
  std::vector<const Value*> bound(names.size(), nullptr);
  const std::string name(what);
  if (args.positional.size() > names.size()) {
    fail(name + " takes at most " + std::to_string(names.size()) + " arguments (" + std::to_string(args.positional.size()) + " given)");
  }
  for (std::size_t i = 0; i < args.positional.size(); ++i) bound[i] = &args.positional[i];
  for (const auto& [key, value] : args.named) {
    const auto* const found = std::find(names.begin(), names.end(), key);
    if (found == names.end()) fail(name + " has no argument '" + key + "'");
    auto& slot = bound[static_cast<std::size_t>(found - names.begin())];
    if (slot != nullptr) fail(name + " got two values for the argument '" + key + "'");
    slot = &value;
  }
  for (std::size_t i = 0; i < required; ++i) {
    if (bound[i] == nullptr) fail(name + " wants the argument '" + std::string(*(names.begin() + i)) + "'");
  }
  return bound;
}

Value undefined(std::string why) {
  return Undefined{std::make_shared<const std::string>(std::move(why))};
}

Value make_list(Heap& heap, std::vector<Value> items, ListKind kind) {
  heap.charge(items.size() * sizeof(Value));
  auto* list = heap.make<ListObject>(kind);
  list->items = std::move(items);
  return list;
}

std::string type_name(const Value& value) {
  if (value.is_undefined()) return "Undefined";
  if (value.is_none()) return "NoneType";
  if (value.boolean() != nullptr) return "bool";
  if (value.integer() != nullptr) return "int";
  if (value.real() != nullptr) return "float";
  if (const auto* text = value.text()) return (*text)->markup() ? "Markup" : "str";
  switch (value.object()->kind) {
    case ObjectKind::list: return value.as<ListObject>()->is_list() ? "list" : "tuple";
    case ObjectKind::dict: return "dict";
    case ObjectKind::view: {
      constexpr const char* names[] = {"dict_keys", "dict_values", "dict_items"};
      return names[static_cast<std::size_t>(value.as<ViewObject>()->view_kind)];
    }
    case ObjectKind::range: return "range";
    case ObjectKind::names: return "Namespace";
    case ObjectKind::iterator: return "generator";
    case ObjectKind::macro: return "Macro";
    case ObjectKind::function: return "function";
    case ObjectKind::method: return "builtin_function_or_method";
    case ObjectKind::loop: return "LoopContext";
    case ObjectKind::cycler: return "Cycler";
    case ObjectKind::joiner: return "Joiner";
    case ObjectKind::scope: break;
  }
  return "object";
}

void require_defined(const Value& value) {
  if (const auto* u = value.undefined()) fail(u->why == nullptr ? "the value is undefined" : *u->why);
}

bool to_integer(const Value& value, std::int64_t& out) {
  if (const auto* b = value.boolean()) return out = *b ? 1 : 0, true;
  if (const auto* i = value.integer()) return out = *i, true;
  return false;
}

bool to_real(const Value& value, double& out) {
  std::int64_t whole = 0;
  if (to_integer(value, whole)) return out = static_cast<double>(whole), true;
  if (const auto* d = value.real()) return out = *d, true;
  return false;
}

bool truth(const Value& value) {
  if (value.is_undefined() || value.is_none()) return false;
  if (const auto* b = value.boolean()) return *b;
  if (const auto* i = value.integer()) return *i != 0;
  if (const auto* d = value.real()) return *d != 0.0;
  return !has_length(value) || length(value) != 0;
}

namespace {

/// int against float, exactly: -1, 0, 1; 2 = unordered (NaN).
int compare_numbers(const Value& a, const Value& b) {
  std::int64_t i = 0, j = 0;
  const bool a_whole = to_integer(a, i), b_whole = to_integer(b, j);
  if (a_whole && b_whole) return i < j ? -1 : i > j ? 1 : 0;
  double x = 0, y = 0;
  to_real(a, x);
  to_real(b, y);
  if (std::isnan(x) || std::isnan(y)) return 2;
  if (a_whole != b_whole && x == y && std::abs(x) >= 9007199254740992.0) {
    // Equal as doubles only: compare in whole numbers, where the double has one.
    const double real = a_whole ? y : x;
    if (real >= 9223372036854775808.0) return a_whole ? -1 : 1;
    const auto whole = static_cast<std::int64_t>(real);
    const std::int64_t left = a_whole ? i : whole, right = a_whole ? whole : j;
    return left < right ? -1 : left > right ? 1 : 0;
  }
  return x < y ? -1 : x > y ? 1 : 0;
}

bool is_number(const Value& v) {
  return v.boolean() != nullptr || v.integer() != nullptr || v.real() != nullptr;
}

bool equal_lists(Heap& heap, const ListObject& a, const ListObject& b) {
  if (a.is_list() != b.is_list() || a.items.size() != b.items.size()) return false;
  heap.spend(a.items.size() / 8);
  for (std::size_t i = 0; i < a.items.size(); ++i) {
    if (!equals(heap, a.items[i], b.items[i])) return false;
  }
  return true;
}

bool equal_dicts(Heap& heap, DictObject& a, DictObject& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (auto& [key, value] : a.entries) {
    const Value* const other = b.find(heap, key);
    if (other == nullptr || !equals(heap, value, *other)) return false;
  }
  return true;
}

/// keys() and items() are sets.
bool equal_views(Heap& heap, const Value& a, const Value& b) {
  if (a.object() == b.object()) return true;
  const auto* left = a.as<ViewObject>();
  const auto* right = b.as<ViewObject>();
  if (left->view_kind == ViewKind::values || right->view_kind == ViewKind::values || length(a) != length(b)) return false;
  for (const Value& item : to_items(heap, a)) {
    if (!contains(heap, b, item)) return false;
  }
  return true;
}

}  // namespace

bool equals(Heap& heap, const Value& a, const Value& b) {
  if (is_number(a) && is_number(b)) return compare_numbers(a, b) == 0;
  if (const auto* x = a.text()) {
    const auto* y = b.text();
    if (y == nullptr) return false;
    heap.spend((*x)->bytes().size() / 64);
    return (*x)->bytes() == (*y)->bytes();
  }
  if (a.is_undefined() || a.is_none()) return a.is_undefined() ? b.is_undefined() : b.is_none();
  Object* const x = a.object();
  Object* const y = b.object();
  if (x == nullptr || y == nullptr || x->kind != y->kind) return false;
  if (x == y && x->kind != ObjectKind::list && x->kind != ObjectKind::dict) return true;
  const Deeper deeper(heap);
  heap.spend(1);
  switch (x->kind) {
    case ObjectKind::list: return equal_lists(heap, *a.as<ListObject>(), *b.as<ListObject>());
    case ObjectKind::dict: return equal_dicts(heap, *a.as<DictObject>(), *b.as<DictObject>());
    case ObjectKind::view: return equal_views(heap, a, b);
    case ObjectKind::range: {
      const auto* p = a.as<RangeObject>();
      const auto* q = b.as<RangeObject>();
      const auto n = p->length();
      return n == q->length() && (n == 0 || (p->start == q->start && (n == 1 || p->step == q->step)));
    }
    default: return x == y;
  }
}

bool less(Heap& heap, const Value& a, const Value& b, std::string_view op) {
  const bool or_equal = op == "<=" || op == ">=";
  const bool swapped = op == ">" || op == ">=";
  const Value& left = swapped ? b : a;
  const Value& right = swapped ? a : b;
  if (is_number(a) && is_number(b)) {
    const int order = compare_numbers(left, right);
    return order == -1 || (or_equal && order == 0);
  }
  if (left.text() != nullptr && right.text() != nullptr) {
    heap.spend((*left.text())->bytes().size() / 64);
    const int order = (*left.text())->bytes().compare((*right.text())->bytes());
    return order < 0 || (or_equal && order == 0);
  }
  const auto* x = left.as<ListObject>();
  const auto* y = right.as<ListObject>();
  if (x != nullptr && y != nullptr && x->is_list() == y->is_list()) {
    const Deeper deeper(heap);
    const std::size_t common = std::min(x->items.size(), y->items.size());
    for (std::size_t i = 0; i < common; ++i) {
      heap.spend(1);
      if (equals(heap, x->items[i], y->items[i])) continue;
      return swapped ? less(heap, y->items[i], x->items[i], op) : less(heap, x->items[i], y->items[i], op);
    }
    return x->items.size() < y->items.size() || (or_equal && x->items.size() == y->items.size());
  }
  require_defined(a);
  require_defined(b);
  fail("'" + std::string(op) + "' not supported between instances of '" + type_name(a) + "' and '" + type_name(b) + "'");
}

bool contains(Heap& heap, const Value& in, const Value& item) {
  if (const auto* text = in.text()) {
    if (item.is_undefined()) require_defined(item);
    if (item.text() == nullptr) fail("'in <string>' requires string as left operand, not " + type_name(item));
    heap.spend((*text)->bytes().size() / 64);
    return find_text((*text)->bytes(), (*item.text())->bytes(), 0) != std::string_view::npos;
  }
  if (auto* dict = in.as<DictObject>()) return dict->find(heap, item) != nullptr;
  if (const auto* list = in.as<ListObject>()) {
    heap.spend(list->items.size() / 8);
    return std::any_of(list->items.begin(), list->items.end(), [&](const Value& v) { return equals(heap, v, item); });
  }
  if (!is_iterable(in)) fail("argument of type '" + type_name(in) + "' is not iterable");
  const auto it = iterate(heap, in);
  for (Value v; it->next(heap, v);) {
    heap.spend(1);
    if (equals(heap, v, item)) return true;
  }
  return false;
}

bool has_length(const Value& value) {
  if (value.text() != nullptr || value.is_undefined()) return true;
  const Object* const o = value.object();
  return o != nullptr &&
         (o->kind == ObjectKind::list || o->kind == ObjectKind::dict || o->kind == ObjectKind::view || o->kind == ObjectKind::range);
}

std::size_t length(const Value& value) {
  if (value.is_undefined()) return 0;
  if (const auto* text = value.text()) return (*text)->length();
  if (const auto* list = value.as<ListObject>()) return list->items.size();
  if (const auto* dict = value.as<DictObject>()) return dict->entries.size();
  if (const auto* view = value.as<ViewObject>()) return view->dict->entries.size();
  if (const auto* range = value.as<RangeObject>()) return range->length();
  fail("object of type '" + type_name(value) + "' has no len()");
}

}  // namespace spillway::model::jinja
