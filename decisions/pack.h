#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/bytes.h"
#include "core/enum_range.h"
#include "core/ids.h"
#include "core/page.h"
#include "core/time.h"

/// Any struct with a field visitor to bytes and back, without loss: what a core is told and what it answers. The order of the
/// visitor is the order of the bytes; nothing names a field, so a log says which build's visitors wrote it (decisions/shape.h).
///
/// Integers are LEB128 (signed ones zigzag first), ids and digests little-endian of their full width, floats their bits. A text, a list
/// or a map is its count and its elements; an optional or a pointer one byte and perhaps a value; a variant its index and the value.
/// Bytes of KV pages are not in any visitor and never written.
namespace spillway::decisions {

// -- Kinds of types --------------------------------------------------------------------------------------------------------------

template <class T>
concept Visited = requires(T& value) {
  T::visit(value, [](const char*, auto&) {});
};
template <class T>
inline constexpr bool is_id = false;
template <class Tag>
inline constexpr bool is_id<core::Id<Tag>> = true;
template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;
template <>
inline constexpr bool is_vector<core::TokenList> = true;
template <class T>
inline constexpr bool is_map = false;
template <class K, class T>
inline constexpr bool is_map<std::map<K, T>> = true;
template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
inline constexpr bool is_shared = false;
template <class T>
inline constexpr bool is_shared<std::shared_ptr<T>> = true;
template <class T>
inline constexpr bool is_variant = false;
template <class... T>
inline constexpr bool is_variant<std::variant<T...>> = true;
template <class T>
inline constexpr bool is_pair = false;
template <class A, class B>
inline constexpr bool is_pair<std::pair<A, B>> = true;
template <class T>
inline constexpr bool is_row = std::is_array_v<T>;
template <class T, std::size_t n>
inline constexpr bool is_row<std::array<T, n>> = true;

/// Calls f(name, part) for the members of the few structs that are too small for a visitor; false for any other type.
template <class T, class F>
bool for_parts(T& value, F&& f) {
  using Plain = std::remove_const_t<T>;
  if constexpr (std::is_same_v<Plain, core::StreamKey>) {
    f("tenant", value.tenant), f("request", value.request);
  } else if constexpr (std::is_same_v<Plain, core::Epoch>) {
    f("owner", value.owner), f("counter", value.counter);
  } else if constexpr (std::is_same_v<Plain, core::ReplicaRef>) {
    f("node", value.node), f("index", value.index);
  } else if constexpr (is_pair<Plain>) {
    f("first", value.first), f("second", value.second);
  } else {
    return false;
  }
  return true;
}

// -- To bytes --------------------------------------------------------------------------------------------------------------------

class Packer {
 public:
  enum class Pages : bool { with_checksums, without_checksums };
  /// Appends to `out`. Of answers the checksums of pages are left out: a replay has no pages to compute them from.
  explicit Packer(core::ByteVector& out, Pages pages = Pages::with_checksums) : out_(out), pages_(pages) {}

  template <class T>
  void operator()(const char*, const T& value) {
    put(value);
  }

