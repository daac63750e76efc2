// libFuzzer target: any bytes as frames from a node and from a client. The first byte says how much of the rest is the payload.
#include <cstddef>
#include <cstdint>

#include "net/codec.h"

using namespace spillway;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const core::Bytes rest{reinterpret_cast<const std::byte*>(data) + 1, size - 1};
  const auto payload_bytes = data[0] == 0 ? 0 : rest.size() * data[0] / 256;
  const auto header = rest.first(rest.size() - payload_bytes);
  const auto tail = rest.last(payload_bytes);
  const auto payload = payload_bytes == 0 ? nullptr : core::share(core::ByteVector(tail.begin(), tail.end()));
  // What decodes encodes again, and to something that decodes.
  if (const auto envelope = net::decode_envelope({header, payload}); envelope && envelope->version == core::protocol_version) {
    if (!net::decode_envelope({net::encode(*envelope).header, payload})) __builtin_trap();
  }
  if (const auto message = net::decode_client({header, nullptr})) {
    if (!net::decode_client({net::encode(*message).header, nullptr})) __builtin_trap();
  }
  return 0;
}
