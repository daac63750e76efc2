#pragma once

#include <capnp/serialize.h>
#include <kj/exception.h>

#include <array>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "core/enum_range.h"
#include "core/result.h"
#include "net/aligned_frame.h"
#include "net/codec.h"
#include "net/encoder.h"
#include "net/wire_fields.h"

namespace spillway::net {

/// Reads structs of core/ from readers of wire.capnp by the table of wire_fields.h. The first thing that is wrong is kept with the
/// path of its field, and nothing is read after it. Memory is bounded by the frame's size before it is taken.
class Decoder {
 public:
  explicit Decoder(std::size_t frame_bytes) : budget_bytes_(frame_bytes * decode_factor + decode_slack_bytes) {}

  bool failed() const { return fault_ != DecodeFault::none; }
  DecodeFault fault() const { return fault_; }
  const std::string& reason() const { return reason_; }
  /// "Tokens.runs[3].tokens"
  std::string path() const;
  void fail(DecodeFault fault, const std::string& what);
  /// Name of the message, the first part of the path.
  void enter(std::string_view message) { root_ = message; }

  template <class T, class W, class A>
  void field(const char* name, T& value, W w, A access) {
    if (failed()) return;
    steps_[depth_] = {name, no_index};
    if constexpr (std::is_arithmetic_v<T>) {
      value = access.get(w);
    } else if constexpr (std::is_enum_v<T>) {
      set_enum(value, access.get(w));
    } else if constexpr (is_id<T>) {
      value.value = access.get(w);
    } else if constexpr (std::is_same_v<T, core::Duration>) {
      set_duration(value, access.get(w));
    } else if constexpr (std::is_same_v<T, std::string>) {
      set_text(value, access.get(w));
    } else {
      compound(value, w, access);
    }
  }

 private:
  static constexpr std::size_t no_index = ~std::size_t{0};
  struct Step {
    const char* name = "";
    std::size_t index = no_index;
  };
  static constexpr std::size_t depth_max = 12;  // the deepest field is Handoff.run.choices[i].names[k].hi

  template <class E, class Raw>
  void set_enum(E& value, Raw raw) {
    if (raw > static_cast<std::underlying_type_t<E>>(core::enum_max<E>)) {
      return fail(DecodeFault::bad_enum,
                  std::to_string(raw) + " is none of its values (0 to " + std::to_string(static_cast<unsigned>(core::enum_max<E>)) + ")");
    }
    value = static_cast<E>(raw);
  }
  void set_duration(core::Duration& value, std::int64_t ns);
  void set_text(std::string& value, capnp::Text::Reader text);
  /// False when a list of `count` elements of `element_bytes` must not be made.
  bool may_allocate(std::size_t count, std::size_t element_bytes);

  template <class T, class W, class A>
  void compound(T& value, W w, A access) {
    descend(value, access.get(w));
  }
  template <class T, class W, class A>
  void compound(std::shared_ptr<const T>& value, W w, A access) {
    if (!access.has(w)) return fail(DecodeFault::missing_field, "is missing");
    auto made = std::make_shared<T>();
    descend(*made, access.get(w));
    value = std::move(made);
  }
  template <class T, class W, class A>
  void compound(std::vector<T>& values, W w, A access) {
    read_list(values, access.get(w));
  }
  template <class W, class A>
  void compound(core::TokenList& values, W w, A access) {
    std::vector<core::TokenId> read;
    read_list(read, access.get(w));
    values = std::move(read);
  }
  template <class T, class List>
  void read_list(std::vector<T>& values, List list) {
    if (!may_allocate(list.size(), sizeof(T))) return;
    values.resize(list.size());
    for (capnp::uint i = 0; i < list.size() && !failed(); ++i) {
      steps_[depth_].index = i;
      element(values[i], list, i);
    }
  }

  template <class T, class List>
  void element(T& value, const List& list, capnp::uint i) {
    if constexpr (std::is_arithmetic_v<T>) {
      value = list[i];
    } else if constexpr (std::is_same_v<T, std::string>) {
      set_text(value, list[i]);
    } else {
      descend(value, list[i]);
    }
  }
  template <class List>
  void element(std::pair<core::TokenId, float>& value, const List& list, capnp::uint i) {
    value = {list[i].getToken(), list[i].getLogprob()};
  }
  template <class T, class List>
  void element(std::vector<T>& values, const List& list, capnp::uint i) {
    ++depth_;
    steps_[depth_] = {"", no_index};
    read_list(values, list[i]);
    if (!failed()) --depth_;
  }

  // After a fault the depth stays, so that path() names the field.
  template <class T, class W>
  void descend(T& value, W w) {
    ++depth_;
    Fields<std::remove_const_t<T>>::map(*this, value, w);
    if (!failed()) --depth_;
  }

  std::size_t budget_bytes_;
  std::size_t depth_ = 0;
  std::array<Step, depth_max> steps_{};
  std::string_view root_;
  DecodeFault fault_ = DecodeFault::none;
  std::string reason_;
};

/// Checks the frame, opens it as a message of root type Root, runs `read(root, decoder)`, and turns what went wrong, exceptions of
/// the library included, into an error and a fault.
template <class Root, class Read>
core::Result<void> open_frame(const ReceivedFrames& frames, const CodecLimits& limits, DecodeFault* fault, Read&& read) {
  Decoder decoder(frames.header.size());
  const auto size = frames.header.size();
  if (size == 0) {
    decoder.fail(DecodeFault::empty, "has no bytes");
  } else if (size > limits.header_bytes_max) {
    decoder.fail(DecodeFault::header_too_large, std::to_string(size) + " bytes; at most " + std::to_string(limits.header_bytes_max));
  } else if (size % sizeof(capnp::word) != 0) {
    decoder.fail(DecodeFault::not_words, std::to_string(size) + " bytes; want a multiple of 8");
  } else if (frames.payload && frames.payload->size() > limits.payload_bytes_max) {
    decoder.fail(DecodeFault::payload_too_large,
                 "payload of " + std::to_string(frames.payload->size()) + " bytes; at most " + std::to_string(limits.payload_bytes_max));
  } else {
    const AlignedFrame aligned(frames.header);
    const auto words = kj::arrayPtr(reinterpret_cast<const capnp::word*>(aligned.words().data()), aligned.words().size());
    try {
      // Everything is read once, so a message never needs to read more than it has; pointers that share a target do.
      capnp::FlatArrayMessageReader reader(words, {.traversalLimitInWords = words.size() + 16, .nestingLimit = 16});
      auto root = reader.getRoot<Root>();
      if (reader.getEnd() != words.end()) {
        decoder.fail(DecodeFault::trailing_bytes, "more bytes behind the message");
      } else {
        read(root, decoder);
      }
    } catch (const kj::Exception& e) {
      decoder.fail(DecodeFault::malformed, e.getDescription().cStr());
    }
  }
  if (fault != nullptr) *fault = decoder.fault();
  if (!decoder.failed()) return {};
  const auto code = decoder.fault() == DecodeFault::unknown_version ? core::Errc::incompatible : core::Errc::bad_frame;
  return core::fail(code, decoder.reason());
}

/// "speaks protocol version 9, this build speaks version 1".
std::string version_text(std::uint16_t theirs);

}  // namespace spillway::net