  template <class T>
  void put(const T& value) {
    if constexpr (std::is_same_v<T, core::PageHeader>) {
      auto header = value;
      if (pages_ == Pages::without_checksums) header.checksum = 0;
      core::PageHeader::visit(header, *this);
    } else if constexpr (Visited<const T>) {
      T::visit(value, *this);
    } else if constexpr (std::is_same_v<T, bool> || std::is_same_v<T, std::byte>) {
      out_.push_back(static_cast<std::byte>(value));
    } else if constexpr (std::is_enum_v<T>) {
      number(static_cast<std::uint64_t>(value));
    } else if constexpr (std::is_same_v<T, float>) {
      fixed(std::bit_cast<std::uint32_t>(value));
    } else if constexpr (std::is_same_v<T, double>) {
      fixed(std::bit_cast<std::uint64_t>(value));
    } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
      number((static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(std::int64_t{value} >> 63));
    } else if constexpr (std::is_integral_v<T>) {
      number(value);
    } else if constexpr (std::is_same_v<T, core::Duration>) {
      put(std::int64_t{value.count()});
    } else if constexpr (std::is_same_v<T, core::Instant>) {
      fixed(static_cast<std::uint64_t>(value.time_since_epoch().count()));
    } else if constexpr (is_id<T>) {
      fixed(value.value);
    } else if constexpr (std::is_base_of_v<core::U128, T>) {
      fixed(value.hi), fixed(value.lo);
    } else {
      compound(value);
    }
  }

  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<std::byte>(value | 0x80));
    out_.push_back(static_cast<std::byte>(value));
  }
  template <class Word>
  void fixed(Word value) {
    for (std::size_t i = 0; i < sizeof(Word); ++i) out_.push_back(static_cast<std::byte>(value >> (8 * i)));
  }

 private:
  template <class T>
  void compound(const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      number(value.size());
      const auto bytes = core::as_bytes(value);
      out_.insert(out_.end(), bytes.begin(), bytes.end());
    } else if constexpr (is_vector<T> || is_map<T>) {
      number(value.size());
      for (const auto& element : value) put(element);
    } else if constexpr (is_row<T>) {
      for (const auto& element : value) put(element);
    } else if constexpr (is_optional<T> || is_shared<T>) {
      put(static_cast<bool>(value));
      if (value) put(*value);
    } else if constexpr (is_variant<T>) {
      number(value.index());
      std::visit([this](const auto& alternative) { put(alternative); }, value);
    } else if constexpr (!std::is_same_v<T, std::monostate>) {
      for_parts(value, [this](const char*, const auto& part) { put(part); });
      static_assert(!std::is_pointer_v<T>);
    }
  }

  core::ByteVector& out_;
  Pages pages_;
};

// -- From bytes ------------------------------------------------------------------------------------------------------------------

/// Longest duration that is read: no core adds it to a time of day and overflows. A hundred years.
inline constexpr core::Duration duration_max = std::chrono::hours{24 * 366 * 100};

/// Reads what a Packer wrote, whatever the bytes are: nothing is read beyond their end, a list takes memory only as its elements
/// come, and the first thing that cannot be is kept in `wrong()`; nothing is read after it.
class Unpacker {
 public:
  explicit Unpacker(core::Bytes bytes) : bytes_(bytes) {}

  const std::string& wrong() const { return wrong_; }
  bool failed() const { return !wrong_.empty(); }
  std::size_t left() const { return bytes_.size() - at_; }
  std::size_t at() const { return at_; }
  /// Says what is wrong; the first word counts.
  void fail(std::string what) {
    if (wrong_.empty()) wrong_ = std::move(what);
  }

  template <class T>
  void operator()(const char* name, T& value) {
    if (failed()) return;
    get(value);
    if (failed()) wrong_ = std::string(name) + (wrong_.front() == '.' || wrong_.front() == ':' ? "" : ".") + wrong_;
  }

