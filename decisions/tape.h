#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "decisions/pack.h"

/// Values as lines that people read, "actions[1].Post.message.Run.epoch.counter = 7", to show where two answers part.
namespace spillway::decisions {

/// One scalar: where it stands, and what it is.
struct TapeLine {
  std::string path;
  std::string value;
  friend bool operator==(const TapeLine&, const TapeLine&) = default;
};
using Tape = std::vector<TapeLine>;

/// "Post" for spillway::sched::RouterCore::Post. For people; not stable between compilers.
template <class T>
std::string_view type_name() {
  std::string_view text = __PRETTY_FUNCTION__;  // "... [with T = spillway::core::Run; ...]", "[T = spillway::core::Run]"
  text.remove_prefix(text.find("T = ") + 4);
  text = text.substr(0, text.find_first_of(";]"));
  const std::size_t colon = text.rfind(':', text.find('<'));
  return colon == std::string_view::npos ? text : text.substr(colon + 1);
}

class TapeWriter {
 public:
  explicit TapeWriter(Tape& tape, std::string path = {}) : tape_(tape), path_(std::move(path)) {}

  template <class T>
  void operator()(const char* name, const T& value) {
    at("." + std::string(name), value);
  }

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, core::PageHeader>) {
      auto header = value;
      header.checksum = 0;  // as Packer leaves it out of answers
      core::PageHeader::visit(header, *this);
    } else if constexpr (Visited<const T>) {
      T::visit(value, *this);
    } else if constexpr (std::is_same_v<T, bool>) {
      line(value ? "yes" : "no");
    } else if constexpr (std::is_same_v<T, std::byte>) {
      line(std::to_string(static_cast<unsigned>(value)));
    } else if constexpr (std::is_enum_v<T>) {
      enumeration(value);
    } else if constexpr (std::is_arithmetic_v<T>) {
      line(std::to_string(value));
    } else if constexpr (std::is_same_v<T, core::Duration>) {
      line(std::to_string(value.count()) + " ns");
    } else if constexpr (std::is_same_v<T, core::Instant>) {
      line(value == core::never ? "never" : std::to_string(value.time_since_epoch().count()) + " ns");
    } else if constexpr (is_id<T>) {
      line(std::to_string(value.value));
    } else if constexpr (std::is_base_of_v<core::U128, T>) {
      line(core::to_hex(value));
    } else {
      compound(value);
    }
  }

 private:
  template <class T>
  void at(const std::string& step, const T& value) {
    const std::size_t size = path_.size();
    path_ += step;
    put(value);
    path_.resize(size);
  }
  void line(std::string value) { tape_.push_back({path_, std::move(value)}); }

  template <class E>
  void enumeration(E value) {
    if constexpr (requires { std::string(to_string(value)); }) line(std::string(to_string(value)));
    else line(std::to_string(static_cast<unsigned>(value)));
  }

  template <class T>
  void compound(const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      line("\"" + value + "\"");
    } else if constexpr (is_vector<T>) {
      // The size comes last: of two lists, the first element that one lacks says more.
      for (std::size_t i = 0; i < value.size(); ++i) at("[" + std::to_string(i) + "]", value[i]);
      at(".size", value.size());
    } else if constexpr (is_row<T>) {
      for (std::size_t i = 0; i < std::size(value); ++i) at("[" + std::to_string(i) + "]", value[i]);
    } else if constexpr (is_optional<T> || is_shared<T>) {
      if (value) put(*value);
      else line("none");
    } else if constexpr (is_variant<T>) {
      std::visit(
          [&]<class A>(const A& alternative) {
            const auto kind = type_name<A>();
            line(std::string(kind));
            at("." + std::string(kind), alternative);
          },
          value);
    } else if constexpr (!std::is_same_v<T, std::monostate>) {
      for_parts(value, *this);
    }
  }

  Tape& tape_;
  std::string path_;
};

}  // namespace spillway::decisions
