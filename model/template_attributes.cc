#include "model/template_attributes.h"

#include <algorithm>
#include <array>
#include <optional>

#include "model/template_loop.h"
#include "model/template_repr.h"

namespace spillway::model::jinja {

bool position(std::int64_t index, std::size_t size, std::size_t& out) {
  const auto count = static_cast<std::int64_t>(size);
  if (index < 0) index += count;
  if (index < 0 || index >= count) return false;
  out = static_cast<std::size_t>(index);
  return true;
}

bool own_attribute(Heap& heap, const Value& value, std::string_view name, Value& out) {
  if (has_method(value, name)) return out = heap.make<MethodObject>(value, std::string(name)), true;
  if (auto* names = value.as<NamesObject>()) {
    const Value* const found = names->dict->find(name);
    return found != nullptr ? out = *found, true : false;
  }
  if (auto* loop = value.as<LoopObject>()) return loop->attribute(heap, name, out);
  if (const auto* list = value.as<ListObject>(); list != nullptr && list->list_kind == ListKind::group) {
    if (name == "grouper") return out = list->items[0], true;
    if (name == "list") return out = list->items[1], true;
  }
  if (auto* cycler = value.as<CyclerObject>(); cycler != nullptr && name == "current") return out = cycler->items[cycler->at], true;
  if (const auto* range = value.as<RangeObject>()) {
    if (name == "start") return out = Value(range->start), true;
    if (name == "stop") return out = Value(range->stop), true;
    if (name == "step") return out = Value(range->step), true;
  }
  return false;
}

namespace {

Value undefined_attribute(const Value& value, std::string_view name) {
  const std::string type = value.is_none() ? "'None'" : "'" + type_name(value) + " object'";
  return undefined(type + " has no attribute '" + std::string(name) + "'");
}

std::optional<Value> item(Heap& heap, const Value& value, const Value& key) {
  if (auto* dict = value.as<DictObject>()) {
    if (key.as<ListObject>() != nullptr && key.as<ListObject>()->is_list()) return std::nullopt;
    if (key.as<DictObject>() != nullptr) return std::nullopt;
    const Value* const found = dict->find(heap, key);
    return found == nullptr ? std::nullopt : std::optional(*found);
  }
  std::int64_t index = 0;
  std::size_t at = 0;
  if (!to_integer(key, index)) return std::nullopt;
  if (const auto* list = value.as<ListObject>())
    return position(index, list->items.size(), at) ? std::optional(list->items[at]) : std::nullopt;
  if (const auto* range = value.as<RangeObject>())
    return position(index, range->length(), at) ? std::optional(Value(range->at(at))) : std::nullopt;
  if (const auto* text = value.text()) {
    heap.spend((*text)->ascii() ? 0 : (*text)->bytes().size() / 64);
    if (!position(index, (*text)->length(), at)) return std::nullopt;
    return slice_text(heap, *text, (*text)->offset(at), (*text)->offset(at + 1));
  }
  return std::nullopt;
}

}  // namespace

Value get_attribute(Heap& heap, const Value& value, std::string_view name) {
  require_defined(value);
  Value out;
  if (own_attribute(heap, value, name, out)) return out;
  if (auto* dict = value.as<DictObject>()) {
    heap.spend(dict->entries.size() / 8);
    if (const Value* const found = dict->find(name)) return *found;
  }
  return undefined_attribute(value, name);
}

Value get_item(Heap& heap, const Value& value, const Value& key) {
  require_defined(value);
  if (auto found = item(heap, value, key)) return *found;
  if (const auto* name = key.text()) {
    Value out;
    if (own_attribute(heap, value, (*name)->bytes(), out)) return out;
    return undefined_attribute(value, (*name)->bytes());
  }
  TextBuilder shown(heap);
  write_repr(heap, key, shown);
  return undefined("'" + type_name(value) + " object' has no element " + std::string(shown.finish()->bytes()));
}

namespace {

struct Steps {
  std::int64_t start, step;
  std::size_t count;
};

std::optional<std::int64_t> slice_part(const Value& part) {
  if (part.is_none()) return std::nullopt;
  std::int64_t whole = 0;
  require_defined(part);
  if (!to_integer(part, whole)) fail("slice indices must be integers or None");
  return whole;
}

/// As Python's slice.indices.
Steps steps_of(std::size_t size, const Value& start, const Value& stop, const Value& step) {
  const auto length = static_cast<std::int64_t>(size);
  const std::int64_t by = slice_part(step).value_or(1);
  if (by == 0) fail("slice step cannot be zero");
  const std::int64_t low = by < 0 ? -1 : 0;
  const std::int64_t high = by < 0 ? length - 1 : length;
  const auto clipped = [&](const Value& part, std::int64_t usual) {
    const auto given = slice_part(part);
    if (!given) return usual;
    std::int64_t at = *given;
    if (at < 0) at = at < -length ? low : std::max(at + length, low);
    return std::min(at, high);
  };
  const std::int64_t from = clipped(start, by < 0 ? high : low);
  const std::int64_t to = clipped(stop, by < 0 ? low : high);
  std::size_t count = 0;
  if (by > 0 && from < to) count = static_cast<std::size_t>((to - from - 1) / by + 1);
  if (by < 0 && to < from) {
    const auto back = 0 - static_cast<std::uint64_t>(by);
    count = static_cast<std::size_t>(static_cast<std::uint64_t>(from - to - 1) / back + 1);
  }
  return {from, by, count};
}

TextPtr slice_of_text(Heap& heap, const TextPtr& text, const Steps& steps) {
  if (steps.count == 0) return slice_text(heap, text, 0, 0);
  if (steps.step == 1) {
    const auto from = static_cast<std::size_t>(steps.start);
    return slice_text(heap, text, text->offset(from), text->offset(from + steps.count));
  }
  std::vector<std::size_t> offsets;
  heap.check(text->bytes().size() * sizeof(std::size_t));
  for (std::size_t at = 0; at < text->bytes().size();) {
    offsets.push_back(at);
    next_point(text->bytes(), at);
  }
  offsets.push_back(text->bytes().size());
  TextBuilder out(heap);
  for (std::size_t i = 0; i < steps.count; ++i) {
    const auto at = static_cast<std::size_t>(steps.start + static_cast<std::int64_t>(i) * steps.step);
    out.add(*text, offsets[at], offsets[at + 1]);
  }
  return out.finish(text->markup());
}

}  // namespace

Value get_slice(Heap& heap, const Value& value, const Value& start, const Value& stop, const Value& step) {
  require_defined(value);
  const auto* list = value.as<ListObject>();
  const auto* range = value.as<RangeObject>();
  if (value.text() == nullptr && list == nullptr && range == nullptr) fail("'" + type_name(value) + "' object cannot be sliced");
  const Steps steps = steps_of(length(value), start, stop, step);
  if (const auto* text = value.text()) {
    heap.spend((*text)->bytes().size() / 64 + (steps.step == 1 ? 0 : (*text)->bytes().size() / 8));
    return slice_of_text(heap, *text, steps);
  }
  if (range != nullptr) {
    const auto count = static_cast<std::int64_t>(steps.count);
    std::int64_t by = 0, from = 0, to = 0;
    const bool over = __builtin_mul_overflow(range->step, steps.step, &by) || __builtin_mul_overflow(steps.start, range->step, &from) ||
                      __builtin_add_overflow(from, range->start, &from) || __builtin_mul_overflow(by, count, &to) ||
                      __builtin_add_overflow(from, to, &to);
    if (over) fail("the slice is outside the 64 bits of a whole number");
    return heap.make<RangeObject>(from, to, by);
  }
  heap.spend(steps.count / 8);
  heap.check(steps.count * sizeof(Value));
  std::vector<Value> items;
  items.reserve(steps.count);
  for (std::size_t i = 0; i < steps.count; ++i)
    items.push_back(list->items[static_cast<std::size_t>(steps.start + static_cast<std::int64_t>(i) * steps.step)]);
  return make_list(heap, std::move(items), list->is_list() ? ListKind::list : ListKind::tuple);
}

namespace {

constexpr std::array<std::string_view, 10> dict_methods = {"get",    "items",      "keys", "values", "pop",
                                                           "update", "setdefault", "copy", "clear",  "popitem"};
constexpr std::array<std::string_view, 11> list_methods = {"append", "extend",  "insert", "pop",  "remove", "index",
                                                           "count",  "reverse", "sort",   "copy", "clear"};

template <class Names>
bool among(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void update(Heap& heap, DictObject& dict, const Args& args) {
  if (args.positional.size() > 1) fail("update expected at most 1 argument, got " + std::to_string(args.positional.size()));
  if (!args.positional.empty()) {
    if (const auto* other = args.positional[0].as<DictObject>()) {
      const auto entries = other->entries;  // it may be the same one
      for (const auto& [key, value] : entries) dict.set(heap, key, value);
    } else {
      for (const Value& pair : to_items(heap, args.positional[0])) {
        const auto two = to_items(heap, pair);
        if (two.size() != 2) fail("dictionary update sequence element has length " + std::to_string(two.size()) + "; 2 is required");
        dict.set(heap, two[0], two[1]);
      }
    }
  }
  for (const auto& [name, value] : args.named) dict.set(heap, heap.text(name), value);
}

Value pop_entry(Heap& heap, DictObject& dict, const Args& args) {
  const auto given = bind("pop", args, {"key", "default"}, 1);
  if (Value* const found = dict.find(heap, *given[0])) {
    Value value = *found;
    const auto at = std::find_if(dict.entries.begin(), dict.entries.end(), [&](const auto& e) { return &e.second == found; });
    heap.spend(dict.entries.size() / 8);
    dict.entries.erase(at);
    return value;
  }
  if (given[1] == nullptr) fail("pop: the key is not there");
  return *given[1];
}

Value call_dict_method(Heap& heap, DictObject& dict, std::string_view name, const Args& args) {
  if (name == "get") {
    const auto given = bind("get", args, {"key", "default"}, 1);
    const Value* const found = dict.find(heap, *given[0]);
    return found != nullptr ? *found : given[1] != nullptr ? *given[1] : Value(None{});
  }
  if (name == "update") return update(heap, dict, args), Value(None{});
  if (name == "pop") return pop_entry(heap, dict, args);
  if (name == "setdefault") {
    const auto given = bind("setdefault", args, {"key", "default"}, 1);
    if (const Value* const found = dict.find(heap, *given[0])) return *found;
    Value value = given[1] != nullptr ? *given[1] : Value(None{});
    dict.set(heap, *given[0], value);
    return value;
  }
  bind(name, args, {});
  if (name == "items") return heap.make<ViewObject>(&dict, ViewKind::items);
  if (name == "keys") return heap.make<ViewObject>(&dict, ViewKind::keys);
  if (name == "values") return heap.make<ViewObject>(&dict, ViewKind::values);
  if (name == "clear") return dict.entries.clear(), Value(None{});
  if (name == "popitem") {
    if (dict.entries.empty()) fail("popitem(): dictionary is empty");
    auto last = dict.entries.back();
    dict.entries.pop_back();
    return make_list(heap, {last.first, last.second}, ListKind::tuple);
  }
  heap.charge(dict.entries.size() * sizeof(Value) * 4);
  auto* copy = heap.make<DictObject>();
  copy->entries = dict.entries;
  return copy;
}

Value pop_item(Heap& heap, ListObject& list, const Args& args) {
  const auto given = bind("pop", args, {"index"});
  std::int64_t index = -1;
  std::size_t at = 0;
  if (given[0] != nullptr && !to_integer(*given[0], index))
    fail("'" + type_name(*given[0]) + "' object cannot be interpreted as an integer");
  if (list.items.empty()) fail("pop from empty list");
  if (!position(index, list.items.size(), at)) fail("pop index out of range");
  heap.spend(list.items.size() / 8);
  Value value = list.items[at];
  list.items.erase(list.items.begin() + static_cast<std::ptrdiff_t>(at));
  return value;
}

void sort_items(Heap& heap, ListObject& list, const Args& args) {
  const auto given = bind("sort", args, {"reverse"});
  const bool reverse = given[0] != nullptr && truth(*given[0]);
  const std::vector<Value> items = list.items;
  std::vector<std::size_t> order(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  merge_sort(order, [&](std::size_t a, std::size_t b) {
    heap.spend(1);
    return reverse ? less(heap, items[b], items[a]) : less(heap, items[a], items[b]);
  });
  for (std::size_t i = 0; i < order.size(); ++i) list.items[i] = items[order[i]];
}

std::size_t find_item(Heap& heap, const ListObject& list, const Value& item, std::string_view what) {
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    heap.spend(i % 8 == 0 ? 1 : 0);
    if (equals(heap, list.items[i], item)) return i;
  }
  fail(std::string(what) + ": the item is not in the list");
}

Value call_list_method(Heap& heap, ListObject& list, std::string_view name, const Args& args) {
  if (name == "index") return Value(find_item(heap, list, *bind(name, args, {"value"}, 1)[0], name));
  if (name == "count") {
    const Value& item = *bind(name, args, {"value"}, 1)[0];
    heap.spend(list.items.size() / 8);
    return Value(static_cast<std::int64_t>(
        std::count_if(list.items.begin(), list.items.end(), [&](const Value& v) { return equals(heap, v, item); })));
  }
  if (name == "append") return list.push(heap, *bind(name, args, {"object"}, 1)[0]), Value(None{});
  if (name == "extend") {
    for (Value& item : to_items(heap, *bind(name, args, {"iterable"}, 1)[0])) list.push(heap, std::move(item));
    return None{};
  }
  if (name == "insert") {
    const auto given = bind(name, args, {"index", "object"}, 2);
    std::int64_t index = 0;
    if (!to_integer(*given[0], index)) fail("insert: the index must be an integer");
    const auto size = static_cast<std::int64_t>(list.items.size());
    if (index < 0) index = std::max<std::int64_t>(index + size, 0);
    heap.charge(sizeof(Value) * 2);
    heap.spend(list.items.size() / 8);
    list.items.insert(list.items.begin() + std::min(index, size), *given[1]);
    return None{};
  }
  if (name == "pop") return pop_item(heap, list, args);
  if (name == "remove") {
    const std::size_t at = find_item(heap, list, *bind(name, args, {"value"}, 1)[0], name);
    list.items.erase(list.items.begin() + static_cast<std::ptrdiff_t>(at));
    return None{};
  }
  if (name == "sort") return sort_items(heap, list, args), Value(None{});
  bind(name, args, {});
  heap.spend(list.items.size() / 8);
  if (name == "reverse") return std::reverse(list.items.begin(), list.items.end()), Value(None{});
  if (name == "clear") return list.items.clear(), Value(None{});
  heap.check(list.items.size() * sizeof(Value));
  return make_list(heap, list.items);
}

Value call_cycler_method(CyclerObject& cycler, std::string_view name) {
  if (name == "reset") return cycler.at = 0, Value(None{});
  Value value = cycler.items[cycler.at];
  cycler.at = (cycler.at + 1) % cycler.items.size();
  return value;
}

}  // namespace

bool has_method(const Value& self, std::string_view name) {
  if (self.text() != nullptr) return has_text_method(name);
  if (self.as<DictObject>() != nullptr) return among(dict_methods, name);
  if (const auto* list = self.as<ListObject>()) return list->is_list() ? among(list_methods, name) : name == "index" || name == "count";
  if (self.as<LoopObject>() != nullptr) return name == "cycle" || name == "changed";
  if (self.as<CyclerObject>() != nullptr) return name == "next" || name == "reset";
  return false;
}

Value call_method(Heap& heap, const Value& self, std::string_view name, const Args& args) {
  if (const auto* text = self.text()) return call_text_method(heap, *text, name, args);
  if (auto* dict = self.as<DictObject>()) return call_dict_method(heap, *dict, name, args);
  if (auto* list = self.as<ListObject>()) return call_list_method(heap, *list, name, args);
  if (auto* loop = self.as<LoopObject>()) return name == "cycle" ? loop->cycle(args) : Value(loop->changed(heap, args));
  if (auto* cycler = self.as<CyclerObject>()) return call_cycler_method(*cycler, name);
  fail("'" + type_name(self) + "' object has no method '" + std::string(name) + "'");
}

}  // namespace spillway::model::jinja
