// Filters over sequences that keep their order.

#include <algorithm>

#include "model/template_arithmetic.h"
#include "model/template_attributes.h"
#include "model/template_filters.h"
#include "model/template_repr.h"

namespace spillway::model::jinja {

AttributePath::AttributePath(Heap& heap, const Value* attribute, const Value* usual) {
  if (usual != nullptr && !usual->is_none()) usual_ = *usual, has_usual_ = true;
  if (attribute == nullptr || attribute->is_none()) return;
  const auto* text = attribute->text();
  if (text == nullptr) {
    parts_.push_back(*attribute);
    return;
  }
  const std::string_view path = (*text)->bytes();
  for (std::size_t from = 0; from <= path.size();) {
    const std::size_t dot = std::min(path.find('.', from), path.size());
    const std::string_view part = path.substr(from, dot - from);
    const bool number = !part.empty() && part.size() < 10 && part.find_first_not_of("0123456789") == part.npos;
    parts_.push_back(number ? Value(static_cast<std::int64_t>(std::stoll(std::string(part)))) : heap.text(part));
    from = dot + 1;
  }
}

Value AttributePath::of(Heap& heap, const Value& value) const {
  Value at = value;
  for (const Value& part : parts_) {
    at = get_item(heap, at, part);
    if (has_usual_ && at.is_undefined()) at = usual_;
  }
  return at;
}

namespace {

/// Passes on some of the items of another value, or something for each.
template <class Step>
class StepIterator final : public Iterator {
 public:
  StepIterator(Value over, Step step) : over_(std::move(over)), step_(std::move(step)) {}
  bool next(Heap& heap, Value& out) override {
    if (from_ == nullptr) {
      if (!truth(over_)) return false;
      from_ = iterate(heap, over_);
    }
    for (Value item; from_->next(heap, item);) {
      heap.spend(1);
      if (step_(heap, item, out)) return true;
    }
    return false;
  }

