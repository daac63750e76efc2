#pragma once

#include <string>

#include "decisions/pack.h"

/// What the bytes of a packed value mean, as text: names and kinds of its fields in order. Two builds whose texts are equal read
/// each other's logs.
namespace spillway::decisions {

template <class T>
void add_shape(std::string& text);

/// A visitor that writes "name:shape " for each field.
struct ShapeOfFields {
  std::string& text;
  template <class T>
  void operator()(const char* name, const T&) {
    text.append(name).append(":");
    add_shape<T>(text);
    text.push_back(' ');
  }
};

template <class T, std::size_t... I>
void add_alternatives(std::string& text, std::index_sequence<I...>) {
  ((add_shape<std::variant_alternative_t<I, T>>(text), text.push_back('|')), ...);
}

template <class T>
void add_shape(std::string& text) {
  if constexpr (std::is_void_v<T>) {
    text += "nothing";
  } else if constexpr (Visited<T>) {
    const T value{};
    text.push_back('{');
    T::visit(value, ShapeOfFields{text});
    text.push_back('}');
  } else if constexpr (std::is_same_v<T, bool>) {
    text += "yes/no";
  } else if constexpr (std::is_enum_v<T>) {
    text += "enum";
  } else if constexpr (std::is_arithmetic_v<T>) {
    text += (std::is_floating_point_v<T> ? "float" : std::is_signed_v<T> ? "int" : "uint") + std::to_string(8 * sizeof(T));
  } else if constexpr (std::is_same_v<T, core::Duration>) {
    text += "ns";
  } else if constexpr (std::is_same_v<T, core::Instant>) {
    text += "instant";
  } else if constexpr (is_id<T>) {
    text += "id";
  } else if constexpr (std::is_base_of_v<core::U128, T>) {
    text += "digest";
  } else if constexpr (std::is_same_v<T, std::string>) {
    text += "text";
  } else if constexpr (is_vector<T>) {
    text += "list of ";
    add_shape<typename T::value_type>(text);
  } else if constexpr (is_map<T>) {
    text += "map of ";
    add_shape<std::pair<typename T::key_type, typename T::mapped_type>>(text);
  } else if constexpr (is_row<T>) {
    text += std::to_string(sizeof(T)) + " bytes";
  } else if constexpr (is_optional<T>) {
    text += "perhaps ";
    add_shape<typename T::value_type>(text);
  } else if constexpr (is_shared<T>) {
    text += "perhaps ";
    add_shape<std::remove_const_t<typename T::element_type>>(text);
  } else if constexpr (is_variant<T>) {
    text.push_back('(');
    add_alternatives<T>(text, std::make_index_sequence<std::variant_size_v<T>>());
    text.push_back(')');
  } else {
    const T value{};
    text.push_back('{');
    for_parts(value, ShapeOfFields{text});
    text.push_back('}');
  }
}

}  // namespace spillway::decisions
