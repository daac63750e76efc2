#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/bytes.h"
#include "core/ids.h"
#include "core/request.h"
#include "core/time.h"

/// What the tests of the message structs share: visitors that fill, write and read any struct that has the field visitor, and a
/// count of its members that does not come from the visitor, so that a forgotten field is seen.
namespace spillway::core::testing {

/// Every scalar of a struct in the order of the visitor.
using Tape = std::vector<std::string>;

template <class T>
concept Visitable = requires(T& t) {
  T::visit(t, [](const char*, auto&) {});
};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <>
struct IsVector<TokenList> : std::true_type {};
template <class T>
struct IsPair : std::false_type {};
template <class A, class B>
struct IsPair<std::pair<A, B>> : std::true_type {};
template <class T>
struct IsShared : std::false_type {};
template <class T>
struct IsShared<std::shared_ptr<const T>> : std::true_type {};
template <class T>
struct IsId : std::false_type {};
template <class Tag>
struct IsId<Id<Tag>> : std::true_type {};

/// Calls f(part) for the parts of a compound that has no visitor of its own; false for a scalar.
template <class T, class F>
bool for_parts(T& value, F&& f) {
  using Plain = std::remove_const_t<T>;
  if constexpr (IsPair<Plain>::value) f(value.first), f(value.second);
  else if constexpr (IsId<Plain>::value) f(value.value);
  else if constexpr (std::is_base_of_v<U128, Plain>) f(value.hi), f(value.lo);
  else if constexpr (std::is_same_v<Plain, StreamKey>) f(value.tenant), f(value.request);
  else if constexpr (std::is_same_v<Plain, Epoch>) f(value.owner), f(value.counter);
  else if constexpr (std::is_same_v<Plain, ReplicaRef>) f(value.node), f(value.index);
  else return false;
  return true;
}

/// Gives each scalar another value, each vector two elements.
class Filler {
 public:
  template <class T>
  void operator()(const char*, T& value) {
    fill(value);
  }

  template <class T>
  void fill(T& value) {
    if constexpr (Visitable<T>) {
      T::visit(value, *this);
    } else if constexpr (std::is_same_v<T, TokenList>) {
      std::vector<TokenId> tokens;
      fill(tokens);
      value = std::move(tokens);
    } else if constexpr (IsVector<T>::value) {
      value.resize(2);
      for (auto& element : value) fill(element);
    } else if constexpr (IsShared<T>::value) {
      auto made = std::make_shared<std::remove_const_t<typename T::element_type>>();
      fill(*made);
      value = made;
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = "text " + std::to_string(++next_) + " \xc3\xa9\n";
    } else if constexpr (std::is_same_v<T, bool>) {
      value = !value;
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(static_cast<std::underlying_type_t<T>>(value) == 1 ? 2 : 1);
    } else if constexpr (std::is_same_v<T, Duration>) {
      value = Duration{++next_};
    } else if constexpr (std::is_arithmetic_v<T>) {
      value = static_cast<T>(++next_);
    } else if (!for_parts(value, [this](auto& part) { fill(part); })) {
      static_assert(!std::is_pointer_v<T>, "teach the filler this type");
    }
  }

 private:
  std::int64_t next_ = 2;
};

class Writer {
 public:
  explicit Writer(Tape& tape) : tape_(tape) {}
  template <class T>
  void operator()(const char*, const T& value) {
    write(value);
  }

  template <class T>
  void write(const T& value) {
    if constexpr (Visitable<const T>) {
      T::visit(value, *this);
    } else if constexpr (IsVector<T>::value) {
      tape_.push_back(std::to_string(value.size()));
      for (const auto& element : value) write(element);
    } else if constexpr (IsShared<T>::value) {
      tape_.push_back(value ? "1" : "0");
      if (value) write(*value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      tape_.push_back(value);
    } else if constexpr (std::is_same_v<T, Duration>) {
      tape_.push_back(std::to_string(value.count()));
    } else if constexpr (std::is_enum_v<T>) {
      tape_.push_back(std::to_string(static_cast<std::underlying_type_t<T>>(value)));
    } else if constexpr (std::is_arithmetic_v<T>) {
      tape_.push_back(std::to_string(value));
    } else {
      for_parts(value, [this](const auto& part) { write(part); });
    }
  }

 private:
  Tape& tape_;
};

class Reader {
 public:
  explicit Reader(const Tape& tape) : tape_(tape) {}
  template <class T>
  void operator()(const char*, T& value) {
    read(value);
  }
  bool at_end() const { return at_ == tape_.size(); }

  template <class T>
  void read(T& value) {
    if constexpr (Visitable<T>) {
      T::visit(value, *this);
    } else if constexpr (std::is_same_v<T, TokenList>) {
      std::vector<TokenId> tokens;
      read(tokens);
      value = std::move(tokens);
    } else if constexpr (IsVector<T>::value) {
      value.resize(std::stoul(next()));
      for (auto& element : value) read(element);
    } else if constexpr (IsShared<T>::value) {
      if (next() == "0") return;
      auto made = std::make_shared<std::remove_const_t<typename T::element_type>>();
      read(*made);
      value = made;
    } else if constexpr (std::is_same_v<T, std::string>) {
      value = next();
    } else if constexpr (std::is_same_v<T, Duration>) {
      value = Duration{std::stoll(next())};
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(std::stoull(next()));
    } else if constexpr (std::is_floating_point_v<T>) {
      value = static_cast<T>(std::stod(next()));
    } else if constexpr (std::is_arithmetic_v<T>) {
      value = static_cast<T>(std::stoll(next()));
    } else {
      for_parts(value, [this](auto& part) { read(part); });
    }
  }

 private:
  const std::string& next() { return tape_.at(at_++); }

  const Tape& tape_;
  std::size_t at_ = 0;
};

template <class T>
Tape tape_of(const T& value) {
  Tape tape;
  Writer(tape).write(value);
  return tape;
}

/// Converts to whatever a member wants; never called.
struct AnyValue {
  template <class T>
  operator T() const;  // NOLINT(google-explicit-constructor)
};

template <class T, class... Values>
constexpr std::size_t member_count() {
  if constexpr (requires { T{Values{}..., AnyValue{}}; }) return member_count<T, Values..., AnyValue>();
  else return sizeof...(Values);
}

template <class T>
std::size_t visited_count() {
  std::size_t count = 0;
  T value{};
  T::visit(value, [&](const char*, auto&) { ++count; });
  return count;
}

}  // namespace spillway::core::testing
