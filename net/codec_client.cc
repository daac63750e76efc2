#include "net/codec.h"
#include "net/decoder.h"
#include "net/encoder.h"
#include "net/wire_fields_client.h"

namespace spillway::net {

namespace {

constexpr std::size_t client_types = std::variant_size_v<core::ClientMessage>;

template <std::size_t I>
using ClientAt = std::variant_alternative_t<I, core::ClientMessage>;

template <std::size_t... I>
constexpr bool numbers_agree(std::index_sequence<I...>) {
  return ((static_cast<std::size_t>(Arm<ClientAt<I>>::number) == I) && ...);
}
static_assert(numbers_agree(std::make_index_sequence<client_types>()), "the union in wire.capnp follows the order of core::ClientMessage");

template <std::size_t I>
void read_arm(wire::ClientFrame::Reader reader, core::ClientMessage& message, Decoder& decoder) {
  using M = ClientAt<I>;
  auto& value = message.emplace<I>();
  decoder.enter(core::client_message_name(message));
  Fields<M>::map(decoder, value, Arm<M>::get(reader));
}

template <std::size_t... I>
void read_client(wire::ClientFrame::Reader reader, core::ClientMessage& message, Decoder& decoder, std::index_sequence<I...>) {
  using Read = void (*)(wire::ClientFrame::Reader, core::ClientMessage&, Decoder&);
  static constexpr std::array<Read, sizeof...(I)> arms{&read_arm<I>...};
  const auto type = static_cast<std::size_t>(reader.which());
  const bool of_any_version = reader.isClientHello() || reader.isFailed();
  if (reader.getVersion() != core::protocol_version && !of_any_version) {
    return decoder.fail(DecodeFault::unknown_version, version_text(reader.getVersion()));
  }
  if (type >= arms.size()) {
    return decoder.fail(DecodeFault::unknown_type, "client message type " + std::to_string(type) +
                                                       " is unknown to this build (it knows 0 to " + std::to_string(arms.size() - 1) + ")");
  }
  arms[type](reader, message, decoder);
}

}  // namespace

Frames encode(const core::ClientMessage& message) {
  Frames frames;
  frames.header = build<wire::ClientFrame>([&](wire::ClientFrame::Builder builder) {
    Encoder encoder;
    builder.setVersion(core::protocol_version);
    std::visit([&]<class M>(const M& value) { Fields<M>::map(encoder, value, Arm<M>::init(builder)); }, message);
  });
  return frames;
}

core::Result<core::ClientMessage> decode_client(const ReceivedFrames& frames, const CodecLimits& limits, DecodeFault* fault) {
  core::ClientMessage message;
  auto opened = open_frame<wire::ClientFrame>(frames, limits, fault, [&](wire::ClientFrame::Reader reader, Decoder& decoder) {
    if (frames.payload) return decoder.fail(DecodeFault::payload_unexpected, "a payload beside a client message");
    read_client(reader, message, decoder, std::make_index_sequence<client_types>());
  });
  if (!opened) return tl::make_unexpected(std::move(opened.error()));
  return message;
}

}  // namespace spillway::net
