#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/enum_range.h"
#include "core/envelope.h"
#include "net/codec.h"

/// Messages with random content and a text of all their fields, both through the visitors of core/: a field that the visitor
/// names and the codec forgets shows as a difference.
namespace spillway::net::test {

template <class T>
inline constexpr bool is_core_id = false;
template <class Tag>
inline constexpr bool is_core_id<core::Id<Tag>> = true;

/// Calls v(name, member) for the members of any struct of core/, those without a visitor of their own included.
template <class Self, class V>
void visit_members(Self& s, V&& v) {
  using T = std::remove_const_t<Self>;
  if constexpr (std::is_base_of_v<core::U128, T>) {
    v("hi", s.hi), v("lo", s.lo);
  } else if constexpr (std::is_same_v<T, core::StreamKey>) {
    v("tenant", s.tenant), v("request", s.request);
  } else if constexpr (std::is_same_v<T, core::Epoch>) {
    v("owner", s.owner), v("counter", s.counter);
  } else if constexpr (std::is_same_v<T, core::ReplicaRef>) {
    v("node", s.node), v("index", s.index);
  } else {
    T::visit(s, v);
  }
}

class Filler {
 public:
  explicit Filler(std::uint64_t seed, std::size_t list_max = 4) : random_(seed), list_max_(list_max) {}

  template <class T>
  void operator()(const char*, T& value) {
    fill(value);
  }
  template <class T>
  T make() {
    T value{};
    fill(value);
    if constexpr (std::is_same_v<T, core::PageFrame>) fix(value);
    return value;
  }
  core::Message message(std::size_t type) { return at<core::Message>(type, std::make_index_sequence<core::message_types>()); }
  core::ClientMessage client_message(std::size_t type) {
    return at<core::ClientMessage>(type, std::make_index_sequence<std::variant_size_v<core::ClientMessage>>());
  }
  core::Envelope envelope(core::EnvelopeKind kind, std::size_t type) {
    core::Envelope e;
    e.kind = kind;
    for (auto* field : {&e.from.value, &e.to.value, &e.incarnation.value, &e.to_incarnation.value, &e.session, &e.sequence,
                        &e.acknowledged[0], &e.acknowledged[1], &e.credit}) {
      fill(*field);
    }
    if (kind == core::EnvelopeKind::hello || kind == core::EnvelopeKind::welcome) fill(e.hello);
    if (kind == core::EnvelopeKind::refuse) fill(e.text);
    if (kind == core::EnvelopeKind::data) {
      e.message = core::make_message(message(type));
      e.lane = core::traits(*e.message).lane;
    }
    return e;
  }
  std::uint64_t number(std::uint64_t below) { return random_() % below; }

