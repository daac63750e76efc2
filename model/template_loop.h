#pragma once

#include <optional>

#include "model/template_value.h"

namespace spillway::model::jinja {

struct Statement;
struct Scope;

/// `loop` of a running `for`: looks ahead only when it is asked for what comes.
struct LoopObject : Object {
  static constexpr auto object_kind = ObjectKind::loop;
  LoopObject(std::unique_ptr<Iterator> it, std::optional<std::size_t> known_length, std::size_t depth)
      : Object(object_kind), iterator(std::move(it)), known(known_length), depth0(depth) {}

  /// The next item of the loop; false at the end.
  bool advance(Heap& heap, Value& out);
  /// Attribute by name; false if there is none.
  bool attribute(Heap& heap, std::string_view name, Value& out);
  Value cycle(const Args& args) const;
  bool changed(Heap& heap, const Args& args);

  std::unique_ptr<Iterator> iterator;
  std::optional<std::size_t> known;  ///< length of what is gone through, where that has one
  std::size_t depth0;
  std::size_t count = 0;  ///< items given out: index
  Value before, current;
  const Statement* recursive = nullptr;  ///< the `for` that calling the loop runs again
  Scope* scope = nullptr;                ///< where that `for` stands

 private:
  bool peek(Heap& heap);
  std::size_t total(Heap& heap);
  std::vector<Value> ahead_;  // read already, next one last
  std::optional<std::vector<Value>> seen_;
};

}  // namespace spillway::model::jinja