  template <class T>
  void get(T& value) {
    if (failed()) return;
    if constexpr (Visited<T>) {
      T::visit(value, *this);
    } else if constexpr (std::is_same_v<T, bool>) {
      const std::uint64_t raw = byte();
      if (raw > 1) return fail(": neither yes nor no");
      value = raw == 1;
    } else if constexpr (std::is_same_v<T, std::byte>) {
      value = static_cast<std::byte>(byte());
    } else if constexpr (std::is_enum_v<T>) {
      const std::uint64_t raw = number();
      if (raw > static_cast<std::uint64_t>(core::enum_max<T>)) return fail(": " + std::to_string(raw) + " is none of its values");
      value = static_cast<T>(raw);
    } else if constexpr (std::is_same_v<T, float>) {
      value = std::bit_cast<float>(fixed<std::uint32_t>());
    } else if constexpr (std::is_same_v<T, double>) {
      value = std::bit_cast<double>(fixed<std::uint64_t>());
    } else if constexpr (std::is_integral_v<T>) {
      integer(value);
    } else if constexpr (std::is_same_v<T, core::Duration>) {
      std::int64_t ns = 0;
      integer(ns);
      if (ns > duration_max.count() || ns < -duration_max.count()) return fail(": a duration of more than a hundred years");
      value = core::Duration{ns};
    } else if constexpr (std::is_same_v<T, core::Instant>) {
      value = core::Instant{core::Duration{static_cast<std::int64_t>(fixed<std::uint64_t>())}};
    } else if constexpr (is_id<T>) {
      value.value = fixed<std::uint64_t>();
    } else if constexpr (std::is_base_of_v<core::U128, T>) {
      value.hi = fixed<std::uint64_t>();
      value.lo = fixed<std::uint64_t>();
    } else {
      compound(value);
    }
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint64_t part = byte();
      value |= (part & 0x7f) << shift;
      if (part < 0x80) return value;
    }
    fail(": a number of more than 64 bits");
    return 0;
  }
  template <class Word>
  Word fixed() {
    Word value = 0;
    for (std::size_t i = 0; i < sizeof(Word); ++i) value |= static_cast<Word>(static_cast<Word>(byte()) << (8 * i));
    return value;
  }

 private:
  std::uint64_t byte() {
    if (left() == 0) fail(": the bytes end in it");
    return failed() ? 0 : static_cast<std::uint64_t>(bytes_[at_++]);
  }
  /// A count of things of at least one byte each.
  std::size_t count() {
    const std::uint64_t value = number();
    if (value > left()) fail(": " + std::to_string(value) + " elements in " + std::to_string(left()) + " bytes");
    return failed() ? 0 : static_cast<std::size_t>(value);
  }

  template <class T>
  void integer(T& value) {
    const std::uint64_t raw = number();
    if constexpr (std::is_signed_v<T>) {
      const auto wide = static_cast<std::int64_t>((raw >> 1) ^ (~(raw & 1) + 1));
      value = static_cast<T>(wide);
      if (std::int64_t{value} != wide) fail(": " + std::to_string(wide) + " does not fit");
    } else {
      value = static_cast<T>(raw);
      if (std::uint64_t{value} != raw) fail(": " + std::to_string(raw) + " does not fit");
    }
  }

  template <class T>
  void compound(T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      const std::size_t size = count();
      value.assign(core::as_text(bytes_.subspan(at_, size)));
      at_ += size;
    } else if constexpr (std::is_same_v<T, core::TokenList>) {
      std::vector<core::TokenId> tokens;
      get(tokens);
      value = std::move(tokens);
    } else if constexpr (is_vector<T>) {
      value.clear();
      for (std::size_t left_over = count(); left_over > 0 && !failed(); --left_over) get(value.emplace_back());
    } else if constexpr (is_map<T>) {
      value.clear();
      for (std::size_t left_over = count(); left_over > 0 && !failed(); --left_over) {
        std::pair<typename T::key_type, typename T::mapped_type> entry;
        get(entry);
        if (!failed() && !value.insert(std::move(entry)).second) fail(": a key stands twice");
      }
    } else if constexpr (is_row<T>) {
      for (auto& element : value) get(element);
    } else if constexpr (is_optional<T>) {
      if (flag()) get(value.emplace());
    } else if constexpr (is_shared<T>) {
      value.reset();
      if (!flag()) return;
      auto made = std::make_shared<std::remove_const_t<typename T::element_type>>();
      get(*made);
      value = std::move(made);
    } else if constexpr (is_variant<T>) {
      alternative(value, number(), std::make_index_sequence<std::variant_size_v<T>>());
    } else if constexpr (!std::is_same_v<T, std::monostate>) {
      for_parts(value, [this](const char* name, auto& part) { (*this)(name, part); });
    }
  }
  bool flag() {
    bool there = false;
    get(there);
    return there && !failed();
  }

  template <class T, std::size_t... I>
  void alternative(T& value, std::uint64_t index, std::index_sequence<I...>) {
    if (index >= sizeof...(I)) return fail(": kind " + std::to_string(index) + " of " + std::to_string(sizeof...(I)));
    static_cast<void>(((I == index ? (get(value.template emplace<I>()), true) : false) || ...));
  }

  core::Bytes bytes_;
  std::size_t at_ = 0;
  std::string wrong_;
};

/// The bytes of `value`.
template <class T>
core::ByteVector packed(const T& value) {
  core::ByteVector bytes;
  Packer(bytes).put(value);
  return bytes;
}

}  // namespace spillway::decisions
