#include "net/decode_fault.h"

namespace spillway::net {

std::string_view to_string(DecodeFault fault) {
  static constexpr std::array<std::string_view, decode_faults> names{"none",
                                                                     "empty",
                                                                     "not_words",
                                                                     "header_too_large",
                                                                     "malformed",
                                                                     "trailing_bytes",
                                                                     "unknown_version",
                                                                     "unknown_type",
                                                                     "bad_enum",
                                                                     "bad_duration",
                                                                     "list_too_long",
                                                                     "text_too_long",
                                                                     "too_much_memory",
                                                                     "missing_field",
                                                                     "payload_missing",
                                                                     "payload_unexpected",
                                                                     "payload_size",
                                                                     "payload_too_large",
                                                                     "fragment_range"};
  const auto index = static_cast<std::size_t>(fault);
  return index < names.size() ? names[index] : "unknown";
}

}  // namespace spillway::net
