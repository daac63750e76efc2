#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "model/template.h"
#include "model/template_text.h"

/// Values of a running template, as Python has them. Texts are counted references; lists, dicts and everything else that can
/// hold a value belong to the Heap and live until the rendering ends, so that nothing that refers to itself is kept.
namespace spillway::model::jinja {

/// Leaves an evaluation. Never leaves this library: Template catches it.
struct Failure {
  Fault fault = Fault::runtime;
  std::string message;
  std::uint32_t line = 0;
  std::string construct;
};
[[noreturn]] void fail(std::string message);
[[noreturn]] void fail_limit(const std::string& what);

struct Object;
struct Undefined {
  std::shared_ptr<const std::string> why;  ///< "'x' is undefined"
};
struct None {};

class Value {
 public:
  Value() = default;  ///< undefined
  Value(Undefined undefined) : of_(std::move(undefined)) {}
  Value(None) : of_(None{}) {}
  explicit Value(bool b) : of_(b) {}
  explicit Value(std::int64_t i) : of_(i) {}
  explicit Value(std::size_t i) : of_(static_cast<std::int64_t>(i)) {}
  explicit Value(double d) : of_(d) {}
  Value(TextPtr text) : of_(std::move(text)) {}
  Value(Object* object) : of_(object) {}

  bool is_undefined() const { return std::holds_alternative<Undefined>(of_); }
  bool is_none() const { return std::holds_alternative<None>(of_); }
  const bool* boolean() const { return std::get_if<bool>(&of_); }
  const std::int64_t* integer() const { return std::get_if<std::int64_t>(&of_); }  ///< not a boolean
  const double* real() const { return std::get_if<double>(&of_); }
  const TextPtr* text() const { return std::get_if<TextPtr>(&of_); }
  Object* object() const {
    const auto* o = std::get_if<Object*>(&of_);
    return o == nullptr ? nullptr : *o;
  }
  const Undefined* undefined() const { return std::get_if<Undefined>(&of_); }
  template <class T>
  T* as() const;  ///< the object of this kind, or null

 private:
  std::variant<Undefined, None, bool, std::int64_t, double, TextPtr, Object*> of_;
};

enum class ObjectKind : std::uint8_t { list, dict, view, range, names, iterator, macro, function, method, loop, cycler, joiner, scope };

struct Object {
  explicit Object(ObjectKind k) : kind(k) {}
  virtual ~Object() = default;
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  const ObjectKind kind;
};

template <class T>
T* Value::as() const {
  Object* const o = object();
  return o != nullptr && o->kind == T::object_kind ? static_cast<T*>(o) : nullptr;
}

/// Memory and steps of one rendering.
class Heap {
 public:
  explicit Heap(const RenderLimits& limits) : limits_(limits) {}
  ~Heap();
  Heap(const Heap&) = delete;
  Heap& operator=(const Heap&) = delete;

  void spend(std::uint64_t steps) {
    steps_ += steps;
    if (steps_ > limits_.steps_max) fail_limit("more than " + std::to_string(limits_.steps_max) + " steps");
  }
  void take(std::size_t bytes) { live_ += bytes; }
  void give(std::size_t bytes) { live_ -= bytes; }
  /// Fails when `more` bytes do not fit.
  void check(std::size_t more) const {
    if (live_ > limits_.bytes_max || more > limits_.bytes_max - live_) {
      fail_limit("more than " + std::to_string(limits_.bytes_max >> 10) + " KiB of values and output");
    }
  }
  /// Bytes that stay until the end.
  void charge(std::size_t bytes) {
    check(bytes);
    take(bytes);
  }
  void enter() {
    if (++depth_ > limits_.depth_max) {
      --depth_;
      fail_limit("nested more than " + std::to_string(limits_.depth_max) + " deep");
    }
  }
  void leave() { --depth_; }

  template <class T, class... Args>
  T* make(Args&&... args) {
    charge(sizeof(T) + 32);
    auto made = std::make_unique<T>(std::forward<Args>(args)...);
    T* const raw = made.get();
    objects_.push_back(std::move(made));
    return raw;
  }
  Value text(std::string_view bytes, bool own = false);

