#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace spillway::net {

/// Why a frame was refused: one value for each branch of the decoders that refuses. A test asserts that all are reached.
enum class DecodeFault : std::uint8_t {
  none = 0,
  empty,      ///< a header frame of no bytes
  not_words,  ///< header bytes are no multiple of 8
  header_too_large,
  malformed,       ///< no Cap'n Proto message: segments, pointers, nesting or amount read
  trailing_bytes,  ///< a message, and then more
  unknown_version,
  unknown_type,
  bad_enum,      ///< an integer beyond its enum
  bad_duration,  ///< longer than duration_max
  list_too_long,
  text_too_long,
  too_much_memory,  ///< decodes to more than its size warrants
  missing_field,
  payload_missing,     ///< a page fragment without its bytes
  payload_unexpected,  ///< a payload frame beside a header that wants none
  payload_size,        ///< not as long as the header says
  payload_too_large,
  fragment_range,  ///< a fragment beyond its payload
  count,           ///< number of values
};

inline constexpr std::size_t decode_faults = static_cast<std::size_t>(DecodeFault::count);

std::string_view to_string(DecodeFault fault);

}  // namespace spillway::net