 private:
  Value over_;
  Step step_;
  std::unique_ptr<Iterator> from_;
};

template <class Step>
Value stepping(Heap& heap, const Value& over, Step step) {
  return heap.make<IteratorObject>(std::make_unique<StepIterator<Step>>(over, std::move(step)));
}

Args behind(const Args& args, std::size_t count) {
  Args rest;
  if (args.positional.size() > count)
    rest.positional.assign(args.positional.begin() + static_cast<std::ptrdiff_t>(count), args.positional.end());
  rest.named = args.named;
  return rest;
}

std::string name_argument(std::string_view what, const Value& value) {
  if (value.text() == nullptr) fail(std::string(what) + ": want a name, not " + type_name(value));
  return std::string((*value.text())->bytes());
}

Value map(Heap& heap, const Value& subject, const Args& args) {
  if (args.positional.empty()) {
    const auto given = bind("map", args, {"attribute", "default"});
    if (given[0] == nullptr) fail("map requires a filter argument");
    return stepping(heap, subject, [path = AttributePath(heap, given[0], given[1])](Heap& h, const Value& item, Value& out) {
      out = path.of(h, item);
      return true;
    });
  }
  const std::string name = name_argument("map", args.positional[0]);
  if (!has_filter(name)) fail("No filter named '" + name + "'.");
  return stepping(heap, subject, [name, rest = behind(args, 1)](Heap& h, const Value& item, Value& out) {
    const Deeper deeper(h);
    out = call_filter(h, name, item, rest);
    return true;
  });
}

Value chosen(Heap& heap, const Value& subject, const Args& args, bool by_attribute, bool wanted) {
  const std::size_t first = by_attribute ? 1 : 0;
  if (by_attribute && args.positional.empty()) fail("Missing parameter for attribute name");
  const AttributePath path(heap, by_attribute ? &args.positional[0] : nullptr);
  const bool by_test = args.positional.size() > first;
  const std::string name = by_test ? name_argument("select", args.positional[first]) : "";
  if (by_test && !has_test(name)) fail("No test named '" + name + "'.");
  return stepping(heap, subject, [path, by_test, name, wanted, rest = behind(args, first + 1)](Heap& h, const Value& item, Value& out) {
    const Value looked_at = path.of(h, item);
    if ((by_test ? call_test(h, name, looked_at, rest) : truth(looked_at)) != wanted) return false;
    out = item;
    return true;
  });
}

Value select(Heap& heap, const Value& subject, const Args& args) {
  return chosen(heap, subject, args, false, true);
}
Value reject(Heap& heap, const Value& subject, const Args& args) {
  return chosen(heap, subject, args, false, false);
}
Value select_attribute(Heap& heap, const Value& subject, const Args& args) {
  return chosen(heap, subject, args, true, true);
}
Value reject_attribute(Heap& heap, const Value& subject, const Args& args) {
  return chosen(heap, subject, args, true, false);
}

Value count(Heap& /*heap*/, const Value& subject, const Args& args) {
  bind("length", args, {});
  return Value(length(subject));
}

Value first(Heap& heap, const Value& subject, const Args& args) {
  bind("first", args, {});
  Value item;
  return iterate(heap, subject)->next(heap, item) ? item : undefined("No first item, sequence was empty.");
}

Value last(Heap& heap, const Value& subject, const Args& args) {
  bind("last", args, {});
  if (!has_length(subject)) fail("'" + type_name(subject) + "' object is not reversible");
  if (length(subject) == 0) return undefined("No last item, sequence was empty.");
  if (const auto* list = subject.as<ListObject>()) return list->items.back();
  return to_items(heap, subject).back();
}

Value usual(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("default", args, {"default_value", "boolean"});
  const bool by_truth = given[1] != nullptr && truth(*given[1]);
  if (!subject.is_undefined() && !(by_truth && !truth(subject))) return subject;
  return given[0] != nullptr ? *given[0] : heap.text("");
}

Value items(Heap& heap, const Value& subject, const Args& args) {
  bind("items", args, {});
  auto* dict = subject.as<DictObject>();
  if (subject.is_undefined()) dict = heap.make<DictObject>();
  if (dict == nullptr) fail("Can only get item pairs from a mapping.");
  const Value view = heap.make<ViewObject>(dict, ViewKind::items);
  return stepping(heap, view, [](Heap&, const Value& item, Value& out) { return out = item, true; });
}

Value list(Heap& heap, const Value& subject, const Args& args) {
  bind("list", args, {});
  return make_list(heap, to_items(heap, subject));
}

Value join(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("join", args, {"d", "attribute"});
  const AttributePath path(heap, given[1]);
  std::vector<TextPtr> parts;
  const auto it = iterate(heap, subject);
  for (Value item; it->next(heap, item);) {
    heap.spend(1);
    heap.check(parts.size() * sizeof(TextPtr) * 2);
    parts.push_back(to_text(heap, path.of(heap, item)));
  }
  return joined(heap, parts, *(given[0] != nullptr ? to_text(heap, *given[0]) : to_text(heap, heap.text(""))), false);
}

Value reverse(Heap& heap, const Value& subject, const Args& args) {
  bind("reverse", args, {});
  if (const auto* text = subject.text()) return get_slice(heap, *text, None{}, None{}, Value(std::int64_t{-1}));
  std::vector<Value> reversed = to_items(heap, subject);
  std::reverse(reversed.begin(), reversed.end());
  Value list = make_list(heap, std::move(reversed));
  if (!has_length(subject)) return list;
  return stepping(heap, list, [](Heap&, const Value& item, Value& out) { return out = item, true; });
}

Value sum(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("sum", args, {"attribute", "start"});
  const AttributePath path(heap, given[0]);
  Value total = given[1] != nullptr ? *given[1] : Value(std::int64_t{0});
  if (total.text() != nullptr) fail("sum() can't sum strings [use ''.join(seq) instead]");
  const auto it = iterate(heap, subject);
  for (Value item; it->next(heap, item);) {
    heap.spend(1);
    total = arithmetic(heap, Operator::add, total, path.of(heap, item));
  }
  return total;
}

Value batch(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("batch", args, {"linecount", "fill_with"}, 1);
  const std::int64_t size = whole_argument("batch", given[0], 0);
  std::vector<Value> rows, row;
  for (const Value& item : to_items(heap, subject)) {
    if (static_cast<std::int64_t>(row.size()) == size) rows.push_back(make_list(heap, std::exchange(row, {})));
    row.push_back(item);
  }
  if (!row.empty()) {
    if (given[1] != nullptr && !given[1]->is_none() && size > 0) {
      heap.check(static_cast<std::size_t>(std::min<std::int64_t>(size, std::int64_t{1} << 40)) * sizeof(Value));
      heap.spend(static_cast<std::uint64_t>(size) / 8);
      while (static_cast<std::int64_t>(row.size()) < size) row.push_back(*given[1]);
    }
    rows.push_back(make_list(heap, std::move(row)));
  }
  const Value list = make_list(heap, std::move(rows));
  return stepping(heap, list, [](Heap&, const Value& item, Value& out) { return out = item, true; });
}

Value sliced(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("slice", args, {"slices", "fill_with"}, 1);
  const std::int64_t slices = whole_argument("slice", given[0], 0);
  if (slices == 0) fail("integer division or modulo by zero");
  const std::vector<Value> all = to_items(heap, subject);
  const auto size = static_cast<std::int64_t>(all.size());
  const std::int64_t each = slices < 0 ? 0 : size / slices;
  const std::int64_t longer = slices < 0 ? 0 : size % slices;
  std::vector<Value> rows;
  std::int64_t at = 0;
  for (std::int64_t i = 0; i < slices; ++i) {
    heap.spend(1);
    const std::int64_t end = at + each + (i < longer ? 1 : 0);
    std::vector<Value> row(all.begin() + at, all.begin() + end);
    if (given[1] != nullptr && !given[1]->is_none() && i >= longer) row.push_back(*given[1]);
    rows.push_back(make_list(heap, std::move(row)));
    at = end;
  }
  const Value list = make_list(heap, std::move(rows));
  return stepping(heap, list, [](Heap&, const Value& item, Value& out) { return out = item, true; });
}

Value attribute(Heap& heap, const Value& subject, const Args& args) {
  const TextPtr name = to_text(heap, *bind("attr", args, {"name"}, 1)[0]);
  require_defined(subject);
  Value out;
  if (own_attribute(heap, subject, name->bytes(), out)) return out;
  return undefined("'" + type_name(subject) + " object' has no attribute '" + std::string(name->bytes()) + "'");
}

}  // namespace

std::vector<NamedFilter> sequence_filters() {
  return {{"map", map},
          {"select", select},
          {"reject", reject},
          {"selectattr", select_attribute},
          {"rejectattr", reject_attribute},
          {"length", count},
          {"count", count},
          {"first", first},
          {"last", last},
          {"default", usual},
          {"d", usual},
          {"items", items},
          {"list", list},
          {"join", join},
          {"reverse", reverse},
          {"sum", sum},
          {"batch", batch},
          {"slice", sliced},
          {"attr", attribute}};
}

}  // namespace spillway::model::jinja
