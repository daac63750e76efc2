#pragma once

#include <capnp/serialize.h>

#include <algorithm>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/assert.h"
#include "net/codec.h"
#include "net/wire_fields.h"

namespace spillway::net {

template <class T>
inline constexpr bool is_id = false;
template <class Tag>
inline constexpr bool is_id<core::Id<Tag>> = true;

/// Writes structs of core/ into builders of wire.capnp by the table of wire_fields.h.
class Encoder {
 public:
  template <class T, class W, class A>
  void field(const char*, const T& value, W w, A access) {
    if constexpr (std::is_arithmetic_v<T>) {
      access.set(w, value);
    } else if constexpr (std::is_enum_v<T>) {
      access.set(w, static_cast<std::underlying_type_t<T>>(value));
    } else if constexpr (is_id<T>) {
      access.set(w, value.value);
    } else if constexpr (std::is_same_v<T, core::Duration>) {
      access.set(w, static_cast<std::int64_t>(std::clamp(value, -duration_max, duration_max).count()));
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!value.empty()) access.set(w, text(value));
    } else {
      compound(value, w, access);
    }
  }

 private:
  template <class T, class W, class A>
  void compound(const T& value, W w, A access) {
    Fields<T>::map(*this, value, access.init(w));
  }
  template <class T, class W, class A>
  void compound(const std::shared_ptr<const T>& value, W w, A access) {
    if (value) Fields<T>::map(*this, *value, access.init(w));
  }
  template <class T, class W, class A>
  void compound(const std::vector<T>& values, W w, A access) {
    if (values.empty()) return;
    auto list = access.init(w, static_cast<capnp::uint>(values.size()));
    for (capnp::uint i = 0; i < values.size(); ++i) element(values[i], list, i);
  }

  template <class W, class A>
  void compound(const core::TokenList& values, W w, A access) {
    if (values.empty()) return;
    auto list = access.init(w, static_cast<capnp::uint>(values.size()));
    for (capnp::uint i = 0; i < values.size(); ++i) list.set(i, values[i]);
  }

  template <class T, class List>
  void element(const T& value, List& list, capnp::uint i) {
    if constexpr (std::is_arithmetic_v<T>) {
      list.set(i, value);
    } else if constexpr (std::is_same_v<T, std::string>) {
      list.set(i, text(value));
    } else {
      Fields<T>::map(*this, value, list[i]);
    }
  }
  template <class List>
  void element(const std::pair<core::TokenId, float>& value, List& list, capnp::uint i) {
    list[i].setToken(value.first);
    list[i].setLogprob(value.second);
  }
  template <class T, class List>
  void element(const std::vector<T>& values, List& list, capnp::uint i) {
    auto inner = list.init(i, static_cast<capnp::uint>(values.size()));
    for (capnp::uint k = 0; k < values.size(); ++k) element(values[k], inner, k);
  }

  static capnp::Text::Reader text(const std::string& value) { return {value.c_str(), value.size()}; }
};

/// Builds a message of root type Root with `fill(builder)` and flattens it. Most messages fit the scratch segment, so that the one
/// allocation is the result.
template <class Root, class Fill>
core::ByteVector build(Fill&& fill) {
  constexpr std::size_t scratch_words = 1024;
  thread_local capnp::word scratch[scratch_words] = {};  // zero before and after use, as MallocMessageBuilder keeps it
  capnp::MallocMessageBuilder builder(kj::arrayPtr(scratch, scratch_words));
  fill(builder.initRoot<Root>());
  core::ByteVector bytes(capnp::computeSerializedSizeInWords(builder) * sizeof(capnp::word));
  kj::ArrayOutputStream out(kj::arrayPtr(reinterpret_cast<kj::byte*>(bytes.data()), bytes.size()));
  capnp::writeMessage(out, builder);
  return bytes;
}

}  // namespace spillway::net
