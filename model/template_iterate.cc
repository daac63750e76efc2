// Going through values, one item at a time.

#include "model/template_loop.h"
#include "model/template_value.h"

namespace spillway::model::jinja {

namespace {

/// By index, so that a list which grows meanwhile is followed, as in Python.
class ItemsIterator final : public Iterator {
 public:
  explicit ItemsIterator(const ListObject* list) : list_(list) {}
  bool next(Heap& /*heap*/, Value& out) override {
    if (at_ >= list_->items.size()) return false;
    out = list_->items[at_++];
    return true;
  }

 private:
  const ListObject* list_;
  std::size_t at_ = 0;
};

class EntriesIterator final : public Iterator {
 public:
  EntriesIterator(const DictObject* dict, ViewKind kind) : dict_(dict), kind_(kind), size_(dict->entries.size()) {}
  bool next(Heap& heap, Value& out) override {
    if (dict_->entries.size() != size_) fail("dictionary changed size during iteration");
    if (at_ >= size_) return false;
    const auto& [key, value] = dict_->entries[at_++];
    if (kind_ == ViewKind::keys) out = key;
    else if (kind_ == ViewKind::values) out = value;
    else out = make_list(heap, {key, value}, ListKind::tuple);
    return true;
  }

 private:
  const DictObject* dict_;
  ViewKind kind_;
  std::size_t size_;
  std::size_t at_ = 0;
};

class CharactersIterator final : public Iterator {
 public:
  explicit CharactersIterator(TextPtr text) : text_(std::move(text)) {}
  bool next(Heap& heap, Value& out) override {
    if (at_ >= text_->bytes().size()) return false;
    const std::size_t from = at_;
    next_point(text_->bytes(), at_);
    if (!text_->markup()) return out = slice_text(heap, text_, from, at_), true;
    TextBuilder plain(heap);  // a character is no markup
    plain.add(*text_, from, at_);
    return out = plain.finish(), true;
  }

 private:
  TextPtr text_;
  std::size_t at_ = 0;
};

class RangeIterator final : public Iterator {
 public:
  explicit RangeIterator(const RangeObject* range) : range_(range), length_(range->length()) {}
  bool next(Heap& /*heap*/, Value& out) override {
    if (at_ >= length_) return false;
    out = Value(range_->at(at_++));
    return true;
  }

 private:
  const RangeObject* range_;
  std::size_t length_;
  std::size_t at_ = 0;
};

/// Reads on in an iterator that others may read too.
class SharedIterator final : public Iterator {
 public:
  explicit SharedIterator(IteratorObject* object) : object_(object) {}
  bool next(Heap& heap, Value& out) override {
    const Deeper deeper(heap);  // filters over filters over filters
    heap.spend(1);
    return object_->iterator->next(heap, out);
  }

 private:
  IteratorObject* object_;
};

class LoopIterator final : public Iterator {
 public:
  explicit LoopIterator(LoopObject* loop) : loop_(loop) {}
  bool next(Heap& heap, Value& out) override { return loop_->advance(heap, out); }

 private:
  LoopObject* loop_;
};

class EmptyIterator final : public Iterator {
 public:
  bool next(Heap& /*heap*/, Value& /*out*/) override { return false; }
};

}  // namespace

bool is_iterable(const Value& value) {
  if (has_length(value)) return true;
  return value.as<IteratorObject>() != nullptr || value.as<LoopObject>() != nullptr;
}

std::unique_ptr<Iterator> iterate(Heap& heap, const Value& value) {
  heap.spend(1);
  if (const auto* list = value.as<ListObject>()) return std::make_unique<ItemsIterator>(list);
  if (const auto* dict = value.as<DictObject>()) return std::make_unique<EntriesIterator>(dict, ViewKind::keys);
  if (const auto* view = value.as<ViewObject>()) return std::make_unique<EntriesIterator>(view->dict, view->view_kind);
  if (const auto* text = value.text()) return std::make_unique<CharactersIterator>(*text);
  if (const auto* range = value.as<RangeObject>()) return std::make_unique<RangeIterator>(range);
  if (auto* iterator = value.as<IteratorObject>()) return std::make_unique<SharedIterator>(iterator);
  if (auto* loop = value.as<LoopObject>()) return std::make_unique<LoopIterator>(loop);
  if (value.is_undefined()) return std::make_unique<EmptyIterator>();
  fail("'" + type_name(value) + "' object is not iterable");
}

std::vector<Value> to_items(Heap& heap, const Value& value) {
  std::vector<Value> items;
  const auto it = iterate(heap, value);
  std::size_t held = 0;  // what is not yet anybody's counts all the same
  struct Release {
    Heap& heap;
    std::size_t& held;
    ~Release() { heap.give(held); }
  } const release{heap, held};
  for (Value item; it->next(heap, item);) {
    heap.spend(1);
    heap.charge(sizeof(Value) * 2);
    held += sizeof(Value) * 2;
    items.push_back(item);
  }
  return items;
}

}  // namespace spillway::model::jinja
