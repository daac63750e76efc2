#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "export.h"

namespace spillway::sdk {

/// Stable codes; the numbers never change.
enum class Code : std::uint16_t {
  ok = 0,
  internal = 1,
  bad_argument = 2,
  bad_config = 3,
  bad_file = 4,
  bad_frame = 5,
  io = 6,
  unknown_model = 7,
  unknown_node = 8,
  unknown_request = 9,
  queue_full = 10,
  deadline_infeasible = 11,
  no_capacity = 12,
  unsupported = 13,
  incompatible = 14,
  unauthorized = 15,
  unavailable = 16,
  timeout = 17,
  cancelled = 18,
  already_exists = 19,
  draining = 20,
};

SPILLWAY_API std::string_view to_string(Code code);

/// What went wrong. `retry_after` > 0: the same call may succeed after that long.
struct Error {
  Code code = Code::internal;
  std::string message;
  std::chrono::milliseconds retry_after{0};
};

/// A value or an Error. Nothing in this library throws.
template <class T>
class Result {
 public:
  Result(T value) : held_(std::move(value)) {}
  Result(Error error) : held_(std::move(error)) {}
  bool ok() const { return held_.index() == 0; }
  explicit operator bool() const { return ok(); }
  T& value() & { return std::get<0>(held_); }
  const T& value() const& { return std::get<0>(held_); }
  T&& value() && { return std::get<0>(std::move(held_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const { return std::get<1>(held_); }

 private:
  std::variant<T, Error> held_;
};

/// Nothing, or an Error.
struct Done {};

}  // namespace spillway::sdk
