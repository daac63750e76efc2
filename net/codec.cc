#include "net/codec.h"

#include "net/decoder.h"
#include "net/encoder.h"

namespace spillway::net {

namespace {

using core::EnvelopeKind;

template <std::size_t I>
using MessageAt = std::variant_alternative_t<I, core::Message>;

template <std::size_t... I>
constexpr bool numbers_agree(std::index_sequence<I...>) {
  return ((static_cast<std::size_t>(Arm<MessageAt<I>>::number) == I) && ...);
}
static_assert(numbers_agree(std::make_index_sequence<core::message_types>()), "the union in wire.capnp follows the order of core::Message");

void check_payload(const core::PageFrame& frame, const core::SharedBytes& payload, Decoder& decoder) {
  const auto expected = static_cast<std::size_t>(frame.data_bytes);
  if (!payload && expected > 0) {
    decoder.fail(DecodeFault::payload_missing, std::to_string(expected) + " bytes of payload are announced, none came");
  } else if (payload && payload->size() != expected) {
    decoder.fail(DecodeFault::payload_size,
                 std::to_string(expected) + " bytes of payload are announced, " + std::to_string(payload->size()) + " came");
  } else if (std::uint64_t{frame.offset} + expected > frame.payload_bytes) {
    decoder.fail(DecodeFault::fragment_range, "bytes " + std::to_string(frame.offset) + " and the next " + std::to_string(expected) +
                                                  " of a payload of " + std::to_string(frame.payload_bytes));
  }
}

template <std::size_t I>
core::MessagePtr read_arm(wire::Message::Reader reader, const core::SharedBytes& payload, Decoder& decoder) {
  using M = MessageAt<I>;
  auto message = std::make_shared<core::Message>(std::in_place_index<I>);
  auto& value = std::get<I>(*message);
  Fields<M>::map(decoder, value, Arm<M>::get(reader));
  if constexpr (std::is_same_v<M, core::PageFrame>) {
    if (!decoder.failed()) check_payload(value, payload, decoder);
    value.data = payload;
  } else if (payload) {
    decoder.fail(DecodeFault::payload_unexpected, "a payload beside a message that has none");
  }
  return message;
}

template <std::size_t... I>
core::MessagePtr read_message(wire::Message::Reader reader, const core::SharedBytes& payload, Decoder& decoder, std::index_sequence<I...>) {
  using Read = core::MessagePtr (*)(wire::Message::Reader, const core::SharedBytes&, Decoder&);
  static constexpr std::array<Read, sizeof...(I)> arms{&read_arm<I>...};
  const auto type = static_cast<std::size_t>(reader.which());
  if (type >= arms.size()) {
    decoder.fail(DecodeFault::unknown_type, "message type " + std::to_string(type) + " is unknown to this build (it knows 0 to " +
                                                std::to_string(arms.size() - 1) + ")");
    return nullptr;
  }
  decoder.enter(core::traits(type)->name);
  return arms[type](reader, payload, decoder);
}

void read_envelope(wire::Envelope::Reader reader, const core::SharedBytes& payload, core::Envelope& envelope, Decoder& decoder) {
  // The version comes first: the kinds of another version may mean anything but a hello and its refusal, which never change.
  const auto version = reader.getVersion();
  const auto raw_kind = static_cast<EnvelopeKind>(reader.getKind());
  if (version != core::protocol_version && raw_kind != EnvelopeKind::hello && raw_kind != EnvelopeKind::refuse) {
    return decoder.fail(DecodeFault::unknown_version, version_text(version));
  }
  decoder.enter("Envelope");
  Fields<core::Envelope>::map(decoder, envelope, reader);
  if (decoder.failed()) return;
  if (envelope.kind == EnvelopeKind::data) {
    if (!reader.hasMessage()) return decoder.fail(DecodeFault::missing_field, "a data envelope without a message");
    envelope.message = read_message(reader.getMessage(), payload, decoder, std::make_index_sequence<core::message_types>());
    return;
  }
  if (payload) return decoder.fail(DecodeFault::payload_unexpected, "a payload beside an envelope that has none");
  if (envelope.kind == EnvelopeKind::hello || envelope.kind == EnvelopeKind::welcome) {
    decoder.enter("Hello");
    Fields<core::Hello>::map(decoder, envelope.hello, reader.getHello());
  } else if (envelope.kind == EnvelopeKind::refuse) {
    decoder.field("text", envelope.text, reader, Access{[](auto r) { return r.getText(); }, nullptr, nullptr, nullptr});
  }
}

void write_envelope(const core::Envelope& envelope, wire::Envelope::Builder builder) {
  Encoder encoder;
  Fields<core::Envelope>::map(encoder, envelope, builder);
  if (envelope.kind == EnvelopeKind::data) {
    SPILLWAY_ASSERT(envelope.message != nullptr);
    std::visit([&]<class M>(const M& message) { Fields<M>::map(encoder, message, Arm<M>::init(builder.initMessage())); },
               *envelope.message);
  } else if (envelope.kind == EnvelopeKind::hello || envelope.kind == EnvelopeKind::welcome) {
    Fields<core::Hello>::map(encoder, envelope.hello, builder.initHello());
  } else if (envelope.kind == EnvelopeKind::refuse) {
    builder.setText(capnp::Text::Reader(envelope.text.c_str(), envelope.text.size()));
  }
}

}  // namespace

Frames encode(const core::Envelope& envelope) {
  Frames frames;
  frames.header = build<wire::Envelope>([&](wire::Envelope::Builder builder) { write_envelope(envelope, builder); });
  if (envelope.kind != EnvelopeKind::data) return frames;
  const auto* page = std::get_if<core::PageFrame>(envelope.message.get());
  if (page == nullptr || !page->data) return frames;
  SPILLWAY_ASSERT(std::size_t{page->data_offset} + page->data_bytes <= page->data->size());
  frames.payload = page->data;
  frames.payload_offset = page->data_offset;
  frames.payload_bytes = page->data_bytes;
  return frames;
}

core::Result<core::Envelope> decode_envelope(const ReceivedFrames& frames, const CodecLimits& limits, DecodeFault* fault) {
  core::Envelope envelope;
  auto opened = open_frame<wire::Envelope>(frames, limits, fault, [&](wire::Envelope::Reader reader, Decoder& decoder) {
    read_envelope(reader, frames.payload, envelope, decoder);
  });
  if (!opened) return tl::make_unexpected(std::move(opened.error()));
  return envelope;
}

}  // namespace spillway::net
