#include "model/template_loop.h"

#include <algorithm>

namespace spillway::model::jinja {

bool LoopObject::peek(Heap& heap) {
  if (!ahead_.empty()) return true;
  Value item;
  if (!iterator->next(heap, item)) return false;
  ahead_.push_back(std::move(item));
  return true;
}

bool LoopObject::advance(Heap& heap, Value& out) {
  if (!peek(heap)) return false;
  if (count > 0) before = std::move(current);
  current = ahead_.back();
  ahead_.pop_back();
  ++count;
  out = current;
  return true;
}

std::size_t LoopObject::total(Heap& heap) {
  if (known) return *known;
  std::vector<Value> rest;
  while (!ahead_.empty()) {
    rest.push_back(std::move(ahead_.back()));
    ahead_.pop_back();
  }
  for (Value item; iterator->next(heap, item);) {
    heap.spend(1);
    heap.charge(sizeof(Value) * 2);
    rest.push_back(item);
  }
  known = count + rest.size();
  ahead_.assign(rest.rbegin(), rest.rend());
  return *known;
}

bool LoopObject::attribute(Heap& heap, std::string_view name, Value& out) {
  if (name == "index") return out = Value(count), true;
  if (name == "index0") return out = Value(static_cast<std::int64_t>(count) - 1), true;
  if (name == "first") return out = Value(count == 1), true;
  if (name == "last") return out = Value(!peek(heap)), true;
  if (name == "length") return out = Value(total(heap)), true;
  if (name == "revindex") return out = Value(static_cast<std::int64_t>(total(heap)) - static_cast<std::int64_t>(count) + 1), true;
  if (name == "revindex0") return out = Value(static_cast<std::int64_t>(total(heap)) - static_cast<std::int64_t>(count)), true;
  if (name == "previtem") return out = count < 2 ? undefined("there is no previous item") : before, true;
  if (name == "nextitem") return out = peek(heap) ? ahead_.back() : undefined("there is no next item"), true;
  if (name == "depth") return out = Value(depth0 + 1), true;
  if (name == "depth0") return out = Value(depth0), true;
  return false;
}

Value LoopObject::cycle(const Args& args) const {
  if (args.positional.empty()) fail("no items for cycling given");
  return args.positional[(std::max<std::size_t>(count, 1) - 1) % args.positional.size()];
}

bool LoopObject::changed(Heap& heap, const Args& args) {
  const bool same =
      seen_ && seen_->size() == args.positional.size() &&
      std::equal(seen_->begin(), seen_->end(), args.positional.begin(), [&](const Value& a, const Value& b) { return equals(heap, a, b); });
  if (same) return false;
  seen_ = args.positional;
  return true;
}

}  // namespace spillway::model::jinja