 private:
  RenderLimits limits_;
  std::uint64_t steps_ = 0;
  std::size_t live_ = 0;
  std::uint32_t depth_ = 0;
  std::vector<std::unique_ptr<Object>> objects_;
};

/// One level of nesting.
class Deeper {
 public:
  explicit Deeper(Heap& heap) : heap_(heap) { heap_.enter(); }
  ~Deeper() { heap_.leave(); }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  Heap& heap_;
};

enum class ListKind : std::uint8_t { list, tuple, group };

/// A list, a tuple, or the tuple of `groupby` (`grouper`, `list`).
struct ListObject : Object {
  static constexpr auto object_kind = ObjectKind::list;
  explicit ListObject(ListKind k = ListKind::list) : Object(object_kind), list_kind(k) {}
  bool is_list() const { return list_kind == ListKind::list; }
  void push(Heap& heap, Value value) {
    heap.charge(sizeof(Value) * 2);
    items.push_back(std::move(value));
  }
  ListKind list_kind;
  std::vector<Value> items;
};

/// In the order of insertion, as in Python.
struct DictObject : Object {
  static constexpr auto object_kind = ObjectKind::dict;
  DictObject() : Object(object_kind) {}
  Value* find(Heap& heap, const Value& key);
  Value* find(std::string_view key);
  void set(Heap& heap, const Value& key, Value value);
  std::vector<std::pair<Value, Value>> entries;
};

enum class ViewKind : std::uint8_t { keys, values, items };
struct ViewObject : Object {
  static constexpr auto object_kind = ObjectKind::view;
  ViewObject(DictObject* d, ViewKind k) : Object(object_kind), dict(d), view_kind(k) {}
  DictObject* dict;
  ViewKind view_kind;
};

struct RangeObject : Object {
  static constexpr auto object_kind = ObjectKind::range;
  RangeObject(std::int64_t a, std::int64_t z, std::int64_t by) : Object(object_kind), start(a), stop(z), step(by) {}
  std::size_t length() const;
  std::int64_t at(std::size_t index) const { return start + static_cast<std::int64_t>(index) * step; }
  std::int64_t start, stop, step;
};

/// namespace(): the one object whose attributes `set` may change.
struct NamesObject : Object {
  static constexpr auto object_kind = ObjectKind::names;
  explicit NamesObject(DictObject* d) : Object(object_kind), dict(d) {}
  DictObject* dict;
};

/// Gives values one at a time.
class Iterator {
 public:
  virtual ~Iterator() = default;
  /// False at the end.
  virtual bool next(Heap& heap, Value& out) = 0;
};

/// What filters like `select` return: read once, as far as it is read.
struct IteratorObject : Object {
  static constexpr auto object_kind = ObjectKind::iterator;
  explicit IteratorObject(std::unique_ptr<Iterator> it) : Object(object_kind), iterator(std::move(it)) {}
  std::unique_ptr<Iterator> iterator;
};

struct MethodObject : Object {
  static constexpr auto object_kind = ObjectKind::method;
  MethodObject(Value s, std::string n) : Object(object_kind), self(std::move(s)), name(std::move(n)) {}
  Value self;
  std::string name;
};

struct CyclerObject : Object {
  static constexpr auto object_kind = ObjectKind::cycler;
  CyclerObject() : Object(object_kind) {}
  std::vector<Value> items;
  std::size_t at = 0;
};

struct JoinerObject : Object {
  static constexpr auto object_kind = ObjectKind::joiner;
  explicit JoinerObject(Value s) : Object(object_kind), separator(std::move(s)) {}
  Value separator;
  bool used = false;
};

/// Arguments of a call.
struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};
/// Arguments in the order of `names`; null = not given. Fails, in the name of `what`, on a name that is not there, one given
/// twice, too many, or one of the first `required` missing.
std::vector<const Value*> bind(std::string_view what, const Args& args, std::initializer_list<std::string_view> names,
                               std::size_t required = 0);

Value undefined(std::string why);
Value make_list(Heap& heap, std::vector<Value> items, ListKind kind = ListKind::list);
/// "str", "int", "dict", ...: Python's name of the type.
std::string type_name(const Value& value);
/// Fails for an undefined value: nothing can be done with it.
void require_defined(const Value& value);
/// The number, a boolean counting as 0 or 1.
bool to_integer(const Value& value, std::int64_t& out);
bool to_real(const Value& value, double& out);

bool truth(const Value& value);
bool equals(Heap& heap, const Value& a, const Value& b);
/// a < b, for values that Python orders; else fails naming `op`.
bool less(Heap& heap, const Value& a, const Value& b, std::string_view op = "<");
bool contains(Heap& heap, const Value& in, const Value& item);
/// len(): fails for what has none.
std::size_t length(const Value& value);
bool has_length(const Value& value);
bool is_iterable(const Value& value);
/// Fails for what cannot be iterated. Keeps `value` alive.
std::unique_ptr<Iterator> iterate(Heap& heap, const Value& value);
std::vector<Value> to_items(Heap& heap, const Value& value);
/// Stable; `before` may fail or be inconsistent.
template <class Less>
void merge_sort(std::vector<std::size_t>& order, Less&& before) {
  std::vector<std::size_t> other(order.size());
  for (std::size_t width = 1; width < order.size(); width *= 2) {
    for (std::size_t from = 0; from < order.size(); from += 2 * width) {
      const std::size_t middle = std::min(from + width, order.size());
      const std::size_t end = std::min(from + 2 * width, order.size());
      std::size_t a = from, b = middle;
      for (std::size_t to = from; to < end; ++to) {
        const bool second = a == middle || (b < end && before(order[b], order[a]));
        other[to] = second ? order[b++] : order[a++];
      }
    }
    order.swap(other);
  }
}

}  // namespace spillway::model::jinja