 private:
  template <class V, std::size_t... I>
  V at(std::size_t type, std::index_sequence<I...>) {
    V value;
    ((type == I ? static_cast<void>(value.template emplace<I>(make<std::variant_alternative_t<I, V>>())) : void()), ...);
    return value;
  }
  template <class T>
  void fill(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = number(2) == 1;
    } else if constexpr (std::is_same_v<T, float>) {
      value = static_cast<float>(static_cast<std::int64_t>(number(2'000'001)) - 1'000'000) / 977.0F;
    } else if constexpr (std::is_integral_v<T>) {
      value = static_cast<T>(number(10) == 0 ? number(2) * ~std::uint64_t{0} : random_());
    } else if constexpr (std::is_enum_v<T>) {
      value = static_cast<T>(number(static_cast<std::uint64_t>(core::enum_max<T>) + 1));
    } else if constexpr (is_core_id<T>) {
      value.value = random_();
    } else if constexpr (std::is_same_v<T, core::Duration>) {
      value = core::Duration{static_cast<std::int64_t>(number(2 * duration_max.count() + 1)) - duration_max.count()};
    } else if constexpr (std::is_same_v<T, std::string>) {
      value.resize(number(20));
      for (auto& c : value) c = static_cast<char>(random_());  // any byte, zeros too
    } else {
      fill_compound(value);
    }
  }
  template <class T>
  void fill_compound(T& value) {
    visit_members(value, *this);
  }
  template <class T>
  void fill_compound(std::vector<T>& values) {
    values.resize(number(list_max_ + 1));
    for (auto& value : values) fill(value);
  }
  void fill_compound(core::TokenList& value) {
    std::vector<core::TokenId> tokens;
    fill_compound(tokens);
    value = std::move(tokens);
  }
  void fill_compound(std::pair<core::TokenId, float>& value) { fill(value.first), fill(value.second); }
  template <class T>
  void fill_compound(std::shared_ptr<const T>& value) {
    value = std::make_shared<const T>(make<T>());
  }
  /// A fragment within its payload, with bytes.
  void fix(core::PageFrame& page) {
    page.data_bytes = static_cast<std::uint32_t>(number(1000));
    page.data_offset = static_cast<std::uint32_t>(number(100));
    page.offset = static_cast<std::uint32_t>(number(100'000));
    page.payload_bytes = page.offset + page.data_bytes + static_cast<std::uint32_t>(number(1000));
    core::ByteVector bytes(page.data_offset + page.data_bytes + number(50));
    for (auto& byte : bytes) byte = static_cast<std::byte>(random_());
    page.data = core::share(std::move(bytes));
  }

  std::mt19937_64 random_;
  std::size_t list_max_;
};

class Dumper {
 public:
  template <class T>
  void operator()(const char* name, const T& value) {
    text_ += std::string(name) + "=";
    add(value);
    text_ += ' ';
  }
  template <class T>
  void add(const T& value) {
    if constexpr (std::is_same_v<T, float>) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, &value, sizeof bits);
      hex(bits);
    } else if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>) {
      hex(static_cast<std::uint64_t>(value));
    } else if constexpr (is_core_id<T>) {
      hex(value.value);
    } else if constexpr (std::is_same_v<T, core::Duration>) {
      hex(static_cast<std::uint64_t>(value.count()));
    } else if constexpr (std::is_same_v<T, std::string>) {
      for (const unsigned char c : value) hex(c);
    } else {
      compound(value);
    }
  }
  const std::string& text() const { return text_; }

 private:
  void hex(std::uint64_t value) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string out;
    do out += digits[value % 16], value /= 16;
    while (value != 0);
    text_.append(out.rbegin(), out.rend());
    text_ += '.';
  }
  template <class T>
  void compound(const T& value) {
    text_ += "{";
    visit_members(value, *this);
    text_ += "}";
  }
  template <class T>
  void compound(const std::vector<T>& values) {
    text_ += "[" + std::to_string(values.size()) + ": ";
    for (const auto& value : values) add(value), text_ += ", ";
    text_ += "]";
  }
  void compound(const core::TokenList& value) { compound(value.vector()); }
  void compound(const std::pair<core::TokenId, float>& value) { add(value.first), add(value.second); }
  template <class T>
  void compound(const std::shared_ptr<const T>& value) {
    if (value) add(*value);
  }

  std::string text_;
};

/// Every field of a message, page bytes included.
template <class Variant>
std::string dump_variant(const Variant& message) {
  Dumper dumper;
  std::visit(
      [&]<class M>(const M& value) {
        dumper.add(value);
        if constexpr (std::is_same_v<M, core::PageFrame>) {
          if (!value.data) return;
          for (const auto byte : core::Bytes{*value.data}.subspan(value.data_offset, value.data_bytes)) dumper.add(byte);
        }
      },
      message);
  return std::to_string(message.index()) + " " + dumper.text();
}

inline std::string dump(const core::Envelope& e) {
  Dumper d;
  d("version", e.version), d("kind", e.kind), d("lane", e.lane), d("from", e.from), d("to", e.to), d("incarnation", e.incarnation);
  d("to_incarnation", e.to_incarnation), d("session", e.session), d("sequence", e.sequence), d("ack0", e.acknowledged[0]);
  d("ack1", e.acknowledged[1]), d("credit", e.credit), d("hello", e.hello), d("text", e.text);
  return d.text() + (e.message ? dump_variant(*e.message) : "");
}

/// Frames as a receiver gets them.
inline ReceivedFrames received(const Frames& frames) {
  ReceivedFrames in{frames.header, nullptr};
  if (frames.payload) {
    const auto view = frames.payload_view();
    in.payload = core::share(core::ByteVector(view.begin(), view.end()));
  }
  return in;
}

}  // namespace spillway::net::test
