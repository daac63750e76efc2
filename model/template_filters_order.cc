// Filters that compare items with each other.

#include <algorithm>

#include "model/template_attributes.h"
#include "model/template_filters.h"

namespace spillway::model::jinja {

Value without_case(Heap& heap, const Value& value) {
  return value.text() == nullptr ? value : Value(lower_text(heap, *value.text()));
}

namespace {

bool flag(const Value* value) {
  return value != nullptr && truth(*value);
}

/// Sorts items by keys of the same number.
std::vector<Value> sorted(Heap& heap, const std::vector<Value>& items, const std::vector<Value>& keys, bool reverse) {
  std::vector<std::size_t> order(items.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  merge_sort(order, [&](std::size_t a, std::size_t b) {
    heap.spend(1);
    return reverse ? less(heap, keys[b], keys[a]) : less(heap, keys[a], keys[b]);
  });
  std::vector<Value> out;
  out.reserve(items.size());
  for (const std::size_t i : order) out.push_back(items[i]);
  return out;
}

Value sort(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("sort", args, {"reverse", "case_sensitive", "attribute"});
  const bool with_case = flag(given[1]);
  std::vector<AttributePath> paths;
  if (given[2] != nullptr && given[2]->text() != nullptr) {
    const std::string_view all = (*given[2]->text())->bytes();
    for (std::size_t from = 0; from <= all.size();) {
      const std::size_t comma = std::min(all.find(',', from), all.size());
      const Value part = heap.text(all.substr(from, comma - from));
      paths.emplace_back(heap, &part);
      from = comma + 1;
    }
  } else {
    paths.emplace_back(heap, given[2]);
  }
  const std::vector<Value> items = to_items(heap, subject);
  std::vector<Value> keys;
  keys.reserve(items.size());
  for (const Value& item : items) {
    std::vector<Value> key;
    for (const AttributePath& path : paths) {
      const Value value = path.of(heap, item);
      key.push_back(with_case ? value : without_case(heap, value));
    }
    keys.push_back(key.size() == 1 ? key.front() : make_list(heap, std::move(key)));
  }
  return make_list(heap, sorted(heap, items, keys, flag(given[0])));
}

Value dict_sort(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("dictsort", args, {"case_sensitive", "by", "reverse"});
  const std::string_view by = given[1] != nullptr && given[1]->text() != nullptr ? (*given[1]->text())->bytes() : "key";
  if (by != "key" && by != "value") fail("You can only sort by either \"key\" or \"value\"");
  auto* dict = subject.as<DictObject>();
  require_defined(subject);
  if (dict == nullptr) fail("'" + type_name(subject) + "' object has no attribute 'items'");
  const std::vector<Value> items = to_items(heap, heap.make<ViewObject>(dict, ViewKind::items));
  std::vector<Value> keys;
  for (const auto& [key, value] : dict->entries) {
    const Value& looked_at = by == "key" ? key : value;
    keys.push_back(flag(given[0]) ? looked_at : without_case(heap, looked_at));
  }
  return make_list(heap, sorted(heap, items, keys, flag(given[2])));
}

Value group_by(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("groupby", args, {"attribute", "default", "case_sensitive"}, 1);
  const bool with_case = flag(given[2]);
  const AttributePath path(heap, given[0], given[1]);
  const std::vector<Value> items = to_items(heap, subject);
  std::vector<Value> keys;
  for (const Value& item : items) {
    const Value key = path.of(heap, item);
    keys.push_back(with_case ? key : without_case(heap, key));
  }
  const std::vector<Value> in_order = sorted(heap, items, keys, false);
  const std::vector<Value> keys_in_order = sorted(heap, keys, keys, false);
  std::vector<Value> groups;
  for (std::size_t from = 0; from < in_order.size();) {
    std::size_t to = from + 1;
    while (to < in_order.size() && equals(heap, keys_in_order[from], keys_in_order[to])) ++to;
    std::vector<Value> members(in_order.begin() + static_cast<std::ptrdiff_t>(from), in_order.begin() + static_cast<std::ptrdiff_t>(to));
    const Value key = with_case ? keys_in_order[from] : path.of(heap, in_order[from]);
    const Value list = make_list(heap, std::move(members));
    groups.push_back(make_list(heap, {key, list}, ListKind::group));
    from = to;
  }
  return make_list(heap, std::move(groups));
}

class UniqueIterator final : public Iterator {
 public:
  UniqueIterator(Value over, AttributePath path, bool with_case) : over_(std::move(over)), path_(std::move(path)), with_case_(with_case) {}
  bool next(Heap& heap, Value& out) override {
    if (from_ == nullptr) from_ = iterate(heap, over_);
    for (Value item; from_->next(heap, item);) {
      Value key = path_.of(heap, item);
      if (!with_case_) key = without_case(heap, key);
      heap.spend(1 + seen_.size() / 8);
      if (std::any_of(seen_.begin(), seen_.end(), [&](const Value& s) { return equals(heap, s, key); })) continue;
      heap.charge(sizeof(Value) * 2);
      seen_.push_back(key);
      out = item;
      return true;
    }
    return false;
  }

 private:
  Value over_;
  AttributePath path_;
  bool with_case_;
  std::unique_ptr<Iterator> from_;
  std::vector<Value> seen_;
};

Value unique(Heap& heap, const Value& subject, const Args& args) {
  const auto given = bind("unique", args, {"case_sensitive", "attribute"});
  return heap.make<IteratorObject>(std::make_unique<UniqueIterator>(subject, AttributePath(heap, given[1]), flag(given[0])));
}

Value extreme(Heap& heap, const Value& subject, const Args& args, bool largest) {
  const auto given = bind(largest ? "max" : "min", args, {"case_sensitive", "attribute"});
  const AttributePath path(heap, given[1]);
  const auto key_of = [&](const Value& item) {
    const Value key = path.of(heap, item);
    return flag(given[0]) ? key : without_case(heap, key);
  };
  const auto it = iterate(heap, subject);
  Value best;
  if (!it->next(heap, best)) return undefined("No aggregated item, sequence was empty.");
  Value best_key = key_of(best);
  for (Value item; it->next(heap, item);) {
    heap.spend(1);
    Value key = key_of(item);
    if (!less(heap, key, best_key, largest ? ">" : "<")) continue;
    best = item;
    best_key = std::move(key);
  }
  return best;
}

Value smallest(Heap& heap, const Value& subject, const Args& args) {
  return extreme(heap, subject, args, false);
}
Value largest(Heap& heap, const Value& subject, const Args& args) {
  return extreme(heap, subject, args, true);
}

}  // namespace

std::vector<NamedFilter> order_filters() {
  return {{"sort", sort}, {"dictsort", dict_sort}, {"groupby", group_by}, {"unique", unique}, {"min", smallest}, {"max", largest}};
}

}  // namespace spillway::model::jinja
