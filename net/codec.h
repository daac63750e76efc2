#pragma once

#include <cstddef>

#include "core/bytes.h"
#include "core/envelope.h"
#include "core/result.h"
#include "net/decode_fault.h"

/// Messages to frames and back. A message is one Cap'n Proto frame (net/wire.capnp); a page fragment has its bytes in a second,
/// raw frame, which is never copied on the way out. Unknown fields are ignored; unknown types, enum values and versions refused.
namespace spillway::net {

/// Frames of one message. `payload` is shared with the message it came from: [payload_offset, payload_offset + payload_bytes).
struct Frames {
  core::ByteVector header;
  core::SharedBytes payload;
  std::size_t payload_offset = 0;
  std::size_t payload_bytes = 0;

  core::Bytes payload_view() const { return payload ? core::Bytes{*payload}.subspan(payload_offset, payload_bytes) : core::Bytes{}; }
};

/// Frames as they arrive. `payload` is null when there was none; a decoded PageFrame keeps it.
struct ReceivedFrames {
  core::Bytes header;
  core::SharedBytes payload;
};

struct CodecLimits {
  std::size_t header_bytes_max = 4U << 20;
  std::size_t payload_bytes_max = 256U << 10;
};

/// Longest duration, either way; longer ones are cut to it when encoded and refused when decoded, so that adding one to a time
/// never overflows.
inline constexpr core::Duration duration_max = std::chrono::hours{24 * 366 * 10};
/// One list decodes to at most this much memory, one text to at most this many bytes. All of a message together: at most
/// decode_factor times its frame + decode_slack_bytes.
inline constexpr std::size_t list_bytes_max = 16U << 20;
inline constexpr std::size_t text_bytes_max = 3U << 20;
inline constexpr std::size_t decode_factor = 6;
inline constexpr std::size_t decode_slack_bytes = 64U << 10;

/// Any envelope that keeps the contract of core/envelope.h. Of `hello`, `text` and `message` the one that `kind` names travels.
Frames encode(const core::Envelope& envelope);
/// Error: Errc::incompatible for another protocol version (both are named; a hello or refuse of any version decodes, so that the
/// link can answer it), else bad_frame with the field's path. `fault`, if given, becomes the branch that refused.
core::Result<core::Envelope> decode_envelope(const ReceivedFrames& frames, const CodecLimits& limits = {}, DecodeFault* fault = nullptr);

Frames encode(const core::ClientMessage& message);
/// As above; ClientHello and Failed of any version decode.
core::Result<core::ClientMessage> decode_client(const ReceivedFrames& frames, const CodecLimits& limits = {}, DecodeFault* fault = nullptr);

}  // namespace spillway::net
